//! Notes the tree while paths are followed.

use skep_isa::{Insn, Reg as Name};

use super::{End, Entry, Kept, KeptFrame, KeptState, Node, Visit};
use crate::options::Keep;
use crate::prep::Prep;
use crate::state::{Reg, Slot, State, StateId};

/// No visit.
const NONE: u32 = u32::MAX;

/// What is noted so far.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    keep: Keep,
    nodes: Vec<Node>,
    /// The visit before each.
    before: Vec<u32>,
    current: u32,
    /// The next visit begins a function: called later or not.
    begins: Option<bool>,
    entries: Vec<Entry>,
    states: Vec<Option<KeptState>>,
    of_state: Vec<Visit>,
    /// States by the id that exploration has for them now.
    by_id: Vec<u32>,
}

impl KeptState {
    /// Every number counts.
    fn rely_on_all(&mut self) {
        for frame in &mut self.frames {
            let spilled = frame.slots.iter_mut().map(|slot| &mut slot.reg);
            frame.regs.iter_mut().chain(spilled).for_each(|reg| reg.precise = reg.is_scalar());
        }
    }
}

/// Where a path goes on that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    visit: u32,
    begins: Option<bool>,
}

impl Keeper {
    pub(crate) fn new(keep: Keep) -> Keeper {
        Keeper { keep, current: NONE, ..Keeper::default() }
    }

    /// The next visit begins a function.
    pub(crate) fn begin(&mut self) {
        (self.current, self.begins) = (NONE, Some(false));
    }

    /// Where a path that forks here goes on; one of its own if it `begins` a function that is called later.
    pub(crate) fn mark(&self, begins: bool) -> Mark {
        match begins {
            true => Mark { visit: NONE, begins: Some(true) },
            false => Mark { visit: self.current, begins: None },
        }
    }

    /// A path that waited goes on.
    pub(crate) fn resume(&mut self, mark: Mark) {
        (self.current, self.begins) = (mark.visit, mark.begins);
    }

    /// The path comes to an instruction. Gives whether a state is to be kept there.
    pub(crate) fn visit(&mut self, prep: &Prep, pc: usize) -> bool {
        let visit = self.nodes.len() as u32;
        if let Some(later) = self.begins.take() {
            self.entries.push(Entry { slot: pc, visit: Visit(visit), later });
        }
        // An operation that forks comes to itself again: a run does not, it is at either of the two.
        let again = self.nodes.get(self.current as usize).is_some_and(|before| before.pc as usize == pc);
        if again && matches!(prep.code.insn(pc), Some(Insn::Alu { .. })) {
            let entry = self.entries.iter().find(|entry| entry.visit.0 == self.current).copied();
            self.entries.extend(entry.map(|entry| Entry { visit: Visit(visit), ..entry }));
            self.current = self.before[self.current as usize];
        }
        self.nodes.push(Node { pc: pc as u32, end: End::Passed });
        self.before.push(self.current);
        self.current = visit;
        self.keep != Keep::States
    }

    /// The state of the current visit is kept.
    pub(crate) fn keep(&mut self, id: StateId) {
        let state = self.states.len() as u32;
        self.states.push(None);
        self.of_state.push(Visit(self.current));
        self.nodes[self.current as usize].end = End::Kept(state);
        let at = id.0 as usize;
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, NONE);
        }
        self.by_id[at] = state;
    }

    /// The path ends at a kept state.
    pub(crate) fn equal(&mut self, id: StateId) {
        self.nodes[self.current as usize].end = End::Equal(self.by_id[id.0 as usize]);
    }

    /// A kept state is about to be forgotten: it will not change any more. `live` says which slots of a frame may still be read.
    pub(crate) fn take(&mut self, prep: &Prep, id: StateId, state: &State, live: impl Fn(usize, usize) -> bool) {
        let mut kept = kept(prep, state, live);
        if self.keep == Keep::Numbers {
            kept.rely_on_all();
        }
        self.states[self.by_id[id.0 as usize] as usize] = Some(kept);
    }

    /// All paths are at their end.
    pub(crate) fn finish(self, prep: &Prep) -> Option<Box<Kept>> {
        let mut starts = vec![0; self.nodes.len() + 2];
        for before in self.before.iter().filter(|before| **before != NONE) {
            starts[*before as usize + 2] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut after = vec![0; starts[starts.len() - 1] as usize];
        for (visit, before) in self.before.iter().enumerate().filter(|(_, before)| **before != NONE) {
            let place = &mut starts[*before as usize + 1];
            after[*place as usize] = visit as u32;
            *place += 1;
        }
        let functions = prep.subprogs.iter().map(|subprog| subprog.slots.start).collect();
        let states = self.states.into_iter().collect::<Option<Vec<KeptState>>>()?;
        Some(Box::new(Kept {
            nodes: self.nodes,
            after,
            starts,
            entries: self.entries,
            states,
            of_state: self.of_state,
            functions,
        }))
    }
}

fn kept(prep: &Prep, state: &State, live: impl Fn(usize, usize) -> bool) -> KeptState {
    let frame = |(number, frame): (usize, &crate::state::Frame)| {
        let live_regs = prep.marks[state.frame_pc(number) as usize].live_regs;
        let mut regs = frame.regs;
        for (name, reg) in regs[..Name::FP.index()].iter_mut().enumerate() {
            if live_regs & 1 << name == 0 {
                *reg = Reg::NOT_INIT;
            }
        }
        let slot = |(spi, slot): (usize, &Slot)| if live(number, spi) { *slot } else { Slot::EMPTY };
        let slots = frame.stack.slots().enumerate().map(slot).collect();
        KeptFrame { regs, slots, callsite: frame.callsite, subprog: frame.subprog, in_callback: frame.in_callback }
    };
    KeptState {
        pc: state.pc,
        frames: state.frames.iter().enumerate().map(frame).collect(),
        refs: state.refs.clone(),
        speculative: state.speculative,
    }
}
