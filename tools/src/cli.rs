//! What the command line looks like. The arguments of a verb stand beside its code in `cmd`.

use clap::{Parser, Subcommand, ValueEnum};

use crate::cmd::{asm, check, diff, disasm, info, plugin, run};
use crate::exit::Failure;

/// How answers are written, by every verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text for people.
    Human,
    /// JSON, one object per answer.
    Json,
}

/// How answers are written; `skep check` knows more ways than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnyFormat {
    /// Text for people
    Human,
    /// JSON, one object per answer and line
    Json,
    /// check: the kernel's own words
    Kernel,
    /// check: the columns of veristat
    Csv,
    /// check: SARIF 2.1.0, for code scanning
    Sarif,
    /// check: annotations of GitHub's workflows
    Github,
}

impl AnyFormat {
    /// The format of verbs that know the common ones only.
    ///
    /// # Errors
    /// Another format.
    pub(crate) fn common(self) -> Result<Format, Failure> {
        match self {
            AnyFormat::Human => Ok(Format::Human),
            AnyFormat::Json => Ok(Format::Json),
            AnyFormat::Kernel | AnyFormat::Csv | AnyFormat::Sarif | AnyFormat::Github => {
                Err(Failure::usage("only `skep check` writes this format; the others write human and json").within("--format"))
            }
        }
    }
}

const EXIT_CODES: &str = "Exit codes: 0 passed, 1 failed (a rejected program, a trap, a difference), 2 wrong usage or unreadable input, \
                          3 cannot decide (something is not modelled).";

/// A userspace home for eBPF: check, run and inspect eBPF objects without root, and compare with the real kernel.
#[derive(Debug, Parser)]
#[command(name = "skep", version, propagate_version = true, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How answers are written
    #[arg(long, global = true, value_enum, default_value = "human", value_name = "FORMAT")]
    pub(crate) format: AnyFormat,

    #[command(flatten)]
    pub(crate) color: colorchoice_clap::Color,

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
