//! *What it is*: bodies of helpers and kfuncs, one file per family.
//!
//! *Invariant*: a body reaches guest memory only through [`Memory`](skep_memory::Memory), whose checks turn bad pointers into a
//! [`Trap`]; what a program acquires is in [`Held`] until it gives it back.
//!
//! *Start here*: [`helper`], [`kfunc`], [`Machine`].
#![forbid(unsafe_code)]

mod buffer;
mod call;
mod checksum;
mod held;
mod machine;
mod raw;
mod small;
mod table;

mod arena;
mod cgroup;
mod control;
mod cpu;
mod csum;
mod format;
mod iter;
mod lock;
mod lsm;
mod map;
mod object;
mod perf;
mod print;
mod probe;
mod redirect;
mod ringbuf;
mod route;
mod skb;
mod stack;
mod string;
mod task;
mod time;
mod trace;
mod tunnel;
mod xdp;

pub use held::{Held, HeldKind, Reference};
pub use machine::{HelperFn, Machine, Parts, Stop, Trap};
pub use table::{helper, helpers, kfunc, kfuncs};
