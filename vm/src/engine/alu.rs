//! Arithmetic, moves, byte order.

use skep_isa::{AluOp, ByteOrder, Operand, Size, Width, eval};

use super::op::Handler;

macro_rules! table {
    ($op:expr, $width:expr, $src:expr; $($name:ident),*) => {
        match ($op, $width, $src) {
            $(
                (AluOp::$name, Width::W64, Operand::Reg(_)) => |core, op, pc| {
                    core.regs[op.dst()] = eval::alu64(AluOp::$name, core.regs[op.dst()], core.regs[op.src()]);
                    pc + 1
                },
                (AluOp::$name, Width::W64, Operand::Imm(_)) => |core, op, pc| {
                    core.regs[op.dst()] = eval::alu64(AluOp::$name, core.regs[op.dst()], op.imm);
                    pc + 1
                },
                (AluOp::$name, Width::W32, Operand::Reg(_)) => |core, op, pc| {
                    let (dst, src) = (core.regs[op.dst()] as u32, core.regs[op.src()] as u32);
                    core.regs[op.dst()] = u64::from(eval::alu32(AluOp::$name, dst, src));
                    pc + 1
                },
                (AluOp::$name, Width::W32, Operand::Imm(_)) => |core, op, pc| {
                    let dst = core.regs[op.dst()] as u32;
                    core.regs[op.dst()] = u64::from(eval::alu32(AluOp::$name, dst, op.imm as u32));
                    pc + 1
                },
            )*
        }
    };
}

pub(super) fn alu(op: AluOp, width: Width, src: Operand) -> Handler {
    table!(op, width, src; Add, Sub, Mul, Div, Sdiv, Mod, Smod, Or, And, Xor, Lsh, Rsh, Arsh)
}

pub(super) fn mov(width: Width, src: Operand) -> Handler {
    match (width, src) {
        (Width::W64, Operand::Reg(_)) => |core, op, pc| {
            core.regs[op.dst()] = core.regs[op.src()];
            pc + 1
        },
        (Width::W32, Operand::Reg(_)) => |core, op, pc| {
            core.regs[op.dst()] = eval::mov(Width::W32, core.regs[op.src()]);
            pc + 1
        },
        (Width::W64, Operand::Imm(_)) => constant(),
        (Width::W32, Operand::Imm(_)) => |core, op, pc| {
            core.regs[op.dst()] = eval::mov(Width::W32, op.imm);
            pc + 1
        },
    }
}

/// `dst = imm`.
pub(super) fn constant() -> Handler {
    |core, op, pc| {
        core.regs[op.dst()] = op.imm;
        pc + 1
    }
}

/// A wide constant: two slots.
pub(super) fn wide() -> Handler {
    |core, op, pc| {
        core.regs[op.dst()] = op.imm;
        pc + 2
    }
}

/// A wide load whose value the instance gave: a map, a map value, a kernel variable, a function.
pub(super) fn link() -> Handler {
    |core, op, pc| {
        core.regs[op.dst()] = core.linked.links[op.imm as usize];
        pc + 2
    }
}

macro_rules! sign_extend {
    ($width:expr, $from:expr; $($size:ident),*) => {
        match ($width, $from) {
            $(
                (Width::W64, Size::$size) => |core, op, pc| {
                    core.regs[op.dst()] = eval::mov_sx(Width::W64, Size::$size, core.regs[op.src()]);
                    pc + 1
                },
                (Width::W32, Size::$size) => |core, op, pc| {
                    core.regs[op.dst()] = eval::mov_sx(Width::W32, Size::$size, core.regs[op.src()]);
                    pc + 1
                },
            )*
        }
    };
}

pub(super) fn mov_sx(width: Width, from: Size) -> Handler {
    sign_extend!(width, from; B, H, W, Dw)
}

pub(super) fn neg(width: Width) -> Handler {
    match width {
        Width::W64 => |core, op, pc| {
            core.regs[op.dst()] = eval::neg(Width::W64, core.regs[op.dst()]);
            pc + 1
        },
        Width::W32 => |core, op, pc| {
            core.regs[op.dst()] = eval::neg(Width::W32, core.regs[op.dst()]);
            pc + 1
        },
    }
}

macro_rules! swaps {
    ($order:expr, $size:expr; $($size_name:ident),*) => {
        match ($order, $size) {
            $(
                (ByteOrder::Le, Size::$size_name) => |core, op, pc| {
                    core.regs[op.dst()] = eval::swap(ByteOrder::Le, Size::$size_name, core.regs[op.dst()]);
                    pc + 1
                },
                (ByteOrder::Be | ByteOrder::Swap, Size::$size_name) => |core, op, pc| {
                    core.regs[op.dst()] = eval::swap(ByteOrder::Swap, Size::$size_name, core.regs[op.dst()]);
                    pc + 1
                },
            )*
        }
    };
}

pub(super) fn swap(order: ByteOrder, size: Size) -> Handler {
    swaps!(order, size; B, H, W, Dw)
}

/// `addr_space_cast`. Pointers that a program may load through are the low half of those that user space has.
pub(super) fn cast(to: u16) -> Handler {
    match to {
        0 => mov(Width::W32, Operand::Reg(skep_isa::Reg::R0)),
        _user => |core, op, pc| {
            core.regs[op.dst()] = core.linked.user_pointer(core.regs[op.src()]);
            pc + 1
        },
    }
}
