//! The comparison itself.

use std::sync::Arc;

use skep::Target;
use skep_kernel::Kernel;
use skep_object::{Object, ProgramRef};

use super::pair::Pair;
use super::report::{ProgramReport, Report, Verdict};
use crate::oracle::Case;

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
pub(super) const CPU: usize = 0;

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
