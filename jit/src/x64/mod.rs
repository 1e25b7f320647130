//! x86-64.
//!
//! `r0` is rax; `r1` to `r5` are the second to sixth argument registers of the System V convention, so that a call of the runtime moves
//! nothing; `r6` to `r10` are callee-saved. r12 is the [`Env`](crate::Env). rdi, r10 and r11 are free within an instruction.

mod access;
mod alu;
mod asm;
mod atomic;
mod call;
mod frame;
mod jump;
mod machine;

pub(crate) use asm::Asm;

use asm::*;
use skep_isa::Reg;

use crate::emit::Emitter;

/// The [`Env`](crate::Env).
const ENV: Gpr = R12;

/// Where a register of the program lives.
const fn gpr(reg: Reg) -> Gpr {
    match reg {
        Reg::R0 => RAX,
        Reg::R1 => RSI,
        Reg::R2 => RDX,
        Reg::R3 => RCX,
        Reg::R4 => R8,
        Reg::R5 => R9,
        Reg::R6 => RBX,
        Reg::R7 => R13,
        Reg::R8 => R14,
        Reg::R9 => R15,
        Reg::R10 => RBP,
    }
}

/// Code for this machine in the making.
type X64<'a> = Emitter<'a, Asm>;

/// A field of the [`Env`](crate::Env).
fn env(offset: i32) -> Mem {
    Mem::at(ENV, offset)
}
