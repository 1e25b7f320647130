//! Initial values of maps of maps and prog arrays: `.values = { &inner, .. }`, kept as relocations of `.maps`.

use std::sync::Arc;

use skep_btf::Type;
use skep_linux::MapType;
use skep_program::MapDef;

use super::{MAPS, MapEntry, Maps, Source};
use crate::elf::{Place, Relocation};
use crate::error::{ObjectError, RelocationProblem};
use crate::fixup::datasecs;

/// Bytes of a pointer in `.maps`.
const POINTER: u64 = 8;

/// Where the `values` of a map begin, in bytes of its variable.
fn values_offset(def: &MapDef, size: u64) -> Option<u64> {
    let btf = def.btf.as_deref()?;
    let section = datasecs(btf).find(|s| s.name() == MAPS)?;
    let var = section.vars().find(|var| btf.name(var.ty) == def.name && u64::from(var.size) == size)?;
    let Some(Type::Struct(definition)) = btf.get(btf.resolve(btf.referred(var.ty)?)) else { return None };
    let last = definition.members().next_back().filter(|member| member.name == "values")?;
    Some(u64::from(last.bit_offset / 8))
}

/// The variable of a map in `.maps`, as bytes of the section.
fn extent(source: &Source<'_>, entry: &MapEntry) -> Option<(u64, u64)> {
    let btf = source.btf?;
    let section = datasecs(btf).find(|s| s.name() == MAPS)?;
    let var = section.vars().find(|var| u64::from(var.offset) == entry.offset)?;
    Some((var.offset.into(), u64::from(var.offset) + u64::from(var.size)))
}

fn slot(source: &Source<'_>, maps: &Maps, reloc: &Relocation) -> Result<(usize, u32, String), RelocationProblem> {
    let symbol = &source.elf.symbols[reloc.symbol];
    let section = source.elf.section(MAPS).map_or(0, |s| s.index);
    let mut within = maps.all.iter().enumerate().filter(|(_, m)| m.section == section).filter_map(|(index, entry)| {
        let (start, end) = extent(source, entry)?;
        (start <= reloc.offset && reloc.offset.saturating_add(POINTER) <= end).then_some((index, start, end - start))
    });
    let (index, start, size) = within.next().ok_or(RelocationProblem::NoSlot)?;
    let def = &maps.all[index].def;
    let target = match def.map_type {
        MapType::ArrayOfMaps | MapType::HashOfMaps => {
            if def.map_type == MapType::HashOfMaps && def.key_size != 4 {
                return Err(RelocationProblem::SlotKey(def.key_size));
            }
            let found = maps.all.iter().find(|m| symbol.place == Place::Section(m.section) && m.offset == symbol.value);
            found.filter(|m| m.section == section).ok_or(RelocationProblem::SlotMap)?.def.name.clone()
        }
        MapType::ProgArray => {
            let found = source
                .functions
                .iter()
                .find(|f| f.name == symbol.name)
                .filter(|f| f.entry && symbol.place == Place::Section(f.section) && f.start as u64 * 8 == symbol.value);
            found.ok_or(RelocationProblem::SlotProgram)?.name.clone()
        }
        _ => return Err(RelocationProblem::NoSlot),
    };
    let values = values_offset(def, size).ok_or(RelocationProblem::NoSlot)?;
    let into = (reloc.offset - start).checked_sub(values).filter(|into| into % POINTER == 0).ok_or(RelocationProblem::NoSlot)?;
    Ok((index, (into / POINTER) as u32, target))
}

pub(super) fn collect(source: &Source<'_>, maps: &mut Maps) -> Result<(), ObjectError> {
    let Some(section) = source.elf.section(MAPS) else { return Ok(()) };
    for table in source.elf.relocations_of(section.index) {
        for reloc in source.elf.relocations(table)? {
            let error = |problem| ObjectError::Relocation {
                section: MAPS.to_owned(),
                offset: reloc.offset,
                symbol: source.elf.symbol_name(&source.elf.symbols[reloc.symbol]).to_owned(),
                problem,
            };
            let (map, key, name) = slot(source, maps, &reloc).map_err(error)?;
            let slots = &mut Arc::make_mut(&mut maps.all[map].def).slots;
            slots.retain(|(taken, _)| *taken != key);
            slots.push((key, name));
        }
    }
    for entry in &mut maps.all {
        if !entry.def.slots.is_empty() {
            Arc::make_mut(&mut entry.def).slots.sort();
        }
    }
    Ok(())
}
