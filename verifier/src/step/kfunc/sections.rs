//! Sections: RCU, no preemption, no interrupts.

use skep_isa::{Reg as Name, Size};
use skep_linux::kfuncs::Role;
use skep_linux::limits::MAX_ERRNO;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Byte, Flags, IrqClass, Kind, RefKind, Reg, Slot};
use crate::step::call::scratch;
use crate::step::lock::Lock;
use crate::step::mem::{Access, Does};
use crate::step::slots::Slots;
use crate::why::{Kfunc, Note};

use super::Call;

impl Walk<'_> {
    /// Sections that the function opens or closes, and those in which it may not be called.
    pub(super) fn kfunc_sections(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        let name = || call.func.name.to_owned();
        let sleeps = |section| Kfunc::SleepsWithin { name: name(), section };
        let (role, sleepable) = (call.row.role, call.row.sleepable);
        if self.state.refs.rcu_locks > 0 {
            if matches!(role, Role::RcuLock | Role::RcuUnlock) && self.in_tree_callback() {
                return Err(Kfunc::RcuInTree.into());
            }
            match role {
                Role::RcuLock => return Err(Kfunc::NestedRcu(name()).into()),
                Role::RcuUnlock => self.end_rcu(),
                _other if sleepable => return Err(sleeps("rcu_read_lock").into()),
                _other => {}
            }
        } else if role == Role::RcuLock {
            self.state.refs.rcu_locks = 1;
        } else if role == Role::RcuUnlock {
            return Err(Kfunc::UnmatchedRcu(name()).into());
        }
        match (role, self.state.refs.preempt_locks) {
            (Role::PreemptDisable, _) => self.state.refs.preempt_locks += 1,
            (Role::PreemptEnable, 0) => return Err(Kfunc::UnmatchedPreempt(name()).into()),
            (Role::PreemptEnable, _) => self.state.refs.preempt_locks -= 1,
            (_, 0) => {}
            (_, _) if sleepable => return Err(sleeps("non-preemptible").into()),
            (_, _) => {}
        }
        if self.state.refs.irq_id != 0 && sleepable {
            return Err(sleeps("IRQ-disabled").into());
        }
        if call.row.rcu_protected && !self.in_rcu_section() {
            return Err(Kfunc::NeedsRcu(name()).into());
        }
        Ok(())
    }

    /// What RCU guarded may be gone.
    fn end_rcu(&mut self) {
        self.state.refs.rcu_locks = 0;
        let guarded = |reg: &Reg| reg.flags.has(Flags::RCU);
        let lose = |reg: &mut Reg| {
            reg.flags = reg.flags.without(Flags::RCU).without(Flags::MAYBE_NULL).with(Flags::UNTRUSTED);
        };
        self.state.change_all(guarded, lose);
        for frame in &mut self.state.frames {
            frame.stack.change(|slot| slot.bytes[0] == Byte::Iter && guarded(&slot.reg), |slot| lose(&mut slot.reg));
        }
    }

    /// A lock that may not be had: another path goes on with an error.
    pub(super) fn fork_at_lock(&mut self) -> Result<(), Fault> {
        let pc = self.pc;
        let subreg_def = pc as u32 + 1;
        let state = self.fork(pc + 1)?;
        scratch(state.frame_mut());
        let mut r0 = Reg { subreg_def, ..Reg::UNKNOWN };
        let (least, most) = (-i64::from(MAX_ERRNO), -1);
        r0.num.low.meet_signed(least, most);
        r0.num.wide.meet_signed(least, most);
        r0.num.sync();
        *state.reg_mut(Name::R0) = r0;
        Ok(())
    }

    /// The argument is a lock that spins until it is had, or an error.
    pub(super) fn lock_arg(&mut self, call: &Call<'_>, name: Name) -> Result<(), Fault> {
        let reg = self.state.reg(name);
        let place = match reg.kind {
            Kind::MapValue { .. } => reg.flags == Flags::NONE,
            Kind::Btf { .. } => reg.flags == Flags::ALLOC,
            _other => false,
        };
        if !place {
            return Err(Kfunc::LockNowhere(name.number() - 1).into());
        }
        match call.row.role {
            Role::Lock => self.take_lock(name, Lock::Resilient),
            Role::LockIrqSave => self.take_lock(name, Lock::ResilientIrq),
            Role::Unlock => self.give_lock(name, Lock::Resilient),
            Role::UnlockIrqRestore => self.give_lock(name, Lock::ResilientIrq),
            _other => Err(Fault::not_modelled(format!("the lock of {}", call.func.name))),
        }
    }

    /// Interrupts go off, and the flag that says whether they were on goes to the stack.
    pub(super) fn irq_save(&mut self, name: Name, class: IrqClass) -> Result<(), Fault> {
        let arg = name.number() - 1;
        let reg = *self.state.reg(name);
        let note = match self.object_slots(&reg, "irq_flag", 1) {
            Slots::At { frame, spi } => {
                self.state.frames[frame].stack.slot(spi).bytes.contains(&Byte::IrqFlag).then_some(Note(None))
            }
            Slots::Beyond => None,
            Slots::Nowhere(line) => Some(Note(Some(line))),
        };
        if let Some(note) = note {
            return Err(Kfunc::IrqInUse { arg, note }.into());
        }
        self.access(&Access { base: name, off: 0, size: Size::Dw, does: Does::Write, strict: false })?;
        let Slots::At { frame, spi } = self.object_slots(&reg, "irq_flag", 1) else {
            return Err(Fault::bug("a flag of interrupts that is nowhere"));
        };
        let id = self.new_id();
        self.state.refs.acquire(RefKind::Irq, id, self.pc as u32);
        self.state.refs.irq_id = id;
        self.stack_written(frame, 1 << spi);
        let reg = Reg { ref_id: id, ..Reg::pointer(Kind::IrqSlot { class }) };
        *self.state.frames[frame].stack.slot_mut(spi) = Slot { bytes: [Byte::IrqFlag; 8], reg };
        Ok(())
    }

    /// Interrupts are as they were when the flag was saved: the last first.
    pub(super) fn irq_restore(&mut self, name: Name, class: IrqClass) -> Result<(), Fault> {
        let arg = name.number() - 1;
        let reg = *self.state.reg(name);
        let (frame, spi) = match self.object_slots(&reg, "irq_flag", 1) {
            Slots::At { frame, spi } => (frame, spi),
            Slots::Beyond => return Err(Kfunc::IrqNotSaved { arg, note: Note(None) }.into()),
            Slots::Nowhere(line) => return Err(Kfunc::IrqNotSaved { arg, note: Note(Some(line)) }.into()),
        };
        let slot = *self.state.frames[frame].stack.slot(spi);
        let (Kind::IrqSlot { class: saved }, [Byte::IrqFlag, ..]) = (slot.reg.kind, slot.bytes) else {
            return Err(Kfunc::IrqNotSaved { arg, note: Note(None) }.into());
        };
        self.stack_read(frame, 1 << spi);
        if saved != class {
            return Err(Kfunc::IrqClass { saved: class_name(saved), used: class_name(class) }.into());
        }
        let refs = &mut self.state.refs;
        let last = refs.irq_id;
        if slot.reg.ref_id != last {
            let pc = refs.held.iter().find(|held| held.id == last).map_or(0, |held| held.pc);
            return Err(Kfunc::IrqOrder { id: last, pc }.into());
        }
        let mut before = 0;
        for at in 0..refs.held.len() {
            let held = refs.held[at];
            if held.kind != RefKind::Irq {
                continue;
            }
            if held.id == last {
                refs.held.remove(at);
                break;
            }
            before = held.id;
        }
        refs.irq_id = before;
        self.stack_written(frame, 1 << spi);
        *self.state.frames[frame].stack.slot_mut(spi) = Slot::EMPTY;
        Ok(())
    }
}

const fn class_name(class: IrqClass) -> &'static str {
    match class {
        IrqClass::Native => "native",
        IrqClass::Lock => "lock",
    }
}
