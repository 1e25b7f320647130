//! What decoding and encoding refuse, and where.

use std::fmt;

/// A field of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Field {
    Code,
    Dst,
    Src,
    Off,
    Imm,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Code => "code",
            Field::Dst => "dst",
            Field::Src => "src",
            Field::Off => "off",
            Field::Imm => "imm",
        })
    }
}

/// Why a slot is no instruction. `slot` counts 8-byte slots from the start of the stream; for the second half of a wide
/// instruction it is the slot of that half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// The stream ends before this slot.
    #[error("instruction {slot}: the program has {len} slots")]
    End {
        /// Slot asked for.
        slot: usize,
        /// Slots in the stream.
        len: usize,
    },
    /// The stream ends after the first slot of a wide instruction.
    #[error("instruction {slot}: wide instruction (0x18) without its second slot")]
    Truncated {
        /// First slot of the wide instruction.
        slot: usize,
    },
    /// No instruction has this opcode.
    #[error("instruction {slot}: unknown opcode {code:#04x}")]
    UnknownOpcode {
        /// Slot.
        slot: usize,
        /// Opcode.
        code: u8,
    },
    /// A register field holds 11 to 15.
    #[error("instruction {slot} ({code:#04x}): {field} names register r{number}, the last is r10")]
    Register {
        /// Slot.
        slot: usize,
        /// Opcode.
        code: u8,
        /// `Dst` or `Src`.
        field: Field,
        /// 11 to 15.
        number: u8,
    },
    /// A field without meaning in this instruction is not zero.
    #[error("instruction {slot} ({code:#04x}): {field} is reserved and must be zero, is {value}")]
    Reserved {
        /// Slot.
        slot: usize,
        /// Opcode.
        code: u8,
        /// Field.
        field: Field,
        /// Its value.
        value: i64,
    },
    /// A field selects a variant of the instruction that does not exist.
    #[error("instruction {slot} ({code:#04x}): {field} is {value}, must be {expected}")]
    Variant {
        /// Slot.
        slot: usize,
        /// Opcode.
        code: u8,
        /// Field.
        field: Field,
        /// Its value.
        value: i64,
        /// What there is, in words.
        expected: &'static str,
    },
}

impl DecodeError {
    /// The slot at fault.
    pub fn slot(&self) -> usize {
        match *self {
            DecodeError::End { slot, .. }
            | DecodeError::Truncated { slot }
            | DecodeError::UnknownOpcode { slot, .. }
            | DecodeError::Register { slot, .. }
            | DecodeError::Reserved { slot, .. }
            | DecodeError::Variant { slot, .. } => slot,
        }
    }
}

/// Why an [`Insn`](crate::Insn) has no encoding: shapes can be written that no opcode has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EncodeError {
    /// This operation does not exist in this size.
    #[error("{what} of {bytes} bytes does not exist")]
    Size {
        /// Operation, in words.
        what: &'static str,
        /// Size asked for.
        bytes: u8,
    },
    /// The distance of a short `goto` does not fit 16 bits.
    #[error("goto distance {off} does not fit 16 bits")]
    Distance {
        /// Distance in slots.
        off: i32,
    },
    /// Address spaces other than 0 to 1 and 1 to 0.
    #[error("address space cast from {from} to {to}: only between 0 and 1")]
    AddressSpace {
        /// To.
        to: u16,
        /// From.
        from: u16,
    },
}
