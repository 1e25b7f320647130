//! The states that are kept to end later paths early, by the slot they were at.

use crate::state::{State, StateId};

use super::equal::Apart;

/// A kept state.
#[derive(Debug)]
pub(super) struct Kept {
    /// It.
    pub state: State,
    /// No longer looked at; kept as long as others come from it.
    pub evicted: bool,
}

/// What is asked of many states to look at few.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The slot.
    pub pc: u32,
    /// How often it ended no path.
    pub misses: u32,
    /// How often it ended one.
    pub hits: u32,
    /// All paths from the state are at their end.
    pub closed: bool,
    /// What is not live in it has been forgotten.
    pub cleaned: bool,
    /// Where the last state that was compared with it differed.
    pub apart: Apart,
}

/// All kept states of one function that is verified by itself.
#[derive(Debug)]
pub(super) struct Store {
    /// By id. Those in `free` are blank.
    kept: Vec<Kept>,
    heads: Vec<Head>,
    free: Vec<StateId>,
    /// The kernel's buckets, newest state last: one holds states of several slots.
    buckets: Vec<Vec<StateId>>,
    /// Buckets in which what is not live may have to be forgotten.
    unclean: Vec<bool>,
    /// States that are looked at.
    pub explored: u32,
    /// States that are evicted and not yet gone.
    pub evicted: u32,
}

impl Store {
    /// For a program of so many slots.
    pub(super) fn new(slots: usize) -> Store {
        Store {
            kept: Vec::new(),
            heads: Vec::new(),
            free: Vec::new(),
            buckets: vec![Vec::new(); slots.max(1)],
            unclean: vec![false; slots.max(1)],
            explored: 0,
            evicted: 0,
        }
    }

    /// The bucket of a slot, in a frame that was called from `callsite`.
    pub(super) fn bucket(&self, pc: u32, callsite: u32) -> usize {
        (pc ^ callsite) as usize % self.buckets.len()
    }

    /// States of a bucket, oldest first.
    pub(super) fn in_bucket(&self, bucket: usize) -> &[StateId] {
        &self.buckets[bucket]
    }

    /// A state of the bucket may have something to forget.
    pub(super) fn set_unclean(&mut self, bucket: usize) {
        self.unclean[bucket] = true;
    }

    /// Whether a state of the bucket may have something to forget; asked once.
    pub(super) fn take_unclean(&mut self, bucket: usize) -> bool {
        std::mem::take(&mut self.unclean[bucket])
    }

    /// Keeps a state that is at this slot, with its history, which it loses.
    pub(super) fn add(&mut self, bucket: usize, pc: u32, state: &mut State) -> StateId {
        let head = Head { pc, misses: 0, hits: 0, closed: false, cleaned: false, apart: Apart::default() };
        let id = match self.free.pop() {
            Some(id) => {
                self.heads[id.0 as usize] = head;
                id
            }
            None => {
                self.kept.push(Kept { state: State::blank(), evicted: false });
                self.heads.push(head);
                StateId(self.kept.len() as u32 - 1)
            }
        };
        let kept = self.get_mut(id);
        kept.evicted = false;
        kept.state.copy_from(state);
        kept.state.pc = pc;
        std::mem::swap(&mut kept.state.history, &mut state.history);
        self.buckets[bucket].push(id);
        self.explored += 1;
        id
    }

    /// Looks at a state no more.
    pub(super) fn evict(&mut self, bucket: usize, id: StateId) {
        self.buckets[bucket].retain(|other| *other != id);
        self.get_mut(id).evicted = true;
        self.explored -= 1;
        self.evicted += 1;
    }

    /// Forgets an evicted state.
    pub(super) fn remove(&mut self, id: StateId) {
        self.get_mut(id).state.clear();
        self.free.push(id);
        self.evicted -= 1;
    }

    /// All states that are not forgotten.
    pub(super) fn all(&self) -> impl Iterator<Item = (StateId, &State)> {
        let all = self.kept.iter().enumerate().map(|(at, kept)| (StateId(at as u32), &kept.state));
        all.filter(|(_, state)| !state.frames.is_empty())
    }

    /// A state.
    pub(super) fn get(&self, id: StateId) -> &Kept {
        &self.kept[id.0 as usize]
    }

    /// A state, to change.
    pub(super) fn get_mut(&mut self, id: StateId) -> &mut Kept {
        &mut self.kept[id.0 as usize]
    }

    /// The head of a state.
    pub(super) fn head(&self, id: StateId) -> &Head {
        &self.heads[id.0 as usize]
    }

    /// The head of a state, to change.
    pub(super) fn head_mut(&mut self, id: StateId) -> &mut Head {
        &mut self.heads[id.0 as usize]
    }
}
