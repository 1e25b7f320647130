//! Bytes to a [`Btf`]: the header, one pass over the type records, the strings.

use std::sync::{Arc, OnceLock};

use crate::btf::Inner;
use crate::{Btf, BtfError, HeaderProblem, Kind, TypeId, TypeProblem, graph};

/// The magic number in little-endian order.
pub(crate) const MAGIC: u16 = 0xeb9f;
/// Bytes of the header that all releases have.
pub(crate) const HEADER_LEN: u32 = 24;
/// Most types a BTF may have; the limit is the kernel's.
pub(crate) const MAX_TYPES: u32 = 0x000f_ffff;

/// Most bytes of a name. The kernel keeps 511 of those that it checks; values of declaration tags may be longer.
pub(crate) const MAX_NAME: usize = 4096;

/// Where the two sections lie, in bytes from the start of the data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sections {
    pub(crate) types: (u32, u32),
    pub(crate) strings: (u32, u32),
}

fn header_error(offset: u32, problem: HeaderProblem) -> BtfError {
    BtfError::Header { offset, problem }
}

pub(crate) fn word(data: &[u8], at: usize) -> u32 {
    let bytes = &data[at..at + 4];
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

pub(crate) fn header(data: &[u8]) -> Result<Sections, BtfError> {
    if data.len() < HEADER_LEN as usize {
        return Err(header_error(0, HeaderProblem::Short { len: data.len() }));
    }
    let size = u32::try_from(data.len()).map_err(|_| header_error(0, HeaderProblem::Long { len: data.len() }))?;
    let magic = u16::from_le_bytes([data[0], data[1]]);
    if magic == MAGIC.swap_bytes() {
        return Err(header_error(0, HeaderProblem::ByteSwapped));
    }
    if magic != MAGIC {
        return Err(header_error(0, HeaderProblem::Magic(magic)));
    }
    if data[2] != 1 {
        return Err(header_error(2, HeaderProblem::Version(data[2])));
    }
    if data[3] != 0 {
        return Err(header_error(3, HeaderProblem::Flags(data[3])));
    }
    let hdr_len = word(data, 4);
    if hdr_len < HEADER_LEN || hdr_len > size {
        return Err(header_error(4, HeaderProblem::HeaderLen(hdr_len)));
    }
    if data[HEADER_LEN as usize..hdr_len as usize].iter().any(|b| *b != 0) {
        return Err(header_error(HEADER_LEN, HeaderProblem::UnknownFields));
    }
    let section = |field: u32, name: &'static str| {
        let (off, len) = (word(data, field as usize), word(data, field as usize + 4));
        let start = u64::from(hdr_len) + u64::from(off);
        let end = start + u64::from(len);
        if end > u64::from(size) {
            let problem = HeaderProblem::OutOfRange { section: name, start, len, size: data.len() };
            return Err(header_error(field, problem));
        }
        // The end is at most `size`, so both fit.
        Ok((start as u32, end as u32))
    };
    let (types, strings) = (section(8, "type")?, section(16, "string")?);
    if !word(data, 8).is_multiple_of(4) {
        return Err(header_error(8, HeaderProblem::Unaligned { section: "type", at: word(data, 8) }));
    }
    if types.0 < strings.1 && strings.0 < types.1 {
        return Err(header_error(8, HeaderProblem::Overlap));
    }
    Ok(Sections { types, strings })
}

fn strings(data: &[u8], (start, end): (u32, u32), split: bool) -> Result<Box<str>, BtfError> {
    let bytes = &data[start as usize..end as usize];
    let terminated = match bytes {
        [] => split,
        [first, .., last] => (split || *first == 0) && *last == 0,
        [only] => *only == 0,
    };
    if !terminated {
        return Err(BtfError::StringsUnterminated { offset: start });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => Err(BtfError::StringNotUtf8 { offset: start + error.valid_up_to() as u32 }),
    }
}

/// What the pass over the records keeps in mind.
struct Pass<'a> {
    data: &'a [u8],
    end: u32,
    first_id: u32,
    strings_len: u32,
    /// The string section, and where it begins in the strings of base and this together.
    strings: &'a [u8],
    first_string: u32,
    offsets: Vec<u32>,
    /// The largest id referred to, and the record that does.
    largest: (u32, usize),
}

impl Pass<'_> {
    fn error(&self, index: usize, problem: TypeProblem) -> BtfError {
        BtfError::Type { id: TypeId(self.first_id + index as u32), offset: self.offsets[index], problem }
    }

    fn refer(&mut self, index: usize, id: u32) {
        if id > self.largest.0 {
            self.largest = (id, index);
        }
    }

    fn name(&self, index: usize, offset: u32) -> Result<(), BtfError> {
        if offset >= self.strings_len {
            return Err(self.error(index, TypeProblem::NoSuchString(offset)));
        }
        // Names of the base were checked with it.
        let rest = offset.checked_sub(self.first_string).map_or(&[][..], |at| &self.strings[at as usize..]);
        if rest.len() > MAX_NAME && !rest[..=MAX_NAME].contains(&0) {
            return Err(self.error(index, TypeProblem::LongName { offset, most: MAX_NAME }));
        }
        Ok(())
    }

    /// Reads the record at `at`; returns its length.
    fn record(&mut self, at: u32) -> Result<u32, BtfError> {
        let index = self.offsets.len();
        self.offsets.push(at);
        let left = self.end - at;
        if left < 12 {
            return Err(self.error(index, TypeProblem::Truncated { need: 12, left }));
        }
        let base = at as usize;
        let (name, info, third) = (word(self.data, base), word(self.data, base + 4), word(self.data, base + 8));
        let number = info >> 24 & 0x1f;
        let Some(kind) = Kind::from_record(number) else {
            return Err(self.error(index, TypeProblem::UnknownKind(number)));
        };
        if info & 0x60ff_0000 != 0 {
            return Err(self.error(index, TypeProblem::ReservedInfo(info)));
        }
        let vlen = info & 0xffff;
        let need = 12 + kind.tail_len(vlen);
        if left < need {
            return Err(self.error(index, TypeProblem::Truncated { need, left }));
        }
        self.name(index, name)?;
        self.references(index, kind, base + 12, third, vlen)?;
        Ok(need)
    }

    fn references(&mut self, index: usize, kind: Kind, tail: usize, third: u32, vlen: u32) -> Result<(), BtfError> {
        let data = self.data;
        match kind {
            Kind::Ptr
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Func
            | Kind::Var
            | Kind::DeclTag
            | Kind::TypeTag => self.refer(index, third),
            Kind::Array => {
                self.refer(index, word(data, tail));
                self.refer(index, word(data, tail + 4));
            }
            Kind::Struct | Kind::Union => {
                for member in data[tail..tail + vlen as usize * 12].chunks_exact(12) {
                    self.name(index, word(member, 0))?;
                    self.refer(index, word(member, 4));
                }
            }
            Kind::Enum | Kind::Enum64 => {
                let each = if kind == Kind::Enum { 8 } else { 12 };
                for value in data[tail..tail + vlen as usize * each].chunks_exact(each) {
                    self.name(index, word(value, 0))?;
                }
            }
            Kind::FuncProto => {
                self.refer(index, third);
                for param in data[tail..tail + vlen as usize * 8].chunks_exact(8) {
                    self.name(index, word(param, 0))?;
                    self.refer(index, word(param, 4));
                }
            }
            Kind::Datasec => {
                for var in data[tail..tail + vlen as usize * 12].chunks_exact(12) {
                    self.refer(index, word(var, 0));
                }
            }
            Kind::Void | Kind::Int | Kind::Fwd | Kind::Float => {}
        }
        Ok(())
    }
}

/// Reads BTF; with a base, the part of a split BTF that follows it.
pub(crate) fn parse(raw: Arc<[u8]>, base: Option<Btf>) -> Result<Btf, BtfError> {
    let sections = header(&raw)?;
    let strings = strings(&raw, sections.strings, base.is_some())?;
    let first_id = base.as_ref().map_or(1, Btf::len);
    let first_string = base.as_ref().map_or(0, Btf::strings_len);
    let mut pass = Pass {
        data: &raw,
        end: sections.types.1,
        first_id,
        strings_len: first_string.saturating_add(strings.len() as u32),
        strings: strings.as_bytes(),
        first_string,
        // A guess from the average record; the vector grows if it falls short.
        offsets: Vec::with_capacity((sections.types.1 - sections.types.0) as usize / 24),
        largest: (0, 0),
    };
    let mut at = sections.types.0;
    while at < sections.types.1 {
        at += pass.record(at)?;
        if pass.offsets.len() as u32 > MAX_TYPES - first_id.min(MAX_TYPES) {
            return Err(pass.error(pass.offsets.len() - 1, TypeProblem::TooMany(MAX_TYPES)));
        }
    }
    let count = first_id + pass.offsets.len() as u32;
    if pass.largest.0 >= count {
        return Err(pass.error(pass.largest.1, TypeProblem::NoSuchType(TypeId(pass.largest.0))));
    }
    let offsets = pass.offsets;
    let btf =
        Btf::new(Inner { raw, strings, offsets, base, first_id, first_string, names: OnceLock::new(), tags: OnceLock::new() });
    graph::check(&btf)?;
    Ok(btf)
}
