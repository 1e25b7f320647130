//! The kernel of this machine, as a target.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use skep_btf::{Btf, BtfError};
use skep_linux::{Arch, Release, Target};

/// Why the kernel of this machine cannot be a target.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file that cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A release that is no Linux release.
    #[error("`{0}` is no release of Linux")]
    Release(String),
    /// Types that are no BTF.
    #[error("{path}: {error}")]
    Btf {
        /// The file.
        path: String,
        /// Why.
        error: BtfError,
    },
    /// A machine that skep does not know.
    #[error("{0} is not a machine that skep knows")]
    Arch(&'static str),
}

fn read(path: &str) -> Result<Vec<u8>, HostError> {
    std::fs::read(path).map_err(|error| HostError::Read { path: path.to_owned(), error })
}

/// The kernel that runs here: its release, its types if it shows them (`/sys/kernel/btf/vmlinux`), without its configuration.
///
/// # Errors
/// A machine that is not Linux, or types that cannot be read.
pub fn host() -> Result<Target, HostError> {
    const BTF: &str = "/sys/kernel/btf/vmlinux";
    let arch = match std::env::consts::ARCH {
        "x86_64" => Arch::X86_64,
        "aarch64" => Arch::Aarch64,
        other => return Err(HostError::Arch(other)),
    };
    let text = String::from_utf8_lossy(&read("/proc/sys/kernel/osrelease")?).trim().to_owned();
    let release = release(&text).ok_or(HostError::Release(text))?;
    let btf = match Path::new(BTF).exists() {
        true => Some(btf(BTF)?),
        false => None,
    };
    Ok(Target { release, arch, btf, kconfig: BTreeMap::new() })
}

/// A kernel's types from a file: of `/sys/kernel/btf/vmlinux` or a copy of it.
///
/// # Errors
/// A file that cannot be read, or that is no BTF.
pub fn btf(path: &str) -> Result<Arc<Btf>, HostError> {
    let parsed = Btf::parse_shared(read(path)?.into()).map_err(|error| HostError::Btf { path: path.to_owned(), error })?;
    Ok(Arc::new(parsed))
}

/// `6.18` of `6.18.44-generic`.
fn release(text: &str) -> Option<Release> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some(Release::new(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_its_first_two_numbers() {
        assert_eq!(release("6.18.44-fc-v595"), Some(Release::new(6, 18)));
        assert_eq!(release("5.4"), Some(Release::new(5, 4)));
        assert_eq!(release("mainline"), None);
        assert_eq!(release("6"), None);
    }
}
