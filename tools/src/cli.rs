//! What the command line looks like. The arguments of a verb stand beside its code in `cmd`.

use clap::{Parser, Subcommand, ValueEnum};

use crate::cmd::{asm, check, diff, disasm, info, plugin, run};

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    Human,
    /// JSON, one object per answer.
    Json,
}

const EXIT_CODES: &str = "Exit codes: 0 passed, 1 failed (a rejected program, a trap, a difference), 2 wrong usage or unreadable input, \
                          3 cannot decide (something is not modelled).";

/// A userspace home for eBPF: check, run and inspect eBPF objects without root, and compare with the real kernel.
#[derive(Debug, Parser)]
#[command(name = "skep", version, propagate_version = true, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How answers are written
    #[arg(long, global = true, value_enum, default_value = "human", value_name = "FORMAT")]
    pub(crate) format: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether Linux would load the programs of an object, and if not, why
    Check(Box<check::Args>),
    /// Run a program of an object on a packet or an event
    Run(Box<run::Args>),
    /// Say what an object holds and what it needs
    Info(info::Args),
    /// Print instructions, with source lines
    Disasm(disasm::Args),
    /// Assemble text
    Asm(asm::Args),
    /// Run a program here and in the real kernel, and compare
    Diff(diff::Args),
    /// Speak the plug-in protocol of the bpf_conformance suite
    Plugin(plugin::Args),
}
