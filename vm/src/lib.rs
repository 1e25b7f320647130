//! *What it is*: a userspace home for eBPF: the checked interpreter, instances of programs with their maps, and the simulated kernel
//! around them.
//!
//! *Invariant*: a program reaches no byte outside of the regions that it was given, and runs no longer than its budget.
//!
//! *Start here*: [`raw::run`] for bare instructions.
#![forbid(unsafe_code)]

mod engine;
mod error;
mod host;
mod image;
mod input;
mod instance;
mod link;
pub mod raw;
mod record;

pub use engine::{At, Hook, Step, Strict, Trace};
pub use error::{Place, Source, Stopped};
pub use host::{HostError, btf, host};
pub use input::{Input, InputError};
pub use instance::{
    BuildError, Builder, DEFAULT_BUDGET, Instance, MapEntry, MapError, MapRef, NameError, Outcome, ProgramMut, RunError,
};
pub use link::Closure;
pub use record::{DecodeError, decode};
pub use skep_btf::{Btf, Literal, Value};
pub use skep_helpers::{Machine, Stop, Trap};
pub use skep_linux::{Arch, AttachType, Errno, MapType, ProgType, Release, Target};
pub use skep_object::{Object, ObjectError, Options, RelocateError, Repairs};
pub use skep_program::{MapDef, Program};
pub use skep_world::{Effect, KernelObjectError, Packet, Random, Redirect, World};
