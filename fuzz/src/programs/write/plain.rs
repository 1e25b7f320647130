//! Numbers, branches on them, loops.

use skep_isa::{AluOp, ByteOrder, Cond, Insn, Operand, Reg, Size, Width};

use super::{Family, Guess, Line, SIZES, Writer};

const OPS: [AluOp; 13] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::And,
    AluOp::Or,
    AluOp::Xor,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Arsh,
    AluOp::Div,
    AluOp::Mod,
    AluOp::Sdiv,
    AluOp::Smod,
];

const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];

impl Writer<'_> {
    /// A number in a register: a constant, a field of the context, or what a helper returns.
    pub(super) fn number(&mut self) {
        let dst = self.target();
        match self.rng.u32(..4) {
            0 => {
                let value = self.imm();
                self.set(dst, value);
            }
            1 => self.context(),
            _ if self.calm => {
                let value = self.rng.i32(0..64);
                self.set(dst, value);
            }
            _ => {
                if self.number_helper() && self.rng.bool() && dst != Reg::R0 {
                    self.mov(dst, Reg::R0);
                }
            }
        }
    }

    pub(super) fn alu(&mut self) {
        let Some(dst) = self.any(Guess::is_number).filter(|reg| !self.pinned.contains(reg)) else { return self.number() };
        self.families.add(Family::Arithmetic);
        let (width, op) = (self.width(), OPS[self.rng.usize(..OPS.len())]);
        let other = self.any(Guess::is_number).filter(|_| self.rng.u32(..3) == 0);
        let bits = if width == Width::W32 { 32 } else { 64 };
        let src = match (other, op) {
            (Some(src), _) => Operand::Reg(src),
            (None, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh) => Operand::Imm(self.rng.i32(0..bits)),
            (None, AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod) => match self.imm() {
                0 => Operand::Imm(1),
                value => Operand::Imm(value),
            },
            (None, _) => Operand::Imm(self.imm()),
        };
        if self.seldom(8) {
            let copy = self.target();
            self.mov(copy, dst);
        }
        self.insn(Insn::Alu { width, op, dst, src });
        let most = match (op, src) {
            (AluOp::And, Operand::Imm(value)) => u32::try_from(value).ok(),
            _unknown => None,
        };
        self.guesses.set(dst, Guess::Number(most));
    }

    pub(super) fn unary(&mut self) {
        let Some(src) = self.any(Guess::is_number) else { return };
        self.families.add(Family::Arithmetic);
        let dst = self.target();
        let width = self.width();
        let insn = match self.rng.u32(..5) {
            0 => Insn::Neg { width, dst: src },
            1 => Insn::Swap {
                order: [ByteOrder::Le, ByteOrder::Be, ByteOrder::Swap][self.rng.usize(..3)],
                size: SIZES[self.rng.usize(1..4)],
                dst: src,
            },
            2 => Insn::MovSx { width: Width::W64, from: SIZES[self.rng.usize(..3)], dst, src },
            3 => Insn::MovSx { width: Width::W32, from: SIZES[self.rng.usize(..2)], dst, src },
            _ => Insn::Mov { width, dst, src: Operand::Reg(src) },
        };
        self.insn(insn);
        let written = if matches!(insn, Insn::Neg { .. } | Insn::Swap { .. }) { src } else { dst };
        self.guesses.set(written, Guess::Number(None));
    }

    pub(super) fn mask(&mut self) {
        let Some(dst) = self.any(Guess::is_number) else { return };
        let most = (1 << self.rng.u32(1..6)) - 1;
        let width = self.width();
        self.insn(Insn::Alu { width, op: AluOp::And, dst, src: Operand::Imm(most) });
        self.guesses.set(dst, Guess::Number(Some(most as u32)));
    }

    pub(super) fn branch(&mut self) {
        if self.depth > 3 {
            return;
        }
        let Some(dst) = self.any(Guess::is_number) else { return self.number() };
        self.families.add(Family::Branches);
        let width = self.width();
        let cond = CONDS[self.rng.usize(..CONDS.len())];
        let src = match self.any(Guess::is_number).filter(|_| self.rng.u32(..3) == 0) {
            Some(src) => Operand::Reg(src),
            None => Operand::Imm(self.imm()),
        };
        let out = self.label();
        self.lines.push(Line::JumpIf(width, cond, dst, src, out));
        if self.open == 0 && self.seldom(6) {
            // The way that does not jump ends here, so that the other is bounded.
            self.set(Reg::R0, 0);
            self.insn(Insn::Exit);
            self.here(out);
            let most = match (cond, src) {
                (Cond::Lt | Cond::Le, Operand::Imm(value)) => u32::try_from(value).ok(),
                _unknown => None,
            };
            return self.guesses.set(dst, Guess::Number(most));
        }
        let before = self.guesses.clone();
        self.within();
        if self.seldom(4) {
            let end = self.label();
            self.lines.push(Line::Jump(end));
            self.here(out);
            let after = std::mem::replace(&mut self.guesses, before);
            self.within();
            self.guesses.meet(&after);
            self.here(end);
        } else {
            self.here(out);
            self.guesses.meet(&before);
        }
    }

    pub(super) fn bounded_loop(&mut self) {
        if self.depth > 1 || !self.privileges.bpf {
            return;
        }
        let Some(counter) = self.keeper() else { return };
        self.families.add(Family::Loops);
        self.set(counter, 0);
        self.guesses.set(counter, Guess::Number(None));
        let head = self.label();
        self.here(head);
        let before = self.guesses.clone();
        if self.rng.bool() {
            self.pinned.push(counter);
        }
        self.within();
        self.pinned.retain(|reg| *reg != counter);
        let rounds = self.rng.i32(1..12);
        self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst: counter, src: Operand::Imm(1) });
        let cond = [Cond::Lt, Cond::Ne, Cond::Slt][self.rng.usize(..3)];
        self.lines.push(Line::JumpIf(Width::W64, cond, counter, Operand::Imm(rounds), head));
        self.guesses.meet(&before);
        self.guesses.set(counter, Guess::Number(None));
    }

    pub(super) fn may_goto(&mut self) {
        if self.depth > 1 {
            return;
        }
        self.families.add(Family::MayGoto);
        let (head, out) = (self.label(), self.label());
        self.here(head);
        self.lines.push(Line::MayGoto(out));
        let before = self.guesses.clone();
        self.within();
        if self.rng.u32(..3) > 0 {
            self.lines.push(Line::Jump(head));
        }
        self.here(out);
        self.guesses.meet(&before);
    }

    /// A register with a number for an argument, or a constant.
    pub(super) fn some_size(&mut self) -> Size {
        SIZES[self.rng.usize(..4)]
    }
}
