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
mod release;
mod small;
mod table;

mod alloc;
mod arena;
mod cgroup;
mod control;
mod cpu;
mod cpumask;
mod csum;
mod dynptr;
mod format;
mod iter;
mod kernel;
mod kptr;
mod lirc;
mod lock;
mod lsm;
mod lwt;
mod map;
mod object;
mod perf;
mod print;
mod probe;
mod redirect;
mod ringbuf;
mod route;
mod show;
mod skb;
mod sock;
mod sockmap;
mod stack;
mod storage;
mod string;
mod syscall;
mod sysctl;
mod task;
mod tcp;
mod time;
mod timer;
mod trace;
mod tunnel;
mod xattr;
mod xdp;

pub use held::{Held, HeldKind, Reference};
pub use machine::{HelperFn, Machine, Parts, Stop, Trap};
pub use release::release;
pub use table::{helper, helpers, kfunc, kfuncs};
pub use timer::fire;
