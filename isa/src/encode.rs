//! From [`Insn`] to slots.

use crate::opcode::{self, X, callee, class, mode, op, wide};
use crate::{AtomicOp, ByteOrder, Callee, EncodeError, Insn, Operand, RawInsn, Reg, Size, Wide, Width};

/// The one or two slots of an instruction. Dereferences to a slice of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoded {
    slots: [RawInsn; 2],
    len: usize,
}

impl Encoded {
    fn one(raw: RawInsn) -> Encoded {
        Encoded { slots: [raw, RawInsn::default()], len: 1 }
    }
}

impl std::ops::Deref for Encoded {
    type Target = [RawInsn];

    fn deref(&self) -> &[RawInsn] {
        &self.slots[..self.len]
    }
}

impl Insn {
    /// The slots of this instruction. `decode` of them gives the instruction back.
    ///
    /// ```
    /// use skep_isa::{Insn, RawInsn};
    /// assert_eq!(Insn::Exit.encode().unwrap()[..], [RawInsn::new(0x95, 0, 0, 0, 0)]);
    /// ```
    ///
    /// # Errors
    /// Shapes without an encoding: a `goto` too far for its form, a size that the operation does not have.
    pub fn encode(&self) -> Result<Encoded, EncodeError> {
        let raw = match *self {
            Insn::Alu { width, op, dst, src } => {
                let (bits, off) = opcode::alu_bits(op);
                with_operand(alu_class(width) | bits, dst, src, off)
            }
            Insn::Mov { width, dst, src } => with_operand(alu_class(width) | op::MOV, dst, src, 0),
            Insn::MovSx { width, from, dst, src } => {
                if from == Size::Dw || (from, width) == (Size::W, Width::W32) {
                    return Err(EncodeError::Size { what: "sign extension", bytes: from.bytes() });
                }
                RawInsn::new(alu_class(width) | op::MOV | X, dst.number(), src.number(), bits_of(from) as i16, 0)
            }
            Insn::Neg { width, dst } => RawInsn::new(alu_class(width) | op::NEG, dst.number(), 0, 0, 0),
            Insn::Swap { order, size, dst } => {
                if size == Size::B {
                    return Err(EncodeError::Size { what: "byte order", bytes: 1 });
                }
                let code = match order {
                    ByteOrder::Le => class::ALU,
                    ByteOrder::Be => class::ALU | X,
                    ByteOrder::Swap => class::ALU64,
                };
                RawInsn::new(code | op::END, dst.number(), 0, 0, bits_of(size))
            }
            Insn::AddrSpaceCast { dst, src, to, from } => {
                if (to, from) != (0, 1) && (to, from) != (1, 0) {
                    return Err(EncodeError::AddressSpace { to, from });
                }
                let imm = (u32::from(to) << 16 | u32::from(from)) as i32;
                RawInsn::new(class::ALU64 | op::MOV | X, dst.number(), src.number(), opcode::ADDR_SPACE_CAST, imm)
            }
            Insn::LoadWide { dst, value } => return Ok(load_wide(dst, value)),
            Insn::Load { size, signed, dst, base, off } => {
                if signed && size == Size::Dw {
                    return Err(EncodeError::Size { what: "sign-extending load", bytes: 8 });
                }
                let mode = if signed { mode::MEMSX } else { mode::MEM };
                RawInsn::new(class::LDX | mode | opcode::size_bits(size), dst.number(), base.number(), off, 0)
            }
            Insn::LoadPacket { size, index, off } => {
                if size == Size::Dw {
                    return Err(EncodeError::Size { what: "packet load", bytes: 8 });
                }
                let (mode, src) = index.map_or((mode::ABS, 0), |reg| (mode::IND, reg.number()));
                RawInsn::new(class::LD | mode | opcode::size_bits(size), 0, src, 0, off)
            }
            Insn::Store { size, base, off, src } => store(size, base, off, src),
            Insn::Atomic { size, op, base, off, src } => {
                if size < Size::W {
                    return Err(EncodeError::Size { what: atomic_words(op), bytes: size.bytes() });
                }
                atomic(size, base, src, off, opcode::atomic_imm(op))
            }
            Insn::LoadAcquire { size, dst, base, off } => atomic(size, dst, base, off, opcode::LOAD_ACQ),
            Insn::StoreRelease { size, base, off, src } => atomic(size, base, src, off, opcode::STORE_REL),
            Insn::Jump { off, long: true } => RawInsn::new(class::JMP32 | op::JA, 0, 0, 0, off),
            Insn::Jump { off, long: false } => {
                let off = i16::try_from(off).map_err(|_| EncodeError::Distance { off })?;
                RawInsn::new(class::JMP | op::JA, 0, 0, off, 0)
            }
            Insn::JumpIf { width, cond, dst, src, off } => {
                let class = match width {
                    Width::W32 => class::JMP32,
                    Width::W64 => class::JMP,
                };
                with_operand(class | opcode::cond_bits(cond), dst, src, off)
            }
            Insn::JumpReg { dst } => RawInsn::new(class::JMP | op::JA | X, dst.number(), 0, 0, 0),
            Insn::MayGoto { off } => RawInsn::new(class::JMP | op::JCOND, 0, 0, off, 0),
            Insn::Call(to) => call(to),
            Insn::Exit => RawInsn::new(class::JMP | op::EXIT, 0, 0, 0, 0),
        };
        Ok(Encoded::one(raw))
    }
}

fn alu_class(width: Width) -> u8 {
    match width {
        Width::W32 => class::ALU,
        Width::W64 => class::ALU64,
    }
}

fn bits_of(size: Size) -> i32 {
    i32::from(size.bytes()) * 8
}

fn with_operand(code: u8, dst: Reg, src: Operand, off: i16) -> RawInsn {
    match src {
        Operand::Reg(src) => RawInsn::new(code | X, dst.number(), src.number(), off, 0),
        Operand::Imm(imm) => RawInsn::new(code, dst.number(), 0, off, imm),
    }
}

fn load_wide(dst: Reg, value: Wide) -> Encoded {
    let (kind, low, high) = match value {
        Wide::Const(value) => (wide::CONST, value as i32, (value >> 32) as i32),
        Wide::MapFd(fd) => (wide::MAP_FD, fd, 0),
        Wide::MapFdValue { fd, off } => (wide::MAP_FD_VALUE, fd, off),
        Wide::BtfId { id, btf_fd } => (wide::BTF_ID, id, btf_fd),
        Wide::Func(off) => (wide::FUNC, off, 0),
        Wide::MapIndex(index) => (wide::MAP_INDEX, index, 0),
        Wide::MapIndexValue { index, off } => (wide::MAP_INDEX_VALUE, index, off),
    };
    let first = RawInsn::new(opcode::LD_IMM64, dst.number(), kind, 0, low);
    Encoded { slots: [first, RawInsn::new(0, 0, 0, 0, high)], len: 2 }
}

fn store(size: Size, base: Reg, off: i16, src: Operand) -> RawInsn {
    let bits = mode::MEM | opcode::size_bits(size);
    match src {
        Operand::Imm(imm) => RawInsn::new(class::ST | bits, base.number(), 0, off, imm),
        Operand::Reg(src) => RawInsn::new(class::STX | bits, base.number(), src.number(), off, 0),
    }
}

fn atomic(size: Size, dst: Reg, src: Reg, off: i16, imm: i32) -> RawInsn {
    RawInsn::new(class::STX | mode::ATOMIC | opcode::size_bits(size), dst.number(), src.number(), off, imm)
}

fn atomic_words(op: AtomicOp) -> &'static str {
    match op {
        AtomicOp::Add { .. } => "atomic add",
        AtomicOp::Or { .. } => "atomic or",
        AtomicOp::And { .. } => "atomic and",
        AtomicOp::Xor { .. } => "atomic xor",
        AtomicOp::Xchg => "atomic exchange",
        AtomicOp::Cmpxchg => "atomic compare-and-exchange",
    }
}

fn call(to: Callee) -> RawInsn {
    let code = class::JMP | op::CALL;
    match to {
        Callee::Helper(id) => RawInsn::new(code, 0, callee::HELPER, 0, id),
        Callee::Local(off) => RawInsn::new(code, 0, callee::LOCAL, 0, off),
        Callee::Kfunc { id, module } => RawInsn::new(code, 0, callee::KFUNC, module, id),
        Callee::Reg(reg) => RawInsn::new(code | X, reg.number(), 0, 0, 0),
    }
}
