//! One file of the suite.
//!
//! A line `-- NAME` begins a section; `#` begins a comment. `asm` holds text of the suite's dialect, `raw` slots as numbers
//! (`0x0000000000000095`) or bytes (`95 00 ...`), `mem` bytes, `result` what r0 must be, `error` what must be said instead.

use std::path::{Path, PathBuf};

use skep_isa::RawInsn;
use skep_isa::asm::{self, AsmError};

use super::assembled::Expectation;
use crate::hex::{self, HexError};
use crate::{PartialSlot, slots};

/// A case as its file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Name of the file without its extension.
    pub name: String,
    /// The instructions: those of the `raw` section where there is one, otherwise the assembled text.
    pub program: Vec<RawInsn>,
    /// The assembled text where there is `raw` too: both say the same if the file is right.
    pub assembled: Option<Vec<RawInsn>>,
    /// Bytes that `r1` points to; where there are none, there is no memory.
    pub memory: Vec<u8>,
    /// What must come of it.
    pub expected: Expectation,
}

/// Sections of a file that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Section {
    Asm,
    Raw,
    Mem,
    Result,
    Error,
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Section::Asm => "asm",
            Section::Raw => "raw",
            Section::Mem => "mem",
            Section::Result => "result",
            Section::Error => "error",
        })
    }
}

/// A file that is no case.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {problem}", path.display())]
pub struct CaseError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: CaseProblem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum CaseProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// A section that the format does not know.
    #[error("unknown section {name:?}")]
    UnknownSection {
        /// Its name.
        name: String,
    },
    /// A section that was there before.
    #[error("a second section {section}")]
    Twice {
        /// Its name.
        section: Section,
    },
    /// Text outside of a section.
    #[error("{text:?} is in no section")]
    Outside {
        /// The line.
        text: String,
    },
    /// The assembler refuses the text.
    #[error("column {}: {}", .0.column, .0.problem)]
    Asm(AsmError),
    /// A word of the `raw` section that is neither a slot nor bytes.
    #[error("{text:?} is neither a slot (0x and 16 digits) nor bytes in hexadecimal")]
    Slot {
        /// The word.
        text: String,
    },
    /// The bytes of the `raw` section.
    #[error(transparent)]
    Partial(#[from] PartialSlot),
    /// A line of the `mem` section.
    #[error(transparent)]
    Hex(#[from] HexError),
    /// A result that is no number of 64 bits.
    #[error("{text:?} is no number of 64 bits")]
    Number {
        /// As written.
        text: String,
    },
    /// Neither `asm` nor `raw`, or nothing in them.
    #[error("no instructions")]
    NoProgram,
    /// Neither `result` nor `error`.
    #[error("neither a result nor an error is expected")]
    NoExpectation,
}

/// A section with the lines in it, numbered from 1.
struct Body<'a> {
    section: Section,
    lines: Vec<(usize, &'a str)>,
}

/// Sections that are for people: C source, and a title over free text.
const FOR_PEOPLE: [&str; 2] = ["c", "no register offset"];

type Problem = (usize, CaseProblem);

impl Case {
    /// Reads a file.
    ///
    /// # Errors
    /// [`CaseError`], with file and line.
    pub fn read(path: &Path) -> Result<Case, CaseError> {
        let fail = |(line, problem)| CaseError { path: path.to_owned(), line, problem };
        let text = std::fs::read_to_string(path).map_err(|error| fail((1, error.into())))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Case::parse(&name, &text).map_err(fail)
    }

    /// Reads the text of a file; errors are by line.
    ///
    /// # Errors
    /// Line, from 1, and [`CaseProblem`].
    pub fn parse(name: &str, text: &str) -> Result<Case, (usize, CaseProblem)> {
        let bodies = sections(text)?;
        let last = text.lines().count().max(1);
        let body = |section| bodies.iter().find(|body| body.section == section);
        let assembled = body(Section::Asm).map(assemble).transpose()?;
        let raw = body(Section::Raw).map(raw_slots).transpose()?;
        let (program, assembled) = match (raw, assembled) {
            (Some(raw), assembled) => (raw, assembled),
            (None, Some(assembled)) => (assembled, None),
            (None, None) => return Err((last, CaseProblem::NoProgram)),
        };
        let memory = body(Section::Mem).map(bytes).transpose()?.unwrap_or_default();
        let result = body(Section::Result).map(result).transpose()?.flatten();
        let error = body(Section::Error).map(|body| body.lines.last().map_or("", |(_, line)| line).to_owned());
        let expected = match (result, error) {
            (_, Some(error)) => Expectation::Error(error),
            (Some(result), None) => Expectation::Value(result),
            (None, None) => return Err((last, CaseProblem::NoExpectation)),
        };
        Ok(Case { name: name.to_owned(), program, assembled, memory, expected })
    }
}

fn sections(text: &str) -> Result<Vec<Body<'_>>, Problem> {
    let mut bodies: Vec<Body<'_>> = Vec::new();
    // Whether the lines that come belong to the last of the bodies, to nobody, or may not be there.
    let mut reading = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix("--") {
            let name = name.trim();
            if FOR_PEOPLE.contains(&name) {
                reading = Some(false);
                continue;
            }
            let all = [Section::Asm, Section::Raw, Section::Mem, Section::Result, Section::Error];
            let section = all.into_iter().find(|section| section.to_string() == name);
            let section = section.ok_or_else(|| (number, CaseProblem::UnknownSection { name: name.to_owned() }))?;
            if bodies.iter().any(|body| body.section == section) {
                return Err((number, CaseProblem::Twice { section }));
            }
            bodies.push(Body { section, lines: Vec::new() });
            reading = Some(true);
        } else if !line.is_empty() {
            match (reading, bodies.last_mut()) {
                (Some(true), Some(body)) => body.lines.push((number, line)),
                (Some(false), _) => {}
                (Some(true) | None, _) => return Err((number, CaseProblem::Outside { text: line.to_owned() })),
            }
        }
    }
    Ok(bodies)
}

/// The assembler's lines are those of the file: what is not in the section is empty.
fn assemble(body: &Body<'_>) -> Result<Vec<RawInsn>, Problem> {
    let mut text = String::new();
    let mut at = 1;
    for (number, line) in &body.lines {
        text.extend(std::iter::repeat_n('\n', number - at));
        at = *number;
        text.push_str(line);
    }
    asm::conformance::assemble(&text).map_err(|error| (error.line, CaseProblem::Asm(error)))
}

fn raw_slots(body: &Body<'_>) -> Result<Vec<RawInsn>, Problem> {
    let mut out = Vec::new();
    let mut last = 1;
    for (number, line) in &body.lines {
        last = *number;
        for word in line.split_whitespace() {
            let bad = || (*number, CaseProblem::Slot { text: word.to_owned() });
            match word.strip_prefix("0x") {
                Some(digits) => out.extend(u64::from_str_radix(digits, 16).map_err(|_| bad())?.to_le_bytes()),
                None => out.extend(hex::decode(word).map_err(|_| bad())?),
            }
        }
    }
    let program = slots(&out).map_err(|error| (last, error.into()))?;
    if program.is_empty() { Err((last, CaseProblem::NoProgram)) } else { Ok(program) }
}

fn bytes(body: &Body<'_>) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    for (number, line) in &body.lines {
        out.extend(hex::decode(line).map_err(|error| (*number, error.into()))?);
    }
    Ok(out)
}

/// The last line of the section: hexadecimal with `0x`, otherwise decimal.
fn result(body: &Body<'_>) -> Result<Option<u64>, Problem> {
    let Some((number, text)) = body.lines.last() else { return Ok(None) };
    let value = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    value.map(Some).map_err(|_| (*number, CaseProblem::Number { text: (*text).to_owned() }))
}
