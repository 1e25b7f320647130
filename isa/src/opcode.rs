//! The numbers of RFC 9669 section 3 and of `linux/bpf.h`: classes, modes, operations.
//!
//! Two-way tables: decoding looks a number up, encoding looks a shape up, so the two cannot disagree.

use crate::{AluOp, AtomicOp, Cond, Size};

/// Instruction classes: the low three bits of an opcode.
pub(crate) mod class {
    pub(crate) const LD: u8 = 0;
    pub(crate) const LDX: u8 = 1;
    pub(crate) const ST: u8 = 2;
    pub(crate) const STX: u8 = 3;
    pub(crate) const ALU: u8 = 4;
    pub(crate) const JMP: u8 = 5;
    pub(crate) const JMP32: u8 = 6;
    pub(crate) const ALU64: u8 = 7;
}

/// Modes of loads and stores: the high three bits.
pub(crate) mod mode {
    pub(crate) const IMM: u8 = 0x00;
    pub(crate) const ABS: u8 = 0x20;
    pub(crate) const IND: u8 = 0x40;
    pub(crate) const MEM: u8 = 0x60;
    pub(crate) const MEMSX: u8 = 0x80;
    pub(crate) const ATOMIC: u8 = 0xc0;
}

/// Operations of ALU and jump classes that no table holds: the high four bits.
pub(crate) mod op {
    pub(crate) const NEG: u8 = 0x80;
    pub(crate) const MOV: u8 = 0xb0;
    pub(crate) const END: u8 = 0xd0;
    pub(crate) const JA: u8 = 0x00;
    pub(crate) const CALL: u8 = 0x80;
    pub(crate) const EXIT: u8 = 0x90;
    pub(crate) const JCOND: u8 = 0xe0;
}

/// Source bit of ALU and jump classes: the second operand is a register. With `END`: to big-endian.
pub(crate) const X: u8 = 0x08;

/// The opcode of a wide load.
pub(crate) const LD_IMM64: u8 = class::LD | mode::IMM | 0x18;

/// `off` of a `mov` that casts between address spaces.
pub(crate) const ADDR_SPACE_CAST: i16 = 1;
/// `off` that makes division and remainder signed.
pub(crate) const SIGNED: i16 = 1;

/// `imm` of load-acquire.
pub(crate) const LOAD_ACQ: i32 = 0x100;
/// `imm` of store-release.
pub(crate) const STORE_REL: i32 = 0x110;

/// `src` of wide loads.
pub(crate) mod wide {
    pub(crate) const CONST: u8 = 0;
    pub(crate) const MAP_FD: u8 = 1;
    pub(crate) const MAP_FD_VALUE: u8 = 2;
    pub(crate) const BTF_ID: u8 = 3;
    pub(crate) const FUNC: u8 = 4;
    pub(crate) const MAP_INDEX: u8 = 5;
    pub(crate) const MAP_INDEX_VALUE: u8 = 6;
}

/// `src` of calls.
pub(crate) mod callee {
    pub(crate) const HELPER: u8 = 0;
    pub(crate) const LOCAL: u8 = 1;
    pub(crate) const KFUNC: u8 = 2;
}

/// Operation bits and `off` of arithmetic.
const ALU_OPS: [(u8, i16, AluOp); 13] = [
    (0x00, 0, AluOp::Add),
    (0x10, 0, AluOp::Sub),
    (0x20, 0, AluOp::Mul),
    (0x30, 0, AluOp::Div),
    (0x30, SIGNED, AluOp::Sdiv),
    (0x40, 0, AluOp::Or),
    (0x50, 0, AluOp::And),
    (0x60, 0, AluOp::Lsh),
    (0x70, 0, AluOp::Rsh),
    (0x90, 0, AluOp::Mod),
    (0x90, SIGNED, AluOp::Smod),
    (0xa0, 0, AluOp::Xor),
    (0xc0, 0, AluOp::Arsh),
];

/// Operation bits of conditions.
const CONDS: [(u8, Cond); 11] = [
    (0x10, Cond::Eq),
    (0x20, Cond::Gt),
    (0x30, Cond::Ge),
    (0x40, Cond::Set),
    (0x50, Cond::Ne),
    (0x60, Cond::Sgt),
    (0x70, Cond::Sge),
    (0xa0, Cond::Lt),
    (0xb0, Cond::Le),
    (0xc0, Cond::Slt),
    (0xd0, Cond::Sle),
];

/// Size bits.
const SIZES: [(u8, Size); 4] = [(0x00, Size::W), (0x08, Size::H), (0x10, Size::B), (0x18, Size::Dw)];

/// `imm` of atomic read-modify-writes.
const ATOMICS: [(i32, AtomicOp); 10] = [
    (0x00, AtomicOp::Add { fetch: false }),
    (0x40, AtomicOp::Or { fetch: false }),
    (0x50, AtomicOp::And { fetch: false }),
    (0xa0, AtomicOp::Xor { fetch: false }),
    (0x01, AtomicOp::Add { fetch: true }),
    (0x41, AtomicOp::Or { fetch: true }),
    (0x51, AtomicOp::And { fetch: true }),
    (0xa1, AtomicOp::Xor { fetch: true }),
    (0xe1, AtomicOp::Xchg),
    (0xf1, AtomicOp::Cmpxchg),
];

/// Whether any arithmetic has these operation bits, whatever its `off`.
pub(crate) fn is_alu(bits: u8) -> bool {
    ALU_OPS.iter().any(|row| row.0 == bits)
}

/// Arithmetic by operation bits and `off`.
pub(crate) fn alu(bits: u8, off: i16) -> Option<AluOp> {
    ALU_OPS.iter().find(|row| (row.0, row.1) == (bits, off)).map(|row| row.2)
}

/// Operation bits and `off` of arithmetic.
pub(crate) fn alu_bits(op: AluOp) -> (u8, i16) {
    ALU_OPS.iter().find(|row| row.2 == op).map_or((0, 0), |row| (row.0, row.1))
}

/// Condition by operation bits.
pub(crate) fn cond(bits: u8) -> Option<Cond> {
    CONDS.iter().find(|row| row.0 == bits).map(|row| row.1)
}

/// Operation bits of a condition.
pub(crate) fn cond_bits(cond: Cond) -> u8 {
    CONDS.iter().find(|row| row.1 == cond).map_or(0, |row| row.0)
}

/// Size in an opcode.
pub(crate) fn size(code: u8) -> Size {
    SIZES[usize::from(code >> 3 & 3)].1
}

/// Size bits.
pub(crate) fn size_bits(size: Size) -> u8 {
    SIZES.iter().find(|row| row.1 == size).map_or(0, |row| row.0)
}

/// Atomic operation by `imm`.
pub(crate) fn atomic(imm: i32) -> Option<AtomicOp> {
    ATOMICS.iter().find(|row| row.0 == imm).map(|row| row.1)
}

/// `imm` of an atomic operation.
pub(crate) fn atomic_imm(op: AtomicOp) -> i32 {
    ATOMICS.iter().find(|row| row.1 == op).map_or(0, |row| row.0)
}
