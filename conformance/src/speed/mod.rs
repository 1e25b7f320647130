//! How long verification takes, and how much memory: recorded loads beside the time that the kernel took, and programs of ours of any length.
//!
//! `benches/verify.rs` keeps the times, `tests/memory.rs` the memory; `examples/speed.rs` prints all of it as tables.

mod linear;
mod usage;

pub use linear::Shape;
pub use usage::{cpu_time, forget_peak, peak_memory};

use std::time::Duration;

use skep_kernel::{LoadError, Loaded, LogLevel};
use skep_linux::Target;
use skep_program::Program;
use skep_verifier::{Options, Report, verify};

use crate::LineError;
use crate::corpus::{Corpus, Load, LoadProblem, Set, Truth, TruthProblem};

/// Programs that process more instructions than this are long.
pub const LONG: u64 = 10_000;

/// A recorded load, and what is known of it.
#[derive(Debug)]
pub struct Recorded {
    /// The program.
    pub load: Load,
    /// The time that the kernel took when it was recorded.
    pub kernel: Duration,
    /// Instructions that it processed.
    pub processed: u64,
}

/// What reading a set can end with.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// A load.
    #[error(transparent)]
    Load(#[from] LineError<LoadProblem>),
    /// A verdict.
    #[error(transparent)]
    Truth(#[from] LineError<TruthProblem>),
}

/// The loads of a set of which the kernel's time is known, in order; `only` is a part that their ids must have.
///
/// # Errors
/// Lines that cannot be read.
pub fn recorded(corpus: &Corpus, set: Set, only: &str) -> Result<Vec<Recorded>, RecordedError> {
    let mut truths = std::collections::HashMap::new();
    for truth in corpus.truth(set)? {
        let Truth { id, micros, processed, .. } = truth?;
        truths.extend(micros.zip(processed).map(|known| (id, known)));
    }
    let mut loads = corpus.loads_of(set)?;
    loads.retain(only);
    let mut found = Vec::new();
    for index in 0..loads.len() {
        let Some(&(micros, processed)) = truths.get(&loads.id(index)) else { continue };
        match loads.get(index, corpus.types()) {
            Ok(load) => found.push(Recorded { load, kernel: Duration::from_micros(micros), processed }),
            // Loads that skep does not read take it no time.
            Err(LineError { problem: LoadProblem::OverProgram, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The report of a program, and the least time on the processor of so many runs. A program that takes long runs once.
pub fn best_of(times: u32, program: &Program, target: &Target) -> (Report, Duration) {
    const LONG_RUN: Duration = Duration::from_millis(500);
    let options = Options::default();
    let run = || {
        let start = cpu_time();
        let report = verify(program, target, &options);
        (report, cpu_time() - start)
    };
    let (report, mut best) = run();
    for _ in 1..times {
        if best > LONG_RUN {
            break;
        }
        best = best.min(run().1);
    }
    (report, best)
}

/// The least time, of so many loads, that the kernel of this host says its verifier took; nothing where it cannot be asked, or does not come
/// to the verifier. `host` has its types.
pub fn kernel_here(times: u32, corpus: &Corpus, load: &Load, host: &Target) -> Option<Duration> {
    let program = load.retarget(corpus.vmlinux(), host.btf()?).ok()?;
    let took = |log: &str| {
        let micros = log.lines().find_map(|line| line.strip_prefix("verification time ")?.strip_suffix(" usec")?.parse().ok());
        micros.map(Duration::from_micros)
    };
    let ask = |_| match Loaded::create(&program, LogLevel::Stats) {
        Ok(loaded) => took(&loaded.log),
        Err(LoadError::Refused { log, .. }) => took(&log),
        Err(_) => None,
    };
    (0..times).filter_map(ask).min()
}

/// The middle one of these times; zero if there are none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
