//! `skep asm`.

use std::io::Read;
use std::path::PathBuf;

use clap::ValueEnum;
use skep_isa::{RawInsn, asm};
use skep_linux::HelperNames;

use super::Io;
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::hex;

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dialect {
    /// As the verifier's log and `skep disasm` write it: `r0 = 1`.
    Kernel,
    /// As the bpf_conformance suite writes it: `mov %r0, 1`.
    Conformance,
}

/// How the instructions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// One instruction slot a line, as hexadecimal bytes.
    Hex,
    /// The bytes.
    Binary,
    /// C initialisers of `struct bpf_insn`.
    C,
}

/// Arguments of `skep asm`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  echo 'r0 = 7; exit' | tr ';' '\\n' | skep asm -")]
pub(crate) struct Args {
    /// The text; `-` is standard input
    file: PathBuf,
    /// How the text is written
    #[arg(long, value_enum, default_value = "kernel")]
    dialect: Dialect,
    /// How the instructions are written
    #[arg(long, value_enum, default_value = "hex")]
    emit: Emit,
    /// Write to this file in place of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn read(args: &Args) -> Result<String, Failure> {
    let name = args.file.display();
    let mut text = String::new();
    let read = match args.file.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text).map(|_| text),
        false => std::fs::read_to_string(&args.file),
    };
    read.map_err(|error| Failure::usage(error).within(format!("cannot read `{name}`")))
}

fn c(insn: &RawInsn) -> String {
    let RawInsn { code, off, imm, .. } = *insn;
    format!("{{ .code = {code:#04x}, .dst_reg = {}, .src_reg = {}, .off = {off}, .imm = {imm} }},\n", insn.dst(), insn.src())
}

fn render(insns: &[RawInsn], emit: Emit) -> Vec<u8> {
    match emit {
        Emit::Hex => insns.iter().map(|insn| hex::text(&insn.to_le_bytes()) + "\n").collect::<String>().into_bytes(),
        Emit::Binary => insns.iter().flat_map(|insn| insn.to_le_bytes()).collect(),
        Emit::C => insns.iter().map(c).collect::<String>().into_bytes(),
    }
}

/// Writes the answer.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let text = read(args)?;
    let assembled = match args.dialect {
        Dialect::Kernel => asm::kernel::assemble_with(&text, &HelperNames),
        Dialect::Conformance => asm::conformance::assemble(&text),
    };
    let insns = assembled.map_err(|error| Failure::usage(error).within(format!("cannot assemble `{}`", args.file.display())))?;
    let bytes = match io.format {
        Format::Human => render(&insns, args.emit),
        Format::Json => {
            let slots: Vec<String> = insns.iter().map(|insn| hex::text(&insn.to_le_bytes())).collect();
            (serde_json::json!({ "slots": slots }).to_string() + "\n").into_bytes()
        }
    };
    match &args.output {
        Some(path) => {
            let wrote = std::fs::write(path, bytes);
            wrote.map_err(|error| Failure::usage(error).within(format!("cannot write `{}`", path.display())))?;
        }
        None => io.out.write_all(&bytes)?,
    }
    Ok(Exit::Passed)
}
