//! *What it is*: bodies of helpers and kfuncs, one file per family.
//!
//! *Invariant*: a body reaches guest memory only through [`Memory`](skep_memory::Memory), whose checks turn bad pointers into a
//! [`Trap`]; what a program acquires is in [`Held`] until it gives it back.
//!
//! *Start here*: [`Machine`], [`HelperFn`].
#![forbid(unsafe_code)]

mod held;
mod machine;

pub use held::{Held, HeldKind, Reference};
pub use machine::{HelperFn, Machine, Parts, Stop, Trap};
