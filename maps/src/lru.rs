//! Which elements an LRU map gives up: the kernel's approximation of "least recently used".
//!
//! Elements carry a mark that a lookup by a program (or a replacement) sets. A shared list keeps elements as *active* or *inactive*; each
//! time elements are needed, a bounded walk moves marked inactive elements to the active list and unmarked active ones back, and the
//! unmarked tail of the inactive list is given up. Each CPU takes elements in lots, and keeps those it hands out as *pending* until it
//! needs the next lot: so a map gives up elements before it is full, and elements of one CPU are not seen by another's search until it
//! steals. With `BPF_F_NO_COMMON_LRU` each CPU has lists of its own and takes one element at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The part of an LRU map that is not a list: marks, and removal from the hash table.
pub(crate) trait Elements {
    fn marked(&self, slot: u32) -> bool;
    fn unmark(&self, slot: u32);
    /// Takes the element out of the table; false if it is not in it (somebody is adding or deleting it right now).
    fn evict(&self, slot: u32) -> bool;
}

/// The lists of a map.
#[derive(Debug)]
pub(crate) struct Lru {
    state: Mutex<State>,
    per_cpu: bool,
    cpus: u32,
    /// Elements looked at in one walk.
    scans: u32,
    /// Size of a lot, with a shared list.
    lot: u32,
}

/// A list in `State`: a shared one (of a CPU, where each has its own) or a CPU's lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Active,
    Inactive,
    Free,
    LotFree,
    LotPending,
}

const KINDS: u32 = 5;

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    prev: u32,
    next: u32,
    kind: Kind,
    cpu: u32,
}

/// Circular doubly linked lists; the first `KINDS * cpus` nodes are list heads, the others are slots. Slots that were never used are
/// not in a list: they follow the last of the free list.
#[derive(Debug)]
struct State {
    nodes: Vec<Node>,
    heads: u32,
    /// Of each shared list: active, inactive.
    counts: Vec<[u32; 2]>,
    /// Where the next walk over the inactive list begins.
    cursors: Vec<u32>,
    /// Never used slots left of each shared list.
    fresh: Vec<u32>,
    /// The CPU whose lot is robbed next, of each CPU.
    robbed: Vec<u32>,
}

impl State {
    fn head(kind: Kind, cpu: u32) -> u32 {
        cpu * KINDS + kind as u32
    }

    fn slot(&self, node: u32) -> u32 {
        node - self.heads
    }

    fn first(&self, list: u32) -> Option<u32> {
        let next = self.nodes[list as usize].next;
        (next != list).then_some(next)
    }

    fn prev(&self, node: u32) -> u32 {
        self.nodes[node as usize].prev
    }

    /// The tail of a list.
    fn last(&self, list: u32) -> Option<u32> {
        let prev = self.prev(list);
        (prev != list).then_some(prev)
    }

    fn unlink(&mut self, node: u32) {
        let Node { prev, next, .. } = self.nodes[node as usize];
        self.nodes[prev as usize].next = next;
        self.nodes[next as usize].prev = prev;
    }

    fn link(&mut self, node: u32, kind: Kind, cpu: u32) {
        let list = Self::head(kind, cpu);
        let next = self.nodes[list as usize].next;
        let n = &mut self.nodes[node as usize];
        (n.prev, n.next, n.kind) = (list, next, kind);
        self.nodes[list as usize].next = node;
        self.nodes[next as usize].prev = node;
    }

    fn count(&mut self, shared: u32, kind: Kind, by: i32) {
        let which = match kind {
            Kind::Active => 0,
            Kind::Inactive => 1,
            Kind::Free | Kind::LotFree | Kind::LotPending => return,
        };
        let count = &mut self.counts[shared as usize][which];
        *count = count.wrapping_add_signed(by);
    }

    /// Moves a node to the head of another list, or of its own. `shared` is the shared list it is in or goes to.
    fn shift(&mut self, node: u32, shared: u32, kind: Kind, cpu: u32) {
        let from = self.nodes[node as usize].kind;
        self.count(shared, from, -1);
        self.count(shared, kind, 1);
        if self.cursors[shared as usize] == node {
            self.cursors[shared as usize] = self.prev(node);
        }
        self.unlink(node);
        self.link(node, kind, cpu);
    }

    /// The first free node of a shared list, or a slot never used before, not linked anywhere; its kind is `Free`.
    fn pop_free(&mut self, shared: u32) -> Option<u32> {
        if let Some(node) = self.first(Self::head(Kind::Free, shared)) {
            if self.cursors[shared as usize] == node {
                self.cursors[shared as usize] = self.prev(node);
            }
            self.unlink(node);
            return Some(node);
        }
        let left = self.fresh[shared as usize].checked_sub(1)?;
        self.fresh[shared as usize] = left;
        self.nodes.push(Node { kind: Kind::Free, cpu: shared, ..Node::default() });
        Some(self.nodes.len() as u32 - 1)
    }
}

impl Lru {
    /// Lists for `slots` elements, none of them in use.
    pub(crate) fn new(slots: u32, cpus: u32, per_cpu: bool) -> Lru {
        const LOT: u32 = 128;
        const PER_CPU_LOT: u32 = 4;
        let heads = KINDS * cpus;
        let shared = if per_cpu { cpus } else { 1 };
        let state = State {
            nodes: (0..heads).map(|i| Node { prev: i, next: i, ..Node::default() }).collect(),
            heads,
            counts: vec![[0; 2]; shared as usize],
            cursors: (0..shared).map(|s| State::head(Kind::Inactive, s)).collect(),
            fresh: vec![slots / shared; shared as usize],
            robbed: (0..cpus).collect(),
        };
        let (scans, lot) = if per_cpu { (PER_CPU_LOT, PER_CPU_LOT) } else { (LOT, (slots / cpus / 2).clamp(1, LOT)) };
        Lru { state: Mutex::new(state), per_cpu, cpus, scans, lot }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a new element of this CPU; others may be evicted for it. `None` if there is none to be had.
    pub(crate) fn take(&self, cpu: u32, elements: &dyn Elements) -> Option<u32> {
        let cpu = cpu % self.cpus;
        let state = &mut *self.lock();
        let node = if self.per_cpu { self.take_own(state, cpu, elements) } else { self.take_shared(state, cpu, elements) }?;
        elements.unmark(state.slot(node));
        Some(state.slot(node))
    }

    fn take_own(&self, state: &mut State, cpu: u32, elements: &dyn Elements) -> Option<u32> {
        self.rotate(state, cpu, elements);
        let free = State::head(Kind::Free, cpu);
        if state.first(free).is_none() && state.fresh[cpu as usize] == 0 {
            self.shrink(state, cpu, self.lot, Kind::Free, cpu, elements);
        }
        let node = state.pop_free(cpu)?;
        state.count(cpu, Kind::Inactive, 1);
        state.link(node, Kind::Inactive, cpu);
        Some(node)
    }

    fn take_shared(&self, state: &mut State, cpu: u32, elements: &dyn Elements) -> Option<u32> {
        let lot = State::head(Kind::LotFree, cpu);
        if state.first(lot).is_none() {
            self.refill(state, cpu, elements);
        }
        let node = match state.first(lot) {
            Some(node) => {
                state.unlink(node);
                node
            }
            None => self.steal(state, cpu, elements)?,
        };
        state.nodes[node as usize].cpu = cpu;
        state.link(node, Kind::LotPending, cpu);
        Some(node)
    }

    /// Gives a CPU a new lot: what it handed out goes to the shared list first.
    fn refill(&self, state: &mut State, cpu: u32, elements: &dyn Elements) {
        let pending = State::head(Kind::LotPending, cpu);
        while let Some(node) = state.last(pending) {
            let kind = if elements.marked(state.slot(node)) { Kind::Active } else { Kind::Inactive };
            elements.unmark(state.slot(node));
            state.unlink(node);
            state.count(0, kind, 1);
            state.link(node, kind, 0);
        }
        self.rotate(state, 0, elements);
        let mut got = 0;
        while got < self.lot {
            let Some(node) = state.pop_free(0) else { break };
            state.link(node, Kind::LotFree, cpu);
            got += 1;
        }
        if got < self.lot {
            self.shrink(state, 0, self.lot - got, Kind::LotFree, cpu, elements);
        }
    }

    /// Takes a free or pending element out of any CPU's lot, each CPU going on where it stopped.
    fn steal(&self, state: &mut State, cpu: u32, elements: &dyn Elements) -> Option<u32> {
        let first = state.robbed[cpu as usize];
        let mut victim = first;
        loop {
            let free = state.first(State::head(Kind::LotFree, victim));
            let node = free.or_else(|| evict_pending(state, victim, elements));
            victim = (victim + 1) % self.cpus;
            if let Some(node) = node {
                state.unlink(node);
                state.robbed[cpu as usize] = victim;
                return Some(node);
            }
            if victim == first {
                state.robbed[cpu as usize] = victim;
                return None;
            }
        }
    }

    fn rotate(&self, state: &mut State, shared: u32, elements: &dyn Elements) {
        let [active, inactive] = state.counts[shared as usize];
        if inactive < active {
            self.rotate_active(state, shared, elements);
        }
        self.rotate_inactive(state, shared, elements);
    }

    /// From the tail of the active list: marked elements go to its head, the others become inactive.
    fn rotate_active(&self, state: &mut State, shared: u32, elements: &dyn Elements) {
        let list = State::head(Kind::Active, shared);
        let last = state.first(list);
        let mut node = state.prev(list);
        for _ in 0..self.scans {
            if node == list {
                return;
            }
            let before = state.prev(node);
            let kind = if elements.marked(state.slot(node)) { Kind::Active } else { Kind::Inactive };
            elements.unmark(state.slot(node));
            state.shift(node, shared, kind, shared);
            if Some(node) == last {
                return;
            }
            node = before;
        }
    }

    /// From where the last walk ended, once around the inactive list at most: marked elements become active.
    fn rotate_inactive(&self, state: &mut State, shared: u32, elements: &dyn Elements) {
        let list = State::head(Kind::Inactive, shared);
        if state.first(list).is_none() {
            return;
        }
        let start = state.cursors[shared as usize];
        let mut last = state.nodes[start as usize].next;
        if last == list {
            last = state.nodes[last as usize].next;
        }
        let mut node = start;
        let mut next = list;
        let mut seen = 0;
        while seen < self.scans {
            if node == list {
                node = state.prev(node);
                continue;
            }
            next = state.prev(node);
            if elements.marked(state.slot(node)) {
                elements.unmark(state.slot(node));
                state.shift(node, shared, Kind::Active, shared);
            }
            if node == last {
                break;
            }
            node = next;
            seen += 1;
        }
        state.cursors[shared as usize] = next;
    }

    /// Evicts up to `wanted` elements from the tail of the inactive list, passing over marked ones; if there are none, one element,
    /// marked or not.
    fn shrink(&self, state: &mut State, shared: u32, wanted: u32, to: Kind, cpu: u32, elements: &dyn Elements) {
        let list = State::head(Kind::Inactive, shared);
        let mut node = state.prev(list);
        let mut got = 0;
        for _ in 0..self.scans {
            if node == list {
                break;
            }
            let before = state.prev(node);
            if elements.marked(state.slot(node)) {
                elements.unmark(state.slot(node));
                state.shift(node, shared, Kind::Active, shared);
            } else if elements.evict(state.slot(node)) {
                state.shift(node, shared, to, cpu);
                got += 1;
                if got == wanted {
                    break;
                }
            }
            node = before;
        }
        if got > 0 {
            return;
        }
        let inactive = state.first(list).is_some();
        let list = if inactive { list } else { State::head(Kind::Active, shared) };
        let mut node = state.prev(list);
        while node != list {
            if elements.evict(state.slot(node)) {
                state.shift(node, shared, to, cpu);
                return;
            }
            node = state.prev(node);
        }
    }

    /// Gives back the slot of an element that is in no chain any more.
    pub(crate) fn give(&self, slot: u32, elements: &dyn Elements) {
        let state = &mut *self.lock();
        let node = slot + state.heads;
        let Node { kind, cpu, .. } = state.nodes[node as usize];
        elements.unmark(slot);
        match kind {
            Kind::LotPending => {
                state.unlink(node);
                state.link(node, Kind::LotFree, cpu);
            }
            Kind::Active | Kind::Inactive => {
                let shared = if self.per_cpu { cpu } else { 0 };
                state.shift(node, shared, Kind::Free, shared);
            }
            // Free already.
            Kind::Free | Kind::LotFree => {}
        }
    }
}

/// From the tail of a CPU's pending elements: the first unmarked one that can be evicted, or else the first one that can.
fn evict_pending(state: &State, cpu: u32, elements: &dyn Elements) -> Option<u32> {
    let list = State::head(Kind::LotPending, cpu);
    for force in [false, true] {
        let mut node = state.prev(list);
        while node != list {
            if (force || !elements.marked(state.slot(node))) && elements.evict(state.slot(node)) {
                return Some(node);
            }
            node = state.prev(node);
        }
    }
    None
}
