//! Entering and leaving functions.

use skep_isa::{Reg, Size, Width};

use super::asm::*;
use super::{A64, ENV, FRAME, gpr};
use crate::STRIDE;
use crate::emit::Assembler;
use crate::env::at;
use crate::layout::Label;
use crate::lower::Function;

/// Rounds that an activation may go (`BPF_MAX_LOOPS`).
const ROUNDS: u64 = 8 * 1024 * 1024;

/// Callee-saved in the convention of the program and of the machine.
const SAVED: [Reg; 4] = [Reg::R6, Reg::R7, Reg::R8, Reg::R9];
/// What the entry saves.
const NATIVE: [(Gpr, Gpr); 4] = [(29, LINK), (ENV, 20), (21, 22), (23, FRAME)];
/// Holds counts and stack pointers.
const COUNT: Gpr = 9;

/// The registers that a function saves, in pairs.
fn pairs(function: &Function) -> Vec<(Gpr, Gpr)> {
    let saved = SAVED.into_iter().filter(|&reg| function.writes(reg)).map(gpr);
    let all: Vec<Gpr> = function.calls.then_some(LINK).into_iter().chain(saved).collect();
    all.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or(ZERO))).collect()
}

impl A64<'_> {
    pub(super) fn enter(&mut self) {
        let function = self.function;
        pairs(function).into_iter().for_each(|(a, b)| self.asm.push_pair(a, b));
        if function.may_goto {
            self.asm.mov_imm(COUNT, ROUNDS);
            self.asm.push_pair(COUNT, ZERO);
        }
        if function.uses_frame {
            self.asm.add_imm(Width::W64, FRAME, FRAME, STRIDE.into());
        }
    }

    /// Undoes what [`enter`](A64::enter) did, and keeps x0 and x1.
    pub(super) fn epilogue(&mut self) {
        let function = self.function;
        if function.uses_frame {
            self.asm.add_imm(Width::W64, FRAME, FRAME, -i64::from(STRIDE));
        }
        if function.may_goto {
            self.asm.pop_pair(COUNT, ZERO);
        }
        pairs(function).into_iter().rev().for_each(|(a, b)| self.asm.pop_pair(a, b));
    }

    pub(super) fn leave_function(&mut self) {
        let function = self.function;
        let saves = function.uses_frame || function.may_goto || !pairs(function).is_empty();
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

    /// Leads on once the activation has gone round as often as Linux lets it. The count stays negative from then on.
    pub(super) fn count_round(&mut self, to: Label) {
        const STACK: Gpr = 31;
        self.asm.access(Access::Load, Size::Dw, COUNT, STACK, 0);
        self.asm.count_down(COUNT, COUNT);
        self.asm.access(Access::Store, Size::Dw, COUNT, STACK, 0);
        self.asm.jump(Branch::If(Cc::Negative), to);
    }

    /// The entry from outside, and the common end of runs that stop.
    pub(super) fn write_entry(&mut self) {
        NATIVE.into_iter().for_each(|(a, b)| self.asm.push_pair(a, b));
        self.asm.mov(Width::W64, ENV, 0);
        self.field(COUNT, at::STOP_SP);
        self.asm.push_pair(COUNT, ZERO);
        self.asm.copy_stack_pointer(COUNT);
        self.set_field(Size::Dw, at::STOP_SP, COUNT);
        let (function, args) = (10, 11);
        self.asm.mov(Width::W64, function, 1);
        self.asm.mov(Width::W64, args, 2);
        // A function moves the frame itself, if it uses it.
        self.asm.add_imm(Width::W64, FRAME, 3, -i64::from(STRIDE));
        for (index, reg) in [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5].into_iter().enumerate() {
            self.asm.access(Access::Load, Size::Dw, gpr(reg), args, index as i64 * 8);
        }
        self.asm.call_reg(function);
        self.asm.mov_imm(1, 0);
        let end = self.asm.here();
        self.asm.pop_pair(COUNT, ZERO);
        self.set_field(Size::Dw, at::STOP_SP, COUNT);
        NATIVE.into_iter().rev().for_each(|(a, b)| self.asm.pop_pair(a, b));
        self.asm.ret();
        let stop = self.stop;
        self.asm.layout().bind(stop);
        self.field(COUNT, at::STOP_SP);
        self.asm.set_stack_pointer(COUNT);
        self.asm.mov_imm(1, crate::Status::Stop as u64);
        self.asm.back(Branch::Always, end);
    }
}
