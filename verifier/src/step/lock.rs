//! Locks in values and objects: taking and giving up.

use skep_isa::Reg as Name;
use skep_linux::SpecialKind;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, LockOwner, RefKind, Reg};
use crate::why::Locks;

/// A family of locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// `bpf_spin_lock`: one at a time.
    Spin,
    /// `bpf_res_spin_lock`.
    Resilient,
    /// The same, with interrupts off.
    ResilientIrq,
}

impl Lock {
    const fn name(self) -> &'static str {
        match self {
            Lock::Spin => "bpf_spin",
            Lock::Resilient | Lock::ResilientIrq => "bpf_res_spin",
        }
    }

    const fn field(self) -> SpecialKind {
        match self {
            Lock::Spin => SpecialKind::SpinLock,
            Lock::Resilient | Lock::ResilientIrq => SpecialKind::ResSpinLock,
        }
    }

    const fn held(self, owner: LockOwner) -> RefKind {
        match self {
            Lock::Spin => RefKind::Lock(owner),
            Lock::Resilient => RefKind::ResLock(owner),
            Lock::ResilientIrq => RefKind::ResLockIrq(owner),
        }
    }
}

/// What lock it is, if it is one.
const fn owner(kind: RefKind) -> Option<LockOwner> {
    match kind {
        RefKind::Lock(owner) | RefKind::ResLock(owner) | RefKind::ResLockIrq(owner) => Some(owner),
        RefKind::Pointer | RefKind::Irq => None,
    }
}

impl Walk<'_> {
    /// What locks in the memory that a register points to belong to.
    pub(super) fn lock_owner(&self, reg: &Reg) -> Result<LockOwner, Fault> {
        match reg.kind {
            Kind::MapValue { map, .. } => Ok(LockOwner::Map(map.0)),
            Kind::Btf { .. } if reg.flags.has(Flags::ALLOC) => Ok(LockOwner::Object),
            _other => Err(Fault::bug("a lock in nothing")),
        }
    }

    /// A lock of any family in the same value or object as the pointer is held.
    pub(super) fn holds_lock_of(&self, reg: &Reg) -> Result<bool, Fault> {
        let wanted = self.lock_owner(reg)?;
        Ok(self.state.refs.held.iter().any(|held| held.id == reg.id && owner(held.kind) == Some(wanted)))
    }

    /// The lock that the register points to.
    fn check_lock(&self, name: Name, reg: &Reg, lock: Lock) -> Result<LockOwner, Fault> {
        let family = lock.name();
        let Some(off) = reg.fixed_offset() else {
            return Err(Locks::Variable { reg: name.number(), lock: family }.into());
        };
        let map = match reg.kind {
            Kind::MapValue { map, .. } => self.setting.map(map),
            _other => None,
        };
        if let Some(map) = map.filter(|map| map.btf.is_none()) {
            return Err(Locks::WithoutTypes { map: map.name.clone(), lock: family }.into());
        }
        let Some(field) = self.fields_of(reg)?.find(lock.field()).copied() else {
            let (kind, owner) = map.map_or(("local", "kptr".to_owned()), |map| ("map", map.name.clone()));
            return Err(Locks::None { kind, owner, lock: family }.into());
        };
        if i64::from(field.offset) != off {
            return Err(Locks::Offset { off, lock: family, at: field.offset }.into());
        }
        self.lock_owner(reg)
    }

    /// The program takes a lock.
    pub(super) fn take_lock(&mut self, name: Name, lock: Lock) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let owner = self.check_lock(name, &reg, lock)?;
        let held = |kind: RefKind, id: u32| match lock {
            // Of these, not even another may be held; the kernel looks for one in nothing, and there is none.
            Lock::Spin => false,
            Lock::Resilient | Lock::ResilientIrq => {
                id == reg.id && (kind == RefKind::ResLock(owner) || kind == RefKind::ResLockIrq(owner))
            }
        };
        if self.state.refs.held.iter().any(|other| held(other.kind, other.id)) {
            return Err(Locks::Again.into());
        }
        let refs = &mut self.state.refs;
        refs.acquire(lock.held(owner), reg.id, self.pc as u32);
        refs.active_locks += 1;
        refs.lock = Some((reg.id, owner));
        Ok(())
    }

    /// The program gives a lock up: the last first.
    pub(super) fn give_lock(&mut self, name: Name, lock: Lock) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let wanted = self.check_lock(name, &reg, lock)?;
        let family = lock.name();
        let refs = &mut self.state.refs;
        if refs.active_locks == 0 {
            return Err(Locks::NotHeld(family).into());
        }
        let kind = lock.held(wanted);
        let Some(at) = refs.held.iter().position(|held| held.kind == kind && held.id == reg.id) else {
            return Err(Locks::Other(family).into());
        };
        if refs.lock != Some((reg.id, wanted)) {
            return Err(Locks::Order(family).into());
        }
        let before = refs.held[..at].iter().rev().find_map(|held| owner(held.kind).map(|owner| (held.id, owner)));
        refs.held.remove(at);
        refs.active_locks -= 1;
        refs.lock = before;
        let borrowed = Flags::ALLOC.with(Flags::NON_OWNING);
        self.invalidate(|reg| matches!(reg.kind, Kind::Btf { .. }) && reg.flags.has(borrowed));
        Ok(())
    }
}
