//! *What it is*: mutated objects, types, instructions and assembler text, put to the crates that read them; and what must hold of every
//! answer: no panic, no hang, no memory that the input does not justify.
//!
//! *Invariant*: a case is a function of subject, seed number and case number, so that each can be made again by itself.
//!
//! Random programs ([`programs`]) and real ones with a few instructions changed ([`mutants`]) are put to the verifier and to the kernel's
//! ([`verdicts`]); [`hunt`] does so for many. Those that are accepted run, within what the verifier claimed ([`contained`]).
//!
//! *Start here*: [`subject`] names what is tested, [`Driver`] runs cases of it in this process; the binary `mutations` runs them in
//! processes of their own, which may die.
#![forbid(unsafe_code)]

pub mod areas;
pub mod contained;
mod driver;
mod faults;
pub mod hunt;
pub mod insn;
pub mod kept;
pub mod mutants;
pub mod mutate;
pub mod programs;
pub mod runs;
mod seeds;
mod subjects;
mod supervise;
pub mod text;
pub mod verdicts;

pub use driver::{Driver, Finding, Problem, Summary};
pub use seeds::{Seed, Sources};
pub use subjects::{NAMES, Subject, Verdict, subject};
pub use supervise::{Plan, Report, supervise, work};

/// Counts what is allocated, so that a case can be held against its size.
#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
