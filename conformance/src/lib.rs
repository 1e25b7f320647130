//! *What it is*: one corpus, every engine; real kernels as oracles; differential runs.
//!
//! *Invariant*: what was not asked of a kernel, or of a suite that others wrote, is not reported as agreed.
//!
//! *Start here*: [`suite`] for cases of bare instructions, [`programs`] for compiled ones, [`corpus`] for recorded kernel loads, [`oracle`] for this host's kernel,
//! [`diff`] for what differs between two engines, [`verdicts`] for the verifier beside the kernel's, [`judge`] for the verifier beside the interpreter.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod diff;
pub mod generate;
pub mod hex;
mod insns;
pub mod judge;
mod lines;
pub mod oracle;
pub mod parallel;
pub mod plugin;
pub mod programs;
pub mod speed;
pub mod suite;
pub mod verdicts;

pub use insns::{PartialSlot, slots};
pub use lines::LineError;
