//! What verification leaves behind, for a judge: the tree of all paths, and the states that were kept along them.
//!
//! # What is claimed
//!
//! Of an accepted program, every run follows the tree ([`Kept`]): it begins at the visit of its function ([`Kept::entry`]), and each
//! instruction that it comes to is a visit right after the one before ([`Kept::after`]). A visit where a path ended because an older
//! state allowed no less goes on at the visit of that state ([`Kept::resolve`]). At visits that have a state, the run lies in it
//! ([`KeptState::contains`]). A run that finds several visits is in one of them at least.
//!
//! A kept state claims what the kernel relies on when it ends another path there, as it was known when all paths were at their end:
//!
//! * A number that is not marked precise, in a register or spilled, may be any number: no verdict depended on it. A precise one
//!   has the known bits, and lies within all four pairs of bounds.
//! * A register or a slot of the stack that is not read afterwards may hold anything: the kernel forgets it ("cleans" the state) before it
//!   ends a path there. So may bytes that were never written, and those that hold "something".
//! * A pointer is of its kind whatever is marked: it points where its fixed offset and its variable one say. If it may be NULL it is
//!   that or 0, if not it is never 0. Bytes that it may reach without a further test are there.
//! * Precise numbers of one id are equal, or apart by the constants that were added. Pointers into the packet of one id are apart by their
//!   fixed offsets. Pointers of one id that may be NULL are so together.
//!
//! Not all states of a path are kept: with [`Keep::States`](crate::Keep::States) those that ordinary verification keeps (and forgets
//! again, some of them), with [`Keep::Everywhere`](crate::Keep::Everywhere) one at every visit. With [`Keep::Numbers`](crate::Keep::Numbers)
//! every number counts as precise.

mod contains;
mod keeper;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use keeper::{Keeper, Mark};
pub use run::{Escape, Held, PacketPlace, Run, Tally, Where};

use std::collections::BTreeSet;

use crate::state::{Refs, Reg, Slot};

/// A place in the tree: one processing of one instruction on one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Visit(pub u32);

/// A frame of a kept state.
#[derive(Debug, Clone)]
pub struct KeptFrame {
    /// `r0` to `r10`; those that are not read afterwards are not readable.
    pub regs: [Reg; 11],
    /// Its stack; slot 0 is right below the frame pointer. What lies below was not reached.
    pub slots: Box<[Slot]>,
    /// Slot of the call; [`NO_CALLSITE`](crate::state::NO_CALLSITE) for none.
    pub callsite: u32,
    /// The function.
    pub subprog: u32,
    /// It is called within a call.
    pub in_callback: bool,
}

/// A state that was kept.
#[derive(Debug, Clone)]
pub struct KeptState {
    /// The slot of the instruction that comes next.
    pub pc: u32,
    /// Frames, the outermost first.
    pub frames: Vec<KeptFrame>,
    /// What the program holds.
    pub refs: Refs,
    /// A path that the processor may only speculate on: no run comes here.
    pub speculative: bool,
}

/// What a visit is besides its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The path passed.
    Passed,
    /// The path passed, and its state was kept.
    Kept(u32),
    /// The path ended at a kept state.
    Equal(u32),
}

#[derive(Debug, Clone, Copy)]
struct Node {
    pc: u32,
    end: End,
}

/// A function that is verified from its first instruction on: the program, a global function, one that is called later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The function's first slot.
    pub slot: usize,
    /// Where its paths begin.
    pub visit: Visit,
    /// It is called later, by a timer or by work.
    pub later: bool,
}

/// All paths of a verification, and the states that were kept. See the module.
#[derive(Debug, Clone)]
pub struct Kept {
    nodes: Vec<Node>,
    /// Visits in the order of those before them, and where the ones after each visit begin.
    after: Vec<u32>,
    starts: Vec<u32>,
    entries: Vec<Entry>,
    states: Vec<KeptState>,
    /// Visits of the states.
    of_state: Vec<Visit>,
    /// First slots of the functions, by their numbers.
    functions: Vec<usize>,
}

impl Kept {
    /// Every function that paths begin at, the program first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where paths of a function begin that is verified by itself; of one that is called later, if that is asked for.
    pub fn entry(&self, slot: usize, later: bool) -> impl Iterator<Item = Visit> + '_ {
        self.entries.iter().filter(move |entry| entry.slot == slot && entry.later == later).map(|entry| entry.visit)
    }

    /// The first slot of the function of this number.
    pub fn function(&self, subprog: u32) -> Option<usize> {
        self.functions.get(subprog as usize).copied()
    }

    /// Slots that a path came to.
    pub fn slots(&self) -> BTreeSet<usize> {
        self.nodes.iter().map(|node| node.pc as usize).collect()
    }

    /// How many visits there are.
    pub fn visits(&self) -> usize {
        self.nodes.len()
    }

    /// The slot of a visit.
    pub fn slot(&self, visit: Visit) -> usize {
        self.nodes[visit.0 as usize].pc as usize
    }

    /// The visits right after this one. None where the path ended.
    pub fn after(&self, visit: Visit) -> impl Iterator<Item = Visit> + '_ {
        let at = visit.0 as usize;
        self.after[self.starts[at] as usize..self.starts[at + 1] as usize].iter().map(|visit| Visit(*visit))
    }

    /// The visit that a path goes on from: itself, or that of the state where it ended.
    pub fn resolve(&self, visit: Visit) -> Visit {
        match self.nodes[visit.0 as usize].end {
            End::Passed | End::Kept(_) => visit,
            End::Equal(state) => self.of_state[state as usize],
        }
    }

    /// The state of a visit, if one was kept there, or the one where the path ended.
    pub fn state(&self, visit: Visit) -> Option<&KeptState> {
        match self.nodes[visit.0 as usize].end {
            End::Passed => None,
            End::Kept(state) | End::Equal(state) => Some(&self.states[state as usize]),
        }
    }

    /// All states that were kept.
    pub fn states(&self) -> &[KeptState] {
        &self.states
    }

    /// The states that were kept at a slot.
    pub fn at(&self, slot: usize) -> impl Iterator<Item = &KeptState> {
        self.states.iter().filter(move |state| state.pc as usize == slot)
    }
}
