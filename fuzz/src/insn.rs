//! Changes of instructions that leave them instructions.

use fastrand::Rng;
use skep_isa::{RawInsn, decode};

/// Tries before a slot stays as it is.
const TRIES: u32 = 12;

/// Opcodes of all classes.
const CODES: &[u8] = &[
    0x05, 0x06, 0x07, 0x0f, 0x15, 0x1d, 0x1f, 0x20, 0x28, 0x2f, 0x30, 0x37, 0x3f, 0x40, 0x47, 0x4f, 0x57, 0x5f, 0x61, 0x62, 0x63,
    0x67, 0x69, 0x6a, 0x6b, 0x6f, 0x71, 0x72, 0x73, 0x77, 0x79, 0x7a, 0x7b, 0x7f, 0x81, 0x84, 0x85, 0x87, 0x89, 0x8d, 0x91, 0x95,
    0x97, 0x9f, 0xa5, 0xb4, 0xb7, 0xbc, 0xbf, 0xc3, 0xc6, 0xc7, 0xcf, 0xd4, 0xd5, 0xd7, 0xdb, 0xdc, 0xe5,
];

/// Numbers that sizes, flags, offsets and numbers of helpers have.
fn number(rng: &mut Rng) -> i32 {
    match rng.u32(..6) {
        0 => rng.i32(..220),
        1 => rng.i32(-520..520),
        2 => 1 << rng.u32(..32),
        3 => rng.i32(..),
        4 => -1,
        _ => rng.i32(..16),
    }
}

/// One number of the instruction, by chance.
fn change(insn: RawInsn, rng: &mut Rng) -> RawInsn {
    let mut new = insn;
    match rng.u32(..10) {
        0..2 => new.regs = insn.regs & 0xf0 | rng.u8(..11),
        2..4 => new.regs = insn.regs & 0x0f | rng.u8(..11) << 4,
        4 => new.off = insn.off.wrapping_add(rng.i16(-8..=8)),
        5 => new.off = number(rng) as i16,
        6..8 => new.imm = number(rng),
        8 => new.imm = insn.imm.wrapping_add(rng.i32(-8..=8)),
        _ => new.code = CODES[rng.usize(..CODES.len())],
    }
    new
}

/// The slot at `at` with another number in it that still decodes; `None` if chance finds none.
pub fn mutate(bytes: &[u8], at: usize, rng: &mut Rng) -> Option<[u8; 8]> {
    let slot = |from: usize| Some(RawInsn::from_le_bytes(*bytes.get(from..)?.first_chunk()?));
    let (insn, next) = (slot(at)?, slot(at + 8).unwrap_or_default());
    for _ in 0..TRIES {
        let new = change(insn, rng);
        if new != insn && decode(&[new, next], 0).is_ok() {
            return Some(new.to_le_bytes());
        }
    }
    None
}
