//! `skep plugin`.

use std::io::Write;

use skep_conformance::plugin;

use super::Io;
use crate::exit::{Exit, Failure};

const ABOUT: &str = "\
Reads instructions in hexadecimal from standard input, runs them with r1 pointing to MEMORY, and prints r0 in hexadecimal.

The runner of the suite starts a program and passes the memory first, so it needs a script that says `exec skep plugin \"$@\"`:
    bpf_conformance_runner --test_file_directory tests --plugin_path ./skep-plugin";

/// Arguments of `skep plugin`.
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, override_usage = "skep plugin [MEMORY] [--program HEX] [--debug] [--elf]")]
pub(crate) struct Args {
    /// The memory in hexadecimal, and what else the suite passes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "MEMORY")]
    args: Vec<String>,
}

/// Plays the plug-in.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut told = Vec::new();
    let code = plugin::run(args.args.iter().cloned(), std::io::stdin().lock(), &mut io.out, &mut told);
    std::io::stderr().write_all(&told)?;
    Ok(match code {
        0 => Exit::Passed,
        1 => Exit::Failed,
        _ => Exit::Usage,
    })
}
