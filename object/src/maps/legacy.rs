//! Maps defined by structs of numbers: `struct bpf_map_def` in its historic sizes and iproute2's `struct bpf_elf_map`, in a section `maps`
//! (one definition per symbol) or in sections `maps/NAME`.

use std::collections::HashMap;
use std::sync::Arc;

use skep_linux::MapType;
use skep_program::MapDef;

use super::{MapEntry, Maps, Origin, Source, ring_size};
use crate::elf::{Place, SHT_PROGBITS, Section, Symbol, SymbolKind, u32_at};
use crate::error::{MapProblem, ObjectError, SectionProblem};

/// Which struct a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `bpf_map_def`: type, key size, value size, entries, and as far as it reaches: flags, index of the inner map, NUMA node.
    MapDef,
    /// `bpf_elf_map`: type, key size, value size, entries, flags, id, pinning, and as far as it reaches: id of the inner map, index in the
    /// outer map.
    ElfMap,
}

/// A definition as it lies in the section.
struct Raw<'a> {
    name: &'a str,
    section: usize,
    offset: u64,
    words: Vec<u32>,
}

impl Raw<'_> {
    fn word(&self, index: usize) -> u32 {
        self.words.get(index).copied().unwrap_or(0)
    }

    fn is_map_of_maps(&self) -> bool {
        self.word(0) == MapType::ArrayOfMaps as u32 || self.word(0) == MapType::HashOfMaps as u32
    }
}

/// `BPF_F_NUMA_NODE`.
const F_NUMA_NODE: u32 = 1 << 2;
/// Bytes of a definition that are numbers; what follows (names of pin folders) is not read.
const MOST: usize = 36;

/// The size decides the struct, but for 28 bytes, where both had that size once: an inner map or a NUMA node then tells.
fn layout(definitions: &[Raw<'_>], size: u64) -> Layout {
    match size {
        ..28 => Layout::MapDef,
        28 => {
            let uses = |d: &Raw<'_>| d.is_map_of_maps() || d.word(4) & F_NUMA_NODE != 0 || (d.word(5) == 0 && d.word(6) == 0);
            if definitions.iter().all(uses) { Layout::MapDef } else { Layout::ElfMap }
        }
        // iproute2's struct, alone or with additions of its users.
        29..=48 => Layout::ElfMap,
        // `bpf_map_def` with a name or path behind it.
        _ => Layout::MapDef,
    }
}

fn is_legacy(section: &Section<'_>) -> bool {
    section.kind == SHT_PROGBITS && section.size > 0 && (section.name == "maps" || section.name.starts_with("maps/"))
}

fn raw<'a>(section: &Section<'a>, symbol: &Symbol<'a>, size: u64) -> Raw<'a> {
    let name = match symbol.name {
        "" => section.name.strip_prefix("maps/").unwrap_or(section.name),
        name => name,
    };
    let start = symbol.value as usize;
    let bytes = &section.data[start..start + (size as usize).min(MOST)];
    Raw { name, section: section.index, offset: symbol.value, words: bytes.chunks_exact(4).map(|b| u32_at(b, 0)).collect() }
}

/// The definitions of one section, which all have one size.
fn definitions<'a>(section: &Section<'a>, mut symbols: Vec<&Symbol<'a>>) -> Result<(Vec<Raw<'a>>, u64), ObjectError> {
    symbols.sort_by_key(|s| s.value);
    symbols.dedup_by_key(|s| s.value);
    let count = symbols.len();
    let size = if count == 0 { 0 } else { section.size / count as u64 };
    // An inner map may be a symbol of another shape; then the symbols' own distance is the size.
    let fits = |s: &&Symbol<'_>| s.value.is_multiple_of(4) && s.value.checked_add(size).is_some_and(|end| end <= section.size);
    if size < 16 || size * count as u64 != section.size || !symbols.iter().all(fits) {
        let problem = SectionProblem::LegacySize { bytes: section.size, maps: count };
        return Err(ObjectError::Section { section: section.name.to_owned(), offset: section.offset, problem });
    }
    Ok((symbols.into_iter().map(|symbol| raw(section, symbol, size)).collect(), size))
}

fn build(raw: &Raw<'_>, layout: Layout) -> Result<MapDef, MapProblem> {
    let number = raw.word(0);
    let map_type = match MapType::from_u32(number) {
        Some(MapType::Unspec) => return Err(MapProblem::NoType),
        Some(map_type) => map_type,
        None => return Err(MapProblem::UnknownType(number)),
    };
    let mut def = MapDef::new(raw.name, map_type);
    (def.key_size, def.value_size, def.max_entries, def.flags) = (raw.word(1), raw.word(2), raw.word(3), raw.word(4));
    match layout {
        Layout::MapDef if def.flags & F_NUMA_NODE != 0 => def.numa_node = raw.word(6),
        Layout::MapDef => {}
        Layout::ElfMap => def.pinning = raw.word(6),
    }
    if matches!(map_type, MapType::Ringbuf | MapType::UserRingbuf) {
        def.max_entries = ring_size(def.max_entries);
    }
    Ok(def)
}

/// The template of a map of maps, by index (`bpf_map_def`) or id (`bpf_elf_map`), and the slots that the struct fills.
fn nest(raws: &[Raw<'_>], layout: Layout, first: usize, maps: &mut Maps, guess: bool) -> Result<(), ObjectError> {
    let mut by_id: HashMap<u32, Vec<usize>> = HashMap::new();
    if layout == Layout::ElfMap {
        for (index, raw) in raws.iter().enumerate().filter(|(_, raw)| raw.word(5) != 0) {
            by_id.entry(raw.word(5)).or_default().push(index);
        }
    }
    for (index, raw) in raws.iter().enumerate().filter(|(_, raw)| raw.is_map_of_maps()) {
        let (wanted, inner) = match layout {
            Layout::MapDef => {
                let wanted = raw.word(5) as usize;
                (format!("index {wanted}"), (raw.words.len() > 5 && wanted < raws.len()).then_some(vec![wanted]))
            }
            Layout::ElfMap => (format!("id {}", raw.word(7)), by_id.get(&raw.word(7)).cloned()),
        };
        let inner = inner.filter(|found| !raws[found[0]].is_map_of_maps());
        let Some(inner) = inner else {
            if guess {
                let mut template = MapDef::new(&format!("{}.inner", raw.name), MapType::Array);
                (template.key_size, template.value_size, template.max_entries) = (4, 4, 1);
                Arc::make_mut(&mut maps.all[first + index].def).inner = Some(Arc::new(template));
                continue;
            }
            let (problem, section) = (MapProblem::NoInner(wanted), "maps".to_owned());
            return Err(ObjectError::Map { map: raw.name.to_owned(), section, offset: raw.offset, problem: Box::new(problem) });
        };
        let template = maps.all[first + inner[0]].def.clone();
        let outer = Arc::make_mut(&mut maps.all[first + index].def);
        outer.inner = Some(template);
        if layout == Layout::ElfMap && outer.key_size == 4 {
            let slots = inner.iter().filter(|i| raws[**i].words.len() > 8 && raws[**i].word(8) != u32::MAX);
            outer.slots = slots.map(|i| (raws[*i].word(8), raws[*i].name.to_owned())).collect();
        }
    }
    Ok(())
}

pub(super) fn collect(source: &Source<'_>, maps: &mut Maps) -> Result<(), ObjectError> {
    let elf = source.elf;
    let sections: Vec<&Section<'_>> = elf.sections.iter().filter(|s| is_legacy(s)).collect();
    if sections.is_empty() {
        return Ok(());
    }
    let mut symbols: HashMap<usize, Vec<&Symbol<'_>>> = HashMap::new();
    for symbol in &elf.symbols {
        if let Place::Section(section) = symbol.place
            && matches!(symbol.kind, SymbolKind::Object | SymbolKind::NoType)
            && !symbol.name.is_empty()
        {
            symbols.entry(section).or_default().push(symbol);
        }
    }
    let (mut raws, mut size) = (Vec::new(), 0);
    for section in sections {
        let (mut found, each) = definitions(section, symbols.remove(&section.index).unwrap_or_default())?;
        size = size.max(each);
        raws.append(&mut found);
    }
    let (layout, first) = (layout(&raws, size), maps.all.len());
    for raw in &raws {
        let error = |problem| ObjectError::Map {
            map: raw.name.to_owned(),
            section: elf.sections[raw.section].name.to_owned(),
            offset: raw.offset,
            problem: Box::new(problem),
        };
        let def = Arc::new(build(raw, layout).map_err(error)?);
        maps.all.push(MapEntry { def, origin: Origin::Defined, section: raw.section, offset: raw.offset });
    }
    nest(&raws, layout, first, maps, source.options.repairs.inner_maps)
}
