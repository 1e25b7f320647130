//! Instructions that together are one operation of the machines.
//!
//! Only what stands next to each other is looked at, and only where no jump leads between. Registers that the first of them write and
//! nobody may read later are still written, unless the last overwrites them: nothing here needs to know which registers live.

use skep_isa::{AluOp, ByteOrder, Cond, Insn, Operand, Reg, Size, Width};

use super::{From, Unit};

/// Several instructions as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fused {
    /// `dst = a + b`, of 64 bits.
    Sum { dst: Reg, a: Reg, b: Operand },
    /// `dst = *(a + b + off)`, with nothing to test.
    LoadSum { size: Size, signed: bool, dst: Reg, a: Reg, b: Operand, off: i16 },
    /// `dst = *(base + off)` in the other byte order, with nothing to test.
    LoadSwapped { size: Size, dst: Reg, base: Reg, off: i16 },
    /// `dst = a OP src`.
    Three { width: Width, op: AluOp, dst: Reg, a: Reg, src: Operand },
    /// `dst` = the low bytes of `src`, extended to 64 bits.
    Extend { from: Size, signed: bool, dst: Reg, src: Reg },
    /// `dst` = `src` rotated to the left; then `src` is shifted, if anybody may read it.
    Rotate { width: Width, dst: Reg, src: Reg, by: u8, then: Option<(AluOp, u8)> },
    /// `dst OP= src`, and a jump to a slot if the result is 0, or if it is not.
    AluJump { width: Width, op: AluOp, dst: Reg, src: Operand, zero: bool, to: usize },
}

impl Unit<'_> {
    /// What begins at a slot, and how many slots it takes.
    pub(crate) fn fuse(&self, slot: usize) -> Option<(Fused, usize)> {
        match self.reached(slot)? {
            Insn::Mov { width, dst, src: Operand::Reg(src) } if dst != src => self.moved(slot, width, dst, src),
            Insn::Alu { width, op, dst, src } => {
                let next = self.follows(slot + 1)?;
                self.extended(slot, dst, dst).map(|fused| (fused, 2)).or_else(|| {
                    let (zero, to) = self.asks_for_zero(slot + 1, next, width, dst)?;
                    Some((Fused::AluJump { width, op, dst, src, zero, to }, 2))
                })
            }
            Insn::Load { size, signed: false, dst, base, off } => {
                let Insn::Swap { order: ByteOrder::Be | ByteOrder::Swap, size: of, dst: to } = self.follows(slot + 1)? else {
                    return None;
                };
                let same = (of, to) == (size, dst) && self.source(slot, off, size) == From::Memory;
                same.then_some((Fused::LoadSwapped { size, dst, base, off }, 2))
            }
            _other => None,
        }
    }

    /// The instruction in a slot, if no path comes to it but from the one before.
    fn follows(&self, slot: usize) -> Option<Insn> {
        self.reached(slot).filter(|_| !self.is_target(slot))
    }

    /// What a copy of a register begins.
    fn moved(&self, slot: usize, width: Width, dst: Reg, src: Reg) -> Option<(Fused, usize)> {
        let next = self.follows(slot + 1)?;
        if let Some(fused) = self.rotated(slot, dst, src) {
            return Some((fused, 4));
        }
        let Insn::Alu { width: of, op, dst: to, src: by } = next else { return None };
        if to != dst {
            return None;
        }
        if width == Width::W64
            && let Some(fused) = self.extended(slot + 1, dst, src)
        {
            return Some((fused, 3));
        }
        // What is copied is what both operands are.
        let by = if by == Operand::Reg(dst) { Operand::Reg(src) } else { by };
        match (width, of, op) {
            (Width::W64, Width::W64, AluOp::Add) => Some(self.summed(slot, dst, src, by)),
            // An operation of 32 bits reads no more of a register than a copy of 32 bits leaves.
            (Width::W64, _, _) | (Width::W32, Width::W32, _) => Some((Fused::Three { width: of, op, dst, a: src, src: by }, 2)),
            (Width::W32, Width::W64, _) => None,
        }
    }

    /// A sum, or a load through it into the same register.
    fn summed(&self, slot: usize, dst: Reg, a: Reg, b: Operand) -> (Fused, usize) {
        match self.follows(slot + 2) {
            Some(Insn::Load { size, signed, dst: to, base, off })
                if base == dst && to == dst && self.source(slot + 2, off, size) == From::Memory =>
            {
                (Fused::LoadSum { size, signed, dst, a, b, off }, 3)
            }
            _other => (Fused::Sum { dst, a, b }, 2),
        }
    }

    /// Shifts of a register up and down again.
    fn extended(&self, slot: usize, dst: Reg, src: Reg) -> Option<Fused> {
        let up = self.shift(self.reached(slot)?, Width::W64, dst)?;
        let down = self.shift(self.follows(slot + 1)?, Width::W64, dst)?;
        let from = match up {
            (AluOp::Lsh, 56) => Size::B,
            (AluOp::Lsh, 48) => Size::H,
            (AluOp::Lsh, 32) => Size::W,
            _other => return None,
        };
        match down {
            (AluOp::Rsh, by) if by == up.1 => Some(Fused::Extend { from, signed: false, dst, src }),
            (AluOp::Arsh, by) if by == up.1 => Some(Fused::Extend { from, signed: true, dst, src }),
            _other => None,
        }
    }

    /// The shift of a register by a constant that an instruction is.
    fn shift(&self, insn: Insn, width: Width, reg: Reg) -> Option<(AluOp, u8)> {
        match insn {
            Insn::Alu { width: of, op: op @ (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh), dst, src: Operand::Imm(imm) }
                if of == width && dst == reg && (1..bits(width).into()).contains(&imm) =>
            {
                Some((op, imm as u8))
            }
            _other => None,
        }
    }

    /// A copy and its original, shifted to opposite sides and put together in the copy.
    fn rotated(&self, slot: usize, copy: Reg, original: Reg) -> Option<Fused> {
        let [first, second, last] = [1, 2, 3].map(|after| self.follows(slot + after));
        let Insn::Alu { width, op: AluOp::Or | AluOp::Xor | AluOp::Add, dst, src: Operand::Reg(src) } = last? else {
            return None;
        };
        if (dst, src) != (copy, original) {
            return None;
        }
        let of = |reg| self.shift(first?, width, reg).or_else(|| self.shift(second?, width, reg));
        let (mine, then) = (of(copy)?, of(original)?);
        if mine.1 + then.1 != bits(width) {
            return None;
        }
        let by = match (mine.0, then.0) {
            (AluOp::Lsh, AluOp::Rsh) => mine.1,
            (AluOp::Rsh, AluOp::Lsh) => then.1,
            _other => return None,
        };
        // A copy of 32 bits has nothing that a rotation of 64 could take.
        let whole = match self.reached(slot)? {
            Insn::Mov { width: Width::W64, .. } => true,
            _other => width == Width::W32,
        };
        let then = (!self.overwrites(slot + 4, original)).then_some(then);
        whole.then_some(Fused::Rotate { width, dst: copy, src: original, by, then })
    }

    /// Whether the instruction in a slot, where nothing else leads, gives a register a value that is not made of the old one.
    fn overwrites(&self, slot: usize, reg: Reg) -> bool {
        match self.follows(slot) {
            Some(Insn::Mov { dst, src, .. }) => dst == reg && src != Operand::Reg(reg),
            Some(Insn::LoadWide { dst, .. }) => dst == reg,
            _other => false,
        }
    }

    /// Whether a jump is taken if a register is 0 (or is not), and to where, if both ways are there.
    fn asks_for_zero(&self, slot: usize, jump: Insn, of: Width, reg: Reg) -> Option<(bool, usize)> {
        let Insn::JumpIf { width, cond: cond @ (Cond::Eq | Cond::Ne), dst, src: Operand::Imm(0), .. } = jump else { return None };
        let to = self.target(slot);
        let fits = dst == reg && (width == Width::W64 || of == Width::W32);
        let both = to != slot + 1 && self.reached(to).is_some() && self.reached(slot + 1).is_some();
        (fits && both).then_some((cond == Cond::Eq, to))
    }
}

/// How many bits a width has.
const fn bits(width: Width) -> u8 {
    match width {
        Width::W32 => 32,
        Width::W64 => 64,
    }
}
