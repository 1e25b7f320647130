//! `skep run`.

use std::path::PathBuf;

use skep::{Arch, Input, Instance, Object, Options, Release, RunError, Target};

use super::Io;
use crate::cli::Format;
use crate::exit::{Exit, Failure};

/// Arguments of `skep run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The object file
    object: PathBuf,
    /// The program; it may be left out where the object has one
    program: Option<String>,
    /// The packet: hexadecimal digits, or @FILE
    #[arg(long, value_name = "HEX|@FILE")]
    packet: Option<String>,
}

fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    if let Some(path) = text.strip_prefix('@') {
        return std::fs::read(path).map_err(|error| Failure::usage(error).within(format!("cannot read `{path}`")));
    }
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.ok_or_else(|| Failure::usage(format!("`{text}` is not hexadecimal")))
}

/// Writes the answer.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let object = Object::open(&args.object, &Options::default()).map_err(Failure::usage)?;
    let names: Vec<&str> = object.programs().map(|program| program.name()).collect();
    let name = match (&args.program, &names[..]) {
        (Some(name), _) => name.clone(),
        (None, [only]) => (*only).to_owned(),
        (None, several) => return Err(Failure::usage(format!("which program? The object has {}", several.join(", ")))),
    };
    let builder = Instance::builder(Target::new(Release::new(6, 18), Arch::host()));
    let builder = builder.object_programs(&object, &[&name]).map_err(Failure::undecided)?;
    let mut instance = builder.build().map_err(Failure::undecided)?;
    let input = match &args.packet {
        Some(text) => Input::packet(&bytes(text)?),
        None => Input::none(),
    };
    let mut program = instance.program(&name).map_err(Failure::usage)?;
    let outcome = program.run(&input).map_err(|error| match error {
        RunError::Input(error) => Failure::usage(error),
        RunError::Stopped(error) => Failure::failed(error),
    })?;
    match io.format {
        Format::Human => writeln!(io.out, "{name}: {}, {} instructions", outcome.retval(), outcome.executed)?,
        Format::Json => {
            let answer = serde_json::json!({ "program": name, "retval": outcome.retval(), "executed": outcome.executed });
            serde_json::to_writer(&mut *io.out, &answer)?;
            writeln!(io.out)?;
        }
    }
    Ok(Exit::Passed)
}
