//! Programs run in skep and in the kernel of this host with the same input and map contents, and the first difference between them.
//!
//! What cannot be equal is found by asking the kernel again: see `docs/diff.md`.

mod compare;
mod pair;
mod report;
mod run;
mod simulated;

pub use compare::{Aspect, Difference, Item, Place, Unstable, Value, differences};
pub use report::{Cut, Divergence, ProgramReport, Report, Verdict};
pub use run::{Inputs, Options, apart, object, program, set};
pub use simulated::{Simulated, SimulatedError};
pub(crate) use simulated::{SimulatedTable, perf_padded};
