//! *What it is*: from a verified program to machine code for x86-64 or aarch64, on any host. Bytes only: who maps and enters them is
//! elsewhere.
//!
//! *Invariant*: what runs is what [`skep_isa::eval`] says; an access is made without a test only where
//! [`Fact::through`](skep_program::Fact::through) is proven, every other one is a call of a function in [`Env`].
//!
//! *Start here*: [`compile`] and [`Env`].
#![forbid(unsafe_code)]

mod a64;
mod compile;
mod emit;
mod env;
mod error;
mod layout;
mod links;
mod lower;
mod options;
mod x64;

pub use compile::{Code, compile};
pub use env::{Env, Ret, STRIDE, Status, atomic_code, atomic_of, load_code, load_of};
pub use error::Error;
pub use links::{Inline, Links};
pub use options::{Arch, Features, Options};
