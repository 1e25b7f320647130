//! The types that loads name, and those of the kernel that was asked.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use skep_btf::{Btf, BtfError};
use skep_linux::{Arch, Release, ReleaseError, Target};

/// CPUs of the machine that the verdicts were recorded on.
const RECORDED_CPUS: u32 = 2;

/// Why the types of a corpus cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TypesError {
    /// A file or a folder that cannot be read.
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
    /// The types of the kernel are in a file `vmlinux-RELEASE.btf`, of which there must be one.
    #[error("{}: one file vmlinux-RELEASE.btf must be here; there are {found}", folder.display())]
    Vmlinux {
        /// The folder.
        folder: PathBuf,
        /// How many there are.
        found: usize,
    },
    /// What stands for the release in that name.
    #[error("{}: {error}", path.display())]
    Release {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ReleaseError,
    },
}

/// A folder of BTF. Files are read once and shared.
#[derive(Debug)]
pub struct Types {
    folder: PathBuf,
    vmlinux: Arc<Btf>,
    release: Release,
    read: Mutex<HashMap<String, Arc<Btf>>>,
}

const PREFIX: &str = "vmlinux-";
const SUFFIX: &str = ".btf";

impl Types {
    /// The types in this folder; reads those of the kernel.
    ///
    /// # Errors
    /// [`TypesError`].
    pub fn open(folder: &Path) -> Result<Types, TypesError> {
        let failed = |error| TypesError::Read { path: folder.to_owned(), error };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(release) = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)) {
                found.push((path, release.to_owned()));
            }
        }
        let [(path, release)] = found.as_slice() else {
            return Err(TypesError::Vmlinux { folder: folder.to_owned(), found: found.len() });
        };
        let release = release.parse().map_err(|error| TypesError::Release { path: path.clone(), error })?;
        Ok(Types { folder: folder.to_owned(), vmlinux: read(path)?, release, read: Mutex::default() })
    }

    /// The types of the kernel that was asked; the ids in loads are from here.
    pub fn vmlinux(&self) -> &Arc<Btf> {
        &self.vmlinux
    }

    /// The kernel that was asked. Its configuration is not known, and no load needs it.
    pub fn target(&self) -> Target {
        Target::new(self.release, Arch::X86_64).with_cpus(RECORDED_CPUS).with_btf(self.vmlinux.clone())
    }

    /// Types that a load names.
    ///
    /// # Errors
    /// [`TypesError`].
    pub fn btf(&self, name: &str) -> Result<Arc<Btf>, TypesError> {
        let mut types = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(btf) = types.get(name) {
            return Ok(btf.clone());
        }
        let btf = read(&self.folder.join(format!("{name}{SUFFIX}")))?;
        types.insert(name.to_owned(), btf.clone());
        Ok(btf)
    }
}

fn read(path: &Path) -> Result<Arc<Btf>, TypesError> {
    let bytes = std::fs::read(path).map_err(|error| TypesError::Read { path: path.to_owned(), error })?;
    let btf = Btf::parse_shared(bytes.into()).map_err(|error| TypesError::Btf { path: path.to_owned(), error })?;
    Ok(Arc::new(btf))
}
