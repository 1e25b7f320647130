//! Arithmetic, moves, comparisons.

use skep_isa::{AluOp, ByteOrder, Cond, Operand, Size, Width, eval};

use super::asm::*;
use super::{A64, gpr};

/// Holds immediates that fit nowhere, and quotients.
const SCRATCH: Gpr = 9;
const QUOTIENT: Gpr = 10;

impl A64<'_> {
    pub(super) fn put(&mut self, width: Width, dst: Gpr, src: Operand) {
        match src {
            Operand::Reg(src) if gpr(src) == dst && width == Width::W64 => {}
            Operand::Reg(src) => self.asm.mov(width, dst, gpr(src)),
            Operand::Imm(imm) => self.asm.mov_imm(dst, eval::mov(width, eval::imm(imm))),
        }
    }

    pub(super) fn byte_order(&mut self, order: ByteOrder, size: Size, dst: Gpr) {
        match (order, size) {
            (ByteOrder::Le, Size::Dw) => {}
            (ByteOrder::Le, size) => self.asm.extend_reg(None, size, dst, dst),
            (ByteOrder::Be | ByteOrder::Swap, Size::H) => {
                self.asm.reverse(Size::H, dst, dst);
                self.asm.extend_reg(None, Size::H, dst, dst);
            }
            (ByteOrder::Be | ByteOrder::Swap, size) => self.asm.reverse(size, dst, dst),
        }
    }

    /// `dst = a OP src`.
    pub(super) fn arithmetic(&mut self, width: Width, op: AluOp, dst: Gpr, a: Gpr, src: Operand) {
        match src {
            Operand::Reg(src) => self.with_register(width, op, dst, a, gpr(src)),
            Operand::Imm(imm) => self.with_immediate(width, op, dst, a, imm),
        }
    }

    fn with_register(&mut self, width: Width, op: AluOp, dst: Gpr, a: Gpr, src: Gpr) {
        let op = match op {
            AluOp::Add => Op::Add,
            AluOp::Sub => Op::Sub,
            AluOp::Mul => Op::Mul,
            // Division by 0 and of the smallest number by -1 are as they should be.
            AluOp::Div => Op::Div,
            AluOp::Sdiv => Op::Sdiv,
            AluOp::Mod => return self.rest(Op::Div, width, dst, a, src),
            AluOp::Smod => return self.rest(Op::Sdiv, width, dst, a, src),
            AluOp::Or => Op::Or,
            AluOp::And => Op::And,
            AluOp::Xor => Op::Xor,
            AluOp::Lsh => Op::Lsh,
            AluOp::Rsh => Op::Rsh,
            AluOp::Arsh => Op::Arsh,
        };
        self.asm.op(op, width, dst, a, src);
    }

    fn rest(&mut self, division: Op, width: Width, dst: Gpr, a: Gpr, src: Gpr) {
        self.asm.op(division, width, QUOTIENT, a, src);
        self.asm.msub(width, dst, QUOTIENT, src, a);
    }

    fn with_immediate(&mut self, width: Width, op: AluOp, dst: Gpr, a: Gpr, imm: i32) {
        let value = eval::mov(width, eval::imm(imm));
        let power = (value.count_ones() == 1).then(|| value.trailing_zeros());
        let bits = if width == Width::W64 { 63 } else { 31 };
        let done = match op {
            AluOp::Add => self.asm.add_imm(width, dst, a, imm.into()),
            AluOp::Sub => self.asm.add_imm(width, dst, a, -i64::from(imm)),
            AluOp::Or => self.logic(Logic::Or, width, dst, a, value),
            AluOp::And => self.logic(Logic::And, width, dst, a, value),
            AluOp::Xor => self.logic(Logic::Xor, width, dst, a, value),
            AluOp::Mul => self.shift(Op::Lsh, width, dst, a, power),
            AluOp::Div => self.shift(Op::Rsh, width, dst, a, power),
            AluOp::Mod => match power {
                Some(0) => {
                    self.asm.mov_imm(dst, 0);
                    true
                }
                Some(_) => self.logic(Logic::And, width, dst, a, value - 1),
                None => false,
            },
            AluOp::Lsh => self.shift(Op::Lsh, width, dst, a, Some(imm as u32 & bits)),
            AluOp::Rsh => self.shift(Op::Rsh, width, dst, a, Some(imm as u32 & bits)),
            AluOp::Arsh => self.shift(Op::Arsh, width, dst, a, Some(imm as u32 & bits)),
            AluOp::Sdiv | AluOp::Smod => false,
        };
        if !done {
            self.asm.mov_imm(SCRATCH, value);
            self.with_register(width, op, dst, a, SCRATCH);
        }
    }

    fn logic(&mut self, op: Logic, width: Width, dst: Gpr, a: Gpr, value: u64) -> bool {
        let fits = is_pattern(width, value);
        if fits {
            self.asm.logic(op, width, dst, a, value);
        }
        fits
    }

    fn shift(&mut self, op: Op, width: Width, dst: Gpr, a: Gpr, by: Option<u32>) -> bool {
        match (by, width) {
            (None, _) => return false,
            (Some(0), Width::W64) if dst == a => {}
            (Some(0), _) => self.asm.mov(width, dst, a),
            (Some(by), _) => self.asm.shift_imm(op, width, dst, a, by),
        }
        true
    }

    /// Sets flags, and says which jump is for the condition.
    pub(super) fn compare(&mut self, width: Width, cond: Cond, dst: Gpr, src: Operand) -> Branch {
        match (cond, src) {
            (Cond::Eq | Cond::Ne, Operand::Imm(0)) => {
                return Branch::Zero { width, reg: dst, zero: cond == Cond::Eq };
            }
            (Cond::Set, Operand::Reg(src)) => self.asm.test(width, dst, gpr(src)),
            (Cond::Set, Operand::Imm(imm)) => {
                let value = eval::mov(width, eval::imm(imm));
                if is_pattern(width, value) {
                    self.asm.logic(Logic::Test, width, ZERO, dst, value);
                } else {
                    self.asm.mov_imm(SCRATCH, value);
                    self.asm.test(width, dst, SCRATCH);
                }
            }
            (_, Operand::Reg(src)) => self.asm.compare(width, dst, gpr(src)),
            (_, Operand::Imm(imm)) => {
                if !self.asm.compare_imm(width, dst, imm.into()) {
                    self.asm.mov_imm(SCRATCH, eval::mov(width, eval::imm(imm)));
                    self.asm.compare(width, dst, SCRATCH);
                }
            }
        }
        Branch::If(cc(cond))
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
