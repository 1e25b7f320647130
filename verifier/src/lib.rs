//! *What it is*: what the verifier of Linux knows about numbers. The verifier itself is to come and will stand on this.
//!
//! *Invariant*: an abstract value contains every number that the operation it came from can give; at full width it is exactly the one
//! that Linux keeps, since another domain reaches other verdicts.
//!
//! *Start here*: [`domain::Scalar`].
#![forbid(unsafe_code)]

pub mod domain;
