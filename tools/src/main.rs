//! *What it is*: the `skep` command.
//!
//! *Invariant*: answers go to standard output, all else to standard error; the exit code is one of [`exit::Exit`].
//!
//! *Start here*: [`cli::Cli`] has the verbs, `cmd` a file for each.
#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod engine;
mod exit;
mod hex;
mod names;
mod target;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli.color.write_global();
    exit::finish(cmd::dispatch(&cli))
}
