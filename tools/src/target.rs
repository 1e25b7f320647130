//! The kernel that a command line means.

use std::path::Path;

use skep::{Arch, Release, Target};

use crate::exit::Failure;

/// `--target`.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetArg {
    /// The kernel that the object is for: `host`, a release, or a file with a kernel's BTF
    #[arg(long, value_name = "host|RELEASE|FILE", default_value = "6.18")]
    target: String,
}

impl TargetArg {
    /// The target.
    ///
    /// # Errors
    /// A file that cannot be read or is no BTF, or a word that is neither a release nor a file.
    pub(crate) fn get(&self) -> Result<Target, Failure> {
        let text = self.target.as_str();
        let within = |failure: Failure| failure.within(format!("--target {text}"));
        if text == "host" {
            return skep::host().map_err(|error| within(Failure::usage(error)));
        }
        if let Ok(release) = text.parse::<Release>() {
            return Target::of(release, Arch::host()).map_err(|error| within(Failure::usage(error)));
        }
        if !Path::new(text).exists() {
            let what = format!("--target {text}: neither `host`, nor a kernel release such as 6.18, nor a file");
            return Err(Failure::usage(what));
        }
        let btf = skep::btf(text).map_err(|error| within(Failure::usage(error)))?;
        Ok(Target::new(Release::new(6, 18), Arch::host()).with_btf(btf))
    }
}
