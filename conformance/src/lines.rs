//! Files of one record a line.

use std::fmt::{Debug, Display};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A line that is no record.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {problem}", path.display())]
pub struct LineError<P: Debug + Display> {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: P,
}

/// The records of a file in its order, read line by line.
///
/// # Errors
/// At once where the file cannot be opened; otherwise in the place of the record.
pub(crate) fn read<T, P, F>(
    path: &Path,
    parse: F,
) -> Result<impl Iterator<Item = Result<T, LineError<P>>> + use<T, P, F>, LineError<P>>
where
    P: Debug + Display + From<io::Error>,
    F: Fn(&str) -> Result<T, P>,
{
    let path = path.to_owned();
    let file = File::open(&path).map_err(|error| LineError { path: path.clone(), line: 1, problem: error.into() })?;
    let lines = BufReader::new(file).lines().enumerate();
    Ok(lines.map(move |(index, text)| {
        let record = text.map_err(P::from).and_then(|text| parse(&text));
        record.map_err(|problem| LineError { path: path.clone(), line: index + 1, problem })
    }))
}
