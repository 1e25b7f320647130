//! The kernel that a program is meant for.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_btf::Btf;

use crate::features::Feature;
use crate::recorded::{self, Row};

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

    /// Whether it is `other` or came before it.
    pub const fn at_most(self, other: Release) -> bool {
        self.major < other.major || self.major == other.major && self.minor <= other.minor
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no kernel release: it begins with a major and a minor number, such as 6.18")]
pub struct ReleaseError {
    /// The text.
    pub text: String,
}

impl std::str::FromStr for Release {
    type Err = ReleaseError;

    /// Reads `6.18`, or what `uname -r` says: `6.18.44-foo`.
    fn from_str(text: &str) -> Result<Release, ReleaseError> {
        Version::from_str(text).map(|version| version.release)
    }
}

/// A release with the number of its stable update, as `LINUX_VERSION_CODE` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 6.18 in 6.18.44.
    pub release: Release,
    /// 44 in 6.18.44.
    pub patch: u32,
}

impl Version {
    /// The number that `LINUX_KERNEL_VERSION` externs have and that old kernels wanted in the `version` of kprobe programs: a
    /// byte for each number, where an update beyond 255 counts as 255.
    pub const fn code(self) -> u32 {
        let patch = if self.patch > 255 { 255 } else { self.patch };
        ((self.release.major as u32) << 16) + ((self.release.minor as u32) << 8) + patch
    }
}

impl std::str::FromStr for Version {
    type Err = ReleaseError;

    /// Reads `6.18` (update 0), or what `uname -r` says: `6.18.44-foo`.
    fn from_str(text: &str) -> Result<Version, ReleaseError> {
        let wrong = || ReleaseError { text: text.to_string() };
        let mut rest = text;
        let mut number = |dot: bool| -> Option<u32> {
            let after = if dot { rest.strip_prefix('.')? } else { rest };
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            rest = &after[digits..];
            after[..digits].parse().ok()
        };
        let major = number(false).and_then(|n| u16::try_from(n).ok()).ok_or_else(wrong)?;
        let minor = number(true).and_then(|n| u16::try_from(n).ok()).ok_or_else(wrong)?;
        let patch = number(true).unwrap_or(0);
        if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Err(wrong());
        }
        Ok(Version { release: Release::new(major, minor), patch })
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

impl Arch {
    /// The name that the kernel gives the machine, as `uname -m` does.
    pub const fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// The kernel guards loads that the processor runs ahead of older stores; elsewhere the firmware does.
    pub const fn guards_old_values(self) -> bool {
        match self {
            Arch::X86_64 => true,
            Arch::Aarch64 => false,
        }
    }

    /// The registers that hold a function's arguments, first to last, by their names in `pt_regs`.
    pub const fn argument_registers(self) -> &'static [&'static str] {
        match self {
            Arch::X86_64 => &["di", "si", "dx", "cx", "r8", "r9"],
            Arch::Aarch64 => &["regs[0]", "regs[1]", "regs[2]", "regs[3]", "regs[4]", "regs[5]", "regs[6]", "regs[7]"],
        }
    }

    /// The register that holds what a function returns, by its name in `pt_regs`.
    pub const fn result_register(self) -> &'static str {
        match self {
            Arch::X86_64 => "ax",
            Arch::Aarch64 => "regs[0]",
        }
    }

    /// The machine that this program was built for; x86-64 if it is none of those here.
    pub const fn host() -> Arch {
        if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The kernel that a program is meant for: what it has, not what it is called.
#[derive(Debug, Clone)]
pub struct Target {
    /// Decides which rows apply.
    pub release: Release,
    /// The machine.
    pub arch: Arch,
    /// CPUs that the machine may have; `None`: as many as the kernel was built for.
    pub cpus: Option<u32>,
    types: Types,
    /// What was set by hand; for the rest, the recorded kernel is asked.
    kconfig: BTreeMap<String, String>,
    recorded: Option<&'static Row>,
}

/// The kernel's own types.
#[derive(Debug, Clone)]
enum Types {
    None,
    Given(Arc<Btf>),
    /// Those of the recorded kernel. They are unpacked when they are asked for: most small programs never ask.
    Recorded,
}

impl Target {
    /// A kernel of this release on this machine, of whose types and configuration nothing is known.
    pub const fn new(release: Release, arch: Arch) -> Target {
        Target { release, arch, cpus: None, types: Types::None, kconfig: BTreeMap::new(), recorded: None }
    }

    /// A kernel of this release on this machine, with the types, the configuration and the version of the one that is recorded
    /// for them; without, where none is. Types and configuration are unpacked when they are first asked for.
    pub fn of(release: Release, arch: Arch) -> Target {
        let recorded = recorded::row(release, arch);
        let types = if recorded.is_some() { Types::Recorded } else { Types::None };
        Target { types, recorded, ..Target::new(release, arch) }
    }

    /// The kernel's own types; `None` where no CO-RE relocation, kfunc or BTF pointer can be resolved.
    ///
    /// # Panics
    /// Where skep itself is damaged: a recording that is part of it cannot be read.
    pub fn btf(&self) -> Option<&Arc<Btf>> {
        match &self.types {
            Types::None => None,
            Types::Given(btf) => Some(btf),
            Types::Recorded => Some(self.recorded?.types()),
        }
    }

    /// Whether the kernel's own types are known; does not unpack them.
    pub const fn has_btf(&self) -> bool {
        !matches!(self.types, Types::None)
    }

    /// A value of `CONFIG_*` as `.kconfig` externs see it (`y`, `n`, `m`, number, or string).
    ///
    /// # Panics
    /// As [`Target::btf`].
    pub fn config(&self, name: &str) -> Option<&str> {
        let given = self.kconfig.get(name);
        given.or_else(|| self.recorded?.config().get(name)).map(String::as_str)
    }

    /// The same kernel on a machine that may have so many CPUs.
    pub fn with_cpus(self, cpus: u32) -> Target {
        Target { cpus: Some(cpus), ..self }
    }

    /// CPUs that the machine may have.
    ///
    /// # Panics
    /// As [`Target::btf`].
    pub fn possible_cpus(&self) -> u32 {
        const MOST: u32 = 8192;
        let built_for = || self.config("CONFIG_NR_CPUS").and_then(|cpus| cpus.parse().ok());
        self.cpus.or_else(built_for).unwrap_or(MOST)
    }

    /// The same kernel with these types.
    pub fn with_btf(self, btf: Arc<Btf>) -> Target {
        Target { types: Types::Given(btf), ..self }
    }

    /// The same kernel, of whose types nothing is known.
    pub fn without_btf(self) -> Target {
        Target { types: Types::None, ..self }
    }

    /// The same kernel with this value of a `.kconfig` extern.
    pub fn with_kconfig(mut self, name: &str, value: &str) -> Target {
        self.kconfig.insert(name.to_string(), value.to_string());
        self
    }

    /// The value of `LINUX_KERNEL_VERSION`: one that was set, or that of the recorded kernel, or else that of the release without updates.
    pub fn version_code(&self) -> u32 {
        let given = self.kconfig.get("LINUX_KERNEL_VERSION").and_then(|value| value.parse().ok());
        let version = self.recorded.map_or(Version { release: self.release, patch: 0 }, |row| row.version);
        given.unwrap_or(version.code())
    }

    /// Whether the kernel has what came with release `since`.
    pub const fn since(&self, since: Release) -> bool {
        since.at_most(self.release)
    }

    /// Whether the verifier of this kernel behaves so.
    pub const fn has(&self, feature: &Feature) -> bool {
        feature.in_release(self.release)
    }
}

/// The `CONFIG_*` lines of a kernel configuration, quotes taken off strings.
pub fn kconfig(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.trim().split_once('='));
    let values = lines.filter(|(name, _)| name.starts_with("CONFIG_"));
    values.map(|(name, value)| (name.to_string(), value.trim_matches('"').to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_versions() {
        for (text, major, minor, patch) in [
            ("6.18", 6, 18, 0),
            ("6.18.44-foo", 6, 18, 44),
            ("5.15.0-91-generic", 5, 15, 0),
            ("6.19-rc3", 6, 19, 0),
            ("4.9.337", 4, 9, 337),
        ] {
            let version: Version = text.parse().unwrap();
            assert_eq!(version, Version { release: Release::new(major, minor), patch }, "{text}");
        }
        for text in ["", "6", "6.", ".18", "v6.18", "6.x", "6.18.1.2", "99999999999.1"] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
        assert_eq!("6.18.44".parse::<Version>().unwrap().code(), 0x06_12_2c);
        assert_eq!("4.9.337".parse::<Version>().unwrap().code(), 0x04_09_ff);
        assert_eq!(Release::new(6, 18).to_string(), "6.18");
        assert!(Release::new(5, 19).at_most(Release::new(6, 0)) && !Release::new(6, 1).at_most(Release::new(6, 0)));
    }

    #[test]
    fn what_a_target_says() {
        let target = Target::new(Release::new(6, 18), Arch::X86_64);
        assert_eq!(target.version_code(), 0x06_12_00);
        assert_eq!(target.with_kconfig("LINUX_KERNEL_VERSION", "42").version_code(), 42);
        let values = kconfig("# CONFIG_A is not set\nCONFIG_HZ=250\nCONFIG_NAME=\"a b\"\nCONFIG_B=m\nother=1\n");
        assert_eq!(values.len(), 3);
        assert_eq!(values["CONFIG_NAME"], "a b");
    }
}
