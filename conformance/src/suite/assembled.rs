//! Cases as the suite assembled them: one JSON object a line.

use std::path::Path;

use serde::Deserialize;
use skep_isa::RawInsn;

use crate::hex::{self, HexError};
use crate::lines::{self, LineError};
use crate::{PartialSlot, slots};

/// What must come of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// This is in r0.
    Value(u64),
    /// It does not run to its end, for this reason; any reason where the text is empty.
    Error(String),
}

/// A case with the bytes that the suite's own assembler made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// Name of the case's file.
    pub name: String,
    /// The instructions.
    pub program: Vec<RawInsn>,
    /// Bytes that `r1` points to.
    pub memory: Vec<u8>,
    /// What must come of it.
    pub expected: Expectation,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// It is not the object that must stand here.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A field with bytes.
    #[error("{field}: {error}")]
    Hex {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: HexError,
    },
    /// Instructions that end inside of a slot.
    #[error("program: {0}")]
    Partial(#[from] PartialSlot),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    program: String,
    memory: String,
    result: u64,
    error: String,
}

impl Line {
    fn read(text: &str) -> Result<Assembled, LineProblem> {
        let line: Line = serde_json::from_str(text)?;
        let bytes = |field, text: &str| hex::decode(text).map_err(|error| LineProblem::Hex { field, error });
        let program = slots(&bytes("program", &line.program)?)?;
        let memory = bytes("memory", &line.memory)?;
        let expected = if line.error.is_empty() { Expectation::Value(line.result) } else { Expectation::Error(line.error) };
        Ok(Assembled { name: line.name, program, memory, expected })
    }
}

/// The cases of a file, in its order.
///
/// # Errors
/// With file and line: at once where the file cannot be opened, otherwise in the place of the case.
pub fn read_assembled(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Assembled, LineError<LineProblem>>> + use<>, LineError<LineProblem>> {
    lines::read(path, Line::read)
}
