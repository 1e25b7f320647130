//! `skep disasm`.

use std::path::PathBuf;

use serde::Serialize;
use skep::{Object, Options, Program};
use skep_isa::{Code, Insn, Names, RawInsn, Slot, Wide};
use skep_linux::HelperNames;
use skep_object::Linker;
use skep_program::Line;

use super::Io;
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::hex;
use crate::names;
use crate::target::TargetArg;

/// Arguments of `skep disasm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  skep disasm conformance/programs/firewall.bpf.o firewall\n  skep disasm --bytes 'b7 00 00 00 07 00 00 00 95 00 00 00 00 00 00 00'"
)]
pub(crate) struct Args {
    /// The object file
    #[arg(required_unless_present = "bytes")]
    object: Option<PathBuf>,
    /// The programs; all of the object if none is named
    programs: Vec<String>,
    /// Instructions that are in no object: hexadecimal digits, or @FILE with the bytes themselves
    #[arg(long, value_name = "HEX|@FILE", conflicts_with_all = ["object", "programs"])]
    bytes: Option<String>,
    /// Without the lines of the source
    #[arg(long)]
    no_source: bool,
    /// With the bytes of each instruction
    #[arg(long)]
    opcodes: bool,
    #[command(flatten)]
    target: TargetArg,
}

/// A program, as JSON has it.
#[derive(Serialize)]
struct Listing<'a> {
    program: &'a str,
    section: &'a str,
    prog_type: String,
    insns: Vec<Entry<'a>>,
}

/// An instruction.
#[derive(Serialize)]
struct Entry<'a> {
    slot: usize,
    /// All its bytes.
    bytes: String,
    /// What it is; absent if it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The map or kernel variable that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<&'a str>,
    /// Why it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The function that begins here.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
    /// The line of the source that begins here.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source<'a>>,
}

#[derive(Serialize)]
struct Source<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    text: &'a str,
}

/// The instructions, with what names and lines there are.
fn entries<'a>(raw: &[RawInsn], names: &dyn Names, of: Option<&'a Program>) -> Vec<Entry<'a>> {
    let code = Code::decode_each(raw);
    let mut entries: Vec<Entry<'a>> = Vec::new();
    for (slot, (state, raw)) in code.slots().iter().zip(raw).enumerate() {
        let bytes = hex::text(&raw.to_le_bytes());
        let (text, named, error) = match state {
            Slot::Insn(insn) => (Some(insn.display(slot, names).to_string()), of.and_then(|program| named(insn, program)), None),
            Slot::Refused(error) => (None, None, Some(error.to_string())),
            Slot::Second => {
                if let Some(first) = entries.last_mut() {
                    first.bytes += &bytes;
                }
                continue;
            }
        };
        let function = of.and_then(|program| program.funcs.iter().find(|func| func.start == slot)).map(|func| func.name.as_str());
        let source = of.and_then(|program| line_at(&program.lines, slot)).map(|line| Source {
            file: &line.file,
            line: line.line,
            column: line.column,
            text: &line.text,
        });
        entries.push(Entry { slot, bytes, text, names: named, error, function, source });
    }
    entries
}

/// The map or kernel variable that a wide load names.
fn named<'a>(insn: &Insn, program: &'a Program) -> Option<&'a str> {
    let Insn::LoadWide { value, .. } = *insn else { return None };
    match value {
        Wide::MapIndex(index) | Wide::MapIndexValue { index, .. } => {
            let def = program.maps.get(usize::try_from(index).ok()?)?;
            Some(def.section.as_deref().unwrap_or(&def.name))
        }
        Wide::BtfId { id, .. } => program.ksyms.iter().find(|ksym| ksym.id == id as u32).map(|ksym| ksym.name.as_str()),
        Wide::Const(_) | Wide::MapFd(_) | Wide::MapFdValue { .. } | Wide::Func(_) => None,
    }
}

/// The line that begins at a slot.
fn line_at(lines: &[Line], slot: usize) -> Option<&Line> {
    lines.binary_search_by_key(&slot, |line| line.start).ok().and_then(|at| lines.get(at))
}

fn human(args: &Args, io: &mut Io<'_>, entries: &[Entry<'_>]) -> Result<(), Failure> {
    let mut said = None;
    for entry in entries {
        if let Some(function) = entry.function.filter(|_| entry.slot > 0) {
            writeln!(io.out, "{function}:")?;
        }
        if let Some(Source { file, line, text, .. }) = entry.source.as_ref().filter(|_| !args.no_source)
            && said != Some((*file, *line))
        {
            said = Some((*file, *line));
            let name = file.rsplit('/').next().unwrap_or(file);
            match text.trim() {
                "" => writeln!(io.out, "; {name}:{line}")?,
                text => writeln!(io.out, "; {text} @ {name}:{line}")?,
            }
        }
        let Entry { slot, bytes, text, error, .. } = entry;
        let code = bytes.get(..2).unwrap_or_default();
        match (text, error) {
            (Some(text), _) => match entry.names {
                Some(name) => writeln!(io.out, "{slot:4}: ({code}) {text:<40} ; {name}")?,
                None => writeln!(io.out, "{slot:4}: ({code}) {text}")?,
            },
            (None, error) => writeln!(io.out, "{slot:4}: ({code}) ; {}", error.as_deref().unwrap_or_default())?,
        }
        if args.opcodes {
            writeln!(io.out, "       {bytes}")?;
        }
    }
    Ok(())
}

fn raw(args: &Args, text: &str, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let bytes = hex::bytes(text)?;
    let (slots, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Failure::usage(format!("{} bytes are no instructions: they have 8 bytes each", bytes.len())));
    }
    let insns: Vec<RawInsn> = slots.iter().map(|slot| RawInsn::from_le_bytes(*slot)).collect();
    let entries = entries(&insns, &HelperNames, None);
    match io.format {
        Format::Human => human(args, io, &entries)?,
        Format::Json => {
            serde_json::to_writer(&mut *io.out, &serde_json::json!({ "insns": entries }))?;
            writeln!(io.out)?;
        }
    }
    Ok(Exit::Passed)
}

/// Writes the answer.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if let Some(text) = &args.bytes {
        return raw(args, text, io);
    }
    let path = args.object.as_deref().unwrap_or_else(|| "".as_ref());
    let object =
        Object::open(path, &Options::default()).map_err(|error| Failure::usage(error).within(path.display().to_string()))?;
    let target = args.target.get()?;
    let mut linker = Linker::new(&object, &target);
    let all: Vec<String> = object.programs().map(|program| program.name().to_owned()).collect();
    let wanted = if args.programs.is_empty() { &all } else { &args.programs };
    for (nth, name) in wanted.iter().enumerate() {
        let found = object.program(name).map_err(Failure::usage)?;
        let program = found.relocate_in(&mut linker).map_err(Failure::undecided)?;
        let entries = entries(&program.insns, &program, Some(&program));
        match io.format {
            Format::Human => {
                let blank = if nth > 0 { "\n" } else { "" };
                let kind = names::prog_type(program.prog_type);
                writeln!(io.out, "{blank}{name}: {kind}, section \"{}\", {} slots", program.section, program.insns.len())?;
                human(args, io, &entries)?;
            }
            Format::Json => {
                let prog_type = names::prog_type(program.prog_type);
                let listing = Listing { program: name, section: &program.section, prog_type, insns: entries };
                serde_json::to_writer(&mut *io.out, &listing)?;
                writeln!(io.out)?;
            }
        }
    }
    Ok(Exit::Passed)
}
