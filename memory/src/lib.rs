//! *What it is*: the memory a guest program sees. Guest addresses are host addresses, as in the kernel.
//!
//! *Invariant*: an address that lies in a [`Region`] of a [`Memory`] is alive, since the region keeps its [`Block`]; every
//! access through [`Memory`] is tested against the regions and their permissions. `unsafe` lives in `block.rs` alone.
//!
//! *Start here*: [`Block`], [`Memory`].
#![deny(unsafe_code)]

mod block;
mod fault;
mod region;

pub use block::{Block, Span};
pub use fault::{Access, Fault, Why};
pub use region::{Hit, Memory, Region, RegionKind, Shape};
