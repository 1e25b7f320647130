//! *What it is*: `bpf(2)` of the host kernel behind a safe face: create and reach maps, load programs and BTF, test runs.
//!
//! *Invariant*: `unsafe` lives in `sys.rs` alone; every descriptor is an `OwnedFd`.
//!
//! *Start here*: nothing yet.
#![deny(unsafe_code)]
