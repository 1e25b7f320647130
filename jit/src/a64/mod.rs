//! aarch64.
//!
//! `r0` to `r5` are x0 to x5, so that calls of the runtime move nothing but the [`Env`](crate::Env) into x0, where `r0` is dead anyway;
//! `r6` to `r9` are x20 to x23, `r10` is x24, the [`Env`](crate::Env) is x19. x9 to x16 are free within an instruction.

mod access;
mod alu;
mod asm;
mod atomic;
mod call;
mod frame;
mod machine;

pub(crate) use asm::Asm;

use asm::Gpr;
use skep_isa::Reg;

use crate::emit::Emitter;

/// Code for this machine in the making.
type A64<'a> = Emitter<'a, Asm>;

/// The [`Env`](crate::Env).
const ENV: Gpr = 19;
/// The stack of the program.
const FRAME: Gpr = 24;

/// Where a register of the program lives.
const fn gpr(reg: Reg) -> Gpr {
    match reg {
        Reg::R0 => 0,
        Reg::R1 => 1,
        Reg::R2 => 2,
        Reg::R3 => 3,
        Reg::R4 => 4,
        Reg::R5 => 5,
        Reg::R6 => 20,
        Reg::R7 => 21,
        Reg::R8 => 22,
        Reg::R9 => 23,
        Reg::R10 => FRAME,
    }
}
