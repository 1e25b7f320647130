//! Readers of a recorded corpus: what the kernel was given, and what it said of it.
//!
//! A corpus is a folder: `objects/SET/` holds compiled objects, `loads/SET.jsonl` the input of every `BPF_PROG_LOAD` made of them, `truth/SET.jsonl`
//! the kernel's verdicts, `btf/` the types that loads name, and those of the kernel itself. A record of both kinds has an `id`:
//! `SET/OBJECT@PROGRAM@INDEX`.
//!
//! Files are read line by line. [`Corpus`] is where to start.

mod load;
mod loads;
mod truth;
mod types;

pub use load::{Absent, Load, LoadProblem};
pub use loads::Loads;
pub use truth::{Truth, TruthProblem, Verdict};
pub use types::{Types, TypesError};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skep_btf::Btf;

use crate::LineError;
use crate::lines;

/// The objects of one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// The verifier's selftests of Linux 6.12.
    Selftests,
    /// Objects of many projects and compilers.
    Samples,
    /// The tools of libbpf-tools.
    LibbpfTools,
}

impl Set {
    /// All of them.
    pub const ALL: [Set; 3] = [Set::Selftests, Set::Samples, Set::LibbpfTools];

    /// Name of its folder and files.
    pub fn name(self) -> &'static str {
        match self {
            Set::Selftests => "selftests-6.12",
            Set::Samples => "ebpf-samples",
            Set::LibbpfTools => "libbpf-tools",
        }
    }
}

/// A corpus on disk.
#[derive(Debug)]
pub struct Corpus {
    root: PathBuf,
    types: Types,
}

impl Corpus {
    /// The corpus in this folder; reads the kernel's types.
    ///
    /// # Errors
    /// [`TypesError`].
    pub fn open(root: &Path) -> Result<Corpus, TypesError> {
        Ok(Corpus { root: root.to_owned(), types: Types::open(&root.join("btf"))? })
    }

    /// The types that loads name.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// The types of the kernel that was asked; the ids in loads are from here.
    pub fn vmlinux(&self) -> &Arc<Btf> {
        self.types.vmlinux()
    }

    /// Where the object of a verdict or a load is.
    pub fn object(&self, set: Set, object: &str) -> PathBuf {
        self.root.join("objects").join(set.name()).join(object)
    }

    /// The verdicts of a set.
    ///
    /// # Errors
    /// With file and line: at once where the file cannot be opened, otherwise in the place of the record.
    pub fn truth(
        &self,
        set: Set,
    ) -> Result<impl Iterator<Item = Result<Truth, LineError<TruthProblem>>> + use<>, LineError<TruthProblem>> {
        Truth::file(&self.file("truth", set))
    }

    /// The loads of a set.
    ///
    /// # Errors
    /// With file and line: at once where the file cannot be opened, otherwise in the place of the record.
    pub fn loads(
        &self,
        set: Set,
    ) -> Result<impl Iterator<Item = Result<Load, LineError<LoadProblem>>> + use<'_>, LineError<LoadProblem>> {
        lines::read(&self.file("loads", set), |text| Load::read(text, &self.types))
    }

    /// The loads of a set, to be read in any order.
    ///
    /// # Errors
    /// With file and line.
    pub fn loads_of(&self, set: Set) -> Result<Loads, LineError<LoadProblem>> {
        Loads::open(&self.file("loads", set))
    }

    fn file(&self, kind: &str, set: Set) -> PathBuf {
        self.root.join(kind).join(format!("{}.jsonl", set.name()))
    }
}
