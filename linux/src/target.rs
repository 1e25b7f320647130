//! The kernel that a program is meant for.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_btf::Btf;

/// A kernel release, `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// 6 in 6.18.
    pub major: u16,
    /// 18 in 6.18.
    pub minor: u16,
}

impl Release {
    /// The release `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Release {
        Release { major, minor }
    }
}

/// The machine the kernel runs on: it decides the shape of `pt_regs` and what BTF says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// The kernel that a program is meant for: what it has, not what it is called.
#[derive(Debug, Clone)]
pub struct Target {
    /// Decides which rows apply.
    pub release: Release,
    /// The machine.
    pub arch: Arch,
    /// The kernel's own types; `None` where no CO-RE relocation, kfunc or BTF pointer can be resolved.
    pub btf: Option<Arc<Btf>>,
    /// Values of `CONFIG_*` as `.kconfig` externs see them (`y`, `n`, `m`, number, or string).
    pub kconfig: BTreeMap<String, String>,
}

impl Target {
    /// A kernel of this release on this machine, of whose types and configuration nothing is known.
    pub const fn new(release: Release, arch: Arch) -> Target {
        Target { release, arch, btf: None, kconfig: BTreeMap::new() }
    }
}
