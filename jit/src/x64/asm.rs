//! Encodings of x86-64: the shortest of each form.
//!
//! An assembler for operands known when the program is compiled, with prefixes and displacements only where they say something, since
//! the length of code is a mark that it is measured by. `tests/decode.rs` holds all of it against a disassembler.

use skep_isa::Width;

use crate::emit::Assembler;
use crate::layout::{Jump, Label, Layout};

/// A general register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gpr(pub(super) u8);

#[rustfmt::skip]
mod names {
    use super::Gpr;
    pub(crate) const RAX: Gpr = Gpr(0);
    pub(crate) const RCX: Gpr = Gpr(1);
    pub(crate) const RDX: Gpr = Gpr(2);
    pub(crate) const RBX: Gpr = Gpr(3);
    pub(crate) const RSP: Gpr = Gpr(4);
    pub(crate) const RBP: Gpr = Gpr(5);
    pub(crate) const RSI: Gpr = Gpr(6);
    pub(crate) const RDI: Gpr = Gpr(7);
    pub(crate) const R8: Gpr = Gpr(8);
    pub(crate) const R9: Gpr = Gpr(9);
    pub(crate) const R10: Gpr = Gpr(10);
    pub(crate) const R11: Gpr = Gpr(11);
    pub(crate) const R12: Gpr = Gpr(12);
    pub(crate) const R13: Gpr = Gpr(13);
    pub(crate) const R14: Gpr = Gpr(14);
    pub(crate) const R15: Gpr = Gpr(15);
}
pub(super) use names::*;

/// An address: `base + index * scale + disp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mem {
    pub(super) base: Gpr,
    /// With the logarithm of its scale, 0 to 3. Never the stack pointer.
    pub(super) index: Option<(Gpr, u8)>,
    pub(super) disp: i32,
}

impl Mem {
    pub(super) fn at(base: Gpr, disp: i32) -> Mem {
        Mem { base, index: None, disp }
    }

    /// `a + b + disp`, with that as base which needs no displacement.
    pub(super) fn sum(a: Gpr, b: Gpr, disp: i32) -> Mem {
        let (base, index) = if a.0 & 7 == RBP.0 { (b, a) } else { (a, b) };
        Mem { base, index: Some((index, 0)), disp }
    }
}

/// The operand that may be memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rm {
    Reg(Gpr),
    Mem(Mem),
}

impl From<Gpr> for Rm {
    fn from(reg: Gpr) -> Rm {
        Rm::Reg(reg)
    }
}

impl From<Mem> for Rm {
    fn from(mem: Mem) -> Rm {
        Rm::Mem(mem)
    }
}

/// What stands in the field for a register.
#[derive(Debug, Clone, Copy)]
enum Field {
    /// More of the opcode.
    Number(u8),
    Reg(Gpr),
}

/// The eight operations of the classic group, by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group1 {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Shifts and rotations, by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shift {
    Rol = 0,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Conditions, by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cc {
    Below = 2,
    AboveEqual = 3,
    Equal = 4,
    NotEqual = 5,
    BelowEqual = 6,
    Above = 7,
    Sign = 8,
    Less = 12,
    GreaterEqual = 13,
    LessEqual = 14,
    Greater = 15,
}

/// Jumps that the layout makes short or long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Branch {
    Always,
    If(Cc),
    Call,
}

impl Jump for Branch {
    fn lengths(self) -> (u8, u8) {
        match self {
            Branch::Always => (2, 5),
            Branch::If(_) => (2, 6),
            Branch::Call => (5, 5),
        }
    }

    fn reaches(self, long: bool, distance: i64) -> bool {
        if long || self == Branch::Call { i32::try_from(distance).is_ok() } else { i8::try_from(distance).is_ok() }
    }

    fn write(self, long: bool, distance: i64, out: &mut Vec<u8>) {
        match (self, long) {
            (Branch::Always, false) => out.extend([0xeb, distance as u8]),
            (Branch::If(cc), false) => out.extend([0x70 | cc as u8, distance as u8]),
            (Branch::Always, true) => {
                out.push(0xe9);
                out.extend((distance as i32).to_le_bytes());
            }
            (Branch::If(cc), true) => {
                out.extend([0x0f, 0x80 | cc as u8]);
                out.extend((distance as i32).to_le_bytes());
            }
            (Branch::Call, _) => {
                out.push(0xe8);
                out.extend((distance as i32).to_le_bytes());
            }
        }
    }

    fn pad(bytes: usize, out: &mut Vec<u8>) {
        let mut left = bytes;
        while left > 0 {
            let len = left.min(PADDING.len());
            out.extend_from_slice(PADDING[len - 1]);
            left -= len;
        }
    }
}

/// Instructions that do nothing, by their length.
const PADDING: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// A jump within the code of one instruction: forward, short, and nothing between that may grow.
#[must_use]
#[derive(Debug)]
pub(super) struct Forward(usize);

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

fn is_byte(number: i32) -> bool {
    i8::try_from(number).is_ok()
}

impl Asm {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.layout.bytes.extend_from_slice(bytes);
    }

    /// Prefix, REX where it is needed, opcode, operands. `bytewise` says which registers are named by their lowest byte.
    fn form(&mut self, prefix: &[u8], w: bool, opcode: &[u8], reg: u8, rm: Rm, bytewise: (bool, bool)) {
        let (b, x) = match rm {
            Rm::Reg(reg) => (reg.0 >> 3, 0),
            Rm::Mem(mem) => (mem.base.0 >> 3, mem.index.map_or(0, |(index, _)| index.0 >> 3)),
        };
        let rex = u8::from(w) << 3 | (reg >> 3) << 2 | x << 1 | b;
        // Without REX, numbers 4 to 7 are ah to bh.
        let low = |number: u8| (4..8).contains(&number);
        let named = bytewise.0 && low(reg) || bytewise.1 && matches!(rm, Rm::Reg(reg) if low(reg.0));
        self.bytes(prefix);
        if rex != 0 || named {
            self.bytes(&[0x40 | rex]);
        }
        self.bytes(opcode);
        match rm {
            Rm::Reg(rm) => self.bytes(&[0xc0 | (reg & 7) << 3 | rm.0 & 7]),
            Rm::Mem(mem) => self.address((reg & 7) << 3, mem),
        }
    }

    fn address(&mut self, reg: u8, mem: Mem) {
        let base = mem.base.0 & 7;
        // rbp and r13 have no form without displacement.
        let mode = match mem.disp {
            0 if base != RBP.0 => 0,
            disp if is_byte(disp) => 0x40,
            _ => 0x80,
        };
        match mem.index {
            Some((index, scale)) => self.bytes(&[mode | reg | 4, scale << 6 | (index.0 & 7) << 3 | base]),
            None if base == RSP.0 => self.bytes(&[mode | reg | 4, 0x24]),
            None => self.bytes(&[mode | reg | base]),
        }
        match mode {
            0 => {}
            0x40 => self.bytes(&[mem.disp as u8]),
            _ => self.bytes(&mem.disp.to_le_bytes()),
        }
    }

    fn plain(&mut self, width: Width, opcode: &[u8], reg: u8, rm: impl Into<Rm>) {
        self.form(&[], width == Width::W64, opcode, reg, rm.into(), (false, false));
    }

    /// `dst OP= src`.
    pub(super) fn group1(&mut self, op: Group1, width: Width, dst: Gpr, src: Gpr) {
        self.plain(width, &[(op as u8) << 3 | 1], src.0, dst);
    }

    /// `dst OP= imm`, sign-extended.
    pub(super) fn group1_imm(&mut self, op: Group1, width: Width, dst: impl Into<Rm>, imm: i32) {
        let dst = dst.into();
        if is_byte(imm) {
            self.plain(width, &[0x83], op as u8, dst);
            self.bytes(&[imm as u8]);
            return;
        }
        if matches!(dst, Rm::Reg(RAX)) {
            self.bytes(if width == Width::W64 { &[0x48] } else { &[] });
            self.bytes(&[(op as u8) << 3 | 5]);
        } else {
            self.plain(width, &[0x81], op as u8, dst);
        }
        self.bytes(&imm.to_le_bytes());
    }

    pub(super) fn test(&mut self, width: Width, a: Gpr, b: Gpr) {
        self.plain(width, &[0x85], b.0, a);
    }

    /// Sets flags by `a & imm`, sign-extended.
    pub(super) fn test_imm(&mut self, width: Width, a: Gpr, imm: i32) {
        // The upper half is masked away, or the lower byte is all there is: the sign is that of a bit that is 0.
        if (0..0x80).contains(&imm) {
            if a == RAX {
                self.bytes(&[0xa8, imm as u8]);
            } else {
                self.form(&[], false, &[0xf6], 0, a.into(), (false, true));
                self.bytes(&[imm as u8]);
            }
            return;
        }
        let width = if imm >= 0 { Width::W32 } else { width };
        if a == RAX {
            self.bytes(if width == Width::W64 { &[0x48, 0xa9] } else { &[0xa9] });
        } else {
            self.plain(width, &[0xf7], 0, a);
        }
        self.bytes(&imm.to_le_bytes());
    }

    pub(super) fn mov(&mut self, width: Width, dst: Gpr, src: Gpr) {
        self.plain(width, &[0x89], src.0, dst);
    }

    /// Changes flags if the value is 0.
    pub(super) fn mov_imm(&mut self, dst: Gpr, value: u64) {
        if value == 0 {
            self.group1(Group1::Xor, Width::W32, dst, dst);
        } else {
            self.mov_imm_flags(dst, value);
        }
    }

    /// Leaves the flags alone.
    pub(super) fn mov_imm_flags(&mut self, dst: Gpr, value: u64) {
        if let Ok(low) = u32::try_from(value) {
            self.short_form(false, 0xb8, dst);
            self.bytes(&low.to_le_bytes());
        } else if let Ok(low) = i32::try_from(value as i64) {
            self.plain(Width::W64, &[0xc7], 0, dst);
            self.bytes(&low.to_le_bytes());
        } else {
            self.short_form(true, 0xb8, dst);
            self.bytes(&value.to_le_bytes());
        }
    }

    /// An opcode that holds its register.
    fn short_form(&mut self, w: bool, opcode: u8, reg: Gpr) {
        let rex = u8::from(w) << 3 | reg.0 >> 3;
        if rex != 0 {
            self.bytes(&[0x40 | rex]);
        }
        self.bytes(&[opcode | reg.0 & 7]);
    }

    pub(super) fn push(&mut self, reg: Gpr) {
        self.short_form(false, 0x50, reg);
    }

    pub(super) fn pop(&mut self, reg: Gpr) {
        self.short_form(false, 0x58, reg);
    }

    /// Pushes an immediate, sign-extended.
    pub(super) fn push_imm(&mut self, imm: i32) {
        self.bytes(&[0x68]);
        self.bytes(&imm.to_le_bytes());
    }

    pub(super) fn push_mem(&mut self, mem: Mem) {
        self.plain(Width::W32, &[0xff], 6, mem);
    }

    pub(super) fn pop_mem(&mut self, mem: Mem) {
        self.plain(Width::W32, &[0x8f], 0, mem);
    }

    pub(super) fn lea(&mut self, width: Width, dst: Gpr, mem: Mem) {
        self.plain(width, &[0x8d], dst.0, mem);
    }

    /// Loads so many bytes, zero-extended.
    pub(super) fn load(&mut self, bytes: u8, dst: Gpr, src: impl Into<Rm>) {
        let src = src.into();
        match bytes {
            1 => self.form(&[], false, &[0x0f, 0xb6], dst.0, src, (false, true)),
            2 => self.plain(Width::W32, &[0x0f, 0xb7], dst.0, src),
            4 => self.plain(Width::W32, &[0x8b], dst.0, src),
            _ => self.plain(Width::W64, &[0x8b], dst.0, src),
        }
    }

    /// Loads 4 or 8 bytes in the other order.
    pub(super) fn load_swapped(&mut self, bytes: u8, dst: Gpr, src: Mem) {
        let width = if bytes == 8 { Width::W64 } else { Width::W32 };
        self.plain(width, &[0x0f, 0x38, 0xf0], dst.0, src);
    }

    /// Loads so many bytes, sign-extended to the width.
    pub(super) fn load_signed(&mut self, width: Width, bytes: u8, dst: Gpr, src: impl Into<Rm>) {
        let src = src.into();
        let w = width == Width::W64;
        match bytes {
            1 => self.form(&[], w, &[0x0f, 0xbe], dst.0, src, (false, true)),
            2 => self.plain(width, &[0x0f, 0xbf], dst.0, src),
            4 => self.plain(width, if w { &[0x63] } else { &[0x8b] }, dst.0, src),
            _ => self.plain(Width::W64, &[0x8b], dst.0, src),
        }
    }

    /// An access of so many bytes, whose opcode ends in an even byte for bytes and in the next one for the rest.
    fn sized(&mut self, lock: bool, bytes: u8, opcode: &[u8], reg: Field, mem: Mem) {
        let prefix: &[u8] = match (lock, bytes) {
            (false, 2) => &[0x66],
            (true, 2) => &[0x66, 0xf0],
            (false, _) => &[],
            (true, _) => &[0xf0],
        };
        let mut code = [0; 2];
        let code = &mut code[..opcode.len()];
        code.copy_from_slice(opcode);
        code[opcode.len() - 1] |= u8::from(bytes != 1);
        let (reg, named) = match reg {
            Field::Number(number) => (number, false),
            Field::Reg(reg) => (reg.0, bytes == 1),
        };
        self.form(prefix, bytes == 8, code, reg, mem.into(), (named, false));
    }

    pub(super) fn store(&mut self, bytes: u8, mem: Mem, src: Gpr) {
        self.sized(false, bytes, &[0x88], Field::Reg(src), mem);
    }

    /// Stores so many bytes of an immediate, sign-extended.
    pub(super) fn store_imm(&mut self, bytes: u8, mem: Mem, imm: i32) {
        self.sized(false, bytes, &[0xc6], Field::Number(0), mem);
        let imm = imm.to_le_bytes();
        self.bytes(&imm[..usize::from(bytes.min(4))]);
    }

    pub(super) fn lock_group1(&mut self, op: Group1, bytes: u8, mem: Mem, src: Gpr) {
        self.sized(true, bytes, &[(op as u8) << 3], Field::Reg(src), mem);
    }

    pub(super) fn lock_xadd(&mut self, bytes: u8, mem: Mem, src: Gpr) {
        self.sized(true, bytes, &[0x0f, 0xc0], Field::Reg(src), mem);
    }

    pub(super) fn lock_cmpxchg(&mut self, bytes: u8, mem: Mem, src: Gpr) {
        self.sized(true, bytes, &[0x0f, 0xb0], Field::Reg(src), mem);
    }

    pub(super) fn xchg(&mut self, bytes: u8, mem: Mem, src: Gpr) {
        self.sized(false, bytes, &[0x86], Field::Reg(src), mem);
    }

    pub(super) fn imul(&mut self, width: Width, dst: Gpr, src: Gpr) {
        self.plain(width, &[0x0f, 0xaf], dst.0, src);
    }

    /// `dst = src * imm`.
    pub(super) fn imul_imm(&mut self, width: Width, dst: Gpr, src: Gpr, imm: i32) {
        if is_byte(imm) {
            self.plain(width, &[0x6b], dst.0, src);
            self.bytes(&[imm as u8]);
        } else {
            self.plain(width, &[0x69], dst.0, src);
            self.bytes(&imm.to_le_bytes());
        }
    }

    /// Divides `rdx:rax`.
    pub(super) fn div(&mut self, width: Width, signed: bool, src: Gpr) {
        self.plain(width, &[0xf7], if signed { 7 } else { 6 }, src);
    }

    /// The sign of `rax` to all of `rdx`.
    pub(super) fn sign_to_rdx(&mut self, width: Width) {
        self.bytes(if width == Width::W64 { &[0x48, 0x99] } else { &[0x99] });
    }

    pub(super) fn neg(&mut self, width: Width, dst: Gpr) {
        self.plain(width, &[0xf7], 3, dst);
    }

    pub(super) fn inc(&mut self, width: Width, dst: impl Into<Rm>) {
        self.plain(width, &[0xff], 0, dst);
    }

    pub(super) fn dec(&mut self, width: Width, dst: impl Into<Rm>) {
        self.plain(width, &[0xff], 1, dst);
    }

    /// By `cl`.
    pub(super) fn shift_cl(&mut self, op: Shift, width: Width, dst: Gpr) {
        self.plain(width, &[0xd3], op as u8, dst);
    }

    pub(super) fn shift_imm(&mut self, op: Shift, width: Width, dst: Gpr, by: u8) {
        if by == 1 {
            self.plain(width, &[0xd1], op as u8, dst);
        } else {
            self.plain(width, &[0xc1], op as u8, dst);
            self.bytes(&[by]);
        }
    }

    /// BMI2: `dst = src OP by`, flags untouched.
    pub(super) fn shift_bmi2(&mut self, op: Shift, width: Width, dst: Gpr, src: Gpr, by: Gpr) {
        let pp = match op {
            Shift::Shl => 1,
            Shift::Sar => 2,
            Shift::Shr | Shift::Rol => 3,
        };
        let w = u8::from(width == Width::W64) << 7;
        let (r, b) = (!(dst.0 >> 3) & 1, !(src.0 >> 3) & 1);
        self.bytes(&[0xc4, r << 7 | 0x40 | b << 5 | 2, w | (!by.0 & 15) << 3 | pp, 0xf7, 0xc0 | (dst.0 & 7) << 3 | src.0 & 7]);
    }

    /// BMI2: `dst = src` rotated to the right, flags untouched.
    pub(super) fn rotate_bmi2(&mut self, width: Width, dst: Gpr, src: Gpr, by: u8) {
        let w = u8::from(width == Width::W64) << 7;
        let (r, b) = (!(dst.0 >> 3) & 1, !(src.0 >> 3) & 1);
        self.bytes(&[0xc4, r << 7 | 0x40 | b << 5 | 3, w | 0x7b, 0xf0, 0xc0 | (dst.0 & 7) << 3 | src.0 & 7, by]);
    }

    /// Rotates the low 16 bits by 8.
    pub(super) fn swap16(&mut self, dst: Gpr) {
        self.form(&[0x66], false, &[0xc1], Shift::Rol as u8, dst.into(), (false, false));
        self.bytes(&[8]);
    }

    pub(super) fn bswap(&mut self, width: Width, dst: Gpr) {
        let rex = u8::from(width == Width::W64) << 3 | dst.0 >> 3;
        if rex != 0 {
            self.bytes(&[0x40 | rex]);
        }
        self.bytes(&[0x0f, 0xc8 | dst.0 & 7]);
    }

    pub(super) fn ret(&mut self) {
        self.bytes(&[0xc3]);
    }

    /// What is never reached.
    pub(super) fn trap(&mut self) {
        self.bytes(&[0xcc]);
    }

    pub(super) fn call_reg(&mut self, reg: Gpr) {
        self.plain(Width::W32, &[0xff], 2, reg);
    }

    pub(super) fn call_mem(&mut self, mem: Mem) {
        self.plain(Width::W32, &[0xff], 2, mem);
    }

    pub(super) fn jump_mem(&mut self, mem: Mem) {
        self.plain(Width::W32, &[0xff], 4, mem);
    }

    pub(super) fn jump(&mut self, branch: Branch, to: Label) {
        self.layout.jump(branch, to);
    }

    /// Jumps to where [`Asm::land`] is called.
    pub(super) fn forward(&mut self, cc: Option<Cc>) -> Forward {
        self.bytes(&[cc.map_or(0xeb, |cc| 0x70 | cc as u8), 0]);
        Forward(self.layout.bytes.len())
    }

    pub(super) fn land(&mut self, forward: Forward) {
        let distance = self.layout.bytes.len() - forward.0;
        self.layout.bytes[forward.0 - 1] = distance as u8;
    }

    /// Jumps back to a place in the code of the same instruction.
    pub(super) fn back(&mut self, cc: Option<Cc>, to: usize) {
        let distance = to as i64 - (self.layout.bytes.len() as i64 + 2);
        self.bytes(&[cc.map_or(0xeb, |cc| 0x70 | cc as u8), distance as u8]);
    }

    pub(super) fn here(&self) -> usize {
        self.layout.bytes.len()
    }
}
