//! *What it is*: Linux as data: types, helpers, contexts, section names, error numbers, each row with the release it came with.
//!
//! *Invariant*: nobody compares release numbers but this crate; others ask a [`Target`].
//!
//! *Start here*: [`Target`], then the rows of a family.
#![forbid(unsafe_code)]

mod errno;
mod target;
mod types;

pub use errno::Errno;
pub use target::{Arch, Release, Target};
pub use types::{AttachType, MapType, ProgType};
