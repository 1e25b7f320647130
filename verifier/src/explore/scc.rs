//! Loops that are being followed: where paths entered them, and where they came round.

use crate::prep::Prep;
use crate::state::{State, StateId};

/// A loop in one chain of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chain {
    /// Slots of the calls that lead to the loop.
    callsites: Vec<u32>,
    /// The loop.
    scc: u32,
}

impl Chain {
    /// The outermost loop that the state is in is this one.
    fn has(&self, prep: &Prep, state: &State) -> bool {
        let waits = self.callsites.len();
        let at = |frame: usize| (state.frame_pc(frame), prep.marks[state.frame_pc(frame) as usize].scc);
        waits < state.frames.len()
            && at(waits).1 == self.scc
            && self.callsites.iter().enumerate().all(|(frame, callsite)| at(frame) == (*callsite, 0))
    }
}

/// The outermost loop that the state is in.
fn chain(prep: &Prep, state: &State) -> Option<Chain> {
    let mut callsites = Vec::new();
    for frame in 0..state.frames.len() {
        let pc = state.frame_pc(frame);
        let scc = prep.marks[pc as usize].scc;
        if scc != 0 {
            return Some(Chain { callsites, scc });
        }
        callsites.push(pc);
    }
    None
}

/// The chain of calls to the outermost loop that the state is in, and the loop: `(12,3)`.
pub(super) fn chain_text(prep: &Prep, state: &State) -> String {
    let Some(Chain { callsites, scc }) = chain(prep, state) else { return String::new() };
    // A call in the first slot ends the list, as the kernel keeps it.
    let calls: String = callsites.iter().take_while(|callsite| **callsite != 0).map(|callsite| format!("{callsite},")).collect();
    format!("({calls}{scc})")
}

#[derive(Debug)]
struct Visit {
    chain: Chain,
    /// The kept state that entered the loop.
    entry: Option<StateId>,
    /// Ends of paths that equal a kept state of the loop.
    backedges: Vec<State>,
}

/// Every loop that was entered.
#[derive(Debug, Default)]
pub(super) struct Loops {
    visits: Vec<Visit>,
    /// Ends of paths that wait.
    pub backedges: u32,
}

impl Loops {
    fn find(&mut self, chain: &Chain) -> Option<&mut Visit> {
        self.visits.iter_mut().find(|visit| visit.chain == *chain)
    }

    /// A path may end in this state: the outermost loop that it is in, if any, is one that a kept state entered. An exception that is thrown on
    /// the first way through a loop ends a path where none did.
    pub(super) fn may_end(&mut self, prep: &Prep, state: &State) -> bool {
        chain(prep, state).is_none_or(|chain| self.find(&chain).is_some())
    }

    /// A state is kept: if it is in a loop that no path has entered, it entered it, and the answer is `true`.
    pub(super) fn enter(&mut self, prep: &Prep, state: &State, id: StateId) -> bool {
        let Some(chain) = chain(prep, state) else { return false };
        match self.find(&chain) {
            Some(visit) => {
                let enters = visit.entry.is_none();
                visit.entry = visit.entry.or(Some(id));
                enters
            }
            None => {
                self.visits.push(Visit { chain, entry: Some(id), backedges: Vec::new() });
                true
            }
        }
    }

    /// All paths from a kept state are at their end. If it entered a loop, the ends of paths that waited for it.
    pub(super) fn exit(&mut self, prep: &Prep, state: &State, id: StateId) -> Option<Vec<State>> {
        let chain = chain(prep, state)?;
        let visit = self.find(&chain)?;
        if visit.entry != Some(id) {
            return None;
        }
        visit.entry = None;
        let backedges = std::mem::take(&mut visit.backedges);
        self.backedges -= backedges.len() as u32;
        Some(backedges)
    }

    /// The path ends at a state that equals `kept`, before all paths from that are at their end.
    pub(super) fn add_backedge(&mut self, prep: &Prep, kept: &State, backedge: State) -> bool {
        let Some(chain) = chain(prep, kept) else { return false };
        let Some(visit) = self.find(&chain) else { return false };
        visit.backedges.push(backedge);
        self.backedges += 1;
        true
    }

    /// What is known of the state may grow: the loop that it is in is not at its end.
    pub(super) fn is_incomplete(&self, prep: &Prep, state: &State) -> bool {
        if self.backedges == 0 {
            return false;
        }
        self.visits.iter().any(|visit| !visit.backedges.is_empty() && visit.chain.has(prep, state))
    }
}
