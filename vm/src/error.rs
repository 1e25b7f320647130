//! What went wrong, and where.

use std::sync::Arc;

use skep_helpers::Trap;
use skep_program::Program;

use crate::engine::Core;

/// Where a run stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the program.
    pub program: String,
    /// Name of the function, where known.
    pub function: Option<String>,
    /// Slot of the instruction.
    pub slot: usize,
    /// The instruction, in the notation of the kernel's log; `None` where the slot holds none.
    pub insn: Option<String>,
    /// File, line and text of the source, where known.
    pub source: Option<Source>,
    /// `r0` to `r10`.
    pub registers: [u64; 11],
}

/// A line of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// File as the compiler wrote it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Its text, where known.
    pub text: Arc<str>,
}

/// The source line of a slot.
pub(crate) fn source_of(program: &Program, slot: usize) -> Option<Source> {
    let after = program.lines.partition_point(|line| line.start <= slot);
    let line = program.lines.get(after.checked_sub(1)?)?;
    Some(Source { file: line.file.clone(), line: line.line, text: line.text.clone() })
}

impl Place {
    pub(crate) fn of(core: &Core) -> Place {
        let program = &core.linked.image.program;
        let after = program.funcs.partition_point(|func| func.start <= core.pc);
        let function = after.checked_sub(1).and_then(|i| program.funcs.get(i)).map(|func| func.name.clone());
        let insn = core.linked.image.code.insn(core.pc).map(|insn| insn.display(core.pc, &**program).to_string());
        let (source, registers) = (source_of(program, core.pc), core.registers());
        Place { program: program.name.clone(), function, slot: core.pc, insn, source, registers }
    }
}

/// `program: function, instruction 12, r1 = *(u64 *)(r0 +0) (file.c:57: count->packets++;)`
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.program)?;
        match &self.function {
            Some(function) if *function != self.program => write!(f, ": {function}")?,
            Some(_) | None => {}
        }
        write!(f, ", instruction {}", self.slot)?;
        if let Some(insn) = &self.insn {
            write!(f, ", {insn}")?;
        }
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

/// `file.c:57: text`
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        match self.text.trim() {
            "" => Ok(()),
            text => write!(f, ": {text}"),
        }
    }
}

/// A run that a trap ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {trap}")]
pub struct Stopped {
    /// Why.
    pub trap: Trap,
    /// Where.
    pub place: Box<Place>,
    /// Instructions executed until then.
    pub executed: u64,
}
