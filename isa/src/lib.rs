//! *What it is*: eBPF instructions: decode, encode, meaning, assembler, disassembler. RFC 9669 and what Linux has beyond it.
//!
//! *Invariant*: what decodes encodes back to the same bytes; what has a reserved field set does not decode.
//!
//! *Start here*: [`Insn`], the few shapes that every engine switches over.
#![forbid(unsafe_code)]

mod code;
mod decode;
mod encode;
mod error;
pub mod eval;
mod flow;
mod insn;
mod opcode;
mod raw;

pub use code::{Code, Slot};
pub use decode::decode;
pub use encode::Encoded;
pub use error::{DecodeError, EncodeError, Field};
pub use flow::TargetError;
pub use insn::*;
pub use raw::RawInsn;
