//! Programs as lines: places have names, so that lines can be taken out.

use std::collections::{BTreeSet, HashMap};

use skep_isa::{Callee, Code, Cond, Insn, Operand, RawInsn, Reg, Slot, Wide, Width};
use skep_program::Program;

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
    /// A slot that is no instruction.
    Raw(RawInsn),
    /// `goto`.
    Jump(Label),
    /// `gotol`.
    LongJump(Label),
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

    /// The fewest lines of which this still holds, as it holds of all.
    pub fn fewest(&self, holds: impl Fn(&Lines) -> bool) -> Lines {
        let mut lines = self.clone();
        let mut chunk = (lines.len() / 2).max(1);
        loop {
            let mut at = 0;
            let before = lines.len();
            while at < lines.len() {
                let fewer = lines.without(at..at + chunk);
                if holds(&fewer) {
                    lines = fewer;
                } else {
                    at += chunk;
                }
            }
            if chunk == 1 && lines.len() == before {
                return lines;
            }
            chunk = (chunk / 2).max(1);
        }
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

    /// The program of these lines, all else being that of `shell`: functions stay what they are, source lines do not stay. `None` if a
    /// label or a function is nowhere, or too far.
    pub fn program(&self, shell: &Program) -> Option<Program> {
        let starts = self.starts();
        let mut program = Program { insns: self.assemble(&starts)?, lines: Vec::new(), ..shell.clone() };
        for (func, start) in program.funcs.iter_mut().zip(starts) {
            func.start = start as usize;
        }
        Some(program)
    }

    /// The slots at which functions begin.
    fn starts(&self) -> Vec<i64> {
        let mut slot = 0;
        let mut starts = Vec::with_capacity(self.functions.len());
        for function in &self.functions {
            starts.push(slot);
            slot += function.iter().map(Line::slots).sum::<i64>();
        }
        starts
    }

    fn assemble(&self, starts: &[i64]) -> Option<Vec<RawInsn>> {
        let mut labels = HashMap::new();
        let mut slot = 0i64;
        for line in self.functions.iter().flatten() {
            if let Line::Here(label) = line {
                labels.insert(*label, slot);
            }
            slot += line.slots();
        }
        let mut raw = Vec::new();
        for line in self.functions.iter().flatten() {
            let next = raw.len() as i64 + 1;
            let distance = |label: &Label| i32::try_from(labels.get(label)? - next).ok();
            let short = |label: &Label| i16::try_from(distance(label)?).ok();
            let far = |function: &usize| i32::try_from(starts.get(*function)? - next).ok();
            let insn = match line {
                Line::Here(_) => continue,
                Line::Raw(slot) => {
                    raw.push(*slot);
                    continue;
                }
                Line::Insn(insn) => *insn,
                Line::Jump(label) => Insn::Jump { off: i32::from(short(label)?), long: false },
                Line::LongJump(label) => Insn::Jump { off: distance(label)?, long: true },
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

    /// The lines of a program. Jumps and calls that lead to no instruction keep their distance.
    pub fn of(program: &Program) -> Lines {
        let code = Code::decode_each(&program.insns);
        let starts = starts(program, &code);
        let leads: Vec<Option<usize>> = (0..code.len()).map(|slot| code.target(slot).ok().flatten()).collect();
        let jumped: BTreeSet<usize> = code.iter().filter(|(_, insn)| is_jump(insn)).filter_map(|(slot, _)| leads[slot]).collect();
        let function_at = |slot: Option<usize>| starts.binary_search(&slot?).ok();
        let mut lines = Lines::default();
        for (slot, found) in code.slots().iter().enumerate() {
            if starts.binary_search(&slot).is_ok() {
                lines.functions.push(Vec::new());
            }
            let Some(function) = lines.functions.last_mut() else { return lines };
            if jumped.contains(&slot) {
                function.push(Line::Here(Label(slot as u32)));
            }
            let label = leads[slot].map(|lead| Label(lead as u32));
            let refused_before = slot.checked_sub(1).is_some_and(|before| matches!(code.get(before), Some(Slot::Refused(_))));
            function.push(match *found {
                Slot::Second if refused_before => Line::Raw(program.insns[slot]),
                Slot::Second => continue,
                Slot::Refused(_) => Line::Raw(program.insns[slot]),
                Slot::Insn(insn) => match (insn, label, function_at(leads[slot])) {
                    (Insn::Jump { long: false, .. }, Some(label), _) => Line::Jump(label),
                    (Insn::Jump { long: true, .. }, Some(label), _) => Line::LongJump(label),
                    (Insn::JumpIf { width, cond, dst, src, .. }, Some(label), _) => Line::JumpIf(width, cond, dst, src, label),
                    (Insn::MayGoto { .. }, Some(label), _) => Line::MayGoto(label),
                    (Insn::Call(Callee::Local(_)), _, Some(function)) => Line::Call(function),
                    (Insn::LoadWide { dst, value: Wide::Func(_) }, _, Some(function)) => Line::Address(dst, function),
                    (other, _, _) => Line::Insn(other),
                },
            });
        }
        lines
    }
}

/// Where functions begin: as the program says, or where calls lead.
fn starts(program: &Program, code: &Code) -> Vec<usize> {
    let called = code.iter().filter(|(_, insn)| !is_jump(insn)).filter_map(|(slot, _)| code.target(slot).ok().flatten());
    let mut starts: BTreeSet<usize> = match program.funcs.is_empty() {
        true => called.collect(),
        false => program.funcs.iter().map(|func| func.start).collect(),
    };
    starts.insert(0);
    starts.into_iter().collect()
}

fn is_jump(insn: &Insn) -> bool {
    matches!(insn, Insn::Jump { .. } | Insn::JumpIf { .. } | Insn::MayGoto { .. })
}

impl Line {
    /// Slots that it takes.
    fn slots(&self) -> i64 {
        match self {
            Line::Here(_) => 0,
            Line::Insn(insn) => insn.slots() as i64,
            Line::Address(..) => 2,
            Line::Raw(_) | Line::Jump(_) | Line::LongJump(_) | Line::JumpIf(..) | Line::MayGoto(_) | Line::Call(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use skep_linux::ProgType;

    use super::*;

    /// What is made into lines comes back as it was, distances included.
    #[test]
    fn lines_are_the_program() {
        let insns = [
            RawInsn::new(0x18, 1, 0, 0, 7),
            RawInsn::new(0, 0, 0, 0, 1),
            RawInsn::new(0x15, 1, 0, 1, 0),
            RawInsn::new(0x85, 0, 1, 0, 2),
            RawInsn::new(0x06, 0, 0, 0, -2),
            RawInsn::new(0x95, 0, 0, 0, 0),
            RawInsn::new(0xff, 0, 0, 0, 0),
            RawInsn::new(0x05, 0, 0, -1, 0),
        ];
        let program = Program::bare("all", ProgType::Xdp, insns);
        let lines = Lines::of(&program);
        assert_eq!(lines.functions.iter().map(Vec::len).collect::<Vec<_>>(), [7, 3]);
        assert_eq!(lines.program(&program).unwrap().insns, insns);
        // The call goes where the function is now.
        let shorter = lines.without(0..1).program(&program).unwrap();
        assert_eq!(shorter.insns[..2], [RawInsn::new(0x15, 1, 0, 1, 0), RawInsn::new(0x85, 0, 1, 0, 2)]);
    }
}
