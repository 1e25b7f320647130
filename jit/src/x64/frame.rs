//! Entering and leaving functions.

use skep_isa::{Reg, Width};

use super::asm::*;
use super::{X64, env, gpr};
use crate::STRIDE;
use crate::emit::Assembler;
use crate::env::at;
use crate::lower::Function;

/// Rounds that an activation may go (`BPF_MAX_LOOPS`).
const ROUNDS: i32 = 8 * 1024 * 1024;

/// Callee-saved in the convention of the program and of the machine.
const SAVED: [Reg; 4] = [Reg::R6, Reg::R7, Reg::R8, Reg::R9];
/// What the entry saves, in this order.
const NATIVE: [Gpr; 6] = [RBP, RBX, R12, R13, R14, R15];

/// Whether the native stack needs a word more to be aligned where the function calls.
fn pads(function: &Function) -> bool {
    let words = SAVED.iter().filter(|&&reg| function.writes(reg)).count() + usize::from(function.may_goto);
    function.calls && words % 2 == 0
}

impl X64<'_> {
    pub(super) fn enter(&mut self) {
        let function = self.function;
        for reg in SAVED.into_iter().filter(|&reg| function.writes(reg)) {
            self.asm.push(gpr(reg));
        }
        if pads(function) {
            self.asm.push(RAX);
        }
        if function.may_goto {
            self.asm.push_imm(ROUNDS);
        }
        if function.uses_frame {
            self.asm.group1_imm(Group1::Add, Width::W64, RBP, STRIDE as i32);
        }
    }

    /// Undoes what the prologue did, and keeps rax and rdx.
    pub(super) fn epilogue(&mut self) {
        let function = self.function;
        if function.uses_frame {
            self.asm.group1_imm(Group1::Sub, Width::W64, RBP, STRIDE as i32);
        }
        for _ in 0..usize::from(pads(function)) + usize::from(function.may_goto) {
            self.asm.pop(RCX);
        }
        for reg in SAVED.into_iter().rev().filter(|&reg| function.writes(reg)) {
            self.asm.pop(gpr(reg));
        }
    }

    pub(super) fn leave_function(&mut self) {
        let function = self.function;
        let saves = function.uses_frame || function.may_goto || function.calls || SAVED.iter().any(|&reg| function.writes(reg));
        match self.out {
            Some(out) if saves => self.asm.jump(Branch::Always, out),
            Some(_) => self.asm.ret(),
            None => {
                let out = self.label_in(|emitter| &mut emitter.out);
                self.bind(out);
                self.epilogue();
                self.asm.ret();
            }
        }
    }

    /// The entry from outside, and the common end of runs that stop.
    pub(super) fn write_entry(&mut self) {
        let asm = &mut self.asm;
        NATIVE.into_iter().for_each(|reg| asm.push(reg));
        asm.mov(Width::W64, R12, RDI);
        asm.push_mem(env(at::STOP_SP));
        asm.store(8, env(at::STOP_SP), RSP);
        asm.mov(Width::W64, RAX, RSI);
        asm.mov(Width::W64, R10, RDX);
        // A function moves the frame itself, if it uses it.
        asm.lea(Width::W64, RBP, Mem::at(RCX, -(STRIDE as i32)));
        for (index, reg) in [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5].into_iter().enumerate() {
            asm.load(8, gpr(reg), Mem::at(R10, index as i32 * 8));
        }
        asm.call_reg(RAX);
        asm.mov_imm(RDX, 0);
        let end = asm.here();
        asm.pop_mem(env(at::STOP_SP));
        NATIVE.into_iter().rev().for_each(|reg| asm.pop(reg));
        asm.ret();
        asm.layout().bind(self.stop);
        asm.load(8, RSP, env(at::STOP_SP));
        asm.mov_imm(RDX, crate::Status::Stop as u64);
        asm.back(None, end);
    }
}
