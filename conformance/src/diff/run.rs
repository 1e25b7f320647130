//! The comparison itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use skep::{Mode, Target};
use skep_kernel::Kernel;
use skep_object::{Object, ProgramRef};

use super::pair::Pair;
use super::report::{ProgramReport, Report, Verdict};
use crate::oracle::{Case, Set};

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
    /// How skep runs them.
    pub mode: Mode,
    /// Instructions that skep may execute for one program, over all its inputs; what is left of the inputs is not run then.
    pub instructions: u64,
    /// Time that the kernel may take for one program, likewise. (A loop by `may_goto` takes it a quarter of a second.)
    pub kernel_time: Duration,
}

impl Options {
    /// 100 generated inputs for each program that can be compared, or as many as some 270 million instructions and ten
    /// seconds of the kernel are enough for.
    pub fn new(target: impl Into<Arc<Target>>) -> Options {
        let inputs = Inputs::Generated { count: 100, seed: 0 };
        Options {
            target: target.into(),
            programs: Vec::new(),
            inputs,
            mode: Mode::default(),
            instructions: 1 << 28,
            kernel_time: Duration::from_secs(10),
        }
    }
}

/// Compares programs of an object, [`apart`].
pub fn object(object: &Object, options: &Options) -> Report {
    let chosen = |program: &ProgramRef<'_>| match options.programs.is_empty() {
        true => program.autoload(),
        false => options.programs.iter().any(|name| name == program.name()),
    };
    let programs: Vec<ProgramRef<'_>> = object.programs().filter(chosen).collect();
    Report { kernel: Kernel::release(), programs: apart(&programs, |one| program(object, one, options)) }
}

/// Does `work` for all items, in one thread per CPU. Each thread stays on its CPU, and has a network of its own, so that programs that
/// it runs reach nobody. Results come in the order of the items.
///
/// # Panics
/// If `work` does, or if no thread can be started.
pub fn apart<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let body = |cpu: usize| {
        // Without the right to do so nothing can be loaded either, and that is what is reported.
        let _ = skep_kernel::isolate_network();
        let _ = skep_kernel::pin_thread(cpu);
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut cpus = skep_kernel::cpus();
    cpus.truncate(items.len());
    std::thread::scope(|scope| {
        let start = |cpu: usize| {
            let thread = std::thread::Builder::new().name("skep-diff".into());
            thread.spawn_scoped(scope, move || body(cpu)).expect("a thread can be started")
        };
        let threads: Vec<_> = cpus.into_iter().map(start).collect();
        let mut all = Vec::with_capacity(items.len());
        for thread in threads {
            match thread.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all.sort_by_key(|(index, _)| *index);
        all.into_iter().map(|(_, result)| result).collect()
    })
}

/// Compares one program of an object. The calling thread should be one that [`apart`] made.
pub fn program(object: &Object, program: &ProgramRef<'_>, options: &Options) -> ProgramReport {
    let report = empty(program.name(), program.section(), program.prog_type());
    judged(Pair::new(object, program, options), options, report)
}

/// Compares the first program of a set. The calling thread should be one that [`apart`] made.
pub fn set(set: Set, options: &Options) -> ProgramReport {
    let first = set.programs.first();
    let report = match first {
        Some(program) => empty(&program.name, &program.section, Some(program.prog_type)),
        None => empty("", "", None),
    };
    judged(Pair::of(set, options), options, report)
}

fn empty(program: &str, section: &str, prog_type: Option<skep::ProgType>) -> ProgramReport {
    ProgramReport {
        program: program.to_owned(),
        section: section.to_owned(),
        prog_type: prog_type.map_or("unknown", skep::ProgType::name).to_owned(),
        inputs: 0,
        asked: 0,
        cut: None,
        unstable: Default::default(),
        verdict: Verdict::Agree,
    }
}

fn judged(pair: Result<Pair, Verdict>, options: &Options, mut report: ProgramReport) -> ProgramReport {
    report.verdict = match pair {
        Ok(mut pair) => pair.run(options, &mut report),
        Err(verdict) => verdict,
    };
    report
}
