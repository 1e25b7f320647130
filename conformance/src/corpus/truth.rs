//! What the kernel said of a program.

use std::path::Path;

use serde::Deserialize;

use crate::LineError;
use crate::lines;

/// What the kernel answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The verifier took it.
    Accept,
    /// The verifier refused it.
    Reject,
    /// It did not come to the verifier: [`Truth::reason`] says where it stopped.
    Noload,
}

/// One line of a `truth` file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// `SET/OBJECT@PROGRAM@INDEX`.
    pub id: String,
    /// Path of the object in its set.
    pub object: String,
    /// ELF section of the program; nothing where the object could not be opened.
    #[serde(rename = "sec")]
    pub section: Option<String>,
    /// Name of the program.
    #[serde(rename = "prog")]
    pub program: Option<String>,
    /// Its index in the object.
    #[serde(rename = "idx")]
    pub index: Option<u32>,
    /// Number of its type.
    pub prog_type: Option<u32>,
    /// 1: the section names no type, which was guessed.
    #[serde(rename = "type_guessed")]
    guessed: Option<u8>,
    /// Number of its attach type.
    pub attach_type: Option<u32>,
    /// Slots of the program.
    pub prog_insns: Option<u32>,
    /// The verdict.
    pub verdict: Verdict,
    /// Where it stopped before the verifier, such as `open:btf` or `map_create`; otherwise empty.
    pub reason: String,
    /// `errno`; 0 for programs that were taken.
    pub errno: u32,
    /// Instructions that the verifier processed.
    #[serde(rename = "insns")]
    pub processed: Option<u64>,
    /// States it kept.
    pub total_states: Option<u64>,
    /// States it kept at one time.
    pub peak_states: Option<u64>,
    /// States it kept for one instruction.
    pub max_states_per_insn: Option<u64>,
    /// Bytes of stack by function, such as `88+72`.
    pub stack_depth: Option<String>,
    /// Microseconds in the verifier.
    #[serde(rename = "us")]
    pub micros: Option<u64>,
    /// The last lines of its log, where it refused.
    #[serde(rename = "err")]
    pub message: Option<String>,
    /// Of selftests: 1 expects success, -1 a refusal, 0 says nothing.
    pub expect: Option<i8>,
    /// Of selftests: the declaration tags that say what to expect.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Of selftests: `errno` where the flags that the test asks for are left out.
    pub errno_without_test_flags: Option<u32>,
    /// Of selftests that are run: what they must return, a number or a word such as `POINTER_VALUE`.
    pub retval_expected: Option<String>,
    /// Of selftests that were run: what they returned.
    pub retval: Option<i64>,
    /// The input of the load is among the `loads`.
    pub has_load: bool,
}

impl Truth {
    /// The verdicts in a file.
    ///
    /// # Errors
    /// With file and line: at once where the file cannot be opened, otherwise in the place of the record.
    pub fn file(
        path: &Path,
    ) -> Result<impl Iterator<Item = Result<Truth, LineError<TruthProblem>>> + use<>, LineError<TruthProblem>> {
        lines::read(path, Truth::read)
    }

    fn read(text: &str) -> Result<Truth, TruthProblem> {
        Ok(serde_json::from_str(text)?)
    }

    /// Whether the section names no program type, so that it was guessed.
    pub fn type_guessed(&self) -> bool {
        self.guessed.is_some_and(|guessed| guessed != 0)
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum TruthProblem {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// It is not the object that must stand here.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}
