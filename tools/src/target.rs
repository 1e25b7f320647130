//! The kernel that a command line means.

use std::path::Path;

use skep::{Arch, Release, Target};

use crate::exit::Failure;

/// The release that is played where none is named.
const DEFAULT: Release = Release::new(6, 18);

/// `--target` and `--kconfig`.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetArg {
    /// The kernel that the object is for: `host`, a release, a file with a kernel's BTF, or RELEASE,FILE
    #[arg(long, id = "target", value_name = "host|RELEASE|FILE", default_value = "6.18", help_heading = "Target")]
    target: String,

    /// A value of the kernel's configuration, or a file with many
    #[arg(long, value_name = "NAME=VALUE|FILE", help_heading = "Target")]
    kconfig: Vec<String>,
}

impl TargetArg {
    /// The target.
    ///
    /// # Errors
    /// A file that cannot be read or is no BTF, or a word that is neither a release nor a file.
    pub(crate) fn get(&self) -> Result<Target, Failure> {
        self.get_for(Arch::host())
    }

    /// The target, on this machine unless it is the host.
    ///
    /// # Errors
    /// As [`TargetArg::get`].
    pub(crate) fn get_for(&self, arch: Arch) -> Result<Target, Failure> {
        let within = |failure: Failure| failure.within(format!("--target {}", self.target));
        let mut target = match self.target.as_str() {
            "host" => skep::host().map_err(Failure::usage),
            text => named(text, arch),
        }
        .map_err(within)?;
        for text in &self.kconfig {
            match text.split_once('=') {
                Some((name, value)) => {
                    target = target.with_kconfig(name.trim(), value.trim().trim_matches('"'));
                }
                None => {
                    let cannot = |error| Failure::usage(error).within(format!("--kconfig {text}: neither NAME=VALUE nor a file"));
                    let values = skep_linux::kconfig(&std::fs::read_to_string(text).map_err(cannot)?);
                    target = values.iter().fold(target, |target, (name, value)| target.with_kconfig(name, value));
                }
            }
        }
        Ok(target)
    }
}

/// `RELEASE`, `FILE` or `RELEASE,FILE`.
fn named(text: &str, arch: Arch) -> Result<Target, Failure> {
    let parsed = text.parse::<Release>();
    let (release, file) = match (&parsed, text.split_once(',')) {
        (Ok(release), _) => (*release, None),
        (Err(_), Some((release, file))) => (release.parse().map_err(Failure::usage)?, Some(file)),
        (Err(_), None) if Path::new(text).exists() => (DEFAULT, Some(text)),
        (Err(_), None) => return Err(Failure::usage("neither `host`, nor a kernel release such as 6.18, nor a file")),
    };
    let target = Target::of(release, arch);
    match file {
        Some(file) => Ok(target.with_btf(skep::btf(file).map_err(Failure::usage)?)),
        None => Ok(target),
    }
}
