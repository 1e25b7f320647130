//! *What it is*: eBPF instructions: decode, encode, meaning, assembler, disassembler. RFC 9669 and what Linux has beyond it.
//!
//! *Invariant*: what decodes encodes back to the same bytes; what has a reserved field set does not decode.
//!
//! *Start here*: [`Insn`], the few shapes that every engine switches over.
#![forbid(unsafe_code)]

mod insn;
mod raw;

pub use insn::*;
pub use raw::RawInsn;
