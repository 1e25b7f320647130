//! Judging a program: many runs of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use skep::{Mode, RunError, Stopped, Target, Trap};
use skep_memory::{Fault, RegionKind, Why};
use skep_program::Program;
use skep_verifier::kept::{Kept, Tally};
use skep_verifier::{Keep, Options, Verdict};

use super::event::Events;
use super::follow::{Follow, Lost};
use super::hole::Hole;
use crate::diff::{Simulated, SimulatedError};
use crate::oracle::Set;
use crate::verdicts::ask;

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
    /// Of programs that are verified here: processed instructions, beyond which their states would take too much memory.
    pub processed: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { cases: 100, seed: 0, run: 20_000, all: 500_000, processed: 20_000 }
    }
}

/// A run that should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It is outside of what the verifier claimed.
    Lost(Lost),
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
    /// Functions that timers and work called.
    pub later: u64,
    /// Slots that the verifier came to, and those of them that runs came to.
    pub slots: (usize, usize),
    /// Registers and slots that were judged.
    pub tally: Tally,
    /// What should not be, with the number of the case: the first of each program.
    pub found: Option<(usize, Ending)>,
    /// Runs that did what Linux should not let them do, by what that is.
    pub holes: BTreeMap<Hole, u64>,
    /// Runs that were not followed to their end, by the reason.
    pub cut: BTreeMap<String, u64>,
}

impl Judgement {
    /// Adds another's numbers.
    pub fn add(&mut self, other: &Judgement) {
        self.runs += other.runs;
        self.instructions += other.instructions;
        self.later += other.later;
        self.slots.0 += other.slots.0;
        self.slots.1 += other.slots.1;
        self.tally.add(&other.tally);
        for (hole, count) in &other.holes {
            *self.holes.entry(*hole).or_default() += count;
        }
        for (why, count) in &other.cut {
            *self.cut.entry(why.clone()).or_default() += count;
        }
    }

    fn cut(&mut self, why: impl fmt::Display) {
        *self.cut.entry(why.to_string()).or_default() += 1;
    }

    /// What a hook saw of a run, and how that ended; gives what should not be.
    fn take<T>(&mut self, follow: &mut Follow<'_>, result: Result<T, RunError>, all: &mut Setup<'_>) -> Option<Ending> {
        self.instructions += follow.steps;
        self.tally.add(&follow.tally);
        all.reached.append(&mut follow.reached);
        if let Some(left) = follow.left {
            self.cut(left);
        }
        let lost = follow.lost.take().map(Ending::Lost);
        let ending = lost.or_else(|| self.ended(result, all.makes_objects))?;
        match Hole::of(all.program, follow, &ending) {
            Some(hole) => {
                *self.holes.entry(hole).or_default() += 1;
                None
            }
            None => Some(ending),
        }
    }

    /// A run that stopped: what is skep's own limit is counted, all else should not be.
    fn stopped(&mut self, stopped: &Stopped, makes_objects: bool) -> Option<Ending> {
        match &stopped.trap {
            Trap::NotSimulated(what) => self.cut(format!("not simulated: {what}")),
            Trap::Budget(_) => self.cut("a long run"),
            Trap::Argument { helper, .. } if makes_objects => self.cut(format!("an object of zeros, for {helper}")),
            Trap::Fault(fault) if is_behind_map(fault) => self.cut("not simulated: what lies behind struct bpf_map"),
            Trap::Fault(_) | Trap::CallDepth | Trap::Argument { .. } | Trap::Context(_) | Trap::Illegal(_) => {
                return Some(Ending::Trapped(stopped.to_string()));
            }
        }
        None
    }

    fn ended<T>(&mut self, result: Result<T, RunError>, makes_objects: bool) -> Option<Ending> {
        match result {
            Ok(_) => None,
            Err(RunError::Input(error)) => {
                self.cut(format!("input: {error}"));
                None
            }
            Err(RunError::Stopped(stopped)) => self.stopped(&stopped, makes_objects),
        }
    }
}

/// What the runs of a program have in common.
struct Setup<'a> {
    program: &'a Program,
    makes_objects: bool,
    /// Slots that runs came to.
    reached: BTreeSet<usize>,
}

/// Why a program is not judged.
#[derive(Debug, thiserror::Error)]
pub enum Unjudged {
    /// It is not accepted in the first place.
    #[error("not accepted")]
    Refused,
    /// It has more states than the limits allow.
    #[error("too many states")]
    Large,
    /// It is not accepted with states kept like this.
    #[error("not accepted with states kept: {0}")]
    Keep(String),
    /// The interpreter cannot have it.
    #[error("not run: {0}")]
    Run(#[from] SimulatedError),
}

/// Verifies the first program of a set, and judges runs of it.
///
/// # Errors
/// Why there is nothing to judge.
pub fn accepted(set: &Set, target: &Arc<Target>, options: &Options, limits: &Limits) -> Result<Judgement, Unjudged> {
    let Some(program) = set.programs.first() else { return Err(Unjudged::Refused) };
    let plain = ask(program, target, &Options { keep: Keep::Nothing, ..options.clone() });
    if !matches!(plain.verdict, Verdict::Accept) {
        return Err(Unjudged::Refused);
    }
    if plain.stats.insns_processed > limits.processed {
        return Err(Unjudged::Large);
    }
    let work_limit = u64::from(limits.processed) * MOST_WORK;
    let report = ask(program, target, &Options { work_limit, ..options.clone() });
    match (report.verdict, report.kept) {
        (Verdict::Accept, Some(kept)) => contained(set, target, &kept, limits),
        (Verdict::Accept, None) => Err(Unjudged::Keep("the states are lost".into())),
        (Verdict::Reject(reject), _) => Err(Unjudged::Keep(reject.why.to_string())),
        (Verdict::Undecided(undecided), _) => Err(Unjudged::Keep(undecided.what.to_string())),
    }
}

/// Verifies a program that needs no other, and judges runs of it: [`accepted`].
///
/// # Errors
/// Why there is nothing to judge.
pub fn program(program: &Arc<Program>, target: &Arc<Target>, options: &Options, limits: &Limits) -> Result<Judgement, Unjudged> {
    accepted(&Set { programs: vec![program.clone()], others: Vec::new() }, target, options, limits)
}

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
    let mut all = Setup { program, makes_objects: events.makes_objects(), reached: BTreeSet::new() };
    let mut index = 0;
    let later = kept.entries().iter().any(|entry| entry.later);
    while judgement.found.is_none() && judgement.runs < limits.cases as u64 && index < limits.cases * MOST_TRIED {
        if judgement.instructions > limits.all {
            judgement.cut("enough instructions for one program");
            break;
        }
        let mut follow = Follow::new(program, target, kept);
        let result = engine.watch(&events.case(index), &mut follow)?;
        let (ran, left) = (follow.steps > 0, follow.left.is_some());
        judgement.runs += u64::from(ran);
        let mut ending = judgement.take(&mut follow, result, &mut all);
        if later && ran && !left && ending.is_none() {
            let mut follow = Follow::new(program, target, kept).later();
            let result = engine.watch_later(LATER, &mut follow);
            judgement.later += *result.as_ref().unwrap_or(&0);
            ending = judgement.take(&mut follow, result, &mut all);
        }
        judgement.found = ending.map(|ending| (index, ending));
        index += 1;
    }
    let seen = kept.slots();
    judgement.slots = (seen.len(), all.reached.intersection(&seen).count());
    Ok(judgement)
}

/// Programs may read what follows the `struct bpf_map` in the map's own struct, which skep has not.
fn is_behind_map(fault: &Fault) -> bool {
    matches!(&fault.why, Why::Outside { kind: RegionKind::Kernel(name), .. } if **name == *"bpf_map")
}

/// Work of verification with states kept, for each processed instruction that is allowed without.
const MOST_WORK: u64 = 20;

/// Cases that are tried for each that a program takes.
const MOST_TRIED: usize = 4;

/// Nanoseconds after a run in which functions are called that it left for later.
const LATER: u64 = 10_000_000_000;

/// What stacks hold before a program writes to them: not 0, which some bytes are claimed to be.
const STACK_BYTE: u8 = 0xa5;
