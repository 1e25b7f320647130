//! Operators and type names of the kernel's notation: what the disassembler writes and the assembler reads.

use crate::{AluOp, AtomicOp, Cond, Size};

/// Assignment operators. Where one begins another, the longer one comes first.
pub(crate) const ALU_OPS: [(&str, AluOp); 13] = [
    ("s>>=", AluOp::Arsh),
    ("<<=", AluOp::Lsh),
    (">>=", AluOp::Rsh),
    ("s/=", AluOp::Sdiv),
    ("s%=", AluOp::Smod),
    ("+=", AluOp::Add),
    ("-=", AluOp::Sub),
    ("*=", AluOp::Mul),
    ("/=", AluOp::Div),
    ("%=", AluOp::Mod),
    ("|=", AluOp::Or),
    ("&=", AluOp::And),
    ("^=", AluOp::Xor),
];

/// Comparison operators, longer ones first.
pub(crate) const CONDS: [(&str, Cond); 11] = [
    ("s>=", Cond::Sge),
    ("s<=", Cond::Sle),
    ("s>", Cond::Sgt),
    ("s<", Cond::Slt),
    ("==", Cond::Eq),
    ("!=", Cond::Ne),
    (">=", Cond::Ge),
    ("<=", Cond::Le),
    (">", Cond::Gt),
    ("<", Cond::Lt),
    ("&", Cond::Set),
];

/// Types of memory accesses: name, size, sign-extended.
pub(crate) const TYPES: [(&str, Size, bool); 7] = [
    ("u8", Size::B, false),
    ("u16", Size::H, false),
    ("u32", Size::W, false),
    ("u64", Size::Dw, false),
    ("s8", Size::B, true),
    ("s16", Size::H, true),
    ("s32", Size::W, true),
];

/// Atomic operations without fetch, as assignment operators.
pub(crate) const LOCKED: [(&str, AtomicOp); 4] = [
    ("+=", AtomicOp::Add { fetch: false }),
    ("|=", AtomicOp::Or { fetch: false }),
    ("&=", AtomicOp::And { fetch: false }),
    ("^=", AtomicOp::Xor { fetch: false }),
];

/// Atomic operations with fetch: the name after `atomic_` or `atomic64_`.
pub(crate) const FETCHED: [(&str, AtomicOp); 6] = [
    ("fetch_add", AtomicOp::Add { fetch: true }),
    ("fetch_or", AtomicOp::Or { fetch: true }),
    ("fetch_and", AtomicOp::And { fetch: true }),
    ("fetch_xor", AtomicOp::Xor { fetch: true }),
    ("cmpxchg", AtomicOp::Cmpxchg),
    ("xchg", AtomicOp::Xchg),
];

/// The word that stands for a value in a table of this file.
pub(crate) fn word<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|row| row.1 == *value).map_or("?", |row| row.0)
}

/// The type name of an access.
pub(crate) fn type_name(size: Size, signed: bool) -> &'static str {
    TYPES.iter().find(|row| (row.1, row.2) == (size, signed)).map_or("s64", |row| row.0)
}
