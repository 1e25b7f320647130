//! Changes of lines that leave a program that can be assembled.

use fastrand::Rng;
use skep_isa::{AluOp, Callee, Cond, Insn, Operand, Reg, Size, Wide, Width};

use super::highest;
use crate::insn;
use crate::programs::{Label, Line, Lines};

/// Tries before nothing is changed.
const TRIES: u32 = 8;
/// Lines of the longest piece that is taken from another program.
const PIECE: usize = 10;
const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];

/// Labels of the other program do not meet those of the first.
const APART: u32 = 1 << 24;

/// The lines of a program for another one to take: without calls of its functions, its maps behind those of the other.
pub(super) fn donated(lines: &Lines, maps: i32) -> Vec<Line> {
    let apart = |Label(number): Label| Label(number + APART);
    let line = |line: &Line| {
        Some(match *line {
            Line::Call(_) | Line::Address(..) => return None,
            Line::Raw(slot) => Line::Raw(slot),
            Line::Here(label) => Line::Here(apart(label)),
            Line::Jump(label) => Line::Jump(apart(label)),
            Line::LongJump(label) => Line::LongJump(apart(label)),
            Line::JumpIf(width, cond, dst, src, label) => Line::JumpIf(width, cond, dst, src, apart(label)),
            Line::MayGoto(label) => Line::MayGoto(apart(label)),
            Line::Insn(Insn::LoadWide { dst, value: Wide::MapIndex(index) }) => {
                Line::Insn(Insn::LoadWide { dst, value: Wide::MapIndex(index + maps) })
            }
            Line::Insn(Insn::LoadWide { dst, value: Wide::MapIndexValue { index, off } }) => {
                Line::Insn(Insn::LoadWide { dst, value: Wide::MapIndexValue { index: index + maps, off } })
            }
            Line::Insn(insn) => Line::Insn(insn),
        })
    };
    lines.functions.iter().flatten().filter_map(line).collect()
}

/// A program that is being changed.
pub(super) struct Change<'a> {
    pub(super) lines: Lines,
    rng: &'a mut Rng,
    donor: &'a [Line],
    maps: usize,
    kfuncs: &'a [i32],
    labels: u32,
}

impl<'a> Change<'a> {
    pub(super) fn new(rng: &'a mut Rng, lines: &Lines, donor: &'a [Line], maps: usize, kfuncs: &'a [i32]) -> Change<'a> {
        Change { labels: highest(lines), lines: lines.clone(), rng, donor, maps, kfuncs }
    }

    /// One change, or a few.
    pub(super) fn some(&mut self) {
        let count = [1, 1, 1, 1, 1, 1, 2, 2, 3][self.rng.usize(..9)];
        for _ in 0..count {
            for _ in 0..TRIES {
                if self.one().is_some() {
                    break;
                }
            }
        }
    }

    fn one(&mut self) -> Option<()> {
        let function = self.rng.usize(..self.lines.functions.len());
        let len = self.lines.functions[function].len();
        if len == 0 {
            return None;
        }
        let at = self.rng.usize(..len);
        match self.rng.u32(..32) {
            0..12 => self.nudge(function, at)?,
            12..21 => self.edit(function, at)?,
            21..23 => {
                self.lines.functions[function].remove(at);
            }
            23..25 => {
                let line = self.lines.functions[function][at];
                let to = if self.rng.bool() { at } else { self.rng.usize(..len) };
                if matches!(line, Line::Here(_)) {
                    return None;
                }
                self.lines.functions[function].insert(to, line);
            }
            25..27 => {
                let other = if self.rng.bool() { (at + 1) % len } else { self.rng.usize(..len) };
                self.lines.functions[function].swap(at, other);
            }
            27 => {
                let to = self.rng.usize(..len);
                let line = self.lines.functions[function].remove(at);
                self.lines.functions[function].insert(to, line);
            }
            28..30 => {
                let line = self.fresh();
                self.lines.functions[function].insert(at, line);
            }
            _ => self.splice(function, at)?,
        }
        Some(())
    }

    /// Another number in a line, not far from the one that was there.
    fn nudge(&mut self, function: usize, at: usize) -> Option<()> {
        let mut near = |value: i32| match self.rng.u32(..6) {
            0 => value.wrapping_add(1),
            1 => value.wrapping_sub(1),
            2 => value.wrapping_mul(2),
            3 => value / 2,
            4 => value.wrapping_add(self.rng.i32(-9..10)),
            _ => value ^ 1i32.wrapping_shl(self.rng.u32(..32)),
        };
        let operand = |operand: Operand, near: &mut dyn FnMut(i32) -> i32| match operand {
            Operand::Imm(value) => Some(Operand::Imm(near(value))),
            Operand::Reg(_) => None,
        };
        let line = match self.lines.functions[function][at] {
            Line::JumpIf(width, cond, dst, src, to) => Line::JumpIf(width, cond, dst, operand(src, &mut near)?, to),
            Line::Insn(Insn::Alu { width, op, dst, src }) => {
                Line::Insn(Insn::Alu { width, op, dst, src: operand(src, &mut near)? })
            }
            Line::Insn(Insn::Mov { width, dst, src }) => Line::Insn(Insn::Mov { width, dst, src: operand(src, &mut near)? }),
            Line::Insn(Insn::Load { size, signed, dst, base, off }) => {
                Line::Insn(Insn::Load { size, signed, dst, base, off: near(off.into()) as i16 })
            }
            Line::Insn(Insn::Store { size, base, off, src }) => match operand(src, &mut near) {
                Some(src) if off % 2 == 0 => Line::Insn(Insn::Store { size, base, off, src }),
                _other => Line::Insn(Insn::Store { size, base, off: near(off.into()) as i16, src }),
            },
            Line::Insn(_)
            | Line::Here(_)
            | Line::Raw(_)
            | Line::Jump(_)
            | Line::LongJump(_)
            | Line::MayGoto(_)
            | Line::Call(_)
            | Line::Address(..) => return None,
        };
        let before = std::mem::replace(&mut self.lines.functions[function][at], line);
        (before != line).then_some(())
    }

    /// Another line in the place of one.
    fn edit(&mut self, function: usize, at: usize) -> Option<()> {
        let line = self.lines.functions[function][at];
        let label = |change: &mut Change<'_>| change.some_label(function);
        let new = match line {
            Line::Here(_) => return None,
            Line::Raw(mut slot) => {
                slot.off = slot.off.wrapping_add(self.rng.i16(-1..2));
                slot.imm = slot.imm.wrapping_add(self.rng.i32(-1..2));
                Line::Raw(slot)
            }
            Line::Jump(_) => Line::Jump(label(self)?),
            Line::LongJump(_) => Line::LongJump(label(self)?),
            Line::MayGoto(_) => Line::MayGoto(label(self)?),
            Line::JumpIf(width, cond, dst, src, to) => self.jump(width, cond, dst, src, to, function)?,
            Line::Call(_) => Line::Call(self.rng.usize(..self.lines.functions.len())),
            Line::Address(dst, _) if self.rng.bool() => Line::Address(dst, self.rng.usize(..self.lines.functions.len())),
            Line::Address(_, callee) => Line::Address(self.reg(), callee),
            Line::Insn(Insn::Call(callee)) => Line::Insn(Insn::Call(self.callee(callee)?)),
            Line::Insn(Insn::LoadWide { dst, value }) => Line::Insn(self.wide(dst, value)?),
            Line::Insn(insn) => {
                let bytes: Vec<u8> = insn.encode().ok()?.iter().flat_map(|slot| slot.to_le_bytes()).collect();
                let changed = insn::mutate(&bytes, 0, self.rng)?;
                match skep_isa::decode(&[skep_isa::RawInsn::from_le_bytes(changed)], 0).ok()? {
                    Insn::Jump { .. } => Line::Jump(label(self)?),
                    Insn::MayGoto { .. } => Line::MayGoto(label(self)?),
                    Insn::JumpIf { width, cond, dst, src, .. } => Line::JumpIf(width, cond, dst, src, label(self)?),
                    Insn::Call(_) => return None,
                    other => Line::Insn(other),
                }
            }
        };
        self.lines.functions[function][at] = new;
        Some(())
    }

    fn jump(&mut self, width: Width, cond: Cond, dst: Reg, src: Operand, to: Label, function: usize) -> Option<Line> {
        let (mut width, mut cond, mut dst, mut src, mut to) = (width, cond, dst, src, to);
        match self.rng.u32(..6) {
            0 => width = if width == Width::W32 { Width::W64 } else { Width::W32 },
            1 => cond = CONDS[self.rng.usize(..CONDS.len())],
            2 => dst = self.reg(),
            3 => src = Operand::Reg(self.reg()),
            4 => src = Operand::Imm(self.near(src)),
            _ => to = self.some_label(function)?,
        }
        Some(Line::JumpIf(width, cond, dst, src, to))
    }

    fn near(&mut self, operand: Operand) -> i32 {
        match operand {
            Operand::Imm(value) if self.rng.bool() => value.wrapping_add(self.rng.i32(-2..3)),
            Operand::Imm(_) | Operand::Reg(_) => self.number(),
        }
    }

    fn number(&mut self) -> i32 {
        match self.rng.u32(..5) {
            0 => self.rng.i32(..),
            1 => 1i32.wrapping_shl(self.rng.u32(..32)).wrapping_sub(self.rng.i32(0..2)),
            2 => -self.rng.i32(1..64),
            _ => self.rng.i32(0..64),
        }
    }

    fn reg(&mut self) -> Reg {
        Reg::ALL[self.rng.usize(..11)]
    }

    /// A helper or kernel function near another: one that the programs call, or the next number.
    fn callee(&mut self, callee: Callee) -> Option<Callee> {
        Some(match callee {
            Callee::Helper(id) if self.rng.bool() => Callee::Helper(id + self.rng.i32(-1..2)),
            Callee::Helper(_) | Callee::Kfunc { .. } if !self.kfuncs.is_empty() && self.rng.bool() => {
                Callee::Kfunc { id: self.kfuncs[self.rng.usize(..self.kfuncs.len())], module: 0 }
            }
            Callee::Helper(_) | Callee::Kfunc { .. } => Callee::Helper(self.rng.i32(1..212)),
            Callee::Local(_) | Callee::Reg(_) => return None,
        })
    }

    fn wide(&mut self, dst: Reg, value: Wide) -> Option<Insn> {
        let maps = self.maps as i32;
        let value = match value {
            _ if self.rng.u32(..4) == 0 => return Some(Insn::LoadWide { dst: self.reg(), value }),
            Wide::MapIndex(_) => Wide::MapIndex(self.rng.i32(0..maps.max(1))),
            Wide::MapIndexValue { index, off } if self.rng.bool() => {
                Wide::MapIndexValue { index, off: off.wrapping_add(self.rng.i32(-8..9)) }
            }
            Wide::MapIndexValue { off, .. } => Wide::MapIndexValue { index: self.rng.i32(0..maps.max(1)), off },
            Wide::Const(number) => Wide::Const(number.wrapping_add(self.rng.u64(0..3)).wrapping_sub(1)),
            Wide::MapFd(_) | Wide::MapFdValue { .. } | Wide::BtfId { .. } | Wide::Func(_) => return None,
        };
        Some(Insn::LoadWide { dst, value })
    }

    /// A label of the function.
    fn some_label(&mut self, function: usize) -> Option<Label> {
        let labels: Vec<Label> = labels(&self.lines.functions[function]).collect();
        if labels.is_empty() { None } else { Some(labels[self.rng.usize(..labels.len())]) }
    }

    /// A line that means little by itself.
    fn fresh(&mut self) -> Line {
        let (dst, src) = (self.reg(), self.reg());
        let off = -8 * self.rng.i16(1..9);
        Line::Insn(match self.rng.u32(..9) {
            0 => Insn::Mov { width: Width::W64, dst, src: Operand::Reg(src) },
            1 => Insn::Mov { width: Width::W64, dst, src: Operand::Imm(self.number()) },
            2 => Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(self.number()) },
            3 => Insn::Alu { width: Width::W64, op: AluOp::And, dst, src: Operand::Imm(self.number()) },
            4 => Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Reg(src) },
            5 => Insn::Load { size: Size::Dw, signed: false, dst, base: Reg::R10, off },
            6 => Insn::Mov { width: Width::W32, dst, src: Operand::Reg(src) },
            7 => Insn::Call(Callee::Helper(self.rng.i32(1..212))),
            _ => Insn::Exit,
        })
    }

    /// A piece of the other program. Where its jumps leave it, they lead to its end or to a place of the function.
    fn splice(&mut self, function: usize, at: usize) -> Option<()> {
        if self.donor.is_empty() {
            return None;
        }
        let from = self.rng.usize(..self.donor.len());
        let to = (from + self.rng.usize(1..=PIECE)).min(self.donor.len());
        let mut piece = self.donor[from..to].to_vec();
        let own: Vec<Label> = labels(&piece).collect();
        let end = self.new_label();
        let (base, mut leaving) = (self.labels, self.some_label(function).unwrap_or(end));
        if self.rng.bool() {
            leaving = end;
        }
        let place = |label: Label| match own.iter().position(|known| *known == label) {
            Some(at) => Label(base + 1 + at as u32),
            None => leaving,
        };
        for line in &mut piece {
            match line {
                Line::Here(label) | Line::Jump(label) | Line::LongJump(label) | Line::MayGoto(label) => *label = place(*label),
                Line::JumpIf(.., label) => *label = place(*label),
                Line::Insn(_) | Line::Raw(_) | Line::Call(_) | Line::Address(..) => {}
            }
        }
        self.labels += own.len() as u32;
        piece.push(Line::Here(end));
        self.lines.functions[function].splice(at..at, piece);
        Some(())
    }

    fn new_label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }
}

fn labels(lines: &[Line]) -> impl Iterator<Item = Label> {
    lines.iter().filter_map(|line| if let Line::Here(label) = line { Some(*label) } else { None })
}
