//! One program on both sides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep::{BuildError, Mode, Target, World};
use skep_linux::MapType;
use skep_object::{Object, ProgramRef};
use skep_program::MapDef;
use skep_world::Random;

use super::compare::{Unstable, differences};
use super::report::{Cut, Divergence, ProgramReport, Verdict};
use super::run::{Inputs, Options};
use super::simulated::{Simulated, SimulatedError};
use crate::generate::Generator;
use crate::oracle::{Case, Ended, Engine, Host, HostError, Observed, Set, TableError, shape};

/// How often the kernel is asked again before a difference counts.
const AGAIN: usize = 6;
/// How often skep is run otherwise before a difference counts: each time with another clock, other random numbers, other addresses.
const OTHERWISE: usize = 6;
/// How many other inputs are looked at before a difference counts.
const OTHERS: usize = 16;

/// A program on both sides.
pub(super) struct Pair {
    set: Set,
    mode: Mode,
    skep: Simulated,
    kernel: Host,
    /// The program and its maps in the kernel once more, with other addresses, ids and hash seeds: made when it is needed.
    again: Option<Host>,
    /// Skep once more, with other addresses, times and random numbers: made when it is needed.
    twin: Option<Simulated>,
    /// Held by programs with an arena that has an address of its own: there is one such place in a process. Dropped last.
    _place: Option<MutexGuard<'static, ()>>,
}

static PLACE: Mutex<()> = Mutex::new(());

/// What came of one case.
enum Compared {
    Equal(Unstable),
    NotSimulated(String),
    Differ(Box<Divergence>),
}

impl Pair {
    pub(super) fn new(object: &Object, program: &ProgramRef<'_>, options: &Options) -> Result<Pair, Verdict> {
        if let Some(prog_type) = program.prog_type()
            && shape(prog_type).is_none()
        {
            return Err(Verdict::NotComparable(HostError::NoTestRun(prog_type.name()).to_string()));
        }
        let set = Set::new(object, program, &options.target).map_err(|error| Verdict::SkepRefuses(error.to_string()))?;
        Pair::of(set, options)
    }

    pub(super) fn of(set: Set, options: &Options) -> Result<Pair, Verdict> {
        let placed = |def: &Arc<MapDef>| def.map_type == MapType::Arena && def.map_extra != 0;
        let mut maps = set.programs.iter().flat_map(|program| &program.maps).chain(&set.others);
        let place = maps.any(placed).then(|| PLACE.lock().unwrap_or_else(PoisonError::into_inner));
        let kernel = match Host::new(&set) {
            Ok(kernel) => kernel,
            Err(error @ (HostError::Unavailable(_) | HostError::NoTestRun(_))) => {
                return Err(Verdict::NotComparable(error.to_string()));
            }
            Err(error) => return Err(Verdict::KernelRefuses(error.to_string())),
        };
        let skep = Simulated::new(&set, &options.target, options.mode, 0, like_this_thread)
            .map_err(|error| Verdict::SkepRefuses(refusal(&error)))?;
        Ok(Pair { set, mode: options.mode, skep, kernel, again: None, twin: None, _place: place })
    }

    pub(super) fn run(&mut self, options: &Options, report: &mut ProgramReport) -> Verdict {
        match &options.inputs {
            Inputs::Given(cases) => self.run_all(cases.len(), &|index| cases[index].clone(), options, report),
            Inputs::Generated { count, seed } => {
                let generator = Generator::new(&self.set, *seed);
                self.run_all(*count, &|index| generator.case(index), options, report)
            }
        }
    }

    fn run_all(
        &mut self,
        count: usize,
        case_at: &dyn Fn(usize) -> Case,
        options: &Options,
        report: &mut ProgramReport,
    ) -> Verdict {
        let mut not_simulated = None;
        report.asked = count;
        for index in 0..count {
            report.cut = self.cut(index, options);
            if report.cut.is_some() {
                break;
            }
            report.inputs += 1;
            let case = case_at(index);
            let mut others = (index + 1..count).chain(0..index).take(OTHERS).map(case_at);
            match self.compare(index, &case, &mut others, &options.target) {
                Ok(Compared::Equal(unstable)) => {
                    for aspect in unstable.aspects() {
                        *report.unstable.entry(aspect.to_string()).or_insert(0) += 1;
                    }
                }
                Ok(Compared::NotSimulated(what)) => not_simulated = not_simulated.or(Some(what)),
                Ok(Compared::Differ(divergence)) => return Verdict::Differ(divergence),
                Err(error) => return Verdict::NotComparable(error.to_string()),
            }
        }
        match not_simulated {
            Some(what) => Verdict::SkepRefuses(format!("{what} is not simulated")),
            None => Verdict::Agree,
        }
    }

    /// Whether, after so many inputs, there is enough left for one more.
    fn cut(&self, inputs: usize, options: &Options) -> Option<Cut> {
        let (executed, time) = (self.skep.executed(), self.kernel.spent());
        if executed > options.instructions {
            executed.checked_div(inputs as u64).map(Cut::Instructions)
        } else if time > options.kernel_time {
            (time.as_millis() as u64).checked_div(inputs as u64).map(Cut::KernelTime)
        } else {
            None
        }
    }

    fn compare(
        &mut self,
        index: usize,
        case: &Case,
        others: &mut dyn Iterator<Item = Case>,
        target: &Arc<Target>,
    ) -> Result<Compared, TableError> {
        self.skep.set_world(now);
        let kernel = self.kernel.run(case)?;
        let skep = self.skep.run(case)?;
        if let Ended::NotSimulated(what) = &skep.ended {
            return Ok(Compared::NotSimulated(what.clone()));
        }
        let mut unstable = Unstable::default();
        let mut found = differences(&skep, &kernel, &unstable);
        for time in 0..OTHERWISE {
            if found.is_empty() {
                break;
            }
            self.learn_from_twin(case, &skep, &mut unstable, target, time)?;
            found = differences(&skep, &kernel, &unstable);
        }
        for time in 0..AGAIN {
            if found.is_empty() {
                break;
            }
            unstable.learn(&kernel, &self.ask_again(case, time)?);
            found = differences(&skep, &kernel, &unstable);
        }
        for (time, other) in others.enumerate() {
            if found.is_empty() {
                break;
            }
            let observed = self.skep.run(&other)?;
            self.learn_from_twin(&other, &observed, &mut unstable, target, time)?;
            found = differences(&skep, &kernel, &unstable);
        }
        let places = found.len();
        Ok(match found.into_iter().next() {
            None => Compared::Equal(unstable),
            Some(difference) => {
                let case = case.clone();
                Compared::Differ(Box::new(Divergence { index, case, difference, places, skep, kernel }))
            }
        })
    }

    /// Learns what comes from addresses, time, chance, or stack that nothing has written: it is not the same in another instance.
    fn learn_from_twin(
        &mut self,
        case: &Case,
        observed: &Observed,
        unstable: &mut Unstable,
        target: &Arc<Target>,
        time: usize,
    ) -> Result<(), TableError> {
        let twin = match &mut self.twin {
            Some(twin) => twin,
            None => match Simulated::new(&self.set, target, self.mode, 0xa5, like_this_thread) {
                Ok(twin) => self.twin.insert(twin),
                // What could be built once is refused only for want of memory.
                Err(_) => return Ok(()),
            },
        };
        twin.set_world(|world| otherwise(world, time));
        let _taken = take_memory(time);
        unstable.learn(observed, &twin.run(case)?);
        Ok(())
    }

    /// Asks the kernel once more: by turns the same program and a second copy of it.
    fn ask_again(&mut self, case: &Case, time: usize) -> Result<Observed, TableError> {
        if time % 2 == 1 {
            return self.kernel.run(case);
        }
        let again = match &mut self.again {
            Some(again) => again,
            None => match Host::new(&self.set) {
                Ok(host) => self.again.insert(host),
                // What could be loaded once is refused only for want of memory: then the first copy has to do.
                Err(_) => return self.kernel.run(case),
            },
        };
        again.run(case)
    }
}

/// Why skep does not take a program. What has no body goes without its place, so that refusals can be counted.
fn refusal(error: &SimulatedError) -> String {
    match error {
        SimulatedError::Build(error) => match error.as_ref() {
            BuildError::NoBody { what, .. } => format!("{what} is not simulated"),
            error => error.to_string(),
        },
        SimulatedError::Table(error) => error.to_string(),
        SimulatedError::Name(error) => error.to_string(),
    }
}

/// Makes the world what the calling thread is to programs that it runs.
fn like_this_thread(world: &mut World) {
    let who = skep_kernel::who();
    world.cpu = who.cpu as u32;
    world.cpus = skep_kernel::possible_cpus() as u32;
    (world.task.pid, world.task.tgid, world.task.comm) = (who.pid, who.tgid, who.comm);
    (world.task.uid, world.task.gid, world.task.cgroup_id) = (who.uid, who.gid, who.cgroup_id);
}

/// Sets the clocks.
fn now(world: &mut World) {
    let times = skep_kernel::times();
    world.clock.monotonic = times.monotonic;
    world.clock.suspended = times.boot.saturating_sub(times.monotonic);
    world.clock.epoch = times.tai.saturating_sub(times.monotonic);
}

/// Makes the world another one in all that inputs do not say; each time another one, down to the last bit of the clock.
fn otherwise(world: &mut World, time: usize) {
    now(world);
    world.clock.monotonic += 12_345_678_901_234 + 1_000_001 * time as u64;
    world.clock.step = 10_987;
    world.random = Random::new(1 + time as u64);
    world.net.namespace_cookie = world.net.namespace_cookie.wrapping_add(1);
    world.task.kernel_stack = vec![0xffff_ffff_8100_0000; 40];
    world.task.user_stack = vec![0x40_0000; 40];
}

/// Takes so much memory of all the sizes that a run takes that the run gets addresses far from where the last one got them: else it
/// would get the very same, with the same upper bytes.
fn take_memory(time: usize) -> Vec<Vec<u8>> {
    let sizes = (1..=64).flat_map(|nth| std::iter::repeat_n(16 * nth, 64 * (time + 1)));
    sizes.map(Vec::with_capacity).collect()
}
