//! What one instruction does to the state of a path: a file per shape.

mod alu;
mod atomic;
mod call;
mod dynptr;
mod exit;
mod fields;
mod global;
mod guess;
mod helper;
mod jump;
mod kfunc;
mod linked;
mod lock;
mod mem;
mod packet;
mod pointer;
mod refs;
mod slots;
mod wide;

use skep_isa::{Insn, Operand, Reg as Name};
use skep_program::Through;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, MapRef, Reg};
use crate::why;

pub(crate) use global::Known;
pub(crate) use guess::Mask;

/// Where the path goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// To this slot.
    At(usize),
    /// Nowhere.
    End,
}

/// What is known of an instruction from all paths that came by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// A path came by.
    pub seen: bool,
    /// The kind of pointer that a load or store goes through.
    pub through: Option<(Kind, Flags)>,
    /// What that reaches.
    pub reaches: Through,
    /// The map of a call, and whether paths differ in it.
    pub map: Option<(MapRef, bool)>,
    /// The key that the call is given, if it is a known one that paths rely on and do not differ in.
    pub key: Option<u64>,
    /// Of a call that the kernel may put a loop in place of: whether it still does, and the function that is called.
    pub loops: Option<(bool, u32)>,
    /// Ways that are only guessed end before the instruction, at a barrier: one of them would have done what is refused.
    pub barrier: bool,
    /// They end after it.
    pub barrier_after: bool,
    /// How the kernel keeps a guessed offset within bounds.
    pub mask: Option<Mask>,
}

impl Walk<'_> {
    /// One instruction.
    pub(crate) fn step(&mut self, insn: Insn) -> Result<Next, Fault> {
        let next = Next::At(self.pc + insn.slots());
        match insn {
            Insn::Alu { width, op, dst, src } => self.alu(width, op, dst, src)?,
            Insn::Mov { width, dst, src } => self.mov(width, dst, src)?,
            Insn::MovSx { width, from, dst, src } => self.mov_sx(width, from, dst, src)?,
            Insn::Neg { width, dst } => self.neg(width, dst)?,
            Insn::Swap { order, size, dst } => self.swap(order, size, dst)?,
            Insn::AddrSpaceCast { dst, src, to, .. } => self.addr_space_cast(dst, src, to)?,
            Insn::LoadWide { dst, value } => self.load_wide(dst, value)?,
            Insn::Load { size, signed, dst, base, off } => self.load(size, signed, dst, base, off)?,
            Insn::LoadAcquire { size, dst, base, off } => self.load_acquire(size, dst, base, off)?,
            Insn::LoadPacket { index, .. } => return self.load_packet(index),
            Insn::Store { size, base, off, src } => self.store(size, base, off, src)?,
            Insn::StoreRelease { size, base, off, src } => self.store_release(size, base, off, src)?,
            Insn::Atomic { size, op, base, off, src } => self.atomic(size, op, base, off, src)?,
            Insn::Jump { off, .. } => {
                self.counts.jumps += 1;
                return Ok(Next::At(self.target(off)));
            }
            Insn::JumpIf { width, cond, dst, src, off } => {
                self.counts.jumps += 1;
                return self.jump_if(width, cond, dst, src, off);
            }
            Insn::MayGoto { off } => {
                self.counts.jumps += 1;
                return self.may_goto(off);
            }
            Insn::JumpReg { .. } => return Err(Fault::not_modelled("gotox")),
            Insn::Call(callee) => {
                self.counts.jumps += 1;
                return self.call(callee);
            }
            Insn::Exit => {
                self.counts.jumps += 1;
                return self.exit();
            }
        }
        Ok(next)
    }

    /// The slot that a jump of this distance leads to.
    pub(crate) fn target(&self, off: i32) -> usize {
        (self.pc as i64 + 1 + i64::from(off)) as usize
    }

    /// The register, if it may be read.
    pub(crate) fn read(&mut self, name: Name) -> Result<&Reg, Fault> {
        let reg = self.state.reg(name);
        if reg.kind == Kind::NotInit {
            return Err(why::Reg::NotInit(name.number()).into());
        }
        Ok(reg)
    }

    /// Refuses a write to the frame pointer.
    pub(crate) fn writable(&mut self, name: Name) -> Result<(), Fault> {
        if name == Name::FP {
            return Err(why::Reg::FramePointer.into());
        }
        Ok(())
    }

    /// Writes a register.
    pub(crate) fn write(&mut self, name: Name, value: Reg) -> Result<(), Fault> {
        self.writable(name)?;
        *self.state.reg_mut(name) = value;
        Ok(())
    }

    /// The register holds a pointer, and the program may not see pointers as numbers.
    pub(crate) fn is_guarded_pointer(&self, name: Name) -> bool {
        !self.setting.may_leak() && !self.state.reg(name).is_scalar()
    }

    /// The operand as a value.
    pub(crate) fn operand(&mut self, src: Operand) -> Result<Reg, Fault> {
        match src {
            Operand::Reg(name) => self.read(name).copied(),
            Operand::Imm(value) => Ok(Reg::exact(i64::from(value) as u64)),
        }
    }

    /// Gives the number an id that copies of it share, if nothing is known exactly.
    pub(crate) fn link(&mut self, name: Name) {
        let reg = *self.state.reg(name);
        if let Some(linked) = self.linked(reg) {
            *self.state.reg_mut(name) = linked;
        }
    }

    /// The value with an id that copies of it share; `None` if it stays as it is.
    pub(crate) fn linked(&mut self, mut reg: Reg) -> Option<Reg> {
        if !reg.is_scalar() {
            return None;
        }
        let before = (reg.id, reg.off);
        if reg.id & crate::state::ADD_CONST != 0 {
            (reg.id, reg.off) = (0, 0);
        }
        if reg.id == 0 && reg.num.constant().is_none() {
            reg.id = self.new_id();
        }
        ((reg.id, reg.off) != before).then_some(reg)
    }
}
