//! *What it is*: BTF and BTF.ext: parse, build, layout, CO-RE matching, print as C.
//!
//! *Invariant*: type id 0 is `void`; every id that a parsed [`Btf`] holds is in range.
//!
//! *Start here*: [`Btf::parse`].
#![forbid(unsafe_code)]

/// A parsed set of types.
#[derive(Debug, Clone, Default)]
pub struct Btf {}
