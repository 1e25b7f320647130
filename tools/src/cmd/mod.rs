//! One file per verb: its arguments, and `run`, which writes the answer.

pub(crate) mod asm;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod disasm;
pub(crate) mod info;
pub(crate) mod plugin;
pub(crate) mod run;

use std::io::{BufWriter, Write};

use crate::cli::{Cli, Command, Format};
use crate::exit::{Exit, Failure};

/// What every verb gets beside its arguments.
pub(crate) struct Io<'a> {
    /// Standard output; colours are taken off where it is no terminal.
    pub(crate) out: &'a mut dyn Write,
    /// How answers are written.
    pub(crate) format: Format,
}

/// Runs the verb.
pub(crate) fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    let format = cli.format;
    let out = &mut out;
    let result = match &cli.command {
        Command::Check(args) => check::run(args, format, out),
        Command::Run(args) => run::run(args, &mut Io { format: format.common()?, out }),
        Command::Info(args) => info::run(args, &mut Io { format: format.common()?, out }),
        Command::Disasm(args) => disasm::run(args, &mut Io { format: format.common()?, out }),
        Command::Asm(args) => asm::run(args, &mut Io { format: format.common()?, out }),
        Command::Diff(args) => diff::run(args, &mut Io { format: format.common()?, out }),
        Command::Plugin(args) => plugin::run(args, &mut Io { format: format.common()?, out }),
    };
    // What was written before a failure is part of the answer.
    out.flush()?;
    result
}

/// `--global NAME=VALUE`: sets a variable of an object before load.
pub(crate) fn set_global(object: &mut skep::Object, text: &str) -> Result<(), Failure> {
    let (path, value) =
        text.split_once('=').ok_or_else(|| Failure::usage(format!("`{text}` is no assignment: NAME=VALUE expected")))?;
    let literal = match value.trim().strip_prefix("hex:") {
        Some(digits) => crate::hex::bytes(digits).map(skep::Literal::Text),
        None => skep::Literal::parse(value.trim()).map_err(Failure::usage),
    };
    let within = |failure: Failure| failure.within(format!("--global {text}"));
    object.set_global(path.trim(), literal.map_err(within)?).map_err(|error| within(Failure::usage(error)))
}
