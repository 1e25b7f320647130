//! The kernel of this machine, as a target.

use std::path::Path;
use std::sync::Arc;

use skep_btf::{Btf, BtfError};
use skep_linux::{Arch, ReleaseError, Target, Version};

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
    #[error(transparent)]
    Release(#[from] ReleaseError),
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

/// The kernel that runs here: its version, its types if it shows them (`/sys/kernel/btf/vmlinux`), without its configuration.
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
    let version: Version = text.parse()?;
    let target = Target::new(version.release, arch).with_kconfig("LINUX_KERNEL_VERSION", &version.code().to_string());
    // `0-7`: the last of them.
    let possible = std::fs::read_to_string("/sys/devices/system/cpu/possible").ok();
    let last = possible.and_then(|range| range.trim().rsplit(['-', ',']).next()?.parse::<u32>().ok());
    let target = match last.and_then(|last| last.checked_add(1)) {
        Some(cpus) => target.with_cpus(cpus),
        None => target,
    };
    Ok(if Path::new(BTF).exists() { target.with_btf(btf(BTF)?) } else { target })
}

/// A kernel's types from a file: of `/sys/kernel/btf/vmlinux` or a copy of it.
///
/// # Errors
/// A file that cannot be read, or that is no BTF.
pub fn btf(path: &str) -> Result<Arc<Btf>, HostError> {
    let parsed = Btf::parse_shared(read(path)?.into()).map_err(|error| HostError::Btf { path: path.to_owned(), error })?;
    Ok(Arc::new(parsed))
}
