//! The plug-in protocol of the bpf_conformance suite: its own runner can drive skep.
//!
//! The runner starts a process for every case: `PLUGIN [MEMORY] [OPTIONS] [--elf]`. The program comes as hexadecimal text on standard
//! input, with or without space between the bytes: instructions, or with `--elf` an object that holds them. The process writes r0 in
//! hexadecimal to standard output and exits with 0, or writes an error to standard error and exits with something else.

use std::io::{self, Read, Write};

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use crate::hex::{self, HexError};
use crate::suite::{Answer, Engine, Interpreter};
use crate::{PartialSlot, slots};

/// What `--help` says.
pub const USAGE: &str = "usage: [--program HEX] [MEMORY] [--debug] [--elf]\n\
    Runs eBPF instructions and prints r0, both in hexadecimal. The instructions are read from standard input, or given with --program;\n\
    r1 points to MEMORY, r2 is its length. --debug writes what was read to standard error. --elf: the program is an ELF object, whose\n\
    function main is run.";

/// Characters of a program that are read: a million instructions, four characters a byte.
const LONGEST: u64 = (8 * 4) << 20;

/// Why there is no r0.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// An argument that the protocol does not know.
    #[error("unexpected argument {0:?}\n{USAGE}")]
    Argument(String),
    /// `--program` at the end.
    #[error("--program needs a value\n{USAGE}")]
    NoValue,
    /// Standard input cannot be read, or standard output not be written.
    #[error("{what}: {error}")]
    Stream {
        /// Which.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// The program is longer than any kernel takes.
    #[error("the program has more than {LONGEST} characters")]
    TooLong,
    /// Text that is not bytes.
    #[error("{what}: {error}")]
    Hex {
        /// The program or the memory.
        what: &'static str,
        /// What is wrong.
        error: HexError,
    },
    /// The program ends inside of a slot.
    #[error("the program: {0}")]
    Partial(#[from] PartialSlot),
    /// There is no program.
    #[error("the program is empty")]
    Empty,
    /// The object cannot be read.
    #[error("the object: {0}")]
    Object(#[from] object::Error),
    /// The object has no function `main`.
    #[error("the object has no function main in a section of code")]
    NoMain,
    /// What the function names must be resolved, which is a loader's work.
    #[error("section {section} has relocations: use `skep run` for objects with maps")]
    Relocations {
        /// The section.
        section: String,
    },
    /// The program did not run, or not to its end.
    #[error("{0}")]
    Program(Box<dyn std::error::Error + Send + Sync>),
}

impl PluginError {
    /// The exit code: 1 for a program that fails, 2 for input that cannot be used.
    pub fn exit_code(&self) -> u8 {
        match self {
            PluginError::Program(_) => 1,
            PluginError::Argument(_)
            | PluginError::NoValue
            | PluginError::Stream { .. }
            | PluginError::TooLong
            | PluginError::Hex { .. }
            | PluginError::Partial(_)
            | PluginError::Empty
            | PluginError::Object(_)
            | PluginError::NoMain
            | PluginError::Relocations { .. } => 2,
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    program: Option<String>,
    memory: String,
    debug: bool,
    elf: bool,
    help: bool,
}

impl Options {
    fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, PluginError> {
        let mut options = Options::default();
        let mut memory = None;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" => options.help = true,
                "--debug" => options.debug = true,
                "--elf" => options.elf = true,
                "--program" => options.program = Some(args.next().ok_or(PluginError::NoValue)?),
                _ if memory.is_none() && !arg.starts_with("--") => memory = Some(arg),
                _ => return Err(PluginError::Argument(arg)),
            }
        }
        options.memory = memory.unwrap_or_default();
        Ok(options)
    }
}

/// Plays the plug-in: arguments without the program's own name, and the standard streams. Returns the exit code.
///
/// ```
/// use skep_conformance::plugin;
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let program = "71 10 00 00 00 00 00 00  95 00 00 00 00 00 00 00"; // r0 = *(u8 *)(r1 + 0); exit
/// let code = plugin::run(["2a".to_string()], program.as_bytes(), &mut out, &mut err);
/// assert_eq!((code, out.as_slice(), err.as_slice()), (0, b"2a\n".as_slice(), b"".as_slice()));
/// ```
pub fn run(args: impl IntoIterator<Item = String>, stdin: impl Read, mut stdout: impl Write, mut stderr: impl Write) -> u8 {
    match answer(args, stdin, &mut stderr) {
        Ok(text) => match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Ok(()) => 0,
            Err(error) => report(&mut stderr, &PluginError::Stream { what: "standard output", error }),
        },
        Err(error) => report(&mut stderr, &error),
    }
}

/// Says what went wrong; where even that cannot be written, the exit code must do.
fn report(stderr: &mut impl Write, error: &PluginError) -> u8 {
    let _ = writeln!(stderr, "{error}");
    error.exit_code()
}

/// What goes to standard output.
fn answer(args: impl IntoIterator<Item = String>, stdin: impl Read, stderr: &mut impl Write) -> Result<String, PluginError> {
    let options = Options::parse(args)?;
    if options.help {
        return Ok(USAGE.to_owned());
    }
    let text = match options.program {
        Some(text) => text,
        None => read(stdin)?,
    };
    let bytes = hex::decode(&text).map_err(|error| PluginError::Hex { what: "the program", error })?;
    let memory = hex::decode(&options.memory).map_err(|error| PluginError::Hex { what: "the memory", error })?;
    let program = slots(&if options.elf { main_of(&bytes)? } else { bytes })?;
    if program.is_empty() {
        return Err(PluginError::Empty);
    }
    let mut engine = Interpreter::new(true);
    if options.debug {
        let text = format!("{}: {} slots, {} bytes of memory", engine.name(), program.len(), memory.len());
        writeln!(stderr, "{text}").map_err(|error| PluginError::Stream { what: "standard error", error })?;
    }
    match engine.run(&program, &memory) {
        Answer::Value(value) => Ok(format!("{value:x}")),
        Answer::Refused(why) | Answer::Stopped(why) | Answer::NotAsked(why) => Err(PluginError::Program(why)),
    }
}

fn read(stdin: impl Read) -> Result<String, PluginError> {
    let mut text = String::new();
    let read = stdin.take(LONGEST + 1).read_to_string(&mut text);
    let read = read.map_err(|error| PluginError::Stream { what: "standard input", error })?;
    if read as u64 > LONGEST { Err(PluginError::TooLong) } else { Ok(text) }
}

/// The code of the function `main` and of what follows it in its section, which it may call.
fn main_of(elf: &[u8]) -> Result<Vec<u8>, PluginError> {
    let file = object::File::parse(elf)?;
    let is_main = |symbol: &object::Symbol<'_, '_>| symbol.name() == Ok("main") && symbol.kind() == SymbolKind::Text;
    let symbol = file.symbols().find(is_main).ok_or(PluginError::NoMain)?;
    let section = symbol.section_index().ok_or(PluginError::NoMain)?;
    let section = file.section_by_index(section)?;
    if section.relocations().next().is_some() {
        return Err(PluginError::Relocations { section: section.name()?.to_owned() });
    }
    let start = usize::try_from(symbol.address()).map_err(|_| PluginError::NoMain)?;
    Ok(section.data()?.get(start..).ok_or(PluginError::NoMain)?.to_vec())
}
