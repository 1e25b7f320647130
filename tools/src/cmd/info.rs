//! `skep info`.

use std::path::PathBuf;

use super::Io;
use crate::exit::{Exit, Failure};

/// Arguments of `skep info`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
}

/// Writes the answer.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let _ = (&io.format, &mut io.out);
    Err(Failure::undecided(format!("{}: this verb is not there yet", args.file.display())))
}
