//! The answer for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::collect::{GlobalInfo, Info, MapInfo, ProgramInfo};

/// Longest value of a global that is printed whole, in characters.
const LONG: usize = 60;

pub(super) fn info(info: &Info, relocations: bool, out: &mut dyn Write) -> io::Result<()> {
    let types = info.types.map_or_else(|| "no BTF".to_owned(), |types| format!("BTF with {types} types"));
    writeln!(out, "{}: license \"{}\", {types}; answers for {}", info.object, info.license, info.target)?;
    section(out, "programs", info.programs.len())?;
    for found in &info.programs {
        program(found, relocations, out)?;
    }
    section(out, "maps", info.maps.len())?;
    let width = info.maps.iter().map(|map| map.name.len()).max().unwrap_or(0);
    for found in &info.maps {
        map(found, width, out)?;
    }
    section(out, "globals", info.globals.len())?;
    let width = info.globals.iter().map(|var| var.name.len()).max().unwrap_or(0);
    for found in &info.globals {
        global(found, width, out)?;
    }
    section(out, "externs", info.externs.len())?;
    for found in &info.externs {
        let weak = if found.weak { " weak" } else { "" };
        writeln!(out, "  {} {}{weak}", found.name, found.kind)?;
    }
    section(out, "struct_ops", info.struct_ops.len())?;
    for found in &info.struct_ops {
        writeln!(out, "  {} struct {}", found.name, found.struct_name)?;
        for (member, program) in &found.members {
            writeln!(out, "    .{member} = {program}")?;
        }
    }
    Ok(())
}

fn section(out: &mut dyn Write, name: &str, count: usize) -> io::Result<()> {
    if count > 0 { writeln!(out, "\n{name}") } else { Ok(()) }
}

fn program(found: &ProgramInfo, relocations: bool, out: &mut dyn Write) -> io::Result<()> {
    let kind = found.prog_type.as_deref().unwrap_or("unknown type");
    let autoload = if found.autoload { "" } else { ", not loaded by default" };
    writeln!(out, "  {}: {kind}, section \"{}\", {} slots{autoload}", found.name, found.section, found.slots)?;
    let mut list = |what: &str, names: &[String]| match names.is_empty() {
        true => Ok(()),
        false => writeln!(out, "    {what:<12}{}", names.join(", ")),
    };
    list("functions", &found.functions)?;
    list("helpers", &found.helpers)?;
    list("kfuncs", &found.kfuncs)?;
    list("maps", &found.maps)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for relocation in &found.relocations {
        *counts.entry(relocation.kind).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    list("relocations", &counts)?;
    if relocations {
        for relocation in &found.relocations {
            let place = format!("{}+{}", relocation.function, relocation.slot);
            writeln!(out, "      {place:<32} {:<8} {}", relocation.kind, relocation.names)?;
        }
    }
    match found.missing.split_first() {
        None => writeln!(out, "    {:<12}yes", "runs here"),
        Some((first, rest)) => {
            writeln!(out, "    {:<12}no: {first}", "runs here")?;
            rest.iter().try_for_each(|missing| writeln!(out, "    {:<16}{missing}", ""))
        }
    }
}

fn map(found: &MapInfo, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let side = |name: &str, type_name: &Option<String>, size: u32| match (type_name, size) {
        (_, 0) => String::new(),
        (Some(type_name), size) => format!("  {name} {type_name} ({size} bytes)"),
        (None, size) => format!("  {name} {size} bytes"),
    };
    let key = side("key", &found.key_type, found.key_size);
    let value = match found.section {
        Some(_) => format!("  {} bytes", found.value_size),
        None => side("value", &found.value_type, found.value_size),
    };
    let key = if found.section.is_some() { String::new() } else { key };
    let inner = found.inner.as_ref().map(|inner| format!("  of {inner}")).unwrap_or_default();
    let flags = if found.flags == 0 { String::new() } else { format!("  flags {:#x}", found.flags) };
    let pinned = if found.pinned { "  pinned" } else { "" };
    writeln!(
        out,
        "  {:<width$}  {}{inner}{key}{value}  max_entries {}{flags}{pinned}",
        found.name, found.map_type, found.max_entries
    )
}

fn global(found: &GlobalInfo, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let GlobalInfo { name, section, type_name, .. } = found;
    let value = match &found.value {
        None => String::new(),
        Some(value) if value.chars().count() > LONG => format!(" = {}...", value.chars().take(LONG).collect::<String>()),
        Some(value) => format!(" = {value}"),
    };
    writeln!(out, "  {name:<width$}  {section}  {type_name}{value}")
}
