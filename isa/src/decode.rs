//! From slots to [`Insn`].
//!
//! The reserved fields are those that Linux checks when it verifies an instruction that can be reached, and those of RFC 9669
//! that Linux leaves unread.

use crate::opcode::{self, X, callee, class, mode, op, wide};
use crate::{ByteOrder, Callee, DecodeError, Field, Insn, Operand, RawInsn, Reg, Size, Wide, Width};

/// Decodes the instruction at `slot`. It takes [`Insn::slots`] slots.
///
/// ```
/// use skep_isa::{decode, AluOp, Insn, Operand, RawInsn, Reg, Width};
/// let raw = [RawInsn::new(0x07, 1, 0, 0, 5), RawInsn::new(0x95, 0, 0, 0, 0)];
/// let add = Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg::R1, src: Operand::Imm(5) };
/// assert_eq!(decode(&raw, 0), Ok(add));
/// assert_eq!(decode(&raw, 1), Ok(Insn::Exit));
/// ```
///
/// # Errors
/// [`DecodeError`], with the slot and the field.
pub fn decode(raw: &[RawInsn], slot: usize) -> Result<Insn, DecodeError> {
    let Some(&first) = raw.get(slot) else {
        return Err(DecodeError::End { slot, len: raw.len() });
    };
    let at = At { slot, raw: first };
    match first.code & 7 {
        class::LD => load_special(at, raw),
        class::LDX => load(at),
        class::ST | class::STX => store(at),
        class::ALU => alu(at, Width::W32),
        class::ALU64 => alu(at, Width::W64),
        class::JMP => jump(at, Width::W64),
        _ => jump(at, Width::W32),
    }
}

/// A slot and where it is.
#[derive(Clone, Copy)]
struct At {
    slot: usize,
    raw: RawInsn,
}

impl At {
    fn value(self, field: Field) -> i64 {
        match field {
            Field::Code => self.raw.code.into(),
            Field::Dst => self.raw.dst().into(),
            Field::Src => self.raw.src().into(),
            Field::Off => self.raw.off.into(),
            Field::Imm => self.raw.imm.into(),
        }
    }

    fn zero(self, fields: &[Field]) -> Result<(), DecodeError> {
        match fields.iter().find(|&&field| self.value(field) != 0) {
            None => Ok(()),
            Some(&field) => Err(DecodeError::Reserved { slot: self.slot, code: self.raw.code, field, value: self.value(field) }),
        }
    }

    fn register(self, field: Field, number: u8) -> Result<Reg, DecodeError> {
        Reg::from_number(number).ok_or(DecodeError::Register { slot: self.slot, code: self.raw.code, field, number })
    }

    fn dst(self) -> Result<Reg, DecodeError> {
        self.register(Field::Dst, self.raw.dst())
    }

    fn src(self) -> Result<Reg, DecodeError> {
        self.register(Field::Src, self.raw.src())
    }

    /// The second operand of arithmetic and conditions; the field it leaves unused must be zero.
    fn operand(self) -> Result<Operand, DecodeError> {
        if self.raw.code & X != 0 {
            self.zero(&[Field::Imm])?;
            Ok(Operand::Reg(self.src()?))
        } else {
            self.zero(&[Field::Src])?;
            Ok(Operand::Imm(self.raw.imm))
        }
    }

    fn unknown<T>(self) -> Result<T, DecodeError> {
        Err(DecodeError::UnknownOpcode { slot: self.slot, code: self.raw.code })
    }

    fn variant(self, field: Field, expected: &'static str) -> DecodeError {
        DecodeError::Variant { slot: self.slot, code: self.raw.code, field, value: self.value(field), expected }
    }
}

fn load_special(at: At, raw: &[RawInsn]) -> Result<Insn, DecodeError> {
    let size = opcode::size(at.raw.code);
    match (at.raw.code & 0xe0, size) {
        (mode::IMM, Size::Dw) => load_wide(at, raw),
        (mode::ABS, Size::B | Size::H | Size::W) => {
            at.zero(&[Field::Dst, Field::Src, Field::Off])?;
            Ok(Insn::LoadPacket { size, index: None, off: at.raw.imm })
        }
        (mode::IND, Size::B | Size::H | Size::W) => {
            at.zero(&[Field::Dst, Field::Off])?;
            Ok(Insn::LoadPacket { size, index: Some(at.src()?), off: at.raw.imm })
        }
        _ => at.unknown(),
    }
}

fn load_wide(at: At, raw: &[RawInsn]) -> Result<Insn, DecodeError> {
    let Some(&high) = raw.get(at.slot + 1) else {
        return Err(DecodeError::Truncated { slot: at.slot });
    };
    let second = At { slot: at.slot + 1, raw: high };
    second.zero(&[Field::Code, Field::Dst, Field::Src, Field::Off])?;
    at.zero(&[Field::Off])?;
    let dst = at.dst()?;
    let (low, high) = (at.raw.imm, second.raw.imm);
    let value = match at.raw.src() {
        wide::CONST => Wide::Const(u64::from(low as u32) | u64::from(high as u32) << 32),
        wide::MAP_FD => {
            second.zero(&[Field::Imm])?;
            Wide::MapFd(low)
        }
        wide::MAP_FD_VALUE => Wide::MapFdValue { fd: low, off: high },
        wide::BTF_ID => Wide::BtfId { id: low, btf_fd: high },
        wide::FUNC => {
            second.zero(&[Field::Imm])?;
            Wide::Func(low)
        }
        wide::MAP_INDEX => {
            second.zero(&[Field::Imm])?;
            Wide::MapIndex(low)
        }
        wide::MAP_INDEX_VALUE => Wide::MapIndexValue { index: low, off: high },
        _ => return Err(at.variant(Field::Src, "a kind of wide load, 0 to 6")),
    };
    Ok(Insn::LoadWide { dst, value })
}

fn load(at: At) -> Result<Insn, DecodeError> {
    let size = opcode::size(at.raw.code);
    let signed = match (at.raw.code & 0xe0, size) {
        (mode::MEM, _) => false,
        (mode::MEMSX, Size::B | Size::H | Size::W) => true,
        _ => return at.unknown(),
    };
    at.zero(&[Field::Imm])?;
    Ok(Insn::Load { size, signed, dst: at.dst()?, base: at.src()?, off: at.raw.off })
}

fn store(at: At) -> Result<Insn, DecodeError> {
    let (size, off) = (opcode::size(at.raw.code), at.raw.off);
    match (at.raw.code & 0xe0, at.raw.code & 7) {
        (mode::MEM, class::ST) => {
            at.zero(&[Field::Src])?;
            Ok(Insn::Store { size, base: at.dst()?, off, src: Operand::Imm(at.raw.imm) })
        }
        (mode::MEM, _) => {
            at.zero(&[Field::Imm])?;
            Ok(Insn::Store { size, base: at.dst()?, off, src: Operand::Reg(at.src()?) })
        }
        (mode::ATOMIC, class::STX) => atomic(at, size),
        _ => at.unknown(),
    }
}

fn atomic(at: At, size: Size) -> Result<Insn, DecodeError> {
    let (dst, src, off) = (at.dst()?, at.src()?, at.raw.off);
    match at.raw.imm {
        opcode::LOAD_ACQ => return Ok(Insn::LoadAcquire { size, dst, base: src, off }),
        opcode::STORE_REL => return Ok(Insn::StoreRelease { size, base: dst, off, src }),
        _ => {}
    }
    if size < Size::W {
        return Err(at.variant(Field::Imm, "load-acquire (0x100) or store-release (0x110) in this size"));
    }
    match opcode::atomic(at.raw.imm) {
        Some(op) => Ok(Insn::Atomic { size, op, base: dst, off, src }),
        None => Err(at.variant(Field::Imm, "an atomic operation")),
    }
}

fn alu(at: At, width: Width) -> Result<Insn, DecodeError> {
    match at.raw.code & 0xf0 {
        op::MOV => mov(at, width),
        op::END => byte_order(at, width),
        op::NEG if at.raw.code & X == 0 => {
            at.zero(&[Field::Src, Field::Off, Field::Imm])?;
            Ok(Insn::Neg { width, dst: at.dst()? })
        }
        bits if opcode::is_alu(bits) => {
            let Some(op) = opcode::alu(bits, at.raw.off) else {
                return Err(match opcode::alu(bits, opcode::SIGNED) {
                    Some(_) => at.variant(Field::Off, "0 (unsigned) or 1 (signed)"),
                    None => {
                        DecodeError::Reserved { slot: at.slot, code: at.raw.code, field: Field::Off, value: at.raw.off.into() }
                    }
                });
            };
            Ok(Insn::Alu { width, op, dst: at.dst()?, src: at.operand()? })
        }
        _ => at.unknown(),
    }
}

fn mov(at: At, width: Width) -> Result<Insn, DecodeError> {
    let dst = at.dst()?;
    if at.raw.code & X == 0 {
        at.zero(&[Field::Off])?;
        return Ok(Insn::Mov { width, dst, src: at.operand()? });
    }
    if width == Width::W64 && at.raw.off == opcode::ADDR_SPACE_CAST {
        let (to, from) = ((at.raw.imm as u32 >> 16) as u16, at.raw.imm as u16);
        if (to, from) != (0, 1) && (to, from) != (1, 0) {
            return Err(at.variant(Field::Imm, "0x1 (from address space 1 to 0) or 0x10000 (from 0 to 1)"));
        }
        return Ok(Insn::AddrSpaceCast { dst, src: at.src()?, to, from });
    }
    let from = match (at.raw.off, width) {
        (0, _) => return Ok(Insn::Mov { width, dst, src: at.operand()? }),
        (8, _) => Size::B,
        (16, _) => Size::H,
        (32, Width::W64) => Size::W,
        (_, Width::W32) => return Err(at.variant(Field::Off, "0, 8 or 16 (bits to sign-extend)")),
        (_, Width::W64) => {
            return Err(at.variant(Field::Off, "0, 8, 16 or 32 (bits to sign-extend), or 1 (address space cast)"));
        }
    };
    at.zero(&[Field::Imm])?;
    Ok(Insn::MovSx { width, from, dst, src: at.src()? })
}

fn byte_order(at: At, width: Width) -> Result<Insn, DecodeError> {
    let order = match (width, at.raw.code & X) {
        (Width::W32, 0) => ByteOrder::Le,
        (Width::W32, _) => ByteOrder::Be,
        (Width::W64, 0) => ByteOrder::Swap,
        (Width::W64, _) => return at.unknown(),
    };
    at.zero(&[Field::Src, Field::Off])?;
    let size = match at.raw.imm {
        16 => Size::H,
        32 => Size::W,
        64 => Size::Dw,
        _ => return Err(at.variant(Field::Imm, "16, 32 or 64 (bits)")),
    };
    Ok(Insn::Swap { order, size, dst: at.dst()? })
}

fn jump(at: At, width: Width) -> Result<Insn, DecodeError> {
    let off = at.raw.off;
    match (at.raw.code & 0xf0, width, at.raw.code & X) {
        (op::JA, Width::W64, 0) => {
            at.zero(&[Field::Dst, Field::Src, Field::Imm])?;
            Ok(Insn::Jump { off: off.into(), long: false })
        }
        (op::JA, Width::W32, 0) => {
            at.zero(&[Field::Dst, Field::Src, Field::Off])?;
            Ok(Insn::Jump { off: at.raw.imm, long: true })
        }
        (op::JA, Width::W64, _) => {
            at.zero(&[Field::Src, Field::Off, Field::Imm])?;
            Ok(Insn::JumpReg { dst: at.dst()? })
        }
        (op::JCOND, Width::W64, 0) => {
            at.zero(&[Field::Dst, Field::Imm])?;
            match at.raw.src() {
                0 => Ok(Insn::MayGoto { off }),
                _ => Err(at.variant(Field::Src, "0 (may_goto)")),
            }
        }
        (op::CALL, Width::W64, 0) => call(at),
        (op::CALL, Width::W64, _) => {
            at.zero(&[Field::Src, Field::Off, Field::Imm])?;
            Ok(Insn::Call(Callee::Reg(at.dst()?)))
        }
        (op::EXIT, Width::W64, 0) => {
            at.zero(&[Field::Dst, Field::Src, Field::Off, Field::Imm])?;
            Ok(Insn::Exit)
        }
        (bits, ..) => match opcode::cond(bits) {
            Some(cond) => Ok(Insn::JumpIf { width, cond, dst: at.dst()?, src: at.operand()?, off }),
            None => at.unknown(),
        },
    }
}

fn call(at: At) -> Result<Insn, DecodeError> {
    at.zero(&[Field::Dst])?;
    let imm = at.raw.imm;
    let to = match at.raw.src() {
        callee::HELPER => Callee::Helper(imm),
        callee::LOCAL => Callee::Local(imm),
        callee::KFUNC => return Ok(Insn::Call(Callee::Kfunc { id: imm, module: at.raw.off })),
        _ => return Err(at.variant(Field::Src, "0 (helper), 1 (function of the program) or 2 (kernel function)")),
    };
    at.zero(&[Field::Off])?;
    Ok(Insn::Call(to))
}
