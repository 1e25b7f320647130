//! *What it is*: the map types, one file each, with the kernel's semantics down to errno, flags and iteration order.
//!
//! *Invariant*: the address of a value does not change and its memory is not freed while the map lives. Map memory is shared
//! with other threads and is reached through [`Block`](skep_memory::Block), never through a slice.
//!
//! *Start here*: [`Map`], [`create`].
#![forbid(unsafe_code)]

mod api;

pub use api::{Caller, Found, Map, Slot};
