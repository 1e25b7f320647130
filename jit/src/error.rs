//! Why a program cannot be compiled.

use skep_isa::{DecodeError, TargetError};

/// Why a program cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A slot that is reached holds no instruction.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A jump, call or callback leads to no instruction.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The facts are not about this program.
    #[error("facts of {facts} instructions for a program of {slots} slots")]
    Facts {
        /// Slots that the facts are about.
        facts: usize,
        /// Slots of the program.
        slots: usize,
    },
    /// An instruction that compiled programs do not have.
    #[error("instruction {slot}: {what}: not compiled")]
    Unsupported {
        /// Its slot.
        slot: usize,
        /// What it is.
        what: &'static str,
    },
    /// The code does not fit the displacements of the machine.
    #[error("the machine code is too long: {bytes} bytes")]
    TooLong {
        /// Its length.
        bytes: u64,
    },
}
