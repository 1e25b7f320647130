//! Source lines from DWARF, for objects whose BTF.ext has none.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use gimli::{AttributeValue, EndianSlice, LineProgramHeader, LittleEndian, Relocate, RelocateReader, SectionId};
use skep_program::Line;

use crate::elf::{Elf, Place};

/// Lines by section of code, sorted by slot.
pub(crate) type Lines = HashMap<usize, Vec<Line>>;

/// Sections of code are kept apart in addresses: the section's index is above this bit, bytes into it are below.
const SECTION_SHIFT: u32 = 40;
/// Longest path of a source file that is kept.
const MAX_PATH: usize = 1024;
/// Files of one line program that are named.
const MAX_FILES: usize = 1 << 14;

/// What is added where, by offset into one section of debug information.
#[derive(Debug, Clone, Copy)]
struct Addends<'r>(&'r HashMap<usize, u64>);

impl Relocate for Addends<'_> {
    fn relocate_address(&self, offset: usize, value: u64) -> gimli::Result<u64> {
        Ok(value.wrapping_add(self.0.get(&offset).copied().unwrap_or(0)))
    }

    fn relocate_offset(&self, offset: usize, value: usize) -> gimli::Result<usize> {
        // Offsets are into sections of debug information, whose index is not part of them.
        let added = self.0.get(&offset).copied().unwrap_or(0) & ((1 << SECTION_SHIFT) - 1);
        Ok(value.wrapping_add(added as usize))
    }
}

type Reader<'r> = RelocateReader<EndianSlice<'r, LittleEndian>, Addends<'r>>;

/// What the relocations of a section add: the symbol's value, in the section that it is in.
fn addends(elf: &Elf<'_>, section: usize) -> HashMap<usize, u64> {
    let mut found = HashMap::new();
    for table in elf.relocations_of(section) {
        for reloc in elf.relocations(table).unwrap_or_default() {
            let symbol = &elf.symbols[reloc.symbol];
            if let Place::Section(section) = symbol.place {
                let value = symbol.value.wrapping_add(reloc.addend.unwrap_or(0) as u64) & ((1 << SECTION_SHIFT) - 1);
                found.insert(reloc.offset as usize, (section as u64) << SECTION_SHIFT | value);
            }
        }
    }
    found
}

/// Files of one line program, by number.
struct Files<'r> {
    /// Where the compiler ran.
    base: String,
    names: HashMap<u64, Arc<str>>,
    dwarf: &'r gimli::Dwarf<Reader<'r>>,
    unit: &'r gimli::Unit<Reader<'r>>,
}

impl<'r> Files<'r> {
    fn text(&self, value: AttributeValue<Reader<'r>>) -> gimli::Result<String> {
        let bytes = self.dwarf.attr_string(self.unit, value)?;
        let bytes = gimli::Reader::to_slice(&bytes)?;
        let bytes: Cow<'_, [u8]> = if bytes.len() > MAX_PATH { bytes[..MAX_PATH].to_vec().into() } else { bytes };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The path as the compiler has it: absolute, or relative to where it ran with that place before it, as in BTF.ext.
    fn path(&self, header: &LineProgramHeader<Reader<'r>>, number: u64) -> gimli::Result<String> {
        let Some(file) = header.file(number) else { return Ok(String::new()) };
        let name = self.text(file.path_name())?;
        let mut folder = match file.directory(header) {
            Some(folder) => self.text(folder)?,
            None => String::new(),
        };
        if !Path::new(&folder).is_absolute() && folder != self.base && !self.base.is_empty() {
            folder = if folder.is_empty() { self.base.clone() } else { format!("{}/{folder}", self.base) };
        }
        Ok(if folder.is_empty() || Path::new(&name).is_absolute() { name } else { format!("{folder}/{name}") })
    }

    fn file(&mut self, header: &LineProgramHeader<Reader<'r>>, number: u64) -> gimli::Result<Arc<str>> {
        if let Some(name) = self.names.get(&number) {
            return Ok(name.clone());
        }
        if self.names.len() >= MAX_FILES {
            return Ok(Arc::default());
        }
        let name: Arc<str> = self.path(header, number)?.chars().take(MAX_PATH).collect::<String>().into();
        self.names.insert(number, name.clone());
        Ok(name)
    }
}

/// The lines of one unit.
fn unit<'r>(
    dwarf: &'r gimli::Dwarf<Reader<'r>>,
    header: gimli::UnitHeader<Reader<'r>>,
    elf: &Elf<'_>,
    lines: &mut Lines,
) -> gimli::Result<()> {
    let unit = dwarf.unit(header)?;
    let Some(program) = unit.line_program.clone() else { return Ok(()) };
    let mut base = String::new();
    if let Some(folder) = &unit.comp_dir {
        base = String::from_utf8_lossy(&gimli::Reader::to_slice(folder)?).chars().take(MAX_PATH).collect();
    }
    let mut files = Files { base, names: HashMap::new(), dwarf, unit: &unit };
    let mut rows = program.rows();
    while let Some((header, row)) = rows.next_row()? {
        let section = (row.address() >> SECTION_SHIFT) as usize;
        let offset = row.address() & ((1 << SECTION_SHIFT) - 1);
        let code = elf.sections.get(section).filter(|found| found.is_exec() && offset < found.size);
        if row.end_sequence() || code.is_none() {
            continue;
        }
        let column = match row.column() {
            gimli::ColumnType::LeftEdge => 0,
            gimli::ColumnType::Column(column) => u32::try_from(column.get()).unwrap_or(u32::MAX),
        };
        let line = Line {
            start: (offset / 8) as usize,
            file: files.file(header, row.file_index())?,
            line: row.line().and_then(|line| u32::try_from(line.get()).ok()).unwrap_or(0),
            column,
            text: Arc::default(),
        };
        let found = lines.entry(section).or_default();
        match found.last_mut() {
            // Of several lines of one instruction the last one counts: the others have no code.
            Some(last) if last.start == line.start => *last = line,
            Some(_) | None => found.push(line),
        }
    }
    Ok(())
}

fn read(elf: &Elf<'_>, lines: &mut Lines) -> gimli::Result<()> {
    let by_section: HashMap<usize, HashMap<usize, u64>> =
        elf.sections.iter().filter(|s| s.name.starts_with(".debug_")).map(|s| (s.index, addends(elf, s.index))).collect();
    let nothing = HashMap::new();
    let dwarf = gimli::Dwarf::load(|id: SectionId| {
        let section = elf.section(id.name());
        let data = section.map_or(&[][..], |section| section.data);
        let addends = section.and_then(|section| by_section.get(&section.index)).unwrap_or(&nothing);
        Ok::<_, gimli::Error>(RelocateReader::new(EndianSlice::new(data, LittleEndian), Addends(addends)))
    })?;
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        unit(&dwarf, header, elf, lines)?;
    }
    Ok(())
}

/// Lines by section of code; what is wrong with the debug information, where it cannot be read to the end. Nothing but the lines depends
/// on it, so that an object with broken debug information can be loaded.
pub(crate) fn lines(elf: &Elf<'_>) -> (Lines, Option<String>) {
    let mut lines = Lines::new();
    let problem = read(elf, &mut lines).err();
    for found in lines.values_mut() {
        found.sort_by_key(|line| line.start);
        found.dedup_by_key(|line| line.start);
    }
    (lines, problem.map(|problem| problem.to_string()))
}
