//! Jumps.

use skep_isa::{Cond, Operand, Width, eval};

use super::op::Handler;

macro_rules! table {
    ($cond:expr, $width:expr, $src:expr; $($name:ident),*) => {
        match ($cond, $width, $src) {
            $(
                (Cond::$name, Width::W64, Operand::Reg(_)) => |core, op, pc| {
                    let taken = eval::cond(Cond::$name, Width::W64, core.regs[op.dst()], core.regs[op.src()]);
                    if taken { op.target() } else { pc + 1 }
                },
                (Cond::$name, Width::W64, Operand::Imm(_)) => |core, op, pc| {
                    let taken = eval::cond(Cond::$name, Width::W64, core.regs[op.dst()], op.imm);
                    if taken { op.target() } else { pc + 1 }
                },
                (Cond::$name, Width::W32, Operand::Reg(_)) => |core, op, pc| {
                    let taken = eval::cond(Cond::$name, Width::W32, core.regs[op.dst()], core.regs[op.src()]);
                    if taken { op.target() } else { pc + 1 }
                },
                (Cond::$name, Width::W32, Operand::Imm(_)) => |core, op, pc| {
                    let taken = eval::cond(Cond::$name, Width::W32, core.regs[op.dst()], op.imm);
                    if taken { op.target() } else { pc + 1 }
                },
            )*
        }
    };
}

pub(super) fn jump_if(cond: Cond, width: Width, src: Operand) -> Handler {
    table!(cond, width, src; Eq, Ne, Gt, Ge, Lt, Le, Set, Sgt, Sge, Slt, Sle)
}

pub(super) fn jump() -> Handler {
    |_, op, _| op.target()
}

/// Leaves the loop once the frame has gone round as often as the kernel lets it.
pub(super) fn may_goto() -> Handler {
    |core, op, pc| match core.rounds.checked_sub(1) {
        Some(rest) => {
            core.rounds = rest;
            pc + 1
        }
        None => op.target(),
    }
}
