//! Answers for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use skep::{Effect, Program, Redirect, RunError, Step, Value};
use skep_isa::Insn;

use super::maps::{Dump, Field};
use super::report::Report;
use crate::hex;

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const LESS: Style = AnsiColor::Red.on_default();
const MORE: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();

/// Bytes in a row of a hexdump.
const ROW: usize = 16;

/// Writes one run. Runs are numbered where there are several.
pub(super) fn report<'p>(
    out: &mut dyn Write,
    report: &Report<'_>,
    numbered: bool,
    programs: &dyn Fn(&str) -> Option<&'p Program>,
) -> io::Result<()> {
    if let Some((steps, dropped)) = &report.trace {
        trace(out, programs, steps, report.result.as_ref().ok().map(|outcome| outcome.value))?;
        if *dropped > 0 {
            writeln!(out, "... {dropped} more instructions")?;
        }
    }
    if numbered {
        write!(out, "{} {}", report.kind, report.number)?;
        match report.packet {
            Some(packet) => write!(out, " ({} bytes): ", packet.len())?,
            None => write!(out, ": ")?,
        }
    }
    write!(out, "{BOLD}{}{BOLD:#}: ", report.program.name)?;
    match &report.result {
        Ok(outcome) => {
            let value = outcome.retval() as i32;
            let style = if report.passes() { GOOD } else { BAD };
            match report.meaning().name(value) {
                Some(name) => write!(out, "{style}{name}{style:#} ({value})")?,
                None => write!(out, "{value}")?,
            }
            if report.counted {
                write!(out, ", {} instructions", outcome.executed)?;
            }
            match report.nanoseconds {
                Some(nanoseconds) => writeln!(out, ", {nanoseconds} ns on average")?,
                None => writeln!(out)?,
            }
        }
        Err(error) => failed(out, error)?,
    }
    changes(out, report)?;
    sent(out, report)
}

fn failed(out: &mut dyn Write, error: &RunError) -> io::Result<()> {
    match error {
        RunError::Input(error) => writeln!(out, "{BAD}refused{BAD:#}: {error}"),
        RunError::Stopped(stopped) => {
            let place = &stopped.place;
            writeln!(out, "{BAD}stopped{BAD:#} after {} instructions: {}", stopped.executed, stopped.trap)?;
            let function = place.function.as_deref().unwrap_or(&place.program);
            write!(out, "  at {function}, instruction {}", place.slot)?;
            match &place.insn {
                Some(insn) => writeln!(out, ": {insn}")?,
                None => writeln!(out)?,
            }
            if let Some(source) = &place.source {
                writeln!(out, "  {}:{}: {}", source.file, source.line, source.text.trim())?;
            }
            let registers = place.registers.iter().enumerate().map(|(n, value)| format!("r{n}={value:#x}"));
            writeln!(out, "  {}", registers.collect::<Vec<_>>().join(" "))
        }
    }
}

/// What the program changed of packet and context.
fn changes(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    if let (Some(before), Some(after)) = (report.packet, report.packet_changed()) {
        match before.len() == after.len() {
            true => writeln!(out, "  packet changed:")?,
            false => writeln!(out, "  packet changed, {} bytes to {}:", before.len(), after.len())?,
        }
        difference(out, before, &after)?;
    }
    for change in report.changes() {
        writeln!(out, "  {}: {} -> {}", change.field, change.before, change.after)?;
    }
    if let Some(record) = report.record_after() {
        writeln!(out, "  context: {}", pretty(&record, 1))?;
    }
    if let Some(redirect) = &report.redirect {
        writeln!(out, "  redirect: {}", redirected(redirect))?;
    }
    for effect in &report.effects {
        writeln!(out, "  {}", effected(effect))?;
    }
    Ok(())
}

/// What the program sent out.
fn sent(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    for line in &report.printk {
        writeln!(out, "  printk: {}", line.trim_end_matches('\n'))?;
    }
    if !report.seq.is_empty() {
        out.write_all(&report.seq)?;
    }
    for record in &report.records {
        match &record.decoded {
            Some((ty, value)) => {
                writeln!(out, "  {BOLD}{}{BOLD:#} ({ty}, {} bytes):", record.map, record.bytes.len())?;
                writeln!(out, "    {}", pretty(value, 2))?;
            }
            None => {
                writeln!(
                    out,
                    "  {BOLD}{}{BOLD:#} ({} bytes of a type that is not known; --record says it):",
                    record.map,
                    record.bytes.len()
                )?;
                hexdump(out, &record.bytes)?;
            }
        }
    }
    Ok(())
}

/// A value with a line for each field; arrays of plain values stay in one line.
fn pretty(value: &Value, depth: usize) -> String {
    let lines = |open: char, close: char, items: Vec<String>| {
        let inside: String = items.iter().map(|item| format!("{:width$}{item},\n", "", width = 2 * depth + 2)).collect();
        format!("{open}\n{inside}{:width$}{close}", "", width = 2 * depth)
    };
    match value {
        Value::Struct(fields) if !fields.is_empty() => {
            lines('{', '}', fields.iter().map(|(name, field)| format!(".{name} = {}", pretty(field, depth + 1))).collect())
        }
        Value::Array(items) if items.iter().any(|item| matches!(item, Value::Struct(_) | Value::Array(_))) => {
            lines('[', ']', items.iter().map(|item| pretty(item, depth + 1)).collect())
        }
        Value::Struct(_)
        | Value::Array(_)
        | Value::Unsigned(_)
        | Value::Signed(_)
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Enum { .. }
        | Value::Pointer(_)
        | Value::Text(_)
        | Value::Bytes(_) => value.to_string(),
    }
}

/// One row of a hexdump: offset, bytes, text.
fn dump_row(at: usize, bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let text: String = bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
    format!("{at:04x}  {:<47}  {text}", hex.join(" "))
}

/// Rows that are the same as the one before are a `*`, as hexdump does.
fn hexdump(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    let mut before: Option<&[u8]> = None;
    let mut starred = false;
    for (nth, row) in bytes.chunks(ROW).enumerate() {
        let last = (nth + 1) * ROW >= bytes.len();
        match before == Some(row) && !last {
            true if starred => {}
            true => writeln!(out, "    *")?,
            false => writeln!(out, "    {}", dump_row(nth * ROW, row))?,
        }
        starred = before == Some(row) && !last;
        before = Some(row);
    }
    Ok(())
}

/// The rows in which two packets differ.
fn difference(out: &mut dyn Write, before: &[u8], after: &[u8]) -> io::Result<()> {
    let rows = before.len().max(after.len()).div_ceil(ROW);
    for at in (0..rows).map(|row| row * ROW) {
        let part = |bytes: &'_ [u8]| bytes.get(at..).map(|rest| rest[..rest.len().min(ROW)].to_vec()).unwrap_or_default();
        let (old, new) = (part(before), part(after));
        if old != new {
            if !old.is_empty() {
                writeln!(out, "    {LESS}- {}{LESS:#}", dump_row(at, &old))?;
            }
            if !new.is_empty() {
                writeln!(out, "    {MORE}+ {}{MORE:#}", dump_row(at, &new))?;
            }
        }
    }
    Ok(())
}

fn side(ingress: bool) -> &'static str {
    if ingress { "the receive side of " } else { "" }
}

fn redirected(redirect: &Redirect) -> String {
    match redirect {
        Redirect::Device { ifindex, ingress } => format!("to {}device {ifindex}", side(*ingress)),
        Redirect::Peer { ifindex } => format!("to the peer of device {ifindex}"),
        Redirect::Neighbour { ifindex, via: Some(via) } => format!("to neighbour {via} on device {ifindex}"),
        Redirect::Neighbour { ifindex, via: None } => format!("to the next hop on device {ifindex}"),
        Redirect::Map { map, key, broadcast, .. } => {
            let key = hex::text(key);
            format!("to map {map}, {}key {key}", if *broadcast { "all of it, without " } else { "" })
        }
    }
}

fn effected(effect: &Effect) -> String {
    match effect {
        Effect::Signal { pid, signal, thread, .. } => {
            format!("signal {signal} to {} {pid}", if *thread { "thread" } else { "process" })
        }
        Effect::OverrideReturn(value) => format!("the probed function returns {value:#x}"),
        Effect::Clone { ifindex, ingress, data } => {
            format!("a copy of the packet ({} bytes) to {}device {ifindex}", data.len(), side(*ingress))
        }
        Effect::BprmOptions(options) => format!("options of the program to be executed: {options:#x}"),
        Effect::ApplyBytes(bytes) => format!("the verdict holds for {bytes} bytes"),
        Effect::CorkBytes(bytes) => format!("waits for {bytes} bytes"),
        Effect::Acknowledge { socket, sequence } => format!("socket {socket} acknowledges up to {sequence}"),
        Effect::Assign(Some(cookie)) => format!("assigned to socket {cookie}"),
        Effect::Assign(None) => "assignment to a socket taken back".to_owned(),
        Effect::Bind(address) => format!("the socket connects from {address}"),
        Effect::SetSockOpt { cookie, level, name, value } => {
            format!("socket {cookie}: option {level}/{name} set to {}", hex::text(value))
        }
        Effect::RemoteKey { protocol, scancode, toggle } => {
            format!("key {scancode:#x} of a remote control by protocol {protocol}{}", if *toggle { ", toggled" } else { "" })
        }
        Effect::RemoteRepeat => "a key of a remote control repeated".to_owned(),
        Effect::RemotePointer { x, y } => format!("the pointer of a remote control moved by {x}, {y}"),
        Effect::Destroy(cookie) => format!("socket {cookie} destroyed"),
    }
}

/// Instructions with the registers that each changed, under the lines of source that they come from.
fn trace<'p>(
    out: &mut dyn Write,
    programs: &dyn Fn(&str) -> Option<&'p Program>,
    steps: &[Step],
    last: Option<u64>,
) -> io::Result<()> {
    let mut line = None;
    for (nth, step) in steps.iter().enumerate() {
        let program = programs(&step.program);
        if let Some(program) = program {
            let after = program.lines.partition_point(|line| line.start <= step.slot);
            let now = after.checked_sub(1).map(|at| &program.lines[at]);
            let place = now.map(|source| (&source.file, source.line));
            if let (Some(source), true) = (now, place != line) {
                writeln!(out, "{DIM}; {} @ {}:{}{DIM:#}", source.text.trim(), source.file, source.line)?;
            }
            line = place;
        }
        let text = match (&step.insn, program) {
            (Some(insn), Some(program)) => insn.display(step.slot, program).to_string(),
            (Some(insn), None) => insn.to_string(),
            (None, _) => "no instruction".to_owned(),
        };
        let after = steps.get(nth + 1).map(|next| next.registers);
        write!(out, "{:>width$}: {text:<40}", step.slot, width = 4 + 2 * step.depth)?;
        writeln!(out, " {DIM}{}{DIM:#}", changed(step, after, last))?;
    }
    Ok(())
}

/// The registers that differ before the next instruction; of the last, what it returned.
fn changed(step: &Step, after: Option<[u64; 11]>, last: Option<u64>) -> String {
    let Some(after) = after else {
        return match (step.insn, last) {
            (Some(Insn::Exit), Some(value)) => format!("r0={value:#x}"),
            (_, _) => String::new(),
        };
    };
    let pairs = step.registers.iter().zip(after).enumerate();
    let parts = pairs.filter(|(_, (before, after))| **before != *after).map(|(n, (_, after))| format!("r{n}={after:#x}"));
    parts.collect::<Vec<_>>().join(" ")
}

fn shown(field: &Field) -> String {
    match &field.value {
        Some(value) => value.to_string(),
        None => format!("hex:{}", hex::text(&field.bytes)),
    }
}

/// Writes what maps hold. Of arrays, entries that are all 0 are counted, unless there is but one.
pub(super) fn dumps(out: &mut dyn Write, dumps: &[Dump]) -> io::Result<()> {
    let entries = |count: usize| if count == 1 { "entry" } else { "entries" };
    for dump in dumps {
        let count = dump.entries.len();
        writeln!(out, "map {BOLD}{}{BOLD:#}: {count} {}", dump.name, entries(count))?;
        let mut zeros = 0;
        for entry in &dump.entries {
            if dump.full && count > 1 && entry.is_zero() {
                zeros += 1;
                continue;
            }
            let key = entry.key.as_ref().map(|key| format!("[{}] ", shown(key))).unwrap_or_default();
            for (cpu, value) in entry.values.iter().enumerate() {
                match entry.per_cpu {
                    true => writeln!(out, "  {key}cpu {cpu} = {}", shown(value))?,
                    false if key.is_empty() => writeln!(out, "  {}", shown(value))?,
                    false => writeln!(out, "  {key}= {}", shown(value))?,
                }
            }
        }
        if zeros > 0 {
            writeln!(out, "  and {zeros} {} of zeros", entries(zeros))?;
        }
    }
    Ok(())
}

/// Writes how often each verdict came.
pub(super) fn summary(out: &mut dyn Write, runs: usize, verdicts: &[(String, usize)]) -> io::Result<()> {
    let counts: Vec<String> = verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    match runs {
        0 => writeln!(out, "0 runs"),
        1 => writeln!(out, "1 run: {}", counts.join(", ")),
        _ => writeln!(out, "{runs} runs: {}", counts.join(", ")),
    }
}
