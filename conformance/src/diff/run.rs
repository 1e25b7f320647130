//! The comparison itself.

use std::sync::Arc;

use skep::{BuildError, Target, World};
use skep_kernel::Kernel;
use skep_object::{Object, ProgramRef};
use skep_world::Random;

use super::compare::{Unstable, differences};
use super::report::{Divergence, ProgramReport, Report, Verdict};
use super::simulated::{Simulated, SimulatedError};
use crate::generate::Generator;
use crate::oracle::{Case, Ended, Engine, Host, HostError, Observed, Set, TableError, shape};

/// What programs are run on.
#[derive(Debug, Clone)]
pub enum Inputs {
    /// So many generated ones, which the seed decides.
    Generated {
        /// How many.
        count: usize,
        /// The same seed gives the same inputs.
        seed: u64,
    },
    /// These.
    Given(Vec<Case>),
}

/// How to compare.
#[derive(Debug, Clone)]
pub struct Options {
    /// What programs are relocated for, and skep plays: the kernel of this host ([`skep::host`]), or nothing is comparable.
    pub target: Arc<Target>,
    /// The programs to compare, by entry function. Empty means all that loaders load by default and that the kernel runs on request.
    pub programs: Vec<String>,
    /// What to run them on.
    pub inputs: Inputs,
    /// Instructions that skep may execute for one program, over all its inputs; what is left of the inputs is not run then.
    pub instructions: u64,
}

impl Options {
    /// 100 generated inputs for each program that can be compared.
    pub fn new(target: impl Into<Arc<Target>>) -> Options {
        let inputs = Inputs::Generated { count: 100, seed: 0 };
        Options { target: target.into(), programs: Vec::new(), inputs, instructions: 1 << 32 }
    }
}

/// The CPU that both sides run on.
const CPU: usize = 0;
/// How often the kernel is asked again before a difference counts.
const AGAIN: usize = 6;

/// Compares programs of an object, in a thread [`apart`].
pub fn object(object: &Object, options: &Options) -> Report {
    let chosen = |program: &ProgramRef<'_>| match options.programs.is_empty() {
        true => program.autoload(),
        false => options.programs.iter().any(|name| name == program.name()),
    };
    let programs: Vec<ProgramRef<'_>> = object.programs().filter(chosen).collect();
    let compare = || programs.iter().map(|one| program(object, one, options)).collect();
    Report { kernel: Kernel::release(), programs: apart(compare) }
}

/// Runs `work` in a thread that has a network of its own, so that programs that it runs reach nobody, and that stays on one CPU.
///
/// # Panics
/// If `work` does, or if no thread can be started.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let body = || {
        // Without the right to do so nothing can be loaded either, and that is what is reported.
        let _ = skep_kernel::isolate_network();
        let _ = skep_kernel::pin_thread(CPU);
        work()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("skep-diff".into()).spawn_scoped(scope, body);
        match thread.expect("a thread can be started").join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Compares one program of an object. The calling thread should be [`apart`].
pub fn program(object: &Object, program: &ProgramRef<'_>, options: &Options) -> ProgramReport {
    let name = |prog_type: skep::ProgType| prog_type.name().to_owned();
    let mut report = ProgramReport {
        program: program.name().to_owned(),
        section: program.section().to_owned(),
        prog_type: program.prog_type().map_or_else(|| "unknown".to_owned(), name),
        inputs: 0,
        unstable: Default::default(),
        verdict: Verdict::Agree,
    };
    report.verdict = match Pair::new(object, program, options) {
        Ok(mut pair) => pair.run(options, &mut report),
        Err(verdict) => verdict,
    };
    report
}

/// A program on both sides.
struct Pair {
    set: Set,
    skep: Simulated,
    kernel: Host,
    /// The program and its maps in the kernel once more, with other addresses, ids and hash seeds: made when it is needed.
    again: Option<Host>,
    /// Skep once more, with other addresses, times and random numbers: made when it is needed.
    twin: Option<Simulated>,
}

/// What came of one case.
enum Compared {
    Equal(Unstable),
    NotSimulated(String),
    Differ(Box<Divergence>),
}

impl Pair {
    fn new(object: &Object, program: &ProgramRef<'_>, options: &Options) -> Result<Pair, Verdict> {
        if let Some(prog_type) = program.prog_type()
            && shape(prog_type).is_none()
        {
            return Err(Verdict::NotComparable(HostError::NoTestRun(prog_type.name()).to_string()));
        }
        let set = Set::new(object, program, &options.target).map_err(|error| Verdict::SkepRefuses(error.to_string()))?;
        let kernel = match Host::new(&set) {
            Ok(kernel) => kernel,
            Err(error @ (HostError::Unavailable(_) | HostError::NoTestRun(_))) => {
                return Err(Verdict::NotComparable(error.to_string()));
            }
            Err(error) => return Err(Verdict::KernelRefuses(error.to_string())),
        };
        let skep =
            Simulated::new(&set, &options.target, 0, like_this_thread).map_err(|error| Verdict::SkepRefuses(refusal(&error)))?;
        Ok(Pair { set, skep, kernel, again: None, twin: None })
    }

    fn run(&mut self, options: &Options, report: &mut ProgramReport) -> Verdict {
        match &options.inputs {
            Inputs::Given(cases) => self.run_all(cases.iter().cloned(), options, report),
            Inputs::Generated { count, seed } => {
                let generator = Generator::new(&self.set, *seed);
                self.run_all((0..*count).map(|index| generator.case(index)), options, report)
            }
        }
    }

    fn run_all(&mut self, cases: impl Iterator<Item = Case>, options: &Options, report: &mut ProgramReport) -> Verdict {
        let mut not_simulated = None;
        for (index, case) in cases.enumerate() {
            if self.skep.executed() > options.instructions {
                break;
            }
            report.inputs += 1;
            match self.compare(index, case, options) {
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

    fn compare(&mut self, index: usize, case: Case, options: &Options) -> Result<Compared, TableError> {
        self.skep.set_world(now);
        let kernel = self.kernel.run(&case)?;
        let skep = self.skep.run(&case)?;
        if let Ended::NotSimulated(what) = &skep.ended {
            return Ok(Compared::NotSimulated(what.clone()));
        }
        let mut unstable = Unstable::default();
        let mut found = differences(&skep, &kernel, &unstable);
        if !found.is_empty()
            && let Some(twin) = self.twin(&options.target)
        {
            unstable.learn(&skep, &twin.run(&case)?);
            found = differences(&skep, &kernel, &unstable);
        }
        for time in 0..AGAIN {
            if found.is_empty() {
                break;
            }
            unstable.learn(&kernel, &self.ask_again(&case, time)?);
            found = differences(&skep, &kernel, &unstable);
        }
        let places = found.len();
        Ok(match found.into_iter().next() {
            None => Compared::Equal(unstable),
            Some(difference) => Compared::Differ(Box::new(Divergence { index, case, difference, places, skep, kernel })),
        })
    }

    /// Another instance. What is not the same in it comes from addresses, time, chance, or stack that nothing has written.
    fn twin(&mut self, target: &Arc<Target>) -> Option<&mut Simulated> {
        if self.twin.is_none() {
            // What could be built once can be built again.
            self.twin = Simulated::new(&self.set, target, 0xa5, |world| {
                like_this_thread(world);
                now(world);
                world.clock.monotonic += 12_345_678_901_234;
                world.clock.step = 10_987;
                world.random = Random::new(1);
                world.task.kernel_stack = vec![0xffff_ffff_8100_0000; 40];
                world.task.user_stack = vec![0x40_0000; 40];
            })
            .ok();
        }
        self.twin.as_mut()
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
    }
}

/// Makes the world what the calling thread is to programs that it runs.
fn like_this_thread(world: &mut World) {
    let who = skep_kernel::who();
    world.cpu = CPU as u32;
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
