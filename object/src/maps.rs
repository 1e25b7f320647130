//! The maps of an object: BTF-defined, of the old `maps` sections, and those that hold global variables.

mod btf_defined;
mod legacy;
mod slots;

use std::sync::Arc;

use skep_btf::{Btf, Kind, Linkage, Type, TypeId};
use skep_linux::MapType;
use skep_program::{ArenaData, MapDef, special_fields};

use crate::elf::{Elf, SHT_NOBITS, SHT_PROGBITS, Section};
use crate::error::{ObjectError, SectionProblem};
use crate::externs::Extern;
use crate::functions::Function;
use crate::{Options, Repairs};

pub(crate) const MAPS: &str = ".maps";
pub(crate) const ARENA: &str = ".addr_space.1";

const F_RDONLY_PROG: u32 = 1 << 7;
const F_MMAPABLE: u32 = 1 << 10;
/// Bytes of a page: what ring buffers and arenas are counted in.
const PAGE: u64 = 4096;

/// Where a map of an object comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Defined in `.maps` or in an old `maps` section.
    Defined,
    /// The variables of a section: whether programs only read them.
    Data { read_only: bool },
    /// Configuration values.
    Kconfig,
}

/// A map and where it is defined.
#[derive(Debug, Clone)]
pub(crate) struct MapEntry {
    pub(crate) def: Arc<MapDef>,
    pub(crate) origin: Origin,
    /// Index of its section.
    pub(crate) section: usize,
    /// Bytes into the section; 0 for sections with variables.
    pub(crate) offset: u64,
}

/// Where arena variables come from and go to.
#[derive(Debug, Clone)]
pub(crate) struct ArenaSource {
    pub(crate) section: usize,
    /// Index of the arena.
    pub(crate) map: usize,
}

/// All maps of an object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Maps {
    pub(crate) all: Vec<MapEntry>,
    pub(crate) kconfig: Option<usize>,
    pub(crate) arena: Option<ArenaSource>,
}

/// What maps are collected from.
pub(crate) struct Source<'a> {
    pub(crate) elf: &'a Elf<'a>,
    pub(crate) btf: Option<&'a Arc<Btf>>,
    pub(crate) externs: &'a [Extern],
    pub(crate) functions: &'a [Function],
    pub(crate) options: &'a Options,
}

/// The name of the map of a section with variables: `opensnoop` and `.rodata` make `opensnoo.rodata`, in the 15 characters that the
/// kernel keeps. Sections with a second dot are named by themselves.
fn data_map_name(object: &str, section: &str) -> String {
    const MAX: usize = 15;
    let cut = |text: &str, max: usize| text.chars().take(max).collect::<String>();
    let suffix = section.len().clamp(7, MAX);
    let prefix = if section[1..].contains('.') { 0 } else { MAX - suffix };
    let name = cut(object, prefix) + &cut(section, suffix);
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '_' }).collect()
}

fn is_named(name: &str, base: &str) -> bool {
    name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a section holds variables, and whether they are read-only.
pub(crate) fn data_section(section: &Section<'_>) -> Option<bool> {
    let bits = section.kind == SHT_PROGBITS && !section.is_exec();
    match section.name {
        _ if section.size == 0 => None,
        name if bits && is_named(name, ".data") => Some(false),
        name if bits && is_named(name, ".rodata") => Some(true),
        name if section.kind == SHT_NOBITS && is_named(name, ".bss") => Some(false),
        _ => None,
    }
}

/// Whether user space may map the variables: one of them is seen beyond its file.
fn is_mmapable(btf: &Btf, section: TypeId) -> bool {
    let Some(Type::Datasec(section)) = btf.get(section) else { return false };
    section.vars().any(|var| matches!(btf.get(var.ty), Some(Type::Var(decl)) if decl.linkage != Linkage::Static))
}

fn data_map(source: &Source<'_>, name: &str, size: u32, read_only: bool) -> MapDef {
    let mut def = MapDef::new(&data_map_name(&source.options.name, name), MapType::Array);
    def.section = Some(name.to_owned());
    (def.key_size, def.value_size, def.max_entries) = (4, size, 1);
    def.frozen = read_only;
    def.flags = if read_only { F_RDONLY_PROG } else { 0 };
    if let Some(btf) = source.btf
        && let Some(id) = btf.find_all(name).next()
    {
        def.value_type_id = id.0;
        def.btf = Some(btf.clone());
        def.special = special_fields(btf, id);
        if is_mmapable(btf, id) {
            def.flags |= F_MMAPABLE;
        }
    }
    def
}

fn data_maps(source: &Source<'_>, maps: &mut Maps) -> Result<(), ObjectError> {
    for section in &source.elf.sections {
        let Some(read_only) = data_section(section) else { continue };
        let too_large = || ObjectError::Section {
            section: section.name.to_owned(),
            offset: section.offset,
            problem: SectionProblem::TooLarge(section.size),
        };
        let size = u32::try_from(section.size).ok().filter(|size| *size <= i32::MAX as u32).ok_or_else(too_large)?;
        let mut def = data_map(source, section.name, size, read_only);
        if section.kind != SHT_NOBITS {
            def.initial = Some(section.data.to_vec());
        }
        let origin = Origin::Data { read_only };
        maps.all.push(MapEntry { def: Arc::new(def), origin, section: section.index, offset: 0 });
    }
    Ok(())
}

fn kconfig_map(source: &Source<'_>, maps: &mut Maps) {
    let ends = source.externs.iter().filter_map(|e| Some(e.kconfig_offset()? + e.kconfig_size()?));
    if let Some(size) = ends.max() {
        let def = data_map(source, crate::fixup::KCONFIG, size, true);
        maps.kconfig = Some(maps.all.len());
        maps.all.push(MapEntry { def: Arc::new(def), origin: Origin::Kconfig, section: 0, offset: 0 });
    }
}

/// Ring buffers have a power of two of pages: the smallest that is larger than what was asked for, as libbpf makes it.
fn ring_size(bytes: u32) -> u32 {
    let pages = u64::from(bytes) / PAGE;
    if bytes == 0 || (u64::from(bytes) % PAGE == 0 && pages.is_power_of_two()) {
        return bytes;
    }
    u32::try_from((pages + 1).next_power_of_two() * PAGE).unwrap_or(bytes)
}

/// Arena variables: the arena they are in must be large enough.
fn arena_data(source: &Source<'_>, maps: &mut Maps) -> Result<(), ObjectError> {
    let Some(section) = source.elf.section(ARENA).filter(|s| s.kind == SHT_PROGBITS && s.size > 0) else { return Ok(()) };
    let error = |problem| ObjectError::Section { section: ARENA.to_owned(), offset: section.offset, problem };
    let found = maps.all.iter().position(|m| m.def.map_type == MapType::Arena);
    let map = found.ok_or_else(|| error(SectionProblem::NoArena))?;
    let have = u64::from(maps.all[map].def.max_entries) * PAGE;
    let need = section.size.next_multiple_of(PAGE);
    if need > have {
        return Err(error(SectionProblem::ArenaTooSmall { need: section.size, have }));
    }
    maps.arena = Some(ArenaSource { section: section.index, map });
    let def = Arc::make_mut(&mut maps.all[map].def);
    def.arena_data = Some(ArenaData { offset: have - need, bytes: section.data.to_vec() });
    Ok(())
}

/// Collects all maps, in the order in which libbpf has them.
pub(crate) fn collect(source: &Source<'_>) -> Result<Maps, ObjectError> {
    let mut maps = Maps::default();
    btf_defined::collect(source, &mut maps)?;
    legacy::collect(source, &mut maps)?;
    arena_data(source, &mut maps)?;
    data_maps(source, &mut maps)?;
    kconfig_map(source, &mut maps);
    slots::collect(source, &mut maps)?;
    for entry in &mut maps.all {
        repair(Arc::make_mut(&mut entry.def), &source.options.repairs);
    }
    Ok(maps)
}

/// Makes a definition acceptable that the kernel would refuse, where that was asked for.
fn repair(def: &mut MapDef, repairs: &Repairs) {
    if let Some(inner) = &mut def.inner {
        repair(Arc::make_mut(inner), repairs);
    }
    if repairs.pinning {
        def.pinning = 0;
    }
    if !repairs.map_sizes {
        return;
    }
    let maps_of_maps = matches!(def.map_type, MapType::ArrayOfMaps | MapType::HashOfMaps);
    match def.map_type {
        MapType::PerfEventArray | MapType::ProgArray | MapType::CgroupArray => (def.key_size, def.value_size) = (4, 4),
        MapType::Ringbuf | MapType::UserRingbuf => {
            (def.key_size, def.value_size) = (0, 0);
            def.max_entries = ring_size(def.max_entries.max(PAGE as u32));
        }
        MapType::StackTrace => {
            def.key_size = 4;
            def.value_size = def.value_size.max(8).checked_next_multiple_of(8).unwrap_or(u32::MAX - 7);
        }
        _ if maps_of_maps => def.value_size = 4,
        _ => {}
    }
    let counted = !matches!(
        def.map_type,
        MapType::SkStorage
            | MapType::InodeStorage
            | MapType::TaskStorage
            | MapType::CgrpStorage
            | MapType::CgroupStorage
            | MapType::PercpuCgroupStorage
            | MapType::StructOps
    );
    if counted && def.max_entries == 0 {
        def.max_entries = 1;
    }
}

/// The kind behind modifiers and typedefs.
fn resolved(btf: &Btf, id: TypeId) -> (TypeId, Kind) {
    let id = btf.resolve(id);
    (id, btf.kind(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_data_maps() {
        for (object, section, name) in [
            ("opensnoop-libbpf", ".rodata", "opensnoo.rodata"),
            ("opensnoop-libbpf", ".bss", "opensnoo.bss"),
            ("biosnoop-libbpf", ".kconfig", "biosnoo.kconfig"),
            ("x", ".data", "x.data"),
            ("x", ".data.config", ".data.config"),
            ("x", ".rodata.abracadabra", ".rodata.abracad"),
            ("a-b", ".data", "a_b.data"),
            ("", ".bss", ".bss"),
        ] {
            assert_eq!(data_map_name(object, section), name);
        }
    }

    #[test]
    fn sizes_of_rings() {
        for (asked, given) in [(0, 0), (1, 4096), (4096, 4096), (4097, 8192), (12288, 16384), (8192, 8192), (u32::MAX, u32::MAX)]
        {
            assert_eq!(ring_size(asked), given, "{asked}");
        }
    }

    #[test]
    fn sizes_at_the_edge_are_repaired() {
        let mut stacks = MapDef::new("stacks", MapType::StackTrace);
        stacks.value_size = u32::MAX;
        repair(&mut stacks, &Repairs::ALL);
        assert_eq!(stacks.value_size, u32::MAX - 7);
        let mut ring = MapDef::new("ring", MapType::Ringbuf);
        ring.max_entries = u32::MAX;
        repair(&mut ring, &Repairs::ALL);
        assert_eq!(ring.max_entries, u32::MAX);
    }
}
