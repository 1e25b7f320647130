//! Jumps.

use skep_isa::{Cond, Operand, Width};

use super::asm::*;
use super::emit::{Emitter, slot_label};
use super::gpr;

impl Emitter<'_> {
    pub(super) fn goto(&mut self, slot: usize, off: i32) {
        if off != 0 {
            self.asm.jump(Branch::Always, slot_label(self.unit.target(slot)));
        }
    }

    pub(super) fn jump_if(&mut self, slot: usize, width: Width, cond: Cond, dst: Gpr, src: Operand) {
        let target = self.unit.target(slot);
        // A way that no path takes is not there.
        if self.unit.reached(target).is_none() || target == slot + 1 {
            return;
        }
        let label = slot_label(target);
        if self.unit.reached(slot + 1).is_none() {
            return self.asm.jump(Branch::Always, label);
        }
        self.compare(width, cond, dst, src);
        self.asm.jump(Branch::If(cc(cond)), label);
    }

    fn compare(&mut self, width: Width, cond: Cond, dst: Gpr, src: Operand) {
        match (cond, src) {
            (Cond::Set, Operand::Reg(src)) => self.asm.test(width, dst, gpr(src)),
            (Cond::Set, Operand::Imm(imm)) => self.asm.test_imm(width, dst, imm),
            (_, Operand::Reg(src)) => self.asm.group1(Group1::Cmp, width, dst, gpr(src)),
            (_, Operand::Imm(0)) => self.asm.test(width, dst, dst),
            (_, Operand::Imm(imm)) => self.asm.group1_imm(Group1::Cmp, width, dst, imm),
        }
    }

    /// Leads on once the activation has gone round as often as Linux lets it. The count stays negative from then on.
    pub(super) fn may_goto(&mut self, slot: usize) {
        self.asm.dec(Width::W64, Mem::at(RSP, 0));
        self.asm.jump(Branch::If(Cc::Sign), slot_label(self.unit.target(slot)));
    }
}

fn cc(cond: Cond) -> Cc {
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
