//! Following a run in the tree of paths.

use std::collections::BTreeSet;
use std::fmt;

use skep::{At, Hook, Insn, Program, Target, Trap};
use skep_isa::Callee;
use skep_verifier::kept::{Held, Kept, Tally, Visit};

use super::view::{View, held};

/// Why a run was not followed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// It went on in another program.
    TailCall,
    /// A function called the program again, and what came of that returned to the caller.
    AfterTailCall,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Left::TailCall => "a tail call",
            Left::AfterTailCall => "the return from a tail call of a function",
        })
    }
}

/// A run is where the verifier says that none can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Slot of the instruction that comes next.
    pub slot: usize,
    /// Instructions before it.
    pub steps: u64,
    /// How each state excludes the run; empty if no path goes this way.
    pub why: Vec<String>,
    /// `r0` to `r10`.
    pub registers: [u64; 11],
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at slot {} after {} instructions: ", self.slot, self.steps)?;
        match self.why.as_slice() {
            [] => f.write_str("no path of the verifier goes here"),
            why => f.write_str(&why.join("; or ")),
        }?;
        write!(f, "; registers {:x?}", self.registers)
    }
}

/// A function that was verified by itself, and what it called.
#[derive(Debug)]
struct Level {
    /// A tail call led here, and ended the function that made it.
    tail: bool,
    /// Its first frame.
    base: usize,
    /// The visits that the run may be at.
    at: Vec<Visit>,
    /// What its caller holds.
    held: Held,
}

/// What called the function of a frame.
#[derive(Debug, Clone, Copy)]
struct Caller {
    slot: usize,
    /// A helper or kernel function, which may call it again.
    outside: bool,
}

/// The instruction before.
#[derive(Debug, Clone, Copy)]
struct Last {
    slot: usize,
    insn: Option<Insn>,
    height: usize,
    registers: [u64; 11],
}

/// Follows a run of a program: a [`Hook`] for one run.
#[derive(Debug)]
pub struct Follow<'k> {
    program: &'k Program,
    target: &'k Target,
    kept: &'k Kept,
    levels: Vec<Level>,
    /// Registers of all frames; of those that wait, as they were at the call.
    regs: Vec<[u64; 11]>,
    /// Of each frame but the first.
    callers: Vec<Caller>,
    last: Option<Last>,
    /// The run is that of functions that are called later.
    later: bool,
    /// The frame in which the run began.
    first: usize,
    /// Slots that runs came to.
    pub reached: BTreeSet<usize>,
    /// Instructions that were followed.
    pub steps: u64,
    /// What was judged.
    pub tally: Tally,
    /// Where the run got lost.
    pub lost: Option<Lost>,
    /// Why it is not followed any more.
    pub left: Option<Left>,
}

impl<'k> Follow<'k> {
    /// For a run of this program, from its beginning; `kept` is what verification left of it.
    pub fn new(program: &'k Program, target: &'k Target, kept: &'k Kept) -> Follow<'k> {
        Follow {
            program,
            target,
            kept,
            levels: Vec::new(),
            regs: Vec::new(),
            callers: Vec::new(),
            last: None,
            later: false,
            first: 0,
            reached: BTreeSet::new(),
            steps: 0,
            tally: Tally::default(),
            lost: None,
            left: None,
        }
    }

    /// The last instruction that was followed, with the registers before it.
    pub fn last_insn(&self) -> Option<(Insn, [u64; 11])> {
        let last = self.last?;
        Some((last.insn?, last.registers))
    }

    /// For functions that timers and work call after the run, one after the other.
    #[must_use]
    pub fn later(self) -> Follow<'k> {
        Follow { later: true, ..self }
    }

    /// Those of these visits that the run can be at: it lies in their state, where there is one. The frames judged are `count` from the
    /// last level's first on.
    fn settle(&mut self, at: &At<'_>, visits: Vec<Visit>, count: usize) -> Result<Vec<Visit>, Vec<String>> {
        let (base, before) = self.levels.last().map_or((0, Held::default()), |level| (level.base, level.held));
        let (program, target, kept) = (self.program, self.target, self.kept);
        let view = View { at, program, target, kept, regs: &self.regs, base, count, before };
        let (mut found, mut why) = (Vec::new(), Vec::new());
        for visit in visits {
            match self.kept.state(visit) {
                Some(state) if state.speculative => continue,
                Some(state) => match state.contains(&view, &mut self.tally) {
                    Ok(()) => {}
                    Err(escape) => {
                        why.push(escape.to_string());
                        continue;
                    }
                },
                None => {}
            }
            let visit = self.kept.resolve(visit);
            if !found.contains(&visit) {
                found.push(visit);
            }
        }
        if found.is_empty() { Err(why) } else { Ok(found) }
    }

    /// Visits right after those of the last level, at a slot.
    fn after(&self, slot: usize) -> Vec<Visit> {
        let at = self.levels.last().map_or(&[][..], |level| &level.at);
        at.iter().flat_map(|visit| self.kept.after(*visit)).filter(|visit| self.kept.slot(*visit) == slot).collect()
    }

    fn enter(&mut self, at: &At<'_>, base: usize, slot: usize) -> Vec<Visit> {
        let later = self.later && self.levels.is_empty();
        self.levels.push(Level { tail: false, base, at: Vec::new(), held: held(at) });
        self.kept.entry(slot, later).collect()
    }

    /// The frames of the run, brought up to date.
    fn frames(&mut self, at: &At<'_>) {
        let height = at.height();
        // A function that runs later has a frame below it that does nothing.
        self.regs.resize(height, [0; 11]);
        self.regs.push(at.registers());
        self.callers.truncate(height);
        if self.last.is_none() {
            self.callers.resize(height, Caller { slot: usize::MAX, outside: false });
        }
        if self.callers.len() < height
            && let Some(last) = self.last
        {
            let outside = !matches!(last.insn, Some(Insn::Call(Callee::Local(_))));
            self.callers.push(Caller { slot: last.slot, outside });
        }
    }

    fn step(&mut self, at: &At<'_>) -> Result<(), Vec<String>> {
        let (slot, height) = (at.slot(), at.height());
        self.frames(at);
        while let Some(level) = self.levels.pop_if(|level| level.base > height) {
            // The function that the tail call ended goes on nowhere, and the one that called it where no visit says.
            if level.tail {
                self.left = Some(Left::AfterTailCall);
                return Ok(());
            }
        }
        if self.later && matches!(self.last, Some(Last { insn: Some(Insn::Exit), .. })) && height <= self.first {
            self.levels.clear();
            self.last = None;
        }
        let mut visits = self.after(slot);
        match self.last {
            None => {
                self.first = height;
                visits = self.enter(at, height, slot);
            }
            Some(Last { insn: Some(Insn::Call(callee)), height: before, .. }) if visits.is_empty() => match callee {
                // A function that was verified by itself.
                Callee::Local(_) if height > before => visits = self.enter(at, height, slot),
                // An exception ends all frames, and what handles it begins.
                Callee::Kfunc { .. } if height == 0 => {
                    self.levels.clear();
                    visits = self.enter(at, 0, slot);
                }
                // The program calls itself.
                Callee::Helper(_) if slot == 0 => {
                    self.levels.pop_if(|level| level.base == height);
                    visits = self.enter(at, height, slot);
                    self.levels.last_mut().into_iter().for_each(|level| level.tail = true);
                }
                Callee::Local(_) | Callee::Helper(_) | Callee::Kfunc { .. } | Callee::Reg(_) => {}
            },
            Some(_) => {}
        }
        let base = self.levels.last().map_or(0, |level| level.base);
        let found = self.settle(at, visits, height + 1 - base)?;
        if let Some(level) = self.levels.last_mut() {
            level.at = found;
        }
        if matches!(at.insn(), Some(Insn::Exit)) {
            self.leave_callback(at, height, base)?;
        }
        Ok(())
    }

    /// The exit of a function that was called back goes to the call, which may call it again or go on: the verifier comes there once more, the run
    /// does not.
    fn leave_callback(&mut self, at: &At<'_>, height: usize, base: usize) -> Result<(), Vec<String>> {
        let Some(caller) = self.callers.last().copied().filter(|caller| caller.outside && height > base) else { return Ok(()) };
        let visits = self.after(caller.slot);
        let found = self.settle(at, visits, height - base)?;
        if let Some(level) = self.levels.last_mut() {
            level.at = found;
        }
        Ok(())
    }
}

impl Hook for Follow<'_> {
    fn before(&mut self, at: &At<'_>) -> Result<(), Trap> {
        if self.lost.is_some() || self.left.is_some() {
            return Ok(());
        }
        if at.program() != self.program.name {
            self.left = Some(Left::TailCall);
            return Ok(());
        }
        if let Err(why) = self.step(at) {
            let lost = Lost { slot: at.slot(), steps: self.steps, why, registers: at.registers() };
            self.lost = Some(lost);
            return Err(Trap::Illegal("the run is outside of what the verifier claimed".into()));
        }
        self.steps += 1;
        self.reached.insert(at.slot());
        self.last = Some(Last { slot: at.slot(), insn: at.insn(), height: at.height(), registers: at.registers() });
        Ok(())
    }
}
