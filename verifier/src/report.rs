//! What comes out: the verdict, and what it took.

use std::time::Duration;

use crate::kept::Kept;
use crate::state::Reg;
use crate::why::Why;

/// The answer about one program.
#[derive(Debug, Clone)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What it took.
    pub stats: Stats,
    /// What the kernel would have written, at the level that was asked for, but for its lines of statistics. Empty at level 0.
    pub log: String,
    /// How often each slot was processed; empty unless the options ask for it.
    pub insn_counts: Vec<u32>,
    /// Of an accepted program, its paths and the states that were kept, if the options ask for them.
    pub kept: Option<Box<Kept>>,
}

/// A verdict.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The kernel takes the program.
    Accept,
    /// It does not.
    Reject(Box<Reject>),
    /// skep cannot tell, and never means "accepted".
    Undecided(Box<Undecided>),
}

/// A refusal, as a value. Its text in the kernel's words is that of [`Reject::why`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Slot of the instruction that is refused; `None` where the program as a whole is.
    pub pc: Option<usize>,
    /// What is wrong.
    pub why: Why,
    /// What led there.
    pub trail: Trail,
}

/// What led to a refusal. Empty where no path is to blame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// The slots that were processed on the way, first to last, the refused one included; of a long path the end.
    pub path: Vec<usize>,
    /// What the readable registers of the current function held, by their numbers.
    pub registers: Vec<(u8, Reg)>,
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// Slot of the instruction, where one is to blame.
    pub pc: Option<usize>,
    /// What skep does not know.
    pub what: NotModelled,
}

/// What skep does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotModelled {
    /// A behaviour of the kernel.
    #[error("not modelled: {0}")]
    Feature(String),
    /// The work limit of the options.
    #[error("the work limit is reached after {0} instructions")]
    WorkLimit(u64),
    /// skep found its own state to be wrong.
    #[error("a bug in skep: {0}")]
    Bug(String),
}

/// What verification took, counted as the kernel counts it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instructions processed.
    pub insns_processed: u32,
    /// States that were kept.
    pub total_states: u32,
    /// States that were kept at one time.
    pub peak_states: u32,
    /// States that were kept for one instruction.
    pub max_states_per_insn: u32,
    /// Bytes of stack of each function that is verified by itself and of those it calls, as in `stack depth 8+16`.
    pub stack_depth: Vec<u32>,
    /// Time of verification alone.
    pub time: Duration,
}
