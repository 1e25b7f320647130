//! *What it is*: one corpus, every engine; real kernels as oracles; differential runs.
//!
//! *Invariant*: what was not asked of a kernel, or of a suite that others wrote, is not reported as agreed.
#![forbid(unsafe_code)]
