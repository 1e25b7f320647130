//! The stack at offsets that are not known, and dynptrs that are written over.

use skep_isa::Operand;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Byte, Flags, Kind, Reg, Slot, byte_of, slot_of};
use crate::why::Mem;

use super::{Access, Does};

impl Walk<'_> {
    /// A load from somewhere between two places: all that lies there must have been written.
    pub(super) fn read_stack_somewhere(&mut self, access: &Access, frame: usize, reg: &Reg) -> Result<(), Fault> {
        let off = reg.off.wrapping_add(access.off);
        let size = access.bytes();
        let Does::Load { .. } = access.does else {
            return Err(Mem::VariableStackUse { var: reg.num.bits.to_string(), off, size }.into());
        };
        self.check_stack_range(access.base, off, size, false, false, false)?;
        let (least, most) = reach(reg, off);
        self.load_bytes(access, frame, least, most.wrapping_add(size));
        let subprog = self.state.frames[frame].subprog as usize;
        self.check_fastcall(subprog, least);
        Ok(())
    }

    /// A store to somewhere between two places: spilled registers there are lost, and zeros stay only where zero is stored.
    pub(super) fn write_stack_somewhere(&mut self, access: &Access, frame: usize, reg: &Reg) -> Result<(), Fault> {
        let (least, most) = reach(reg, reg.off.wrapping_add(access.off));
        let end = most.wrapping_add(access.bytes());
        let source = match access.does {
            Does::Store(Operand::Reg(src)) => Some(src),
            Does::Store(Operand::Imm(_)) | Does::Write | Does::Read | Does::Load { .. } => None,
        };
        let zero = match access.does {
            Does::Store(Operand::Reg(src)) => self.state.reg(src).is_null(),
            Does::Store(Operand::Imm(value)) => value == 0,
            Does::Write | Does::Read | Does::Load { .. } => false,
        };
        for off in least..end {
            self.break_dynptr(frame, slot_of(off))?;
        }
        self.check_fastcall(self.state.frames[frame].subprog as usize, least);
        let mut relies_on_zero = false;
        for off in least..end {
            relies_on_zero |= self.write_byte_maybe(frame, off, zero)?;
        }
        match source {
            Some(src) if relies_on_zero => self.mark_precise(src),
            _none => Ok(()),
        }
    }

    /// A byte may have been written; `true` if it is zero still because zero is what was written.
    fn write_byte_maybe(&mut self, frame: usize, off: i32, zero: bool) -> Result<bool, Fault> {
        let (may_leak, may_read_uninit, pc) = (self.setting.may_leak(), self.setting.may_read_uninit(), self.pc);
        let slot = self.state.frames[frame].stack.slot_mut(slot_of(off));
        let before = slot.bytes[byte_of(off)];
        if !may_leak && before != Byte::Misc && before != Byte::Zero {
            return Err(Mem::SpillInRange { pc, off }.into());
        }
        if zero && before == Byte::Spill && slot.is_spilled_scalar() && slot.reg.num.constant() == Some(0) {
            return Ok(true);
        }
        // What was spilled there is lost as a whole.
        slot.reg = Reg::NOT_INIT;
        if slot.is_special() {
            slot.scrub();
        }
        let before = slot.bytes[byte_of(off)];
        let stays = zero && before == Byte::Zero;
        if before == Byte::Invalid && !may_read_uninit {
            return Err(Mem::UninitInRange { pc, off }.into());
        }
        slot.bytes[byte_of(off)] = if stays { Byte::Zero } else { Byte::Misc };
        Ok(stays)
    }

    /// A write over half of a dynptr ends the dynptr, and slices of it.
    pub(crate) fn break_dynptr(&mut self, frame: usize, spi: usize) -> Result<(), Fault> {
        let slot = self.state.frames[frame].stack.slot(spi);
        if slot.bytes[0] != Byte::Dynptr {
            return Ok(());
        }
        let Kind::DynptrSlot { first, .. } = slot.reg.kind else { return Err(Fault::bug("a dynptr that is none")) };
        let spi = if first { spi } else { spi + 1 };
        let Some(below) = spi.checked_sub(1) else { return Err(Fault::bug("half of a dynptr")) };
        let top = *self.state.frames[frame].stack.slot(spi);
        let Kind::DynptrSlot { of, .. } = top.reg.kind else { return Err(Fault::bug("half of a dynptr")) };
        if of.is_counted() {
            return Err(Mem::OverwritesDynptr.into());
        }
        let stack = &mut self.state.frames[frame].stack;
        *stack.slot_mut(spi) = Slot::EMPTY;
        *stack.slot_mut(below) = Slot::EMPTY;
        let gone = if self.setting.may_leak() { Reg::UNKNOWN } else { Reg::NOT_INIT };
        let plain = |reg: &Reg| reg.flags.without(Flags::MAYBE_NULL) == Flags::NONE;
        let slice = |reg: &Reg| matches!(reg.kind, Kind::Mem { dynptr, .. } if dynptr == top.reg.id) && plain(reg);
        self.state.change_all(slice, |reg| *reg = gone);
        self.stack_written(frame, 1 << spi | 1 << below);
        Ok(())
    }
}

/// Least and most offset from the frame pointer of the first byte.
pub(super) fn reach(reg: &Reg, off: i32) -> (i32, i32) {
    match reg.num.constant() {
        Some(var) => ((var as i32).wrapping_add(off), (var as i32).wrapping_add(off)),
        None => ((reg.num.wide.smin as i32).wrapping_add(off), (reg.num.wide.smax as i32).wrapping_add(off)),
    }
}
