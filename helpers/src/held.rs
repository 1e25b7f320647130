//! What a run has acquired and must give back.

use std::collections::HashMap;

/// What a reference is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeldKind {
    /// A kernel object (socket, task, cgroup, cpumask, file, key ...), named by its type.
    Object(&'static str),
    /// A ring buffer record that is neither submitted nor discarded.
    Record,
    /// Memory of `bpf_obj_new` and kin.
    Allocation,
    /// A spin lock.
    Lock,
    /// An open-coded iterator.
    Iterator,
    /// An RCU read section.
    Rcu,
    /// A section with preemption off.
    Preempt,
    /// A section with interrupts off.
    Irq,
}

/// A reference that a program holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// To what.
    pub kind: HeldKind,
    /// The address that names it to the program; 0 for sections.
    pub addr: u64,
    /// The helper or kfunc that gave it.
    pub by: &'static str,
}

/// The references that a run holds, in the order in which they were acquired. What is left at its end leaked: no verified program
/// leaves anything.
#[derive(Debug, Clone, Default)]
pub struct Held {
    live: Vec<Reference>,
    walks: HashMap<u64, Walk>,
}

/// Where an open-coded iterator goes; it is named by its address.
#[derive(Debug, Clone)]
pub(crate) enum Walk {
    /// Over the bits that are set in these bytes.
    Bits(Vec<u8>),
    /// Over the addresses of these objects.
    Objects(std::vec::IntoIter<u64>),
}

impl Held {
    /// Takes note of a reference.
    pub fn acquire(&mut self, kind: HeldKind, addr: u64, by: &'static str) {
        self.live.push(Reference { kind, addr, by });
    }

    /// Gives back the newest reference of this kind to this address; `None` if there is none.
    pub fn release(&mut self, kind: HeldKind, addr: u64) -> Option<Reference> {
        let i = self.live.iter().rposition(|r| r.kind == kind && r.addr == addr)?;
        Some(self.live.remove(i))
    }

    /// Gives back the newest reference to the object at this address, whatever it is; `None` if there is none.
    pub fn release_object(&mut self, addr: u64) -> Option<Reference> {
        let is_object = |kind: &HeldKind| matches!(kind, HeldKind::Object(_) | HeldKind::Allocation);
        let i = self.live.iter().rposition(|r| is_object(&r.kind) && r.addr == addr)?;
        Some(self.live.remove(i))
    }

    /// How many references there are to this address.
    pub fn count(&self, kind: HeldKind, addr: u64) -> usize {
        self.live.iter().filter(|r| r.kind == kind && r.addr == addr).count()
    }

    /// How many references of this kind there are.
    pub fn count_of(&self, kind: HeldKind) -> usize {
        self.live.iter().filter(|r| r.kind == kind).count()
    }

    /// All references: what leaks if the run ends now.
    pub fn live(&self) -> &[Reference] {
        &self.live
    }
    /// Begins an iterator; one that was at this address is gone.
    pub(crate) fn walk(&mut self, iterator: u64, over: Walk) {
        self.walks.insert(iterator, over);
    }

    /// The iterator at an address, if it was begun.
    pub(crate) fn walked(&mut self, iterator: u64) -> Option<&mut Walk> {
        self.walks.get_mut(&iterator)
    }

    /// Ends an iterator.
    pub(crate) fn end_walk(&mut self, iterator: u64) {
        self.walks.remove(&iterator);
    }
}
