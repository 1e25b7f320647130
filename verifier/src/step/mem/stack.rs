//! The stack: spills, fills, and plain bytes.

use skep_isa::{Operand, Reg as Name};
use skep_linux::limits::{MAX_STACK, MAX_VAR_OFF};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Byte, Kind, Reg, Slot, byte_of, slot_of};
use crate::why::Mem;

use super::{Access, Does};

impl Walk<'_> {
    pub(super) fn access_stack(&mut self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        let Kind::Stack { frame } = reg.kind else { return Err(Fault::bug("a stack that is none")) };
        let frame = usize::from(frame);
        self.check_stack_within(access.base, reg, reg.off.wrapping_add(access.off), access.bytes(), access.does.writes())?;
        let fixed = reg.num.constant().map(|var| reg.off + access.off + var as i32);
        match (fixed, access.does.writes()) {
            (Some(off), true) => self.write_stack(access, frame, off),
            (Some(off), false) => self.read_stack(access, frame, off),
            (None, true) => self.write_stack_somewhere(access, frame, reg),
            (None, false) => self.read_stack_somewhere(access, frame, reg),
        }
    }

    /// `size` bytes at `off` from the register, the fixed part of its own offset included, lie in the frame, which grows to hold them.
    pub(super) fn check_stack_within(&mut self, name: Name, reg: &Reg, off: i32, size: i32, writes: bool) -> Result<(), Fault> {
        let Kind::Stack { frame } = reg.kind else { return Err(Fault::bug("a stack that is none")) };
        let (number, off) = (name.number(), i64::from(off));
        let way = if writes { "write to" } else { "read from" };
        let (least, most) = match reg.num.constant() {
            Some(var) => {
                let least = (var as i64).wrapping_add(off);
                (least, least.wrapping_add(i64::from(size)))
            }
            None => {
                let wide = &reg.num.wide;
                if wide.smax >= i64::from(MAX_VAR_OFF) || wide.smin <= -i64::from(MAX_VAR_OFF) {
                    return Err(Mem::UnboundedStack { way, reg: number }.into());
                }
                (wide.smin + off, wide.smax + off + i64::from(size))
            }
        };
        let deepest = if writes || self.setting.may_read_uninit() {
            i64::from(MAX_STACK)
        } else {
            self.state.frames[usize::from(frame)].stack.len() as i64 * 8
        };
        if least < -deepest || least > -1 || most > 0 || size < 0 {
            return Err(match reg.num.constant() {
                Some(_) => Mem::StackBounds { way, reg: number, off, size },
                None => Mem::VariableStackBounds { way, reg: number, var: reg.num.bits.to_string(), off, size },
            }
            .into());
        }
        self.grow_stack(usize::from(frame), (-least) as u32);
        Ok(())
    }

    /// The frame has at least so many bytes of stack.
    pub(crate) fn grow_stack(&mut self, frame: usize, bytes: u32) {
        let slots = bytes.div_ceil(8);
        let frame = &mut self.state.frames[frame];
        if frame.stack.len() < slots as usize {
            frame.stack.grow(slots as usize);
            let depth = &mut self.stack_depth[frame.subprog as usize];
            *depth = (*depth).max(slots * 8);
        }
    }

    fn write_stack(&mut self, access: &Access, frame: usize, off: i32) -> Result<(), Fault> {
        let (spi, size) = (slot_of(off), access.bytes());
        let whole = off % 8 == 0 && size == 8;
        let slot = self.state.frames[frame].stack.slot(spi);
        if !self.setting.may_leak() && slot.is_spilled() && !slot.is_spilled_scalar() && size != 8 {
            return Err(Mem::CorruptsSpill.into());
        }
        if self.setting.guards_old_values() && self.hides_old_value(access, frame, off) {
            self.notes[self.pc].barrier_after = true;
        }
        self.break_dynptr(frame, spi)?;
        if whole {
            self.stack_written(frame, 1 << spi);
        }
        self.check_fastcall(self.state.frames[frame].subprog as usize, off);
        let value = match access.does {
            Does::Store(Operand::Reg(src)) => Some(*self.state.reg(src)),
            _other => None,
        };
        let constant = match access.does {
            Does::Store(Operand::Imm(value)) => Some(i64::from(value) as u64),
            _other => None,
        };
        let privileged = self.setting.options.privileges.bpf;
        let spilled = match (value, constant) {
            (Some(reg), _) if off % 8 == 0 && reg.is_scalar() && privileged => Some(self.spilled_number(access, reg, size)),
            (None, Some(value)) if off % 8 == 0 && privileged => Some(Reg::exact(value)),
            (Some(reg), _) if reg.is_spillable() => {
                if size != 8 {
                    return Err(Mem::SpillSize.into());
                }
                if frame != self.state.depth() && matches!(reg.kind, Kind::Stack { .. }) {
                    return Err(Mem::SpillsStackPointer.into());
                }
                Some(reg)
            }
            _plain => None,
        };
        let Some(reg) = spilled else { return self.write_bytes(access, frame, off, value, constant) };
        let slot = self.state.frames[frame].stack.slot_mut(spi);
        slot.reg = reg;
        for (at, byte) in slot.bytes.iter_mut().enumerate() {
            if at >= 8 - size as usize {
                *byte = Byte::Spill;
            } else if *byte != Byte::Zero && *byte != Byte::Invalid {
                *byte = Byte::Misc;
            }
        }
        self.push_history(|step| step.stack = Some((frame as u8, spi as u8)));
        Ok(())
    }

    /// A store that a load must not run ahead of: of a pointer, or over what a program may not see as a number.
    fn hides_old_value(&self, access: &Access, frame: usize, off: i32) -> bool {
        if let Does::Store(Operand::Reg(src)) = access.does
            && self.state.reg(src).is_spillable()
        {
            return true;
        }
        let slot = self.state.frames[frame].stack.slot(slot_of(off));
        (0..access.bytes()).any(|at| !matches!(slot.bytes[byte_of(off + at)], Byte::Misc | Byte::Zero))
    }

    /// A number as a spill keeps it: linked to its register, if all of it is spilled.
    fn spilled_number(&mut self, access: &Access, reg: Reg, size: i32) -> Reg {
        let fits = reg.width() <= 8 * size as u32;
        if !fits {
            return reg.unlinked();
        }
        if let Does::Store(Operand::Reg(src)) = access.does {
            self.link(src);
            return *self.state.reg(src);
        }
        reg
    }

    /// Bytes that are no spill.
    fn write_bytes(
        &mut self,
        access: &Access,
        frame: usize,
        off: i32,
        value: Option<Reg>,
        constant: Option<u64>,
    ) -> Result<(), Fault> {
        let spi = slot_of(off);
        let slot = self.state.frames[frame].stack.slot_mut(spi);
        let special = slot.is_special();
        slot.reg = Reg::NOT_INIT;
        if special {
            slot.scrub();
        }
        let mut byte = Byte::Misc;
        if value.is_some_and(|reg| reg.is_null()) || constant == Some(0) {
            if let Does::Store(Operand::Reg(src)) = access.does {
                self.mark_precise(src)?;
            }
            byte = Byte::Zero;
        }
        let slot = self.state.frames[frame].stack.slot_mut(spi);
        for at in 0..access.bytes() {
            slot.bytes[byte_of(off + at)] = byte;
        }
        Ok(())
    }

    fn read_stack(&mut self, access: &Access, frame: usize, off: i32) -> Result<(), Fault> {
        let spi = slot_of(off);
        let slot = *self.state.frames[frame].stack.slot(spi);
        self.check_fastcall(self.state.frame().subprog as usize, off);
        self.stack_read(frame, 1 << spi);
        let filled = if slot.is_spilled() {
            self.fill(access, &slot, off)?
        } else {
            self.check_written(&slot, off, access.bytes())?;
            self.load_bytes(access, frame, off, off + access.bytes());
            false
        };
        if filled {
            self.push_history(|step| step.stack = Some((frame as u8, spi as u8)));
        }
        Ok(())
    }

    /// Reads from a slot with a spilled register; whether it was filled from it.
    fn fill(&mut self, access: &Access, slot: &Slot, off: i32) -> Result<bool, Fault> {
        let size = access.bytes();
        let spilled = slot.bytes.iter().rev().take_while(|byte| **byte == Byte::Spill).count() as i32;
        let reg = slot.reg;
        let Does::Load { .. } = access.does else {
            if size != 8 || spilled != 8 {
                if !reg.is_scalar() {
                    return Err(Mem::FillSize.into());
                }
                return Ok(false);
            }
            if !self.setting.may_leak() && !reg.is_scalar() {
                return Err(Mem::LeaksFromStack(off).into());
            }
            return Ok(true);
        };
        if size == 8 && spilled == 8 {
            self.loaded_whole(access, reg);
            return Ok(true);
        }
        if !reg.is_scalar() {
            return Err(Mem::FillSize.into());
        }
        // The low bytes of the spilled number lie at the bottom of the slot.
        if size <= spilled && off % 8 == 0 {
            let cut = reg.width() > 8 * size as u32;
            self.loaded(access, if cut { reg.unlinked() } else { reg });
            return Ok(true);
        }
        self.fill_part(access, slot, off)
    }

    /// Reads some bytes of a spilled number, or more than were spilled.
    fn fill_part(&mut self, access: &Access, slot: &Slot, off: i32) -> Result<bool, Fault> {
        let size = access.bytes();
        let bytes = || (0..size).map(|at| slot.bytes[byte_of(off + at)]);
        for (at, byte) in bytes().enumerate() {
            if byte == Byte::Invalid && !self.setting.may_read_uninit() || is_object(byte) {
                return Err(Mem::InvalidStackRead { off, at: at as i32, size }.into());
            }
        }
        if bytes().all(|byte| byte == Byte::Spill) && slot.reg.num.constant() == Some(0) {
            self.loaded(access, Reg::exact(0));
            return Ok(true);
        }
        let zero = bytes().all(|byte| byte == Byte::Zero);
        self.loaded(access, if zero { Reg::exact(0) } else { Reg::UNKNOWN });
        Ok(false)
    }

    /// A whole register comes back as it was.
    fn loaded_whole(&mut self, access: &Access, reg: Reg) {
        if let Does::Load { dst, .. } = access.does {
            *self.state.reg_mut(dst) = reg;
        }
    }

    /// All bytes were written, or may be read though they were not.
    fn check_written(&self, slot: &Slot, off: i32, size: i32) -> Result<(), Fault> {
        for at in 0..size {
            let byte = slot.bytes[byte_of(off + at)];
            match byte {
                Byte::Misc | Byte::Zero => {}
                Byte::Invalid if self.setting.may_read_uninit() => {}
                Byte::Invalid | Byte::Spill | Byte::Dynptr | Byte::Iter | Byte::IrqFlag => {
                    return Err(Mem::InvalidStackRead { off, at, size }.into());
                }
            }
        }
        Ok(())
    }

    /// A load of bytes that may come from `least` up to below `most`.
    pub(super) fn load_bytes(&mut self, access: &Access, frame: usize, least: i32, most: i32) {
        let stack = &self.state.frames[frame].stack;
        let zero = (least..most).all(|off| stack.slot(slot_of(off)).bytes[byte_of(off)] == Byte::Zero);
        self.loaded(access, if zero { Reg::exact(0) } else { Reg::UNKNOWN });
    }

    /// Reaching where spills around calls marked `bpf_fastcall` lie, from elsewhere, makes these plain spills.
    pub(crate) fn check_fastcall(&mut self, subprog: usize, off: i32) {
        let lowest = self.prep.subprogs[subprog].fastcall_stack;
        if off < lowest && !self.prep.marks[self.pc].fastcall_pattern {
            self.fastcall_broken[subprog] = true;
        }
    }
}

const fn is_object(byte: Byte) -> bool {
    matches!(byte, Byte::Dynptr | Byte::Iter | Byte::IrqFlag)
}
