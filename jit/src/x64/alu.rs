//! Arithmetic and moves.

use skep_isa::{AluOp, ByteOrder, Operand, Size, Width, eval};

use super::asm::*;
use super::{X64, gpr};

impl X64<'_> {
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
            (ByteOrder::Le, size) | (ByteOrder::Be | ByteOrder::Swap, size @ Size::B) => self.asm.load(size.bytes(), dst, dst),
            (ByteOrder::Be | ByteOrder::Swap, Size::H) => {
                self.asm.swap16(dst);
                self.asm.load(2, dst, dst);
            }
            (ByteOrder::Be | ByteOrder::Swap, Size::W) => self.asm.bswap(Width::W32, dst),
            (ByteOrder::Be | ByteOrder::Swap, Size::Dw) => self.asm.bswap(Width::W64, dst),
        }
    }

    pub(super) fn arithmetic(&mut self, width: Width, op: AluOp, dst: Gpr, src: Operand) {
        match (op, src) {
            (AluOp::Add, Operand::Reg(src)) => self.asm.group1(Group1::Add, width, dst, gpr(src)),
            (AluOp::Sub, Operand::Reg(src)) => self.asm.group1(Group1::Sub, width, dst, gpr(src)),
            (AluOp::Or, Operand::Reg(src)) => self.asm.group1(Group1::Or, width, dst, gpr(src)),
            (AluOp::And, Operand::Reg(src)) => self.asm.group1(Group1::And, width, dst, gpr(src)),
            (AluOp::Xor, Operand::Reg(src)) => self.asm.group1(Group1::Xor, width, dst, gpr(src)),
            (AluOp::Add, Operand::Imm(imm)) => self.add_imm(width, dst, imm),
            // What cannot be negated is its own negative, in 32 bits.
            (AluOp::Sub, Operand::Imm(i32::MIN)) => self.asm.group1_imm(Group1::Sub, width, dst, i32::MIN),
            (AluOp::Sub, Operand::Imm(imm)) => self.add_imm(width, dst, -imm),
            (AluOp::Or, Operand::Imm(0)) | (AluOp::Xor, Operand::Imm(0)) | (AluOp::And, Operand::Imm(-1)) => {
                self.widen(width, dst);
            }
            (AluOp::Or, Operand::Imm(imm)) => self.asm.group1_imm(Group1::Or, width, dst, imm),
            (AluOp::Xor, Operand::Imm(imm)) => self.asm.group1_imm(Group1::Xor, width, dst, imm),
            (AluOp::And, Operand::Imm(imm)) => self.and_imm(width, dst, imm),
            (AluOp::Mul, Operand::Reg(src)) => self.asm.imul(width, dst, gpr(src)),
            (AluOp::Mul, Operand::Imm(imm)) => self.mul_imm(width, dst, imm),
            (AluOp::Div, src) => self.div(width, false, false, dst, src),
            (AluOp::Sdiv, src) => self.div(width, true, false, dst, src),
            (AluOp::Mod, src) => self.div(width, false, true, dst, src),
            (AluOp::Smod, src) => self.div(width, true, true, dst, src),
            (AluOp::Lsh, src) => self.shift(Shift::Shl, width, dst, src),
            (AluOp::Rsh, src) => self.shift(Shift::Shr, width, dst, src),
            (AluOp::Arsh, src) => self.shift(Shift::Sar, width, dst, src),
        }
    }

    /// `dst = a + b`.
    pub(super) fn add_to(&mut self, width: Width, dst: Gpr, a: Gpr, b: Operand) {
        match b {
            Operand::Reg(b) => self.asm.lea(width, dst, Mem::sum(a, gpr(b), 0)),
            Operand::Imm(0) => self.asm.mov(width, dst, a),
            Operand::Imm(imm) => self.asm.lea(width, dst, Mem::at(a, imm)),
        }
    }

    /// `dst = a OP src`, where `dst` is none of the operands.
    pub(super) fn of_three(&mut self, width: Width, op: AluOp, dst: Gpr, a: Gpr, src: Operand) {
        match (op, src) {
            (AluOp::Add, src) => self.add_to(width, dst, a, src),
            (AluOp::And, Operand::Imm(0xff)) => self.asm.load(1, dst, a),
            (AluOp::And, Operand::Imm(0xffff)) => self.asm.load(2, dst, a),
            (AluOp::Mul, Operand::Imm(imm)) if imm.count_ones() > 1 => self.asm.imul_imm(width, dst, a, imm),
            (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Operand::Reg(by)) if self.features.bmi2 => {
                let op = match op {
                    AluOp::Lsh => Shift::Shl,
                    AluOp::Rsh => Shift::Shr,
                    _arithmetic => Shift::Sar,
                };
                self.asm.shift_bmi2(op, width, dst, a, gpr(by));
            }
            (_, src) => {
                self.asm.mov(width, dst, a);
                self.arithmetic(width, op, dst, src);
            }
        }
    }

    pub(super) fn rotated(&mut self, width: Width, dst: Gpr, src: Gpr, by: u8) {
        if self.features.bmi2 {
            let bits = if width == Width::W64 { 64 } else { 32 };
            self.asm.rotate_bmi2(width, dst, src, bits - by);
        } else {
            self.asm.mov(width, dst, src);
            self.asm.shift_imm(Shift::Rol, width, dst, by);
        }
    }

    /// What an operation of the width leaves of a number that it does not change.
    fn widen(&mut self, width: Width, dst: Gpr) {
        match width {
            Width::W64 => {}
            Width::W32 => self.asm.mov(Width::W32, dst, dst),
        }
    }

    fn add_imm(&mut self, width: Width, dst: Gpr, imm: i32) {
        match imm {
            0 => self.widen(width, dst),
            1 => self.asm.inc(width, dst),
            -1 => self.asm.dec(width, dst),
            // Fits a byte the other way round.
            128 => self.asm.group1_imm(Group1::Sub, width, dst, -128),
            _ => self.asm.group1_imm(Group1::Add, width, dst, imm),
        }
    }

    fn and_imm(&mut self, width: Width, dst: Gpr, imm: i32) {
        match imm {
            0 => self.asm.mov_imm(dst, 0),
            0xff => self.asm.load(1, dst, dst),
            0xffff => self.asm.load(2, dst, dst),
            // The upper half becomes 0 either way.
            1.. => self.asm.group1_imm(Group1::And, Width::W32, dst, imm),
            _ => self.asm.group1_imm(Group1::And, width, dst, imm),
        }
    }

    fn mul_imm(&mut self, width: Width, dst: Gpr, imm: i32) {
        let scaled = |scale| Mem { base: dst, index: Some((dst, scale)), disp: 0 };
        match imm {
            0 => self.asm.mov_imm(dst, 0),
            1 => self.widen(width, dst),
            3 => self.asm.lea(width, dst, scaled(1)),
            5 => self.asm.lea(width, dst, scaled(2)),
            9 => self.asm.lea(width, dst, scaled(3)),
            2.. if imm.count_ones() == 1 => self.asm.shift_imm(Shift::Shl, width, dst, imm.trailing_zeros() as u8),
            _ => self.asm.imul_imm(width, dst, dst, imm),
        }
    }

    fn shift(&mut self, op: Shift, width: Width, dst: Gpr, src: Operand) {
        let src = match src {
            Operand::Imm(imm) => {
                return match imm as u8 & if width == Width::W64 { 63 } else { 31 } {
                    0 => self.widen(width, dst),
                    by => self.asm.shift_imm(op, width, dst, by),
                };
            }
            Operand::Reg(src) => gpr(src),
        };
        if src == RCX && dst != RCX {
            self.asm.shift_cl(op, width, dst);
        } else if self.features.bmi2 {
            self.asm.shift_bmi2(op, width, dst, dst, src);
        } else if dst == RCX {
            self.asm.mov(Width::W64, R11, RCX);
            if src != RCX {
                self.asm.mov(Width::W32, RCX, src);
            }
            self.asm.shift_cl(op, width, R11);
            self.asm.mov(Width::W64, RCX, R11);
        } else {
            self.asm.mov(Width::W64, R11, RCX);
            self.asm.mov(Width::W32, RCX, src);
            self.asm.shift_cl(op, width, dst);
            self.asm.mov(Width::W64, RCX, R11);
        }
    }

    /// Quotient or remainder.
    fn div(&mut self, width: Width, signed: bool, rest: bool, dst: Gpr, src: Operand) {
        match src {
            Operand::Imm(imm) => self.div_imm(width, signed, rest, dst, imm),
            Operand::Reg(src) => self.div_reg(width, signed, rest, dst, gpr(src)),
        }
    }

    fn div_imm(&mut self, width: Width, signed: bool, rest: bool, dst: Gpr, imm: i32) {
        match (imm, rest) {
            (0, false) | (1, true) => self.asm.mov_imm(dst, 0),
            (0, true) | (1, false) => self.widen(width, dst),
            (-1, false) if signed => self.asm.neg(width, dst),
            (-1, true) if signed => self.asm.mov_imm(dst, 0),
            (2.., false) if !signed && imm.count_ones() == 1 => {
                self.asm.shift_imm(Shift::Shr, width, dst, imm.trailing_zeros() as u8);
            }
            (2.., true) if !signed && imm.count_ones() == 1 => self.and_imm(Width::W32, dst, imm - 1),
            (_, _) => {
                self.asm.mov_imm(R11, eval::mov(width, eval::imm(imm)));
                self.divide(width, signed, rest, dst);
            }
        }
    }

    fn div_reg(&mut self, width: Width, signed: bool, rest: bool, dst: Gpr, src: Gpr) {
        self.asm.mov(width, R11, src);
        // 0 and, with signs, -1 are no divisors of the machine.
        let special = if signed {
            self.asm.lea(width, R10, Mem::at(R11, 1));
            self.asm.group1_imm(Group1::Cmp, width, R10, 1);
            self.asm.forward(Some(Cc::BelowEqual))
        } else {
            self.asm.test(width, R11, R11);
            self.asm.forward(Some(Cc::Equal))
        };
        self.divide(width, signed, rest, dst);
        let done = self.asm.forward(None);
        self.asm.land(special);
        match (signed, rest) {
            (false, false) => self.asm.mov_imm(dst, 0),
            (false, true) => self.widen(width, dst),
            // Times the divisor is right for both.
            (true, false) => self.asm.imul(width, dst, R11),
            // One more than the divisor, which is in r10, is 1 for 0 and 0 for -1: the dividend, or 0.
            (true, true) => self.asm.imul(width, dst, R10),
        }
        self.asm.land(done);
    }

    /// Divides by r11.
    fn divide(&mut self, width: Width, signed: bool, rest: bool, dst: Gpr) {
        let asm = &mut self.asm;
        if dst != RAX {
            asm.mov(Width::W64, R10, RAX);
        }
        if dst != RDX {
            asm.mov(Width::W64, RDI, RDX);
        }
        if dst != RAX {
            asm.mov(width, RAX, dst);
        }
        if signed {
            asm.sign_to_rdx(width);
        } else {
            asm.mov_imm(RDX, 0);
        }
        asm.div(width, signed, R11);
        let result = if rest { RDX } else { RAX };
        if dst != result {
            asm.mov(width, dst, result);
        }
        if dst != RAX {
            asm.mov(Width::W64, RAX, R10);
        }
        if dst != RDX {
            asm.mov(Width::W64, RDX, RDI);
        }
    }
}

/// Whether the operation leaves flags that say whether its result is 0.
pub(super) fn sets_zero(op: AluOp, src: Operand) -> bool {
    match (op, src) {
        (AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor, Operand::Reg(_)) => true,
        (AluOp::Add | AluOp::Sub | AluOp::Or | AluOp::Xor, Operand::Imm(imm)) => imm != 0,
        (AluOp::And, Operand::Imm(imm)) => !matches!(imm, 0 | -1 | 0xff | 0xffff),
        // By 0 or 32 or 64, nothing is shifted and no flag set.
        (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Operand::Imm(imm)) => imm & 31 != 0,
        (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Operand::Reg(_)) => false,
        (AluOp::Mul | AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod, _) => false,
    }
}
