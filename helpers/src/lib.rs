//! *What it is*: bodies of helpers and kfuncs, one file per family.
//!
//! *Invariant*: a body reaches guest memory only through [`Memory`], whose checks turn bad pointers into a [`Trap`].
//!
//! *Start here*: [`Machine`], [`HelperFn`].
#![forbid(unsafe_code)]

mod machine;

pub use machine::{HelperFn, Machine, Parts, Stop, Trap};
