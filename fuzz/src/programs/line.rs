//! Programs as lines: places have names, so that lines can be taken out.

use skep_isa::{Callee, Cond, Insn, Operand, RawInsn, Reg, Wide, Width};

/// A place in a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(pub u32);

/// A line of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// An instruction that leads nowhere but to the next.
    Insn(Insn),
    /// The place of a label.
    Here(Label),
    /// `goto`.
    Jump(Label),
    /// `if a cond b goto`.
    JumpIf(Width, Cond, Reg, Operand, Label),
    /// `may_goto`.
    MayGoto(Label),
    /// A call of a function, by its number.
    Call(usize),
    /// The address of a function, by its number.
    Address(Reg, usize),
}

/// A program as functions of lines; the first is the program itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// The functions.
    pub functions: Vec<Vec<Line>>,
}

impl Lines {
    /// Number of lines.
    pub fn len(&self) -> usize {
        self.functions.iter().map(Vec::len).sum()
    }

    /// No lines.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The program without some lines, counted over all functions.
    #[must_use]
    pub fn without(&self, lines: std::ops::Range<usize>) -> Lines {
        let mut at = 0;
        let functions = self.functions.iter().map(|function| {
            let keep = function.iter().filter(|_| {
                at += 1;
                !lines.contains(&(at - 1))
            });
            keep.copied().collect()
        });
        Lines { functions: functions.collect() }
    }

    /// The slots; `None` if a label or a function is nowhere, or too far.
    pub fn assemble(&self) -> Option<Vec<RawInsn>> {
        let (mut labels, mut starts) = (std::collections::HashMap::new(), Vec::new());
        let mut slot = 0i64;
        for function in &self.functions {
            starts.push(slot);
            for line in function {
                match line {
                    Line::Here(label) => {
                        labels.insert(*label, slot);
                    }
                    Line::Insn(insn) => slot += insn.slots() as i64,
                    Line::Address(..) => slot += 2,
                    Line::Jump(_) | Line::JumpIf(..) | Line::MayGoto(_) | Line::Call(_) => slot += 1,
                }
            }
        }
        let mut raw = Vec::new();
        for line in self.functions.iter().flatten() {
            let next = raw.len() as i64 + 1;
            let short = |label: &Label| i16::try_from(labels.get(label)? - next).ok();
            let far = |function: &usize| i32::try_from(starts.get(*function)? - next).ok();
            let insn = match line {
                Line::Here(_) => continue,
                Line::Insn(insn) => *insn,
                Line::Jump(label) => Insn::Jump { off: i32::from(short(label)?), long: false },
                Line::JumpIf(width, cond, dst, src, label) => {
                    Insn::JumpIf { width: *width, cond: *cond, dst: *dst, src: *src, off: short(label)? }
                }
                Line::MayGoto(label) => Insn::MayGoto { off: short(label)? },
                Line::Call(function) => Insn::Call(Callee::Local(far(function)?)),
                Line::Address(dst, function) => Insn::LoadWide { dst: *dst, value: Wide::Func(far(function)?) },
            };
            raw.extend(insn.encode().ok()?.iter());
        }
        Some(raw)
    }
}
