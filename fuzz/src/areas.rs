//! Where in a file which numbers lie: mutations that know this reach deeper than those that hit bytes at random.

use std::ops::Range;

use object::{Object as _, ObjectSection as _};

/// What the bytes of an area are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The header of an ELF file.
    ElfHeader,
    /// Section headers.
    SectionHeaders,
    /// Symbols.
    Symbols,
    /// `SHT_REL` entries.
    Relocations,
    /// The header of `.BTF`.
    BtfHeader,
    /// Types: words.
    BtfTypes,
    /// Strings: names of symbols, sections or types.
    Strings,
    /// `.BTF.ext`: words.
    BtfExt,
    /// Map definitions: words.
    Maps,
    /// DWARF.
    Debug,
    /// Instructions.
    Code,
    /// Variables.
    Data,
    /// Anything.
    Bytes,
}

/// A number in a record: its offset and size in bytes, and what it means to the mutator.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Bytes from the start of the record.
    pub offset: usize,
    /// 1, 2, 4 or 8.
    pub size: usize,
}

const fn field(offset: usize, size: usize) -> Field {
    Field { offset, size }
}

const ELF_HEADER: &[Field] = &[
    field(4, 1),
    field(5, 1),
    field(6, 1),
    field(16, 2),
    field(18, 2),
    field(20, 4),
    field(24, 8),
    field(32, 8),
    field(40, 8),
    field(48, 4),
    field(52, 2),
    field(54, 2),
    field(56, 2),
    field(58, 2),
    field(60, 2),
    field(62, 2),
];
const SECTION_HEADER: &[Field] = &[
    field(0, 4),
    field(4, 4),
    field(8, 8),
    field(16, 8),
    field(24, 8),
    field(32, 8),
    field(40, 4),
    field(44, 4),
    field(48, 8),
    field(56, 8),
];
const SYMBOL: &[Field] = &[field(0, 4), field(4, 1), field(5, 1), field(6, 2), field(8, 8), field(16, 8)];
const RELOCATION: &[Field] = &[field(0, 8), field(8, 4), field(12, 4)];
const BTF_HEADER: &[Field] =
    &[field(0, 2), field(2, 1), field(3, 1), field(4, 4), field(8, 4), field(12, 4), field(16, 4), field(20, 4)];
const INSN: &[Field] = &[field(0, 1), field(1, 1), field(2, 2), field(4, 4)];
const WORD: &[Field] = &[field(0, 4)];
const BYTE: &[Field] = &[field(0, 1)];

impl Kind {
    /// Bytes of a record.
    pub fn stride(self) -> usize {
        match self {
            Kind::ElfHeader | Kind::SectionHeaders => 64,
            Kind::Symbols => 24,
            Kind::Relocations => 16,
            Kind::BtfHeader => 24,
            Kind::BtfTypes | Kind::BtfExt | Kind::Maps | Kind::Data => 4,
            Kind::Code => 8,
            Kind::Strings | Kind::Debug | Kind::Bytes => 1,
        }
    }

    /// The numbers of a record.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Kind::ElfHeader => ELF_HEADER,
            Kind::SectionHeaders => SECTION_HEADER,
            Kind::Symbols => SYMBOL,
            Kind::Relocations => RELOCATION,
            Kind::BtfHeader => BTF_HEADER,
            Kind::BtfTypes | Kind::BtfExt | Kind::Maps | Kind::Data => WORD,
            Kind::Code => INSN,
            Kind::Strings | Kind::Debug | Kind::Bytes => BYTE,
        }
    }

    /// How often mutations go here, beside the others.
    fn weight(self) -> u32 {
        match self {
            Kind::BtfTypes | Kind::BtfExt => 10,
            Kind::SectionHeaders | Kind::Symbols | Kind::Relocations | Kind::Maps => 8,
            Kind::BtfHeader | Kind::Code => 5,
            Kind::Strings | Kind::Debug => 4,
            Kind::ElfHeader | Kind::Data => 2,
            Kind::Bytes => 1,
        }
    }
}

/// A range of a file whose records are of one kind.
#[derive(Debug, Clone)]
pub struct Area {
    /// What lies there.
    pub kind: Kind,
    /// Bytes of the file.
    pub range: Range<usize>,
}

/// The areas of a file, and how often each is hit.
#[derive(Debug, Clone)]
pub struct Map {
    areas: Vec<(Area, u32)>,
    total: u32,
}

impl Map {
    /// These areas, those that are empty left out. The weight of a kind is shared by its areas.
    pub fn new(areas: Vec<Area>, prefer: &[Kind]) -> Map {
        let mut areas: Vec<Area> = areas.into_iter().filter(|area| !area.range.is_empty()).collect();
        areas.sort_by_key(|area| area.range.start);
        let weigh = |kind: Kind| kind.weight() * if prefer.contains(&kind) { 8 } else { 1 };
        let count = |kind: Kind| areas.iter().filter(|area| area.kind == kind).count() as u32;
        let areas: Vec<(Area, u32)> =
            areas.iter().map(|area| (area.clone(), (weigh(area.kind) * 12 / count(area.kind)).max(1))).collect();
        let total = areas.iter().map(|(_, weight)| weight).sum();
        Map { areas, total }
    }

    /// One area of everything.
    pub fn of_one_kind(kind: Kind, len: usize) -> Map {
        Map::new(vec![Area { kind, range: 0..len }], &[])
    }

    /// An area by chance; `None` if there is none.
    pub fn choose(&self, rng: &mut fastrand::Rng) -> Option<&Area> {
        let mut left = rng.u32(..self.total.max(1));
        self.areas.iter().find_map(|(area, weight)| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                None
            }
            None => Some(area),
        })
    }

    /// The areas, by place.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        self.areas.iter().map(|(area, _)| area)
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 4).map_or(0, |word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]) as usize)
}

/// The areas of BTF that lies at `start` of a file.
pub fn btf(bytes: &[u8], start: usize) -> Vec<Area> {
    let area = |kind, from: usize, len: usize| {
        let clip = |at: usize| start + at.min(bytes.len());
        Area { kind, range: clip(from)..clip(from.saturating_add(len)) }
    };
    let header = word(bytes, 4);
    let part = |at: usize| (header.saturating_add(word(bytes, at)), word(bytes, at + 4));
    let ((types, types_len), (strings, strings_len)) = (part(8), part(16));
    vec![area(Kind::BtfHeader, 0, 24), area(Kind::BtfTypes, types, types_len), area(Kind::Strings, strings, strings_len)]
}

/// The areas of an ELF object; of what is none, one area of bytes.
pub fn elf(bytes: &[u8]) -> Vec<Area> {
    let Ok(file) = object::File::parse(bytes) else { return vec![Area { kind: Kind::Bytes, range: 0..bytes.len() }] };
    let mut areas = vec![Area { kind: Kind::ElfHeader, range: 0..64 }];
    let headers = bytes.get(40..48).map_or(0, |at| u64::from_le_bytes(at.try_into().unwrap_or_default()) as usize);
    areas.push(Area { kind: Kind::SectionHeaders, range: headers.min(bytes.len())..bytes.len() });
    for section in file.sections() {
        let (Some((start, len)), Ok(name)) = (section.file_range(), section.name()) else { continue };
        let range = start as usize..(start + len) as usize;
        let Some(data) = bytes.get(range.clone()) else { continue };
        let kind = match name {
            ".BTF" => {
                areas.extend(btf(data, range.start));
                continue;
            }
            ".BTF.ext" => Kind::BtfExt,
            ".maps" | "maps" => Kind::Maps,
            ".symtab" => Kind::Symbols,
            ".strtab" | ".shstrtab" => Kind::Strings,
            _ if name.starts_with(".rel") => Kind::Relocations,
            _ if name.starts_with(".debug") => Kind::Debug,
            _ if section.kind() == object::SectionKind::Text => Kind::Code,
            _ => Kind::Data,
        };
        areas.push(Area { kind, range });
    }
    areas
}
