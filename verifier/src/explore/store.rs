//! The states that are kept to end later paths early, by the slot they were at.

use crate::state::{State, StateId};

/// A kept state.
#[derive(Debug)]
pub(super) struct Kept {
    /// It.
    pub state: State,
    /// How often it ended no path.
    pub misses: u32,
    /// How often it ended one.
    pub hits: u32,
    /// No longer looked at; kept as long as others come from it.
    pub evicted: bool,
}

/// All kept states of one function that is verified by itself.
#[derive(Debug)]
pub(super) struct Store {
    kept: Vec<Option<Box<Kept>>>,
    free: Vec<StateId>,
    /// The kernel's buckets, newest state last: one holds states of several slots.
    buckets: Vec<Vec<StateId>>,
    /// States that are looked at.
    pub explored: u32,
    /// States that are evicted and not yet gone.
    pub evicted: u32,
}

impl Store {
    /// For a program of so many slots.
    pub(super) fn new(slots: usize) -> Store {
        Store { kept: Vec::new(), free: Vec::new(), buckets: vec![Vec::new(); slots.max(1)], explored: 0, evicted: 0 }
    }

    /// The bucket of a slot, in a frame that was called from `callsite`.
    pub(super) fn bucket(&self, pc: u32, callsite: u32) -> usize {
        (pc ^ callsite) as usize % self.buckets.len()
    }

    /// States of a bucket, oldest first.
    pub(super) fn in_bucket(&self, bucket: usize) -> &[StateId] {
        &self.buckets[bucket]
    }

    /// Keeps a state.
    pub(super) fn add(&mut self, bucket: usize, state: State) -> StateId {
        let kept = Some(Box::new(Kept { state, misses: 0, hits: 0, evicted: false }));
        let id = match self.free.pop() {
            Some(id) => {
                self.kept[id.0 as usize] = kept;
                id
            }
            None => {
                self.kept.push(kept);
                StateId(self.kept.len() as u32 - 1)
            }
        };
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
        self.kept[id.0 as usize] = None;
        self.free.push(id);
        self.evicted -= 1;
    }

    /// All states that are not forgotten.
    pub(super) fn all(&self) -> impl Iterator<Item = (StateId, &State)> {
        self.kept.iter().enumerate().filter_map(|(at, kept)| Some((StateId(at as u32), &kept.as_ref()?.state)))
    }

    /// A state.
    pub(super) fn get(&self, id: StateId) -> &Kept {
        self.kept[id.0 as usize].as_ref().expect("states that others name are kept")
    }

    /// A state, to change.
    pub(super) fn get_mut(&mut self, id: StateId) -> &mut Kept {
        self.kept[id.0 as usize].as_mut().expect("states that others name are kept")
    }
}
