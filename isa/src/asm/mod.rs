//! Assemblers: text to slots, with the place of every error.
//!
//! [`kernel`] reads the notation that the disassembler writes. [`conformance`] reads the dialect of the bpf_conformance suite.

mod cursor;
mod program;

pub mod conformance;
pub mod kernel;

use crate::EncodeError;

/// An error in assembler text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct AsmError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with assembler text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else must stand here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What, in words.
        expected: &'static str,
        /// The text from here, shortened.
        found: String,
    },
    /// No instruction has this name.
    #[error("unknown instruction {name:?}")]
    Mnemonic {
        /// The name.
        name: String,
    },
    /// The instruction has a name, but not with these operands.
    #[error("{name}: expected {expected} operands, found {found}")]
    Operands {
        /// The instruction.
        name: String,
        /// How many operands it takes.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// Not r0 to r10.
    #[error("no register {name:?}: there are r0 to r10")]
    Register {
        /// The name.
        name: String,
    },
    /// A number that does not fit.
    #[error("{text} does not fit {bits} bits")]
    Range {
        /// The number as written.
        text: String,
        /// Width of the field.
        bits: u8,
    },
    /// A label that is defined nowhere.
    #[error("no label {name:?}")]
    Label {
        /// The label.
        name: String,
    },
    /// A label that is defined twice.
    #[error("label {name:?} is already on line {first}")]
    Duplicate {
        /// The label.
        name: String,
        /// Line of the first definition.
        first: usize,
    },
    /// A label too far for the field that holds the distance.
    #[error("label {name:?} is {distance} slots away, which does not fit 16 bits")]
    Far {
        /// The label.
        name: String,
        /// Distance in slots.
        distance: i64,
    },
    /// A name in a call that nobody knows.
    #[error("no function {name:?}")]
    Function {
        /// The name.
        name: String,
    },
    /// Two registers that must be the same.
    #[error("{what} works on one register, found {first} and {second}")]
    SameRegister {
        /// The operation, in words.
        what: &'static str,
        /// As written.
        first: String,
        /// As written.
        second: String,
    },
    /// A slot number at the beginning of the line that is not the slot of the instruction.
    #[error("the line is numbered {number}, the instruction is in slot {slot}")]
    Numbering {
        /// As written.
        number: u64,
        /// Slots so far.
        slot: usize,
    },
    /// An opcode at the beginning of the line that is not the opcode of the instruction.
    #[error("the line has opcode ({given:02x}), the instruction is ({actual:02x})")]
    Opcode {
        /// As written.
        given: u8,
        /// As encoded.
        actual: u8,
    },
    /// The instruction reads well and has no encoding.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// No instruction in the text.
    #[error("no instructions")]
    Empty,
}
