//! What operations mean, on numbers.
//!
//! Registers are `u64`. Operations of 32 bits read the low halves and zero-extend their result. Immediates are sign-extended to
//! 64 bits first ([`imm`]). Every function is total: division by zero, overflow and wide shifts have the meaning that RFC 9669
//! gives them.
//!
//! ```
//! use skep_isa::{eval, AluOp, Width};
//! assert_eq!(eval::alu(AluOp::Sub, Width::W32, 0, 1), 0xffff_ffff);
//! assert_eq!(eval::alu(AluOp::Div, Width::W64, 7, 0), 0);
//! assert_eq!(eval::alu(AluOp::Mod, Width::W64, 7, 0), 7);
//! assert_eq!(eval::alu(AluOp::Lsh, Width::W64, 1, 65), 2);
//! ```

use crate::{AluOp, AtomicOp, ByteOrder, Cond, Size, Width};

/// The value of an immediate as a second operand.
#[inline]
pub const fn imm(imm: i32) -> u64 {
    imm as i64 as u64
}

/// `dst OP src`.
#[inline(always)]
pub const fn alu(op: AluOp, width: Width, dst: u64, src: u64) -> u64 {
    match width {
        Width::W32 => alu32(op, dst as u32, src as u32) as u64,
        Width::W64 => alu64(op, dst, src),
    }
}

/// [`alu`] of 64 bits. A quotient by zero is 0, a remainder by zero is the dividend; shifts use the low 6 bits; the smallest
/// number divided by -1 wraps, with remainder 0.
#[inline(always)]
pub const fn alu64(op: AluOp, dst: u64, src: u64) -> u64 {
    match op {
        AluOp::Add => dst.wrapping_add(src),
        AluOp::Sub => dst.wrapping_sub(src),
        AluOp::Mul => dst.wrapping_mul(src),
        AluOp::Div => match dst.checked_div(src) {
            Some(quotient) => quotient,
            None => 0,
        },
        AluOp::Sdiv if src == 0 => 0,
        AluOp::Sdiv => (dst as i64).wrapping_div(src as i64) as u64,
        AluOp::Mod => match dst.checked_rem(src) {
            Some(rest) => rest,
            None => dst,
        },
        AluOp::Smod if src == 0 => dst,
        AluOp::Smod => (dst as i64).wrapping_rem(src as i64) as u64,
        AluOp::Or => dst | src,
        AluOp::And => dst & src,
        AluOp::Xor => dst ^ src,
        AluOp::Lsh => dst.wrapping_shl(src as u32),
        AluOp::Rsh => dst.wrapping_shr(src as u32),
        AluOp::Arsh => (dst as i64).wrapping_shr(src as u32) as u64,
    }
}

/// [`alu`] of 32 bits, on the low halves. Division as in [`alu64`]; shifts use the low 5 bits.
#[inline(always)]
pub const fn alu32(op: AluOp, dst: u32, src: u32) -> u32 {
    match op {
        AluOp::Add => dst.wrapping_add(src),
        AluOp::Sub => dst.wrapping_sub(src),
        AluOp::Mul => dst.wrapping_mul(src),
        AluOp::Div => match dst.checked_div(src) {
            Some(quotient) => quotient,
            None => 0,
        },
        AluOp::Sdiv if src == 0 => 0,
        AluOp::Sdiv => (dst as i32).wrapping_div(src as i32) as u32,
        AluOp::Mod => match dst.checked_rem(src) {
            Some(rest) => rest,
            None => dst,
        },
        AluOp::Smod if src == 0 => dst,
        AluOp::Smod => (dst as i32).wrapping_rem(src as i32) as u32,
        AluOp::Or => dst | src,
        AluOp::And => dst & src,
        AluOp::Xor => dst ^ src,
        AluOp::Lsh => dst.wrapping_shl(src),
        AluOp::Rsh => dst.wrapping_shr(src),
        AluOp::Arsh => (dst as i32).wrapping_shr(src) as u32,
    }
}

/// The value moved by `mov`: all of `src`, or its low half.
#[inline(always)]
pub const fn mov(width: Width, src: u64) -> u64 {
    match width {
        Width::W32 => src as u32 as u64,
        Width::W64 => src,
    }
}

/// `-dst`.
#[inline(always)]
pub const fn neg(width: Width, dst: u64) -> u64 {
    match width {
        Width::W32 => (dst as u32).wrapping_neg() as u64,
        Width::W64 => dst.wrapping_neg(),
    }
}

/// The low `from` bytes of `value`, sign-extended to 64 bits.
#[inline(always)]
pub const fn sign_extend(from: Size, value: u64) -> u64 {
    match from {
        Size::B => value as i8 as u64,
        Size::H => value as i16 as u64,
        Size::W => value as i32 as u64,
        Size::Dw => value,
    }
}

/// The low `size` bytes of `value`, zero-extended to 64 bits.
#[inline(always)]
pub const fn zero_extend(size: Size, value: u64) -> u64 {
    match size {
        Size::B => value as u8 as u64,
        Size::H => value as u16 as u64,
        Size::W => value as u32 as u64,
        Size::Dw => value,
    }
}

/// `movsx`: the low `from` bytes of `src`, sign-extended to the width and zero-extended from there.
#[inline(always)]
pub const fn mov_sx(width: Width, from: Size, src: u64) -> u64 {
    mov(width, sign_extend(from, src))
}

/// `le`, `be` and `bswap` on a little-endian machine: the low `size` bytes, in the other order unless `Le`, zero-extended.
#[inline(always)]
pub const fn swap(order: ByteOrder, size: Size, dst: u64) -> u64 {
    match order {
        ByteOrder::Le => zero_extend(size, dst),
        ByteOrder::Be | ByteOrder::Swap => match size {
            Size::B => dst as u8 as u64,
            Size::H => (dst as u16).swap_bytes() as u64,
            Size::W => (dst as u32).swap_bytes() as u64,
            Size::Dw => dst.swap_bytes(),
        },
    }
}

/// Whether a conditional jump is taken.
#[inline(always)]
pub const fn cond(cond: Cond, width: Width, dst: u64, src: u64) -> bool {
    match width {
        Width::W32 => cond64(cond, dst as u32 as u64, src as u32 as u64, dst as i32 as i64, src as i32 as i64),
        Width::W64 => cond64(cond, dst, src, dst as i64, src as i64),
    }
}

/// A condition on the operands as unsigned and as signed numbers.
#[inline(always)]
const fn cond64(cond: Cond, dst: u64, src: u64, signed_dst: i64, signed_src: i64) -> bool {
    match cond {
        Cond::Eq => dst == src,
        Cond::Ne => dst != src,
        Cond::Gt => dst > src,
        Cond::Ge => dst >= src,
        Cond::Lt => dst < src,
        Cond::Le => dst <= src,
        Cond::Set => dst & src != 0,
        Cond::Sgt => signed_dst > signed_src,
        Cond::Sge => signed_dst >= signed_src,
        Cond::Slt => signed_dst < signed_src,
        Cond::Sle => signed_dst <= signed_src,
    }
}

/// What an atomic operation writes to memory that holds `old`. `r0` is what `cmpxchg` compares with. Only the low `size` bytes
/// count; the result is zero-extended. A `cmpxchg` that does not match writes `old` back.
#[inline(always)]
pub const fn atomic(op: AtomicOp, size: Size, old: u64, src: u64, r0: u64) -> u64 {
    let new = match op {
        AtomicOp::Add { .. } => old.wrapping_add(src),
        AtomicOp::Or { .. } => old | src,
        AtomicOp::And { .. } => old & src,
        AtomicOp::Xor { .. } => old ^ src,
        AtomicOp::Xchg => src,
        AtomicOp::Cmpxchg => {
            if zero_extend(size, old) == zero_extend(size, r0) {
                src
            } else {
                old
            }
        }
    };
    zero_extend(size, new)
}

impl AtomicOp {
    /// Whether a register receives the old value, zero-extended: `src`, or r0 for `cmpxchg`.
    pub const fn fetches(self) -> bool {
        match self {
            AtomicOp::Add { fetch } | AtomicOp::Or { fetch } | AtomicOp::And { fetch } | AtomicOp::Xor { fetch } => fetch,
            AtomicOp::Xchg | AtomicOp::Cmpxchg => true,
        }
    }
}
