//! What the verifier of Linux would have written: at level 1 the path to the error, at level 2 every path, with what each instruction changed.
//!
//! The log is written while paths are followed, by the walk itself, so that it shows states as they are at each place. It costs nothing where
//! nobody asks for it.

mod value;

use std::borrow::Cow;

use skep_isa::{AtomicOp, Callee, Insn, Operand, Reg as Name};
use skep_program::Program;

use crate::prep::Prep;
use crate::setting::Setting;
use crate::state::{Byte, Frame, Kind, Reg, State, byte_of, slot_of};

/// Longest log, in bytes. Of a longer one the end is kept, as the kernel keeps it.
const MOST: usize = 64 << 20;
/// Columns at which states stand behind instructions.
const COLUMN: usize = 40;
const STEP: usize = 8;

/// A log that is written.
#[derive(Debug)]
pub(crate) struct Log {
    /// All paths, and all states.
    all: bool,
    pub(crate) text: String,
    /// Bytes that came before, and were dropped. Places are counted from the first byte that was written.
    dropped: usize,
    /// Registers and slots that the next state shows.
    regs: u16,
    slots: u64,
    /// The end of the last instruction that was written, and its length.
    instruction: (usize, usize),
    /// The path goes on elsewhere: its state is shown first.
    pub(crate) moved: bool,
    /// What follows the refusal.
    after: String,
    /// The source line that was written last: file and number.
    line: Option<(std::sync::Arc<str>, u32)>,
}

/// Names as the log has them: functions of the program have none.
struct LogNames<'a>(&'a Program);

impl skep_isa::Names for LogNames<'_> {
    fn helper(&self, id: i32) -> Option<Cow<'_, str>> {
        self.0.helper(id)
    }

    fn kfunc(&self, id: i32, module: i16) -> Option<Cow<'_, str>> {
        self.0.kfunc(id, module)
    }
}

impl Log {
    /// A log of this level; none for level 0.
    pub(crate) fn new(level: u8) -> Option<Box<Log>> {
        let log = Log {
            all: level > 1,
            text: String::new(),
            dropped: 0,
            regs: 0,
            slots: 0,
            instruction: (0, 0),
            moved: false,
            after: String::new(),
            line: None,
        };
        (level > 0).then(|| Box::new(log))
    }

    fn write(&mut self, text: &str) {
        self.text.push_str(text);
        if self.text.len() > MOST {
            let line = self.text.as_bytes()[MOST / 2..].iter().position(|byte| *byte == b'\n');
            let cut = line.map_or(self.text.len(), |at| MOST / 2 + at + 1);
            self.text.drain(..cut);
            self.dropped += cut;
        }
    }

    /// A line, whatever the level.
    pub(crate) fn say(&mut self, text: &str) {
        self.write(text);
        self.write("\n");
    }

    /// A line that only the level of all states has.
    pub(crate) fn detail(&mut self, text: impl FnOnce() -> String) {
        if self.all {
            let text = text();
            self.say(&text);
        }
    }

    /// Everything is shown by the next state.
    pub(crate) fn touch_all(&mut self) {
        (self.regs, self.slots) = (u16::MAX, u64::MAX);
    }

    fn touched(&self) -> bool {
        self.regs != 0 || self.slots != 0
    }

    /// Where the log ends.
    pub(crate) fn mark(&self) -> usize {
        self.dropped + self.text.len()
    }

    /// A path is at its end, and was accepted: below the level of all paths, what was said of it since the mark is taken back.
    pub(crate) fn take_back(&mut self, mark: usize) {
        if !self.all {
            self.text.truncate(mark.saturating_sub(self.dropped));
        }
    }

    /// Where functions begin.
    pub(crate) fn functions(&mut self, starts: &[usize]) {
        for (number, start) in starts.iter().enumerate() {
            self.detail(|| format!("func#{number} @{start}"));
        }
    }

    /// The registers that are live before each instruction.
    pub(crate) fn program(&mut self, setting: &Setting<'_>, prep: &Prep) {
        if !self.all {
            return;
        }
        self.say("Live regs before insn:");
        for (slot, insn) in prep.code.iter() {
            let marks = &prep.marks[slot];
            let scc = if marks.scc > 0 { format!("{:3} ", marks.scc) } else { " ".repeat(4) };
            let live: String =
                (0..10).map(|reg| if marks.live_regs & 1 << reg != 0 { char::from(b'0' + reg) } else { '.' }).collect();
            self.say(&format!("{scc}{slot:3}: {live} {}", text(&insn, slot, setting)));
        }
    }

    /// The path ends at this slot, since a kept state allowed no less.
    pub(crate) fn safe(&mut self, state: &State, pc: usize) {
        match self.moved {
            true => self.write(&format!("\nfrom {} to {pc}: safe\n", state.last_pc)),
            false => self.say(&format!("{pc}: safe")),
        }
    }

    /// An instruction is about to be followed.
    pub(crate) fn instruction(&mut self, setting: &Setting<'_>, state: &State, pc: usize, insn: &Insn) {
        if self.all && self.moved {
            let whole = value::state(state, state.depth(), None, setting);
            self.write(&format!("\nfrom {} to {pc}:{whole}\n", state.last_pc));
            self.moved = false;
        }
        if self.touched() {
            self.state(setting, state, pc);
        }
        self.source(setting.program, pc);
        let text = format!("{pc}: {}\n", text(insn, pc, setting));
        self.instruction = (self.mark() + text.len(), text.len());
        self.write(&text);
    }

    /// What was touched: behind the instruction, if nothing came between, or on a line of its own.
    pub(crate) fn state(&mut self, setting: &Setting<'_>, state: &State, pc: usize) {
        let (end, length) = self.instruction;
        if end != 0 && end == self.mark() && !self.text.is_empty() {
            self.text.pop();
            let column = (length + STEP / 2).max(COLUMN).next_multiple_of(STEP);
            self.write(&format!("{:>width$};", "", width = column - length - 1));
        } else {
            self.write(&format!("{pc}:"));
        }
        let masks = (self.regs, self.slots);
        self.say(&value::state(state, state.depth(), Some(masks), setting));
        (self.regs, self.slots) = (0, 0);
    }

    /// A function returns: what it had, and what its caller has.
    pub(crate) fn returns(&mut self, setting: &Setting<'_>, before: &State, after: &State, to: usize) {
        self.frame(setting, before, before.depth(), "returning from callee:\n");
        self.frame(setting, after, after.depth(), &format!("to caller at {to}:\n"));
    }

    /// A loop comes round to a state that was there before.
    pub(crate) fn endless(&mut self, setting: &Setting<'_>, state: &State, kept: &State) {
        self.source(setting.program, state.pc as usize);
        let frame = state.depth();
        self.after =
            format!("cur state:{}\nold state:{}\n", self::frame(setting, state, frame), self::frame(setting, kept, frame));
    }

    /// The program is refused.
    pub(crate) fn refused(&mut self, why: &str) {
        self.say(why);
        let after = std::mem::take(&mut self.after);
        self.write(&after);
    }

    /// The whole state of a frame, on a line that begins with these words.
    pub(crate) fn frame(&mut self, setting: &Setting<'_>, state: &State, frame: usize, words: &str) {
        self.write(words);
        self.say(&self::frame(setting, state, frame));
    }

    /// The source line of a slot, unless it was the last.
    pub(crate) fn source(&mut self, program: &Program, pc: usize) {
        let lines = &program.lines;
        let Some(line) = lines[..lines.partition_point(|line| line.start <= pc)].last() else { return };
        if self.line.as_ref().is_some_and(|(file, number)| *file == line.file && *number == line.line) {
            return;
        }
        let name = line.file.rsplit('/').next().unwrap_or(&line.file);
        let text = line.text.trim_start();
        self.say(&format!("; {text} @ {name}:{}", line.line));
        self.line = Some((line.file.clone(), line.line));
    }

    /// An instruction was followed from `before`: what it touched is shown by the next state.
    pub(crate) fn touch(&mut self, insn: &Insn, before: &State, after: &State) {
        self.regs |= registers(insn);
        let (Some(old), Some(new)) = (before.frames.last(), after.frames.get(before.depth())) else { return };
        if let Some((base, off, size)) = place(insn) {
            self.touch_place(before, &old.regs[base.index()], off, size);
        }
        if let Insn::Call(Callee::Helper(_) | Callee::Kfunc { .. } | Callee::Local(_)) = insn
            && after.depth() == before.depth()
        {
            for reg in &old.regs[1..=5] {
                self.touch_object(reg, before);
            }
            // Of what calls write, objects that the kernel keeps on the stack are shown.
            let is_object =
                |spi: usize, frame: &Frame| matches!(frame.stack.slot(spi).bytes[7], Byte::Dynptr | Byte::Iter | Byte::IrqFlag);
            for spi in (0..new.stack.len().min(64)).filter(|spi| is_object(*spi, old) || is_object(*spi, new)) {
                if old.stack.slot(spi) != new.stack.slot(spi) {
                    self.slots |= 1 << spi;
                }
            }
        }
    }

    /// The slots that a load or a store reaches. Where its offset is not known, a load is looked at up to the first byte that is not zero.
    fn touch_place(&mut self, before: &State, base: &Reg, off: i16, (size, loads): (u8, bool)) {
        let Kind::Stack { frame } = base.kind else { return };
        let Some(frame) = before.frames.get(usize::from(frame)) else { return };
        let whole = |part: i64| part.checked_add(i64::from(base.off) + i64::from(off)).and_then(|off| i32::try_from(off).ok());
        let in_stack = |off: i32| (-512..0).contains(&off);
        if let Some(off) = base.num.constant().and_then(|part| whole(part as i64)).filter(|off| in_stack(*off)) {
            self.slots |= 1 << slot_of(off);
            return;
        }
        let (Some(least), Some(most)) = (whole(base.num.wide.smin), whole(base.num.wide.smax)) else { return };
        for off in (least..most.saturating_add(i32::from(size))).filter(|off| in_stack(*off)) {
            self.slots |= 1 << slot_of(off);
            if loads && frame.stack.slot(slot_of(off)).bytes[byte_of(off)] != Byte::Zero {
                break;
            }
        }
    }

    /// The slots that a call fills.
    pub(crate) fn touch_filled(&mut self, base: &Reg, bytes: i64) {
        let Some(first) = base.fixed_offset() else { return };
        for off in (first..first.saturating_add(bytes)).filter(|off| (-512..0).contains(off)) {
            self.slots |= 1 << slot_of(off as i32);
        }
    }

    /// Slots of a dynptr or an iterator that a call reads.
    fn touch_object(&mut self, reg: &Reg, state: &State) {
        let Kind::Stack { frame } = reg.kind else { return };
        let Some(off) = reg.fixed_offset().and_then(|off| i32::try_from(off).ok()).filter(|off| (-512..0).contains(off)) else {
            return;
        };
        let Some(frame) = state.frames.get(usize::from(frame)) else { return };
        let first = slot_of(off);
        let kind = frame.stack.slot(first).bytes[byte_of(off)];
        if matches!(kind, Byte::Dynptr | Byte::Iter) {
            for spi in (0..=first).rev().take_while(|spi| frame.stack.slot(*spi).bytes[7] == kind) {
                self.slots |= 1 << spi;
                if kind == Byte::Dynptr && spi + 1 == first {
                    break;
                }
            }
        }
    }
}

/// The whole state of a frame: ` R1=ctx() R10=fp0`.
pub(crate) fn frame(setting: &Setting<'_>, state: &State, frame: usize) -> String {
    value::state(state, frame, None, setting)
}

/// `(b7) r0 = 0`.
pub(crate) fn text(insn: &Insn, slot: usize, setting: &Setting<'_>) -> String {
    let code = setting.program.insns.get(slot).map_or(0, |raw| raw.code);
    format!("({code:02x}) {}", insn.display(slot, &LogNames(setting.program)))
}

/// The place of memory that an instruction loads from or stores to: base, offset, and its size with whether it only loads.
fn place(insn: &Insn) -> Option<(Name, i16, (u8, bool))> {
    match *insn {
        Insn::Load { base, off, size, .. } | Insn::LoadAcquire { base, off, size, .. } => Some((base, off, (size.bytes(), true))),
        Insn::Store { base, off, size, .. }
        | Insn::Atomic { base, off, size, .. }
        | Insn::StoreRelease { base, off, size, .. } => Some((base, off, (size.bytes(), false))),
        Insn::Alu { .. }
        | Insn::Mov { .. }
        | Insn::MovSx { .. }
        | Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::AddrSpaceCast { .. }
        | Insn::LoadWide { .. }
        | Insn::LoadPacket { .. }
        | Insn::Jump { .. }
        | Insn::JumpIf { .. }
        | Insn::JumpReg { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => None,
    }
}

/// Registers that an instruction reads or writes, as bits.
fn registers(insn: &Insn) -> u16 {
    const CALL: u16 = 0b11_1111;
    let bit = |reg: Name| 1 << reg.number();
    let operand = |operand: Operand| match operand {
        Operand::Reg(reg) => 1 << reg.number(),
        Operand::Imm(_) => 0,
    };
    match *insn {
        Insn::Alu { dst, src, .. } | Insn::Mov { dst, src, .. } | Insn::JumpIf { dst, src, .. } => bit(dst) | operand(src),
        Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } => bit(dst) | bit(src),
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } | Insn::LoadWide { dst, .. } | Insn::JumpReg { dst } => bit(dst),
        Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => bit(dst) | bit(base),
        Insn::LoadPacket { index, .. } => CALL | bit(Name::R6) | index.map_or(0, bit),
        Insn::Store { base, src, .. } => bit(base) | operand(src),
        Insn::StoreRelease { base, src, .. } => bit(base) | bit(src),
        Insn::Atomic { base, src, op, .. } => {
            let compared = if op == AtomicOp::Cmpxchg { bit(Name::R0) } else { 0 };
            bit(base) | bit(src) | compared
        }
        Insn::Call(_) => CALL,
        Insn::Exit | Insn::Jump { .. } | Insn::MayGoto { .. } => 0,
    }
}
