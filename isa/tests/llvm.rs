//! The disassembler against `llvm-objdump`, on the objects of the shared corpus.
//!
//! The two notations differ in the spelling of numbers and in a few words. Both texts are cut into words, signs and numbers, and
//! these are compared.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use skep_isa::*;

const OBJDUMP: [&str; 4] = ["llvm-objdump-19", "llvm-objdump-20", "llvm-objdump-21", "llvm-objdump"];

fn objdump() -> Option<&'static str> {
    let runs = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    let found = OBJDUMP.iter().find(runs).copied();
    if found.is_none() {
        println!("skipped: needs llvm-objdump 19 or newer");
    }
    found
}

fn objects(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            objects(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "o") {
            found.push(path);
        }
    }
}

/// A line of `llvm-objdump -d`: slot, slots, text.
fn parse_line(line: &str) -> Option<(usize, Vec<RawInsn>, &str)> {
    let (slot, rest) = line.split_once(":\t")?;
    let slot = slot.trim().parse().ok()?;
    let (bytes, text) = rest.split_once('\t').unwrap_or((rest, ""));
    let bytes: Vec<u8> = bytes.split_whitespace().map(|b| u8::from_str_radix(b, 16).ok()).collect::<Option<_>>()?;
    let raw = bytes.chunks_exact(8).map(|b| RawInsn::from_le_bytes(b.try_into().unwrap())).collect();
    Some((slot, raw, text))
}

#[derive(Debug, PartialEq, Clone)]
enum Token {
    Word(String),
    /// Modulo 2^32, or 2^64 in a wide load.
    Number(u64),
}

/// Words that only one of the two writes.
const NOISE: [&str; 5] = ["pc", "ll", "unknown", "#", "module"];

fn tokens(text: &str, wide: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let number = rest.strip_prefix(['+', '-']).unwrap_or(rest).trim_start();
        let len = if number.starts_with(|c: char| c.is_ascii_digit()) {
            let end = number.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(number.len());
            let digits = &number[..end];
            let value = match digits.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
                None => digits.parse().unwrap(),
            };
            let value = if first == '-' { value.wrapping_neg() } else { value };
            tokens.push(Token::Number(if wide { value } else { value & 0xffff_ffff }));
            rest.len() - number.len() + end
        } else {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let end = if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
            if !NOISE.contains(&&rest[..end]) {
                tokens.push(Token::Word(rest[..end].to_string()));
            }
            end
        };
        rest = rest[len..].trim_start();
    }
    tokens
}

/// Our text, with what LLVM does not tell left out.
fn ours(insn: Insn) -> Vec<Token> {
    match insn {
        // LLVM prints every kind of wide load as a number.
        Insn::LoadWide { dst, .. } => {
            let raw = insn.encode().unwrap();
            let value = u64::from(raw[0].imm as u32) | u64::from(raw[1].imm as u32) << 32;
            tokens(&format!("{dst} = {value:#x}"), true)
        }
        // LLVM leaves out the constant.
        Insn::LoadPacket { size, index: Some(index), .. } => {
            let text = Insn::LoadPacket { size, index: Some(index), off: 0 }.to_string();
            tokens(&text.replace(" + 0]", "]"), false)
        }
        Insn::Call(Callee::Kfunc { id, .. }) => tokens(&format!("call {id}"), false),
        Insn::Alu { .. }
        | Insn::Mov { .. }
        | Insn::MovSx { .. }
        | Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::AddrSpaceCast { .. }
        | Insn::Load { .. }
        | Insn::LoadPacket { .. }
        | Insn::Store { .. }
        | Insn::Atomic { .. }
        | Insn::LoadAcquire { .. }
        | Insn::StoreRelease { .. }
        | Insn::Jump { .. }
        | Insn::JumpIf { .. }
        | Insn::JumpReg { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => tokens(&insn.to_string().replace("atomic64_", "atomic_"), false),
    }
}

/// `xchg_64(r1 + 0x0, r2)` in the kernel's words.
fn theirs(text: &str, wide: bool) -> Vec<Token> {
    let text = match text.rsplit_once(" <") {
        Some((text, label)) if label.ends_with('>') => text,
        _ => text,
    };
    // Some wide loads: register, kind, value.
    if let Some((register, kind_and_value)) = text.strip_prefix("ld_pseudo\t").and_then(|rest| rest.split_once(',')) {
        let (_, value) = kind_and_value.split_once(',').unwrap();
        return tokens(&format!("{register} = {value}"), wide);
    }
    for (llvm, name, place) in [
        ("cmpxchg_64(", "atomic_cmpxchg(", "(u64 *)("),
        ("cmpxchg32_32(", "atomic_cmpxchg(", "(u32 *)("),
        ("xchg_64(", "atomic_xchg(", "(u64 *)("),
        ("xchg32_32(", "atomic_xchg(", "(u32 *)("),
    ] {
        if let Some((before, after)) = text.split_once(llvm) {
            let (address, rest) = after.split_once(',').unwrap();
            return tokens(&format!("{before}{name}{place}{address}),{rest}"), wide).iter().map(as_r).collect();
        }
    }
    if text.contains("atomic_") || text.contains("lock ") {
        return tokens(text, wide).iter().map(as_r).collect();
    }
    let memory = text.contains("= *(") || text.starts_with("*(");
    if memory { tokens(text, wide).iter().map(as_r).collect() } else { tokens(text, wide) }
}

/// LLVM writes `w1` for 32-bit memory operands, where the kernel writes `r1`.
fn as_r(token: &Token) -> Token {
    match token {
        Token::Word(word) if word.len() > 1 && word[1..].bytes().all(|b| b.is_ascii_digit()) => {
            Token::Word(word.replacen('w', "r", 1))
        }
        other => other.clone(),
    }
}

#[test]
fn agrees_with_llvm_objdump_on_the_corpus() {
    let (Some(folder), Some(objdump)) = (common::shared("corpus/objects"), objdump()) else { return };
    let mut paths = Vec::new();
    objects(&folder, &mut paths);
    let (mut compared, mut unknown, mut different) = (0, 0, Vec::new());
    for path in &paths {
        let out = Command::new(objdump).args(["-d", "--mcpu=v4"]).arg(path).output().unwrap();
        for line in String::from_utf8_lossy(&out.stdout).lines() {
            let Some((slot, raw, text)) = parse_line(line) else { continue };
            let place = || format!("{}: {line}", path.display());
            match decode(&raw, 0) {
                Err(_) if text.contains("<unknown>") => unknown += 1,
                Ok(_) if text.contains("<unknown>") => different.push(place()),
                Err(error) => different.push(format!("{}: {error}", place())),
                Ok(insn) => {
                    let wide = insn.slots() == 2;
                    if ours(insn) != theirs(text, wide) {
                        different.push(format!("{}: slot {slot}: {insn}", place()));
                    }
                    compared += 1;
                }
            }
        }
    }
    println!("{} objects, {compared} instructions compared, {unknown} unknown to both", paths.len());
    let shown = different.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} differ:\n{shown}", different.len());
    assert!(compared > 100_000);
}
