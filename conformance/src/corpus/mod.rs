//! Readers of a recorded corpus: what the kernel was given, and what it said of it.
//!
//! A corpus is a folder: `objects/SET/` holds compiled objects, `loads/SET.jsonl` the input of every `BPF_PROG_LOAD` made of them, `truth/SET.jsonl`
//! the kernel's verdicts, `btf/` the types that loads name, and those of the kernel itself. A record of both kinds has an `id`:
//! `SET/OBJECT@PROGRAM@INDEX`.
//!
//! Files are read line by line. [`Corpus`] is where to start.

mod load;
mod truth;

pub use load::{Absent, Load, LoadProblem};
pub use truth::{Truth, TruthProblem, Verdict};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use skep_btf::{Btf, BtfError};

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

/// Why the types of a corpus cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TypesError {
    /// A file that cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file that is no BTF.
    #[error("{}: {error}", path.display())]
    Btf {
        /// The file.
        path: PathBuf,
        /// Why.
        error: BtfError,
    },
}

/// A corpus on disk. Types are read once and shared.
#[derive(Debug)]
pub struct Corpus {
    root: PathBuf,
    vmlinux: Arc<Btf>,
    types: Mutex<HashMap<String, Arc<Btf>>>,
}

/// The kernel's own types.
const VMLINUX: &str = "vmlinux-6.18.44";

impl Corpus {
    /// The corpus in this folder; reads the kernel's types.
    ///
    /// # Errors
    /// [`TypesError`].
    pub fn open(root: &Path) -> Result<Corpus, TypesError> {
        let vmlinux = read_btf(&btf_path(root, VMLINUX))?;
        Ok(Corpus { root: root.to_owned(), vmlinux, types: Mutex::default() })
    }

    /// The types of the kernel that was asked; the ids in loads are from here.
    pub fn vmlinux(&self) -> &Arc<Btf> {
        &self.vmlinux
    }

    /// Types that a load names.
    ///
    /// # Errors
    /// [`TypesError`].
    pub fn btf(&self, name: &str) -> Result<Arc<Btf>, TypesError> {
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(btf) = types.get(name) {
            return Ok(btf.clone());
        }
        let btf = read_btf(&btf_path(&self.root, name))?;
        types.insert(name.to_owned(), btf.clone());
        Ok(btf)
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
        lines::read(&self.file("truth", set), Truth::read)
    }

    /// The loads of a set.
    ///
    /// # Errors
    /// With file and line: at once where the file cannot be opened, otherwise in the place of the record.
    pub fn loads(
        &self,
        set: Set,
    ) -> Result<impl Iterator<Item = Result<Load, LineError<LoadProblem>>> + use<'_>, LineError<LoadProblem>> {
        lines::read(&self.file("loads", set), |text| Load::read(text, self))
    }

    fn file(&self, kind: &str, set: Set) -> PathBuf {
        self.root.join(kind).join(format!("{}.jsonl", set.name()))
    }
}

fn btf_path(root: &Path, name: &str) -> PathBuf {
    root.join("btf").join(format!("{name}.btf"))
}

fn read_btf(path: &Path) -> Result<Arc<Btf>, TypesError> {
    let bytes = std::fs::read(path).map_err(|error| TypesError::Read { path: path.to_owned(), error })?;
    let btf = Btf::parse_shared(bytes.into()).map_err(|error| TypesError::Btf { path: path.to_owned(), error })?;
    Ok(Arc::new(btf))
}
