//! `skep info`.

mod collect;
mod print;

use std::path::PathBuf;

use skep::{Object, Options};

use super::Io;
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::target::TargetArg;

/// Arguments of `skep info`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  skep info --relocations conformance/programs/firewall.bpf.o")]
pub(crate) struct Args {
    /// The object file
    object: PathBuf,
    /// Every relocation, with the instruction it is for
    #[arg(long)]
    relocations: bool,
    #[command(flatten)]
    target: TargetArg,
}

/// Writes the answer. An object of which a program cannot be run here is no failure: the answer says so.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let object = Object::open(&args.object, &Options::default())
        .map_err(|error| Failure::usage(error).within(args.object.display().to_string()))?;
    let info = collect::info(&object, &args.object, &args.target.get()?);
    match io.format {
        Format::Human => print::info(&info, args.relocations, io.out)?,
        Format::Json => {
            serde_json::to_writer(&mut *io.out, &info)?;
            writeln!(io.out)?;
        }
    }
    Ok(Exit::Passed)
}
