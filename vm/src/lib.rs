//! *What it is*: a userspace home for eBPF: the checked interpreter, instances of programs with their maps, and the simulated kernel
//! around them.
//!
//! *Invariant*: a program reaches no byte outside of the regions that it was given, and runs no longer than its budget.
//!
//! *Start here*: [`raw::run`] for bare instructions.
#![forbid(unsafe_code)]

mod engine;
mod error;
mod image;
mod input;
mod instance;
mod link;
pub mod raw;

pub use engine::{At, Hook, Step, Strict, Trace};
pub use error::{Place, Stopped};
pub use input::{Input, InputError};
pub use instance::{
    BuildError, Builder, DEFAULT_BUDGET, Instance, MapEntry, MapError, MapRef, NameError, Outcome, ProgramMut, RunError,
};
pub use link::Closure;
