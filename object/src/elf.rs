//! ELF64 relocatable files, little-endian: sections, symbols, relocations. Every error names the place in the file.

use std::collections::HashMap;
use std::ops::Range;

/// ELF that cannot be read. Offsets are bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Not an ELF file.
    #[error("not an ELF file: it does not begin with the ELF magic number")]
    Magic,
    /// The file ends before something does.
    #[error("file ends too early: {what} needs bytes {}..{} of {len}", .range.start, .range.end)]
    Truncated {
        /// What does not fit.
        what: &'static str,
        /// The bytes it would take.
        range: Range<u64>,
        /// Bytes of the file.
        len: u64,
    },
    /// A 32-bit file.
    #[error("ELF class at offset 4 is {0}: BPF objects are 64-bit ELF (class 2)")]
    Class(u8),
    /// A big-endian file.
    #[error("big-endian object (bpfeb): only little-endian objects (compiled with `-target bpfel`) can be loaded here")]
    BigEndian,
    /// Compiled for something else.
    #[error("ELF machine at offset 18 is {0}: BPF objects have 247 (EM_BPF), or 0 when compiled long ago")]
    Machine(u16),
    /// An executable or core file.
    #[error("ELF type at offset 16 is {0}: BPF objects are relocatable files (type 1)")]
    Type(u16),
    /// A value of the file header that does not fit the rest.
    #[error("ELF header, offset {offset}: {field} is {value}, which does not fit")]
    Header {
        /// Where it is.
        offset: u64,
        /// `e_shentsize`, `e_shstrndx`, ...
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A value of a section header that does not fit the rest.
    #[error("section {index} `{name}`: {field} is {value:#x}, which does not fit")]
    Section {
        /// The section.
        index: usize,
        /// Its name; empty where that could not be read.
        name: String,
        /// `sh_offset`, `sh_link`, ...
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A string table has no string there.
    #[error("string table (section {table}): no string of at most 2048 bytes at offset {offset} for {of}")]
    String {
        /// Index of the string table.
        table: usize,
        /// Bytes into it.
        offset: u64,
        /// Whose name is sought.
        of: String,
    },
    /// More than one symbol table.
    #[error("sections {0} and {1} are both symbol tables")]
    TwoSymbolTables(usize, usize),
    /// No symbol table.
    #[error("no symbol table: the object was stripped")]
    NoSymbols,
    /// A relocation names a symbol that does not exist.
    #[error("section {section}, relocation {index}: symbol {symbol} does not exist ({count} symbols)")]
    NoSuchSymbol {
        /// The relocation section.
        section: usize,
        /// The entry.
        index: usize,
        /// What it names.
        symbol: u32,
        /// Symbols there are.
        count: usize,
    },
}

pub(crate) const SHT_PROGBITS: u32 = 1;
pub(crate) const SHT_SYMTAB: u32 = 2;
pub(crate) const SHT_RELA: u32 = 4;
pub(crate) const SHT_NOBITS: u32 = 8;
pub(crate) const SHT_REL: u32 = 9;
const SHT_SYMTAB_SHNDX: u32 = 18;
pub(crate) const SHF_EXECINSTR: u64 = 4;
const SHN_UNDEF: u32 = 0;
const SHN_LORESERVE: u32 = 0xff00;
const SHN_XINDEX: u32 = 0xffff;

/// A section header with its name and the bytes it names.
#[derive(Debug, Clone)]
pub(crate) struct Section<'a> {
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) kind: u32,
    pub(crate) flags: u64,
    /// Bytes of the section in memory; of sections without bytes in the file, nothing is allocated for it.
    pub(crate) size: u64,
    pub(crate) link: u32,
    pub(crate) info: u32,
    pub(crate) entsize: u64,
    /// Where the bytes are in the file.
    pub(crate) offset: u64,
    /// Its bytes; empty for `SHT_NOBITS`.
    pub(crate) data: &'a [u8],
}

impl Section<'_> {
    pub(crate) fn is_exec(&self) -> bool {
        self.kind == SHT_PROGBITS && self.flags & SHF_EXECINSTR != 0
    }

    fn wrong(&self, field: &'static str, value: u64) -> ElfError {
        ElfError::Section { index: self.index, name: self.name.to_owned(), field, value }
    }
}

/// What a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SymbolKind {
    NoType,
    Object,
    Func,
    Section,
    Other,
}

/// Who sees a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    Local,
    Global,
    Weak,
}

/// Where a symbol is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Undefined,
    Section(usize),
    /// A reserved index (absolute, common).
    Special(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: SymbolKind,
    pub(crate) binding: Binding,
    /// `STV_HIDDEN` or `STV_INTERNAL`.
    pub(crate) hidden: bool,
    pub(crate) place: Place,
    pub(crate) value: u64,
    pub(crate) size: u64,
}

impl Symbol<'_> {
    /// Undefined here, to be found elsewhere.
    pub(crate) fn is_extern(&self) -> bool {
        self.place == Place::Undefined
            && matches!(self.binding, Binding::Global | Binding::Weak)
            && self.kind == SymbolKind::NoType
            && !self.name.is_empty()
    }
}

/// An entry of a `SHT_REL` or `SHT_RELA` section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relocation {
    /// Bytes into the section that is relocated.
    pub(crate) offset: u64,
    pub(crate) symbol: usize,
    /// `SHT_RELA` alone; else the addend is in the place that is relocated.
    pub(crate) addend: Option<i64>,
}

/// A file whose tables have been read and checked.
pub(crate) struct Elf<'a> {
    pub(crate) sections: Vec<Section<'a>>,
    pub(crate) symbols: Vec<Symbol<'a>>,
    /// The first section of each name.
    by_name: HashMap<&'a str, usize>,
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([data[at], data[at + 1]])
}

pub(crate) fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]])
}

pub(crate) fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from(u32_at(data, at)) | u64::from(u32_at(data, at + 4)) << 32
}

fn bytes<'a>(data: &'a [u8], what: &'static str, start: u64, len: u64) -> Result<&'a [u8], ElfError> {
    let end = start.saturating_add(len);
    let total = data.len() as u64;
    if end > total {
        return Err(ElfError::Truncated { what, range: start..end, len: total });
    }
    Ok(&data[start as usize..end as usize])
}

/// Most bytes of a name of a section or symbol. Many may share one string, and names are copied.
const MAX_NAME: usize = 2048;

/// The string of a string table that begins at an offset.
fn string<'a>(table: &Section<'a>, offset: u64, of: impl FnOnce() -> String) -> Result<&'a str, ElfError> {
    let found = usize::try_from(offset).ok().and_then(|at| table.data.get(at..)).and_then(|rest| {
        let end = rest.iter().take(MAX_NAME + 1).position(|b| *b == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    });
    found.ok_or_else(|| ElfError::String { table: table.index, offset, of: of() })
}

const EHDR: u64 = 64;
const SHDR: u64 = 64;
const SYM: u64 = 24;

fn check_header(data: &[u8]) -> Result<(), ElfError> {
    if data.get(..4) != Some(b"\x7fELF") {
        return Err(ElfError::Magic);
    }
    let header = bytes(data, "the ELF header", 0, EHDR)?;
    match (header[4], header[5]) {
        (2, 1) => {}
        (_, 2) => return Err(ElfError::BigEndian),
        (2, order) => return Err(ElfError::Header { offset: 5, field: "byte order", value: order.into() }),
        (class, _) => return Err(ElfError::Class(class)),
    }
    let (kind, machine) = (u16_at(header, 16), u16_at(header, 18));
    if machine != 247 && machine != 0 {
        return Err(ElfError::Machine(machine));
    }
    if kind != 1 {
        return Err(ElfError::Type(kind));
    }
    Ok(())
}

fn section_headers(data: &[u8]) -> Result<(Vec<Section<'_>>, u64), ElfError> {
    let (shoff, entsize) = (u64_at(data, 40), u16_at(data, 58));
    let (mut count, mut names) = (u64::from(u16_at(data, 60)), u64::from(u16_at(data, 62)));
    if shoff == 0 {
        return Err(ElfError::Header { offset: 40, field: "e_shoff", value: 0 });
    }
    if u64::from(entsize) != SHDR {
        return Err(ElfError::Header { offset: 58, field: "e_shentsize", value: entsize.into() });
    }
    let first = bytes(data, "the first section header", shoff, SHDR)?;
    if count == 0 {
        count = u64_at(first, 32);
    }
    if names == u64::from(SHN_XINDEX) {
        names = u32_at(first, 40).into();
    }
    let table = bytes(data, "the section header table", shoff, count.saturating_mul(SHDR))?;
    let mut sections = Vec::with_capacity(table.len() / SHDR as usize);
    for (index, header) in table.chunks_exact(SHDR as usize).enumerate() {
        sections.push(Section {
            index,
            name: "",
            kind: u32_at(header, 4),
            flags: u64_at(header, 8),
            offset: u64_at(header, 24),
            size: u64_at(header, 32),
            link: u32_at(header, 40),
            info: u32_at(header, 44),
            entsize: u64_at(header, 56),
            data: &[],
        });
    }
    for section in &mut sections {
        if section.kind != SHT_NOBITS && section.kind != 0 {
            section.data = match bytes(data, "section", section.offset, section.size) {
                Ok(found) => found,
                Err(_) => {
                    let field = if section.offset > data.len() as u64 { "sh_offset" } else { "sh_size" };
                    let value = if field == "sh_offset" { section.offset } else { section.size };
                    return Err(section.wrong(field, value));
                }
            };
        }
    }
    let table = usize::try_from(names).ok().and_then(|i| sections.get(i)).cloned();
    let table = table.ok_or(ElfError::Header { offset: 62, field: "e_shstrndx", value: names })?;
    let headers = data[shoff as usize..].chunks_exact(SHDR as usize);
    for (section, header) in sections.iter_mut().zip(headers) {
        section.name = string(&table, u32_at(header, 0).into(), || format!("section {}", section.index))?;
    }
    Ok((sections, names))
}

fn symbols<'a>(sections: &[Section<'a>]) -> Result<Vec<Symbol<'a>>, ElfError> {
    let mut tables = sections.iter().filter(|s| s.kind == SHT_SYMTAB);
    let table = tables.next().ok_or(ElfError::NoSymbols)?;
    if let Some(second) = tables.next() {
        return Err(ElfError::TwoSymbolTables(table.index, second.index));
    }
    if table.entsize != SYM {
        return Err(table.wrong("sh_entsize", table.entsize));
    }
    let names = sections.get(table.link as usize).ok_or_else(|| table.wrong("sh_link", table.link.into()))?;
    let wide = sections.iter().find(|s| s.kind == SHT_SYMTAB_SHNDX && s.link as usize == table.index);
    let mut symbols = Vec::with_capacity(table.data.len() / SYM as usize);
    for (index, entry) in table.data.chunks_exact(SYM as usize).enumerate() {
        let info = entry[4];
        let place = match u32::from(u16_at(entry, 6)) {
            SHN_UNDEF => Place::Undefined,
            SHN_XINDEX => {
                let at = wide.and_then(|s| s.data.get(index * 4..index * 4 + 4)).map(|b| u32_at(b, 0));
                Place::Section(at.unwrap_or(u32::MAX) as usize)
            }
            special if special >= SHN_LORESERVE => Place::Special(special),
            section => Place::Section(section as usize),
        };
        if let Place::Section(section) = place
            && section >= sections.len()
        {
            return Err(table.wrong("st_shndx", section as u64));
        }
        symbols.push(Symbol {
            name: string(names, u32_at(entry, 0).into(), || format!("symbol {index}"))?,
            kind: match info & 0xf {
                0 => SymbolKind::NoType,
                1 => SymbolKind::Object,
                2 => SymbolKind::Func,
                3 => SymbolKind::Section,
                _ => SymbolKind::Other,
            },
            binding: match info >> 4 {
                0 => Binding::Local,
                2 => Binding::Weak,
                _ => Binding::Global,
            },
            hidden: matches!(entry[5] & 3, 1 | 2),
            place,
            value: u64_at(entry, 8),
            size: u64_at(entry, 16),
        });
    }
    Ok(symbols)
}

impl<'a> Elf<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Result<Elf<'a>, ElfError> {
        check_header(data)?;
        let (sections, _) = section_headers(data)?;
        let symbols = symbols(&sections)?;
        let mut by_name = HashMap::new();
        for section in &sections {
            by_name.entry(section.name).or_insert(section.index);
        }
        Ok(Elf { sections, symbols, by_name })
    }

    /// The first section of this name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.by_name.get(name).map(|index| &self.sections[*index])
    }

    /// The name of a symbol, or of the section that it stands for.
    pub(crate) fn symbol_name(&self, symbol: &Symbol<'a>) -> &'a str {
        match symbol.place {
            Place::Section(section) if symbol.name.is_empty() => self.sections[section].name,
            Place::Section(_) | Place::Undefined | Place::Special(_) => symbol.name,
        }
    }

    /// The entries of a relocation section, in order, with symbols that exist.
    pub(crate) fn relocations(&self, section: &Section<'a>) -> Result<Vec<Relocation>, ElfError> {
        let rela = section.kind == SHT_RELA;
        let each = if rela { 24 } else { 16 };
        if section.entsize != each {
            return Err(section.wrong("sh_entsize", section.entsize));
        }
        let mut all = Vec::with_capacity(section.data.len() / each as usize);
        for (index, entry) in section.data.chunks_exact(each as usize).enumerate() {
            let symbol = u32_at(entry, 12);
            if symbol as usize >= self.symbols.len() {
                let count = self.symbols.len();
                return Err(ElfError::NoSuchSymbol { section: section.index, index, symbol, count });
            }
            all.push(Relocation {
                offset: u64_at(entry, 0),
                symbol: symbol as usize,
                addend: rela.then(|| u64_at(entry, 16) as i64),
            });
        }
        Ok(all)
    }

    /// The relocation sections that apply to a section.
    pub(crate) fn relocations_of(&self, target: usize) -> impl Iterator<Item = &Section<'a>> {
        self.sections.iter().filter(move |s| matches!(s.kind, SHT_REL | SHT_RELA) && s.info as usize == target)
    }
}
