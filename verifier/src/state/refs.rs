//! What a program holds: references, locks, sections.

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefKind {
    /// A reference that must be released.
    Pointer,
    /// Interrupts are off until the flag is restored.
    Irq,
    /// A `struct bpf_spin_lock` of this owner.
    Lock(LockOwner),
    /// A `struct bpf_res_spin_lock`.
    ResLock(LockOwner),
    /// The same, taken with interrupts off.
    ResLockIrq(LockOwner),
}

/// What a lock is in: the kernel's identity of a map, or of the types that an object is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOwner {
    /// A map, by its index among those that pointers name.
    Map(u16),
    /// An object that the program allocated.
    Object,
}

/// One thing that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref {
    /// What it is.
    pub kind: RefKind,
    /// Its id.
    pub id: u32,
    /// The slot where it was taken.
    pub pc: u32,
}

/// All that is held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refs {
    /// In the order in which they were taken.
    pub held: Vec<Ref>,
    /// Locks among them.
    pub active_locks: u32,
    /// Sections without preemption that are open.
    pub preempt_locks: u32,
    /// Sections of RCU that are open.
    pub rcu_locks: u32,
    /// Id of the last flag of interrupts that was saved; 0 if none.
    pub irq_id: u32,
    /// Id of the last lock that was taken, and what it is in.
    pub lock: Option<(u32, LockOwner)>,
}

impl Refs {
    /// Whether a reference of this id is held.
    pub fn has_pointer(&self, id: u32) -> bool {
        self.held.iter().any(|held| held.kind == RefKind::Pointer && held.id == id)
    }

    /// Takes a reference.
    pub fn acquire(&mut self, kind: RefKind, id: u32, pc: u32) {
        self.held.push(Ref { kind, id, pc });
    }

    /// Gives a pointer's reference up; `false` if it is not held. The order of the others stays.
    pub fn release_pointer(&mut self, id: u32) -> bool {
        let found = self.held.iter().position(|held| held.kind == RefKind::Pointer && held.id == id);
        match found {
            Some(index) => {
                self.held.remove(index);
                true
            }
            None => false,
        }
    }
}
