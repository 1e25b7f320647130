//! Cases put to an engine.

use std::fmt;
use std::path::Path;

use super::assembled::Expectation;
use super::case::{Case, CaseError};
use super::engine::{Answer, Engine};

/// Whether a case came out as its file says.
#[derive(Debug)]
pub enum Verdict {
    /// It did.
    Passed,
    /// It did not.
    Failed(Failure),
    /// The file is no case.
    Malformed(CaseError),
}

/// Why a case failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another value.
    #[error("expected {expected:#x} in r0, got {got:#x}")]
    Value {
        /// What the file says.
        expected: u64,
        /// What was there.
        got: u64,
    },
    /// It ran where it should not.
    #[error("expected the error {expected:?}, got {got:#x} in r0")]
    NoError {
        /// What the file says.
        expected: String,
        /// What was in r0.
        got: u64,
    },
    /// It did not run.
    #[error("expected {expected:#x} in r0, got an error: {said}")]
    Error {
        /// What the file says.
        expected: u64,
        /// Why.
        said: String,
    },
    /// It did not run, for another reason.
    #[error("expected the error {expected:?}, got {said:?}")]
    OtherError {
        /// What the file says.
        expected: String,
        /// What was said.
        said: String,
    },
    /// The engine was not asked.
    #[error("not asked: {said}")]
    NotAsked {
        /// Why.
        said: String,
    },
}

/// Holds an answer against what is expected.
pub fn judge(expected: &Expectation, answer: &Answer) -> Verdict {
    let failure = match (expected, answer) {
        (_, Answer::NotAsked(why)) => Failure::NotAsked { said: why.to_string() },
        (Expectation::Value(expected), Answer::Value(got)) if expected == got => return Verdict::Passed,
        (Expectation::Value(expected), Answer::Value(got)) => Failure::Value { expected: *expected, got: *got },
        (Expectation::Error(expected), Answer::Value(got)) => Failure::NoError { expected: expected.clone(), got: *got },
        (Expectation::Value(expected), Answer::Refused(said) | Answer::Stopped(said)) => {
            Failure::Error { expected: *expected, said: said.to_string() }
        }
        (Expectation::Error(expected), Answer::Refused(said) | Answer::Stopped(said)) => {
            let said = said.to_string();
            if expected.is_empty() || *expected == said {
                return Verdict::Passed;
            }
            Failure::OtherError { expected: expected.clone(), said }
        }
    };
    Verdict::Failed(failure)
}

/// One file of a [`Report`].
#[derive(Debug)]
pub struct Row {
    /// Name of the file without its extension.
    pub name: String,
    /// What the engine answered; nothing where the file is no case.
    pub answer: Option<Answer>,
    /// What that means.
    pub verdict: Verdict,
}

/// What an engine made of a folder. Shows as `313 of 313`, with a line for each that failed.
#[derive(Debug)]
pub struct Report {
    /// Name of the engine.
    pub engine: String,
    /// The files, by name.
    pub rows: Vec<Row>,
}

impl Report {
    /// How many came out as their files say.
    pub fn passed(&self) -> usize {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Passed)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {}", self.engine, self.passed(), self.rows.len())?;
        for row in &self.rows {
            match &row.verdict {
                Verdict::Passed => {}
                Verdict::Failed(failure) => write!(f, "\n{}: {failure}", row.name)?,
                Verdict::Malformed(error) => write!(f, "\n{error}")?,
            }
        }
        Ok(())
    }
}

/// Puts every `.data` file of a folder to an engine, by name.
///
/// # Errors
/// Where the folder cannot be read. Files that are no cases are in the report.
pub fn run_folder(folder: &Path, engine: &mut dyn Engine) -> std::io::Result<Report> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "data") {
            paths.push(path);
        }
    }
    paths.sort();
    let rows = paths.iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match Case::read(path) {
            Ok(case) => {
                let answer = engine.run(&case.program, &case.memory);
                let verdict = judge(&case.expected, &answer);
                Row { name, answer: Some(answer), verdict }
            }
            Err(error) => Row { name, answer: None, verdict: Verdict::Malformed(error) },
        }
    });
    let rows = rows.collect();
    Ok(Report { engine: engine.name().to_owned(), rows })
}
