//! Jumps.

use skep_isa::{Cond, Operand, Width};

use super::asm::*;
use super::{X64, gpr};
use crate::layout::Label;

impl X64<'_> {
    pub(super) fn compare(&mut self, width: Width, cond: Cond, dst: Gpr, src: Operand) {
        match (cond, src) {
            (Cond::Set, Operand::Reg(src)) => self.asm.test(width, dst, gpr(src)),
            (Cond::Set, Operand::Imm(imm)) => self.asm.test_imm(width, dst, imm),
            (_, Operand::Reg(src)) => self.asm.group1(Group1::Cmp, width, dst, gpr(src)),
            (_, Operand::Imm(0)) => self.asm.test(width, dst, dst),
            (_, Operand::Imm(imm)) => self.asm.group1_imm(Group1::Cmp, width, dst, imm),
        }
    }

    /// Leads on once the activation has gone round as often as Linux lets it. The count stays negative from then on.
    pub(super) fn count_round(&mut self, to: Label) {
        self.asm.dec(Width::W64, Mem::at(RSP, 0));
        self.asm.jump(Branch::If(Cc::Sign), to);
    }
}

pub(super) fn cc(cond: Cond) -> Cc {
    match cond {
        Cond::Eq => Cc::Equal,
        Cond::Ne | Cond::Set => Cc::NotEqual,
        Cond::Gt => Cc::Above,
        Cond::Ge => Cc::AboveEqual,
        Cond::Lt => Cc::Below,
        Cond::Le => Cc::BelowEqual,
        Cond::Sgt => Cc::Greater,
        Cond::Sge => Cc::GreaterEqual,
        Cond::Slt => Cc::Less,
        Cond::Sle => Cc::LessEqual,
    }
}
