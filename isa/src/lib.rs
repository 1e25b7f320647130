//! *What it is*: eBPF instructions: decode, encode, meaning, assembler, disassembler. RFC 9669 and what Linux has beyond it.
//!
//! *Invariant*: what decodes encodes back to the same bytes; what has a reserved field set does not decode.
//!
//! *Start here*: [`Insn`], the few shapes that every engine switches over.
#![forbid(unsafe_code)]

pub mod asm;
mod code;
mod decode;
mod disasm;
mod encode;
mod error;
pub mod eval;
mod flow;
mod insn;
mod names;
mod opcode;
mod raw;
mod text;

pub use code::{Code, Slot};
pub use decode::decode;
pub use disasm::{Display, Listing, disassemble};
pub use encode::Encoded;
pub use error::{DecodeError, EncodeError, Field};
pub use flow::TargetError;
pub use insn::*;
pub use names::{Names, NoNames};
pub use raw::RawInsn;
