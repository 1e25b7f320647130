//! A file of loads, to be read in any order: by several threads, or a few of many.

use std::path::{Path, PathBuf};

use super::{Load, LoadProblem, Types};
use crate::LineError;
use crate::lines;

/// The lines of a file of loads. Each is read when it is asked for.
#[derive(Debug)]
pub struct Loads {
    path: PathBuf,
    /// With their numbers from 1.
    lines: Vec<(usize, String)>,
}

impl Loads {
    /// The lines of this file.
    ///
    /// # Errors
    /// With file and line.
    pub fn open(path: &Path) -> Result<Loads, LineError<LoadProblem>> {
        let texts = lines::read(path, |text| Ok::<_, LoadProblem>(text.to_owned()))?;
        let mut lines = Vec::new();
        for (index, text) in texts.enumerate() {
            let text = text?;
            if !text.trim().is_empty() {
                lines.push((index + 1, text));
            }
        }
        Ok(Loads { path: path.to_owned(), lines })
    }

    /// Keeps those whose id has this in it; lines without an id stay, to be told of.
    pub fn retain(&mut self, part: &str) {
        // What is not in the line is not in its id; that is quicker to see than the id.
        self.lines.retain(|(_, text)| text.contains(part) && Load::id_of(text).is_none_or(|id| id.contains(part)));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The id in the line at an index; empty where there is none.
    ///
    /// # Panics
    /// An index that is not below [`Loads::len`].
    pub fn id(&self, index: usize) -> String {
        Load::id_of(&self.lines[index].1).unwrap_or_default()
    }

    /// The load at an index.
    ///
    /// # Errors
    /// With file and line.
    ///
    /// # Panics
    /// An index that is not below [`Loads::len`].
    pub fn get(&self, index: usize, types: &Types) -> Result<Load, LineError<LoadProblem>> {
        let (line, text) = &self.lines[index];
        Load::read(text, types).map_err(|problem| LineError { path: self.path.clone(), line: *line, problem })
    }
}
