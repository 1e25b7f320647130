//! Initial values of maps of maps and prog arrays: `.values = { &inner, .. }`, kept as relocations of `.maps`.

use std::collections::HashMap;
use std::sync::Arc;

use skep_btf::{Btf, Type};
use skep_linux::MapType;

use super::{MAPS, Maps, Source};
use crate::elf::{Place, Relocation, Symbol};
use crate::error::{ObjectError, RelocationProblem};
use crate::fixup::datasecs;
use crate::functions::Function;

/// Bytes of a pointer in `.maps`.
const POINTER: u64 = 8;

/// A variable of `.maps`, in bytes of the section.
struct Extent {
    start: u64,
    end: u64,
    /// Index of its map.
    map: usize,
    /// Where its `values` begin, in bytes of the variable.
    values: Option<u64>,
}

/// What relocations are looked up in; an object may have very many of each.
struct Tables<'a> {
    /// Index of `.maps`.
    section: usize,
    /// By place.
    extents: Vec<Extent>,
    /// Maps of `.maps` by place.
    maps: HashMap<u64, usize>,
    /// Functions by name.
    functions: HashMap<&'a str, &'a Function>,
}

fn values_offset(btf: &Btf, var: skep_btf::SecVar) -> Option<u64> {
    let Some(Type::Struct(definition)) = btf.get(btf.resolve(btf.referred(var.ty)?)) else { return None };
    let last = definition.members().next_back().filter(|member| member.name == "values")?;
    Some(u64::from(last.bit_offset / 8))
}

impl<'a> Tables<'a> {
    fn new(source: &Source<'a>, maps: &Maps, section: usize) -> Tables<'a> {
        let entries: Vec<usize> = (0..maps.all.len()).filter(|index| maps.all[*index].section == section).collect();
        let mut extents = Vec::new();
        if let Some(btf) = source.btf
            && let Some(datasec) = datasecs(btf).find(|s| s.name() == MAPS)
        {
            // Every variable made a map, in their order.
            for (var, map) in datasec.vars().zip(&entries) {
                let (start, size) = (u64::from(var.offset), u64::from(var.size));
                extents.push(Extent { start, end: start + size, map: *map, values: values_offset(btf, var) });
            }
        }
        extents.sort_by_key(|extent| extent.start);
        let mut by_place = HashMap::new();
        for index in entries {
            by_place.entry(maps.all[index].offset).or_insert(index);
        }
        let mut functions = HashMap::new();
        for function in source.functions {
            functions.entry(function.name.as_str()).or_insert(function);
        }
        Tables { section, extents, maps: by_place, functions }
    }

    /// The map whose variable holds a pointer at an offset of the section.
    fn holder(&self, offset: u64) -> Option<&Extent> {
        let after = self.extents.partition_point(|extent| extent.start <= offset);
        let extent = &self.extents[after.checked_sub(1)?];
        (offset.checked_add(POINTER)? <= extent.end).then_some(extent)
    }

    /// The name of what a slot of a map holds.
    fn target(&self, maps: &Maps, map: usize, symbol: &Symbol<'_>) -> Result<String, RelocationProblem> {
        let def = &maps.all[map].def;
        match def.map_type {
            MapType::ArrayOfMaps | MapType::HashOfMaps => {
                if def.map_type == MapType::HashOfMaps && def.key_size != 4 {
                    return Err(RelocationProblem::SlotKey(def.key_size));
                }
                let found = (symbol.place == Place::Section(self.section)).then(|| self.maps.get(&symbol.value)).flatten();
                Ok(maps.all[*found.ok_or(RelocationProblem::SlotMap)?].def.name.clone())
            }
            MapType::ProgArray => {
                let found = self
                    .functions
                    .get(symbol.name)
                    .filter(|f| f.entry && symbol.place == Place::Section(f.section) && f.start as u64 * 8 == symbol.value);
                Ok(found.ok_or(RelocationProblem::SlotProgram)?.name.clone())
            }
            _ => Err(RelocationProblem::NoSlot),
        }
    }

    fn slot(&self, maps: &Maps, symbol: &Symbol<'_>, reloc: &Relocation) -> Result<(usize, u32, String), RelocationProblem> {
        let extent = self.holder(reloc.offset).ok_or(RelocationProblem::NoSlot)?;
        let target = self.target(maps, extent.map, symbol)?;
        let values = extent.values.ok_or(RelocationProblem::NoSlot)?;
        let into = (reloc.offset - extent.start).checked_sub(values).filter(|into| into % POINTER == 0);
        Ok((extent.map, (into.ok_or(RelocationProblem::NoSlot)? / POINTER) as u32, target))
    }
}

pub(super) fn collect(source: &Source<'_>, maps: &mut Maps) -> Result<(), ObjectError> {
    let Some(section) = source.elf.section(MAPS) else { return Ok(()) };
    let tables = Tables::new(source, maps, section.index);
    // By map and key: of several values of one slot the last one counts.
    let mut slots: HashMap<usize, HashMap<u32, String>> = HashMap::new();
    for table in source.elf.relocations_of(section.index) {
        for reloc in source.elf.relocations(table)? {
            let symbol = &source.elf.symbols[reloc.symbol];
            let (map, key, name) = tables.slot(maps, symbol, &reloc).map_err(|problem| ObjectError::Relocation {
                section: MAPS.to_owned(),
                offset: reloc.offset,
                symbol: source.elf.symbol_name(symbol).to_owned(),
                problem,
            })?;
            slots.entry(map).or_default().insert(key, name);
        }
    }
    for (map, slots) in slots {
        let mut sorted: Vec<(u32, String)> = slots.into_iter().collect();
        sorted.sort();
        Arc::make_mut(&mut maps.all[map].def).slots = sorted;
    }
    Ok(())
}
