//! Judging a program: many runs of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use skep::{RunError, Target, Trap};
use skep_verifier::kept::{Kept, Tally};

use super::event::Events;
use super::follow::{Follow, Lost};
use crate::diff::{Mode, Simulated, SimulatedError};
use crate::oracle::Set;

/// How much is run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Generated cases that the program takes.
    pub cases: usize,
    /// What decides them.
    pub seed: u64,
    /// Instructions of one run: it ends there, as far as it went it counts.
    pub run: u64,
    /// Instructions of all runs; what is left of the cases is not run then.
    pub all: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { cases: 100, seed: 0, run: 20_000, all: 500_000 }
    }
}

/// A run that should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It is outside of what the verifier claimed.
    Lost(Box<Lost>),
    /// A verified program trapped.
    Trapped(String),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Lost(lost) => write!(f, "outside of the abstract state {lost}"),
            Ending::Trapped(trap) => write!(f, "a trap: {trap}"),
        }
    }
}

/// What runs of a program showed.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// Runs, not counting those whose input was refused.
    pub runs: u64,
    /// Instructions that were followed.
    pub instructions: u64,
    /// Registers and slots that were judged.
    pub tally: Tally,
    /// What should not be, with the number of the case: the first of each program.
    pub found: Option<(usize, Ending)>,
    /// Runs that were not followed to their end, by the reason.
    pub cut: BTreeMap<String, u64>,
}

impl Judgement {
    /// Adds another's numbers.
    pub fn add(&mut self, other: &Judgement) {
        self.runs += other.runs;
        self.instructions += other.instructions;
        self.tally.add(&other.tally);
        for (why, count) in &other.cut {
            *self.cut.entry(why.clone()).or_default() += count;
        }
    }

    fn cut(&mut self, why: impl fmt::Display) {
        *self.cut.entry(why.to_string()).or_default() += 1;
    }
}

/// Why a program cannot be judged.
pub type Unjudged = SimulatedError;

/// Runs the first program of a set on generated cases, and holds every instruction against what verification left.
///
/// # Errors
/// Why the interpreter cannot have the program.
pub fn contained(set: &Set, target: &Arc<Target>, kept: &Kept, limits: &Limits) -> Result<Judgement, Unjudged> {
    let mut events = None;
    let make = |world: &mut skep::World| events = Some(Events::new(set, target, world, limits.seed));
    let mut engine = Simulated::with_budget(set, target, Mode::Checked, STACK_BYTE, limits.run, make)?;
    let mut judgement = Judgement::default();
    let (Some(events), Some(program)) = (events, set.programs.first()) else { return Ok(judgement) };
    let mut index = 0;
    while judgement.runs < limits.cases as u64 && index < limits.cases * MOST_TRIED {
        if judgement.instructions > limits.all {
            judgement.cut("enough instructions for one program");
            break;
        }
        let mut follow = Follow::new(program, target, kept);
        let result = engine.watch(&events.case(index), &mut follow)?;
        index += 1;
        judgement.runs += u64::from(follow.steps > 0);
        judgement.instructions += follow.steps;
        judgement.tally.add(&follow.tally);
        if let Some(left) = follow.left {
            judgement.cut(left);
        }
        let ending = match (follow.lost, result) {
            (Some(lost), _) => Some(Ending::Lost(lost)),
            (None, Ok(_)) => None,
            (None, Err(RunError::Input(error))) => {
                judgement.cut(format!("input: {error}"));
                None
            }
            (None, Err(RunError::Stopped(stopped))) => match &stopped.trap {
                Trap::NotSimulated(what) => {
                    judgement.cut(format!("not simulated: {what}"));
                    None
                }
                Trap::Budget(_) => {
                    judgement.cut("a long run");
                    None
                }
                Trap::Argument { .. } if events.makes_objects() => {
                    judgement.cut(format!("an object of zeros: {}", stopped.trap));
                    None
                }
                Trap::Fault(_) | Trap::CallDepth | Trap::Argument { .. } | Trap::Context(_) | Trap::Illegal(_) => {
                    Some(Ending::Trapped(stopped.to_string()))
                }
            },
        };
        if let Some(ending) = ending {
            judgement.found = Some((index - 1, ending));
            break;
        }
    }
    Ok(judgement)
}

/// Cases that are tried for each that a program takes.
const MOST_TRIED: usize = 4;

/// What stacks hold before a program writes to them: not 0, which some bytes are claimed to be.
const STACK_BYTE: u8 = 0xa5;
