//! Relocations of code, and calls without relocation, to what they name.

use std::collections::HashMap;

use skep_isa::RawInsn;

use crate::elf::{Elf, Place, Relocation, Section, Symbol, SymbolKind};
use crate::error::{ObjectError, RelocationProblem as Problem};
use crate::externs::Extern;
use crate::functions::{self, Function, Link};
use crate::maps::{Maps, data_section};

const CALL: u8 = 0x85;
const LOAD_WIDE: u8 = 0x18;
const PSEUDO_CALL: u8 = 1;

/// What names are looked up in.
struct Tables<'a> {
    elf: &'a Elf<'a>,
    maps: &'a Maps,
    /// Externs by symbol.
    externs: HashMap<usize, usize>,
    /// Defined maps by section and offset.
    defined: HashMap<(usize, u64), usize>,
    /// Maps of sections with variables.
    data: HashMap<usize, usize>,
}

/// Opens every function's links: slots of `functions` are filled.
pub(crate) fn link(elf: &Elf<'_>, functions: &mut [Function], maps: &Maps, externs: &[Extern]) -> Result<(), ObjectError> {
    let mut tables = Tables {
        elf,
        maps,
        externs: externs.iter().enumerate().map(|(number, e)| (e.symbol, number)).collect(),
        defined: HashMap::new(),
        data: HashMap::new(),
    };
    for (index, entry) in maps.all.iter().enumerate() {
        match entry.origin {
            crate::maps::Origin::Defined => {
                tables.defined.entry((entry.section, entry.offset)).or_insert(index);
            }
            crate::maps::Origin::Data { .. } => {
                tables.data.entry(entry.section).or_insert(index);
            }
            crate::maps::Origin::Kconfig => {}
        }
    }
    for section in elf.sections.iter().filter(|s| s.is_exec()) {
        for table in elf.relocations_of(section.index) {
            section_links(&tables, functions, section, table)?;
        }
    }
    local_calls(functions);
    for function in functions.iter_mut() {
        function.links.sort_by_key(|(slot, _)| *slot);
    }
    Ok(())
}

fn section_links(
    tables: &Tables<'_>,
    functions: &mut [Function],
    section: &Section<'_>,
    table: &Section<'_>,
) -> Result<(), ObjectError> {
    let elf = tables.elf;
    for reloc in elf.relocations(table)? {
        let symbol = &elf.symbols[reloc.symbol];
        let error = |problem| ObjectError::Relocation {
            section: section.name.to_owned(),
            offset: reloc.offset,
            symbol: elf.symbol_name(symbol).to_owned(),
            problem,
        };
        if reloc.offset % 8 != 0 || reloc.offset >= section.size {
            return Err(error(Problem::NotAtInsn));
        }
        // Code without a function symbol is what is left of a weak function that another one replaced.
        let Some(index) = functions::at(functions, section.index, reloc.offset as usize / 8) else { continue };
        let slot = reloc.offset as usize / 8 - functions[index].start;
        let link = tables.resolve(functions, &functions[index].insns[slot..], symbol, &reloc).map_err(error)?;
        functions[index].links.push((slot, link));
    }
    Ok(())
}

impl Tables<'_> {
    fn resolve(
        &self,
        functions: &[Function],
        insns: &[RawInsn],
        symbol: &Symbol<'_>,
        reloc: &Relocation,
    ) -> Result<Link, Problem> {
        let insn = insns[0];
        match insn.code {
            CALL => {}
            LOAD_WIDE if insns.len() < 2 => return Err(Problem::HalfLoad),
            LOAD_WIDE => {}
            other => return Err(Problem::Opcode(other)),
        }
        if symbol.is_extern() {
            return self.externs.get(&reloc.symbol).map(|number| Link::Extern(*number)).ok_or(Problem::Undefined);
        }
        let section = match symbol.place {
            Place::Section(section) => section,
            Place::Undefined => return Err(Problem::Undefined),
            Place::Special(special) => return Err(Problem::Special(special)),
        };
        // Of a REL entry the addend is in the instruction.
        let addend = reloc.addend.unwrap_or(insn.imm.into());
        if insn.code == CALL {
            return self.call(functions, insn, symbol, section);
        }
        if self.elf.sections[section].is_exec() {
            let at = (symbol.value as i64).wrapping_add(addend);
            let found = (at % 8 == 0).then(|| functions::starting_at(functions, section, at / 8)).flatten();
            return found.map(Link::Func).ok_or(Problem::NoFunction(at));
        }
        self.data(symbol, section, addend)
    }

    fn call(&self, functions: &[Function], insn: RawInsn, symbol: &Symbol<'_>, section: usize) -> Result<Link, Problem> {
        if insn.src() != PSEUDO_CALL {
            return Err(Problem::NotLocalCall(insn.src()));
        }
        let target = &self.elf.sections[section];
        if !target.is_exec() || !symbol.value.is_multiple_of(8) {
            return Err(Problem::CallTarget(target.name.to_owned()));
        }
        let slot = (symbol.value / 8) as i64 + i64::from(insn.imm) + 1;
        Ok(functions::starting_at(functions, section, slot).map_or(Link::NoFunction(slot), Link::Call))
    }

    /// A map, or a variable in one.
    fn data(&self, symbol: &Symbol<'_>, section: usize, addend: i64) -> Result<Link, Problem> {
        let offset = (symbol.value as u32).wrapping_add(addend as u32);
        if let Some(arena) = self.maps.arena.as_ref().filter(|arena| arena.section == section) {
            let base = self.maps.all[arena.map].def.arena_data.as_ref().map_or(0, |data| data.offset as u32);
            return Ok(Link::Data { map: arena.map, offset: offset.wrapping_add(base) });
        }
        if let Some(map) = self.data.get(&section) {
            return Ok(Link::Data { map: *map, offset });
        }
        let target = &self.elf.sections[section];
        if target.name == ".jumptables" {
            return Err(Problem::JumpTable);
        }
        // A symbol of the whole section leaves the offset to the instruction.
        let at = if symbol.kind == SymbolKind::Section { symbol.value.wrapping_add(addend as u64) } else { symbol.value };
        match self.defined.get(&(section, at)) {
            Some(map) => Ok(Link::Map(*map)),
            None if self.defined.keys().any(|(s, _)| *s == section) => Err(Problem::NoMap(at, target.name.to_owned())),
            None if data_section(target).is_some() => Err(Problem::NoMap(at, target.name.to_owned())),
            None => Err(Problem::DataSection(target.name.to_owned())),
        }
    }
}

/// Calls of functions of the same section may come without relocation: their distance is right in the section.
fn local_calls(functions: &mut [Function]) {
    for index in 0..functions.len() {
        let function = &functions[index];
        let mut relocated = vec![false; function.insns.len()];
        for (slot, _) in &function.links {
            relocated[*slot] = true;
        }
        let mut calls = Vec::new();
        let mut slot = 0;
        while slot < function.insns.len() {
            let insn = function.insns[slot];
            if insn.code == CALL && insn.src() == PSEUDO_CALL && !relocated[slot] {
                let target = (function.start + slot) as i64 + i64::from(insn.imm) + 1;
                let found = functions::starting_at(functions, function.section, target);
                calls.push((slot, found.map_or(Link::NoFunction(target), Link::Call)));
            }
            slot += if insn.code == LOAD_WIDE { 2 } else { 1 };
        }
        functions[index].links.extend(calls);
    }
}
