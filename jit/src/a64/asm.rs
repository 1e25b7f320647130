//! Instructions of aarch64.
#![allow(clippy::useless_conversion)] // the macro converts what it is given

use dynasmrt::aarch64::{encode_logical_immediate_32bit, encode_logical_immediate_64bit};
use dynasmrt::{AssemblyOffset, DynasmApi, dynasm};
use skep_isa::{Size, Width};

use crate::emit::Assembler;
use crate::layout::{Jump, Label, Layout};

/// The number of a general register.
pub(super) type Gpr = u8;

/// Reads as 0, where it is no stack pointer.
pub(super) const ZERO: Gpr = 31;
/// The link register.
pub(super) const LINK: Gpr = 30;

/// Conditions, by their number: each is the opposite of its neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cc {
    Equal = 0,
    NotEqual = 1,
    AboveEqual = 2,
    Below = 3,
    Negative = 4,
    Above = 8,
    BelowEqual = 9,
    GreaterEqual = 10,
    Less = 11,
    Greater = 12,
    LessEqual = 13,
}

/// Jumps that the layout finds the form of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Branch {
    Always,
    Call,
    If(Cc),
    /// If a register is 0, or if it is not.
    Zero {
        width: Width,
        reg: Gpr,
        zero: bool,
    },
}

const CONDITIONAL: u32 = 0x5400_0000;
const COMPARE: u32 = 0x3400_0000;

impl Branch {
    /// The word without its displacement; `opposite` is for jumps over another.
    fn word(self, opposite: bool) -> u32 {
        match self {
            Branch::Always => 0x1400_0000,
            Branch::Call => 0x9400_0000,
            Branch::If(cc) => CONDITIONAL | cc as u32 ^ u32::from(opposite),
            Branch::Zero { width, reg, zero } => {
                COMPARE | u32::from(width == Width::W64) << 31 | u32::from(!zero ^ opposite) << 24 | u32::from(reg)
            }
        }
    }
}

impl Jump for Branch {
    fn lengths(self) -> (u8, u8) {
        match self {
            Branch::Always | Branch::Call => (4, 4),
            Branch::If(_) | Branch::Zero { .. } => (4, 8),
        }
    }

    fn reaches(self, long: bool, distance: i64) -> bool {
        let words = (distance + 4) / 4;
        let bits = match self {
            Branch::Always | Branch::Call => 25,
            Branch::If(_) | Branch::Zero { .. } => 18 + if long { 7 } else { 0 },
        };
        (-(1 << bits)..1 << bits).contains(&words)
    }

    fn write(self, long: bool, distance: i64, out: &mut Vec<u8>) {
        let words = ((distance + 4) / 4) as u32;
        let far = words & 0x3ff_ffff;
        match (self, long) {
            (Branch::Always | Branch::Call, _) => out.extend((self.word(false) | far).to_le_bytes()),
            (Branch::If(_) | Branch::Zero { .. }, false) => {
                out.extend((self.word(false) | (words & 0x7_ffff) << 5).to_le_bytes());
            }
            (Branch::If(_) | Branch::Zero { .. }, true) => {
                out.extend((self.word(true) | 2 << 5).to_le_bytes());
                out.extend((Branch::Always.word(false) | far).to_le_bytes());
            }
        }
    }

    fn pad(bytes: usize, out: &mut Vec<u8>) {
        const NOTHING: u32 = 0xd503_201f;
        (0..bytes / 4).for_each(|_| out.extend(NOTHING.to_le_bytes()));
    }
}

/// Code in the making.
pub(crate) struct Asm {
    layout: Layout<Branch>,
}

impl Assembler for Asm {
    type Jump = Branch;

    fn new(layout: Layout<Branch>) -> Asm {
        Asm { layout }
    }

    fn layout(&mut self) -> &mut Layout<Branch> {
        &mut self.layout
    }

    fn into_layout(self) -> Layout<Branch> {
        self.layout
    }
}

impl Extend<u8> for Asm {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        self.layout.bytes.extend(bytes);
    }
}

impl<'a> Extend<&'a u8> for Asm {
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, bytes: T) {
        self.layout.bytes.extend(bytes);
    }
}

impl DynasmApi for Asm {
    fn offset(&self) -> AssemblyOffset {
        AssemblyOffset(self.layout.bytes.len())
    }

    fn push(&mut self, byte: u8) {
        self.layout.bytes.push(byte);
    }

    fn push_u32(&mut self, value: u32) {
        self.layout.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn align(&mut self, alignment: usize, with: u8) {
        let len = self.layout.bytes.len().next_multiple_of(alignment);
        self.layout.bytes.resize(len, with);
    }
}

/// Writes one instruction.
macro_rules! a64 {
    ($asm:expr, $($insn:tt)*) => {
        dynasm!($asm; .arch aarch64; $($insn)*)
    };
}

/// Writes the form of an instruction for a width, all of whose operands are registers.
macro_rules! wide {
    ($asm:expr, $width:expr, $name:ident $($reg:expr),*) => {
        match $width {
            Width::W64 => a64!($asm, $name $(X($reg)),*),
            Width::W32 => a64!($asm, $name $(W($reg)),*),
        }
    };
}

/// Operations of three registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Mul,
    Div,
    Sdiv,
    Lsh,
    Rsh,
    Arsh,
}

/// Operations that take patterns of bits as immediates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logic {
    And,
    Or,
    Xor,
    Test,
}

/// What an immediate of the logical operations can be.
pub(super) fn is_pattern(width: Width, value: u64) -> bool {
    match width {
        Width::W64 => encode_logical_immediate_64bit(value).is_some(),
        Width::W32 => encode_logical_immediate_32bit(value as u32).is_some(),
    }
}

impl Asm {
    pub(super) fn jump(&mut self, branch: Branch, to: Label) {
        self.layout.jump(branch, to);
    }

    pub(super) fn here(&self) -> usize {
        self.layout.bytes.len()
    }

    /// Jumps back to a place in the code of the same instruction.
    pub(super) fn back(&mut self, branch: Branch, to: usize) {
        let distance = to as i64 - (self.here() as i64 + 4);
        branch.write(false, distance, &mut self.layout.bytes);
    }

    /// Jumps over so many instructions that follow.
    pub(super) fn over(&mut self, branch: Branch, insns: i64) {
        branch.write(false, insns * 4, &mut self.layout.bytes);
    }

    pub(super) fn op(&mut self, op: Op, width: Width, d: Gpr, n: Gpr, m: Gpr) {
        match op {
            Op::Add => wide!(self, width, add d, n, m),
            Op::Sub => wide!(self, width, sub d, n, m),
            Op::And => wide!(self, width, and d, n, m),
            Op::Or => wide!(self, width, orr d, n, m),
            Op::Xor => wide!(self, width, eor d, n, m),
            Op::Mul => wide!(self, width, mul d, n, m),
            Op::Div => wide!(self, width, udiv d, n, m),
            Op::Sdiv => wide!(self, width, sdiv d, n, m),
            Op::Lsh => wide!(self, width, lslv d, n, m),
            Op::Rsh => wide!(self, width, lsrv d, n, m),
            Op::Arsh => wide!(self, width, asrv d, n, m),
        }
    }

    /// `d = a - n * m`.
    pub(super) fn msub(&mut self, width: Width, d: Gpr, n: Gpr, m: Gpr, a: Gpr) {
        wide!(self, width, msub d, n, m, a);
    }

    /// `d = a + n * m`, of 64 bits.
    pub(super) fn madd(&mut self, d: Gpr, n: Gpr, m: Gpr, a: Gpr) {
        a64!(self, madd X(d), X(n), X(m), X(a));
    }

    /// `d = n` if the condition holds, else `m`; of 64 bits.
    pub(super) fn select(&mut self, d: Gpr, n: Gpr, m: Gpr, cc: Cc) {
        let registers = u32::from(m) << 16 | u32::from(n) << 5 | u32::from(d);
        self.push_u32(0x9a80_0000 | (cc as u32) << 12 | registers);
    }

    pub(super) fn mov(&mut self, width: Width, d: Gpr, n: Gpr) {
        self.op(Op::Or, width, d, ZERO, n);
    }

    pub(super) fn neg(&mut self, width: Width, d: Gpr, n: Gpr) {
        self.op(Op::Sub, width, d, ZERO, n);
    }

    pub(super) fn not(&mut self, width: Width, d: Gpr, n: Gpr) {
        wide!(self, width, mvn d, n);
    }

    /// `d = n OP pattern`; flags by `n & pattern` if it tests.
    pub(super) fn logic(&mut self, op: Logic, width: Width, d: Gpr, n: Gpr, pattern: u64) {
        match (op, width) {
            (Logic::And, Width::W64) => a64!(self, and XSP(d), X(n), pattern),
            (Logic::And, Width::W32) => a64!(self, and WSP(d), W(n), pattern as u32),
            (Logic::Or, Width::W64) => a64!(self, orr XSP(d), X(n), pattern),
            (Logic::Or, Width::W32) => a64!(self, orr WSP(d), W(n), pattern as u32),
            (Logic::Xor, Width::W64) => a64!(self, eor XSP(d), X(n), pattern),
            (Logic::Xor, Width::W32) => a64!(self, eor WSP(d), W(n), pattern as u32),
            (Logic::Test, Width::W64) => a64!(self, ands X(d), X(n), pattern),
            (Logic::Test, Width::W32) => a64!(self, ands W(d), W(n), pattern as u32),
        }
    }

    pub(super) fn test(&mut self, width: Width, n: Gpr, m: Gpr) {
        wide!(self, width, tst n, m);
    }

    pub(super) fn compare(&mut self, width: Width, n: Gpr, m: Gpr) {
        wide!(self, width, cmp n, m);
    }

    /// `d = n + imm`. Whether the immediate fits.
    pub(super) fn add_imm(&mut self, width: Width, d: Gpr, n: Gpr, imm: i64) -> bool {
        self.sum(false, width, (d, n), imm < 0, imm.unsigned_abs())
    }

    /// `d = n - 1`, with flags.
    pub(super) fn count_down(&mut self, d: Gpr, n: Gpr) {
        self.sum(true, Width::W64, (d, n), true, 1);
    }

    /// Flags of `n - imm`. Whether the immediate fits.
    pub(super) fn compare_imm(&mut self, width: Width, n: Gpr, imm: i64) -> bool {
        // Nothing must be subtracted, not added: that carries.
        self.sum(true, width, (ZERO, n), imm >= 0, imm.unsigned_abs())
    }

    /// Adds or subtracts a number of 12 bits, or one with 12 zeros behind it.
    fn sum(&mut self, flags: bool, width: Width, (d, n): (Gpr, Gpr), subtract: bool, size: u64) -> bool {
        let (low, shift) = if size < 1 << 12 {
            (size as u32, 0)
        } else if size & 0xfff == 0 && size < 1 << 24 {
            ((size >> 12) as u32, 1)
        } else {
            return false;
        };
        let flags = u32::from(width == Width::W64) << 31 | u32::from(subtract) << 30 | u32::from(flags) << 29;
        self.push_u32(0x1100_0000 | flags | shift << 22 | low << 10 | u32::from(n) << 5 | u32::from(d));
        true
    }

    /// A constant, in as few instructions as it takes.
    pub(super) fn mov_imm(&mut self, d: Gpr, value: u64) {
        let half = |index: u32| (value >> (16 * index)) as u16;
        let zeros = (0..4).filter(|&index| half(index) == 0).count();
        let ones = (0..4).filter(|&index| half(index) == 0xffff).count();
        if zeros < 3 && ones < 3 && is_pattern(Width::W64, value) {
            return self.logic(Logic::Or, Width::W64, d, ZERO, value);
        }
        // The upper half is 0 after an instruction on the lower.
        if value >> 32 == 0 && half(1) == 0xffff {
            return a64!(self, movn W(d), u32::from(!half(0)));
        }
        let (skip, negative) = if ones > zeros { (0xffff, true) } else { (0, false) };
        let mut parts = (0..4).filter(|&index| half(index) != skip);
        let first = parts.next().unwrap_or(0);
        match negative {
            true => a64!(self, movn X(d), u32::from(!half(first)), lsl 16 * first),
            false => a64!(self, movz X(d), u32::from(half(first)), lsl 16 * first),
        }
        for index in parts {
            a64!(self, movk X(d), u32::from(half(index)), lsl 16 * index);
        }
    }

    pub(super) fn shift_imm(&mut self, op: Op, width: Width, d: Gpr, n: Gpr, by: u32) {
        match (op, width) {
            (Op::Lsh, Width::W64) => a64!(self, lsl X(d), X(n), by),
            (Op::Lsh, Width::W32) => a64!(self, lsl W(d), W(n), by),
            (Op::Arsh, Width::W64) => a64!(self, asr X(d), X(n), by),
            (Op::Arsh, Width::W32) => a64!(self, asr W(d), W(n), by),
            (_, Width::W64) => a64!(self, lsr X(d), X(n), by),
            (_, Width::W32) => a64!(self, lsr W(d), W(n), by),
        }
    }

    /// Rotates to the right.
    pub(super) fn rotate(&mut self, width: Width, d: Gpr, n: Gpr, by: u32) {
        match width {
            Width::W64 => a64!(self, ror X(d), X(n), by),
            Width::W32 => a64!(self, ror W(d), W(n), by),
        }
    }

    /// Extends the low bytes of `n`: with the sign to the width, or with zeros.
    pub(super) fn extend_reg(&mut self, signed: Option<Width>, size: Size, d: Gpr, n: Gpr) {
        match (signed, size) {
            (Some(Width::W64), Size::B) => a64!(self, sxtb X(d), W(n)),
            (Some(Width::W32), Size::B) => a64!(self, sxtb W(d), W(n)),
            (Some(Width::W64), Size::H) => a64!(self, sxth X(d), W(n)),
            (Some(Width::W32), Size::H) => a64!(self, sxth W(d), W(n)),
            (Some(Width::W64), Size::W) => a64!(self, sxtw X(d), W(n)),
            (None, Size::B) => a64!(self, uxtb W(d), W(n)),
            (None, Size::H) => a64!(self, uxth W(d), W(n)),
            (Some(Width::W32) | None, Size::W) => self.mov(Width::W32, d, n),
            (Some(_) | None, Size::Dw) => self.mov(Width::W64, d, n),
        }
    }

    /// The low bytes in the other order; of 2 bytes, in each half word.
    pub(super) fn reverse(&mut self, size: Size, d: Gpr, n: Gpr) {
        match size {
            Size::B => self.extend_reg(None, Size::B, d, n),
            Size::H => a64!(self, rev16 W(d), W(n)),
            Size::W => a64!(self, rev W(d), W(n)),
            Size::Dw => a64!(self, rev X(d), X(n)),
        }
    }

    /// A load or store of `t` at `[n, off]`. Whether the distance fits.
    pub(super) fn access(&mut self, kind: Access, size: Size, t: Gpr, n: Gpr, off: i64) -> bool {
        let log = size.bytes().trailing_zeros();
        let base = log << 30 | 0x3800_0000 | (kind as u32) << 22 | u32::from(n) << 5 | u32::from(t);
        if off >= 0 && off % i64::from(size.bytes()) == 0 && off >> log < 1 << 12 {
            self.push_u32(base | 1 << 24 | ((off >> log) as u32) << 10);
        } else if (-256..256).contains(&off) {
            self.push_u32(base | (off as u32 & 0x1ff) << 12);
        } else {
            return false;
        }
        true
    }

    /// The same at `[n, m]`.
    pub(super) fn access_indexed(&mut self, kind: Access, size: Size, t: Gpr, n: Gpr, m: Gpr) {
        let log = size.bytes().trailing_zeros();
        let registers = u32::from(m) << 16 | u32::from(n) << 5 | u32::from(t);
        self.push_u32(log << 30 | 0x3820_6800 | (kind as u32) << 22 | registers);
    }

    pub(super) fn load_acquire(&mut self, size: Size, t: Gpr, n: Gpr) {
        match size {
            Size::B => a64!(self, ldarb W(t), [X(n)]),
            Size::H => a64!(self, ldarh W(t), [X(n)]),
            Size::W => a64!(self, ldar W(t), [X(n)]),
            Size::Dw => a64!(self, ldar X(t), [X(n)]),
        }
    }

    pub(super) fn store_release(&mut self, size: Size, t: Gpr, n: Gpr) {
        match size {
            Size::B => a64!(self, stlrb W(t), [X(n)]),
            Size::H => a64!(self, stlrh W(t), [X(n)]),
            Size::W => a64!(self, stlr W(t), [X(n)]),
            Size::Dw => a64!(self, stlr X(t), [X(n)]),
        }
    }

    /// Loads and watches; [`store_exclusive`](Asm::store_exclusive) fails if anybody came between.
    pub(super) fn load_exclusive(&mut self, width: Width, t: Gpr, n: Gpr) {
        match width {
            Width::W64 => a64!(self, ldaxr X(t), [X(n)]),
            Width::W32 => a64!(self, ldaxr W(t), [X(n)]),
        }
    }

    /// `s` is 0 where it succeeds.
    pub(super) fn store_exclusive(&mut self, width: Width, s: Gpr, t: Gpr, n: Gpr) {
        match width {
            Width::W64 => a64!(self, stlxr W(s), X(t), [X(n)]),
            Width::W32 => a64!(self, stlxr W(s), W(t), [X(n)]),
        }
    }

    /// An atomic operation of one instruction: `t` becomes what was there.
    pub(super) fn atomic(&mut self, op: Atomic, width: Width, s: Gpr, t: Gpr, n: Gpr) {
        match (op, width) {
            (Atomic::Add, Width::W64) => a64!(self, ldaddal X(s), X(t), [X(n)]),
            (Atomic::Add, Width::W32) => a64!(self, ldaddal W(s), W(t), [X(n)]),
            (Atomic::Set, Width::W64) => a64!(self, ldsetal X(s), X(t), [X(n)]),
            (Atomic::Set, Width::W32) => a64!(self, ldsetal W(s), W(t), [X(n)]),
            (Atomic::Clear, Width::W64) => a64!(self, ldclral X(s), X(t), [X(n)]),
            (Atomic::Clear, Width::W32) => a64!(self, ldclral W(s), W(t), [X(n)]),
            (Atomic::Xor, Width::W64) => a64!(self, ldeoral X(s), X(t), [X(n)]),
            (Atomic::Xor, Width::W32) => a64!(self, ldeoral W(s), W(t), [X(n)]),
            (Atomic::Swap, Width::W64) => a64!(self, swpal X(s), X(t), [X(n)]),
            (Atomic::Swap, Width::W32) => a64!(self, swpal W(s), W(t), [X(n)]),
        }
    }

    /// If memory holds `s`, it becomes `t`; `s` becomes what was there.
    pub(super) fn compare_and_swap(&mut self, width: Width, s: Gpr, t: Gpr, n: Gpr) {
        match width {
            Width::W64 => a64!(self, casal X(s), X(t), [X(n)]),
            Width::W32 => a64!(self, casal W(s), W(t), [X(n)]),
        }
    }

    /// Nothing moves across.
    pub(super) fn barrier(&mut self) {
        a64!(self, dmb ish);
    }

    /// Two registers onto the stack, which moves down by 16 bytes.
    pub(super) fn push_pair(&mut self, a: Gpr, b: Gpr) {
        a64!(self, stp X(a), X(b), [sp, -16]!);
    }

    pub(super) fn pop_pair(&mut self, a: Gpr, b: Gpr) {
        a64!(self, ldp X(a), X(b), [sp], 16);
    }

    pub(super) fn set_stack_pointer(&mut self, n: Gpr) {
        a64!(self, mov sp, XSP(n));
    }

    pub(super) fn copy_stack_pointer(&mut self, d: Gpr) {
        a64!(self, mov XSP(d), sp);
    }

    pub(super) fn ret(&mut self) {
        a64!(self, ret);
    }

    pub(super) fn jump_reg(&mut self, n: Gpr) {
        a64!(self, br X(n));
    }

    pub(super) fn call_reg(&mut self, n: Gpr) {
        a64!(self, blr X(n));
    }

    /// What is never reached.
    pub(super) fn trap(&mut self) {
        self.push_u32(0);
    }
}

/// What an access does, by its number in the instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Store = 0,
    Load = 1,
    /// Sign-extended to 64 bits.
    LoadSigned = 2,
}

/// Operations on memory that yield what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Atomic {
    Add,
    Set,
    /// And with the complement.
    Clear,
    Xor,
    Swap,
}
