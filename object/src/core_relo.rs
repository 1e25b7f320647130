//! Writes the answers of CO-RE relocations into instructions.

use skep_btf::core_relo::POISON_CALL;
use skep_btf::{Patch, Resolution};
use skep_isa::RawInsn;

/// An instruction that a CO-RE relocation does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatchProblem {
    /// Only arithmetic with an immediate, loads, stores and wide loads hold values of relocations.
    #[error("opcode {0:#04x} holds no value that a relocation could change")]
    Opcode(u8),
    /// A wide load without a second half.
    #[error("a 64-bit load without its second half")]
    HalfLoad,
    /// The instruction does not hold what the program's own types say.
    #[error("the instruction holds {found}, but the program's own types say {expected}")]
    Unexpected {
        /// What it holds.
        found: u64,
        /// What it should hold.
        expected: u64,
    },
    /// An offset that does not fit 16 bits.
    #[error("offset {0} does not fit the 16 bits of a load or store")]
    OffsetTooBig(u64),
    /// It moves another number of bytes than the program's own types say.
    #[error("the instruction moves {found} bytes, but the program's own types say {expected}")]
    Size {
        /// Bytes it moves.
        found: u32,
        /// Bytes it should move.
        expected: u32,
    },
    /// The target's field has a size that no load has.
    #[error("no load or store moves {0} bytes")]
    NoSuchSize(u32),
}

const LOAD_WIDE: u8 = 0x18;
/// Bits of a load's or store's opcode that say how much it moves.
const SIZE_BITS: u8 = 0x18;

fn bytes_of(code: u8) -> u32 {
    match code & SIZE_BITS {
        0x00 => 4,
        0x08 => 2,
        0x10 => 1,
        _ => 8,
    }
}

fn size_bits(bytes: u32) -> Option<u8> {
    match bytes {
        4 => Some(0x00),
        2 => Some(0x08),
        1 => Some(0x10),
        8 => Some(0x18),
        _ => None,
    }
}

fn check(answer: &Resolution, found: u64) -> Result<(), PatchProblem> {
    if answer.check_expected && answer.expected != found {
        return Err(PatchProblem::Unexpected { found, expected: answer.expected });
    }
    Ok(())
}

fn poison(insns: &mut [RawInsn]) {
    let call = RawInsn::new(0x85, 0, 0, 0, POISON_CALL);
    if insns[0].code == LOAD_WIDE && insns.len() > 1 {
        insns[1] = call;
    }
    insns[0] = call;
}

/// Changes the instruction at the start of `insns` as the answer says.
pub(crate) fn patch(insns: &mut [RawInsn], answer: &Resolution) -> Result<(), PatchProblem> {
    let Patch::Value(value) = answer.patch else {
        poison(insns);
        return Ok(());
    };
    let insn = insns[0];
    match insn.code & 7 {
        // ALU and ALU64 with an immediate.
        4 | 7 if insn.code & 8 == 0 => {
            check(answer, i64::from(insn.imm) as u64)?;
            insns[0].imm = value as i32;
        }
        // LDX, ST, STX.
        1..=3 => {
            check(answer, i64::from(insn.off) as u64)?;
            if value > i16::MAX as u64 {
                return Err(PatchProblem::OffsetTooBig(value));
            }
            if let Some(size) = answer.mem_size {
                if !size.allowed {
                    poison(insns);
                    return Ok(());
                }
                let found = bytes_of(insn.code);
                if found != size.from {
                    return Err(PatchProblem::Size { found, expected: size.from });
                }
                let bits = size_bits(size.to).ok_or(PatchProblem::NoSuchSize(size.to))?;
                insns[0].code = insn.code & !SIZE_BITS | bits;
            }
            insns[0].off = value as i16;
        }
        0 if insn.code == LOAD_WIDE => {
            let [first, second, ..] = insns else { return Err(PatchProblem::HalfLoad) };
            let rest = RawInsn { imm: 0, ..*second };
            if first.src() != 0 || first.off != 0 || rest != RawInsn::default() {
                return Err(PatchProblem::Opcode(insn.code));
            }
            check(answer, u64::from(first.imm as u32) | u64::from(second.imm as u32) << 32)?;
            first.imm = value as i32;
            second.imm = (value >> 32) as i32;
        }
        _ => return Err(PatchProblem::Opcode(insn.code)),
    }
    Ok(())
}
