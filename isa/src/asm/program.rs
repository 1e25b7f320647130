//! Instructions and labels as they are collected, and what becomes of them in the end.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::{AsmError, Problem};
use crate::{Callee, EncodeError, Insn, RawInsn, Wide};

/// A label that an instruction leads to, and where the text names it.
pub(super) struct Target {
    name: String,
    line: usize,
    column: usize,
}

impl Target {
    /// The label `name`, which the cursor has not passed yet.
    pub(super) fn new(cursor: &Cursor<'_>, name: &str) -> Target {
        let here = cursor.error(Problem::Empty);
        Target { name: name.to_string(), line: here.line, column: here.column }
    }

    fn error(&self, problem: Problem) -> AsmError {
        AsmError { line: self.line, column: self.column, problem }
    }
}

struct Line {
    insn: Insn,
    target: Option<Target>,
    slot: usize,
    line: usize,
    column: usize,
}

/// The program so far.
#[derive(Default)]
pub(super) struct Program {
    lines: Vec<Line>,
    labels: HashMap<String, (usize, usize)>,
    slots: usize,
}

impl Program {
    /// Number of slots so far: the slot of the next instruction.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Slot of the first instruction that is this one.
    pub(super) fn first(&self, insn: Insn) -> Option<usize> {
        self.lines.iter().find(|line| line.insn == insn).map(|line| line.slot)
    }

    /// A label that the text may define otherwise.
    pub(super) fn default_label(&mut self, name: &str, slot: usize) {
        self.labels.entry(name.to_string()).or_insert((slot, 0));
    }

    /// Defines a label on this line.
    pub(super) fn label(&mut self, name: &str, slot: usize, line: usize) -> Result<(), Problem> {
        match self.labels.insert(name.to_string(), (slot, line)) {
            None => Ok(()),
            Some((_, first)) => Err(Problem::Duplicate { name: name.to_string(), first }),
        }
    }

    /// Adds an instruction; the cursor is at its beginning.
    pub(super) fn push(&mut self, cursor: &Cursor<'_>, insn: Insn, target: Option<Target>) {
        let here = cursor.error(Problem::Empty);
        self.lines.push(Line { insn, target, slot: self.slots, line: here.line, column: here.column });
        self.slots += insn.slots();
    }

    /// Puts distances in place of labels and encodes.
    pub(super) fn finish(self) -> Result<Vec<RawInsn>, AsmError> {
        if self.lines.is_empty() {
            return Err(AsmError { line: 1, column: 1, problem: Problem::Empty });
        }
        let mut raw = Vec::with_capacity(self.slots);
        for line in self.lines {
            let at = |problem| AsmError { line: line.line, column: line.column, problem };
            let mut insn = line.insn;
            if let Some(target) = line.target {
                let Some(&(slot, _)) = self.labels.get(&target.name) else {
                    return Err(target.error(Problem::Label { name: target.name.clone() }));
                };
                let distance = slot as i64 - line.slot as i64 - 1;
                insn = lead(insn, distance).ok_or_else(|| target.error(Problem::Far { name: target.name.clone(), distance }))?;
            }
            raw.extend_from_slice(&insn.encode().map_err(|error: EncodeError| at(error.into()))?);
        }
        Ok(raw)
    }
}

/// The instruction with another distance, if that fits; instructions without one stay as they are.
fn lead(insn: Insn, distance: i64) -> Option<Insn> {
    let (short, long) = (i16::try_from(distance).ok(), i32::try_from(distance).ok());
    Some(match insn {
        Insn::Jump { long: false, .. } => Insn::Jump { off: short?.into(), long: false },
        Insn::Jump { long: true, .. } => Insn::Jump { off: long?, long: true },
        Insn::JumpIf { width, cond, dst, src, .. } => Insn::JumpIf { width, cond, dst, src, off: short? },
        Insn::MayGoto { .. } => Insn::MayGoto { off: short? },
        Insn::Call(Callee::Local(_)) => Insn::Call(Callee::Local(long?)),
        Insn::LoadWide { dst, value: Wide::Func(_) } => Insn::LoadWide { dst, value: Wide::Func(long?) },
        other => other,
    })
}
