//! What a function of a program does to registers and stack.

use std::ops::Range;

use skep_isa::{AtomicOp, Callee, Code, Insn, Operand, Reg};
use skep_program::Facts;

/// A function: what its prologue must do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Function {
    /// Its first slot, and the one behind its last.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Registers that it writes, one bit each.
    writes: u16,
    /// Whether it uses its stack.
    pub(crate) uses_frame: bool,
    /// Whether anything is called from it: functions of the program or of the runtime.
    pub(crate) calls: bool,
    /// Whether it counts rounds.
    pub(crate) may_goto: bool,
}

impl Function {
    /// The instructions of these slots. `direct` says whether a slot's access needs no call.
    pub(crate) fn new(code: &Code, facts: &Facts, slots: Range<usize>, direct: impl Fn(usize, Insn) -> bool) -> Function {
        let mut function = Function { start: slots.start, end: slots.end, ..Function::default() };
        for slot in slots {
            if let Some(insn) = code.insn(slot).filter(|_| facts[slot].reached) {
                function.see(insn, direct(slot, insn));
            }
        }
        function
    }

    pub(crate) fn writes(&self, reg: Reg) -> bool {
        self.writes >> reg.number() & 1 != 0
    }

    fn write(&mut self, reg: Reg) {
        self.writes |= 1 << reg.number();
    }

    fn read(&mut self, reg: Reg) {
        self.uses_frame |= reg == Reg::FP;
    }

    fn operand(&mut self, src: Operand) {
        if let Operand::Reg(reg) = src {
            self.read(reg);
        }
    }

    fn see(&mut self, insn: Insn, direct: bool) {
        match insn {
            Insn::Alu { dst, src, .. } | Insn::Mov { dst, src, .. } => {
                self.write(dst);
                self.operand(src);
            }
            Insn::MovSx { dst, src, .. } => {
                self.write(dst);
                self.read(src);
            }
            Insn::Neg { dst, .. } | Insn::Swap { dst, .. } | Insn::LoadWide { dst, .. } => self.write(dst),
            Insn::AddrSpaceCast { dst, src, to, .. } => {
                self.write(dst);
                self.read(src);
                self.calls |= to != 0;
            }
            Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => {
                self.write(dst);
                self.read(base);
                self.calls |= !direct;
            }
            Insn::LoadPacket { index, .. } => {
                self.write(Reg::R0);
                self.calls = true;
                index.into_iter().for_each(|reg| self.read(reg));
            }
            Insn::Store { base, src, .. } => {
                self.read(base);
                self.operand(src);
                self.calls |= !direct;
            }
            Insn::StoreRelease { base, src, .. } => {
                self.read(base);
                self.read(src);
                self.calls |= !direct;
            }
            Insn::Atomic { op, base, src, .. } => {
                self.read(base);
                self.read(src);
                self.calls |= !direct;
                match op {
                    AtomicOp::Cmpxchg => self.write(Reg::R0),
                    AtomicOp::Xchg => self.write(src),
                    AtomicOp::Add { fetch } | AtomicOp::Or { fetch } | AtomicOp::And { fetch } | AtomicOp::Xor { fetch } => {
                        if fetch {
                            self.write(src);
                        }
                    }
                }
            }
            Insn::JumpIf { dst, src, .. } => {
                self.read(dst);
                self.operand(src);
            }
            Insn::MayGoto { .. } => self.may_goto = true,
            Insn::Call(callee) => {
                self.write(Reg::R0);
                self.calls = true;
                match callee {
                    Callee::Local(_) | Callee::Helper(_) | Callee::Kfunc { .. } => {}
                    Callee::Reg(reg) => self.read(reg),
                }
            }
            Insn::Jump { .. } | Insn::JumpReg { .. } | Insn::Exit => {}
        }
    }
}
