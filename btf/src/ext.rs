//! `.BTF.ext`: which function, which source line and which CO-RE relocation belongs to which instruction.

use std::fmt;

use crate::parse::{MAGIC, word};
use crate::{Btf, TypeId};

/// `.BTF.ext` that cannot be read. Offsets are bytes from the start of the section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtError {
    /// The header is wrong.
    #[error("BTF.ext header, offset {offset}: {problem}")]
    Header {
        /// Where the wrong value is.
        offset: u32,
        /// What is wrong with it.
        problem: String,
    },
    /// A subsection is wrong.
    #[error("BTF.ext {part} at offset {offset}: {problem}")]
    Part {
        /// `func_info`, `line_info` or `core_relo`.
        part: &'static str,
        /// Where the wrong value is.
        offset: u32,
        /// What is wrong with it.
        problem: ExtProblem,
    },
}

/// What is wrong with a subsection of `.BTF.ext`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtProblem {
    /// It ends in the middle of something.
    #[error("{need} bytes needed, {left} left")]
    Truncated {
        /// Bytes of what is read.
        need: u64,
        /// Bytes that are left.
        left: u32,
    },
    /// The size of a record is too small or not a multiple of 4.
    #[error("record size {size} is not a multiple of 4 of at least {least}")]
    RecordSize {
        /// The size.
        size: u32,
        /// Bytes that every release has.
        least: u32,
    },
    /// A section without records.
    #[error("a section has no records")]
    NoRecords,
    /// A string that does not exist.
    #[error("string offset {0} is out of range")]
    NoSuchString(u32),
    /// A name or an access path of more bytes than there is a use for.
    #[error("the string at offset {offset} is longer than {most} bytes")]
    LongString {
        /// Where it begins.
        offset: u32,
        /// The most bytes it may have.
        most: usize,
    },
    /// A type that does not exist.
    #[error("type {0} does not exist")]
    NoSuchType(TypeId),
    /// An instruction offset that is not a multiple of 8.
    #[error("instruction offset {0} is not a multiple of 8")]
    UnalignedInsn(u32),
    /// A kind of relocation that no known release has.
    #[error("unknown CO-RE relocation kind {0}")]
    UnknownRelo(u32),
}

/// Most bytes of an ELF section's name.
const MAX_SECTION: usize = 512;
/// Most bytes of an access path: loaders take 64 numbers.
const MAX_ACCESS: usize = 1024;

/// The records of one ELF section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtSection<R> {
    /// The ELF section's name, such as `xdp`.
    pub section: String,
    /// Its records, in the order of the file.
    pub records: Vec<R>,
}

/// `struct bpf_func_info`: a function begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuncInfo {
    /// Bytes from the start of the ELF section, a multiple of 8.
    pub insn_off: u32,
    /// A `FUNC`.
    pub type_id: TypeId,
}

/// `struct bpf_line_info`: from here on, instructions come from this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineInfo {
    /// Bytes from the start of the ELF section, a multiple of 8.
    pub insn_off: u32,
    /// The string that names the file.
    pub file_off: u32,
    /// The string that is the text of the line.
    pub text_off: u32,
    /// The line, from 1; 0 when the compiler had none.
    pub line: u32,
    /// The column, from 1; 0 when the compiler had none.
    pub column: u16,
}

impl LineInfo {
    /// The file's name as the compiler wrote it.
    pub fn file<'a>(&self, btf: &'a Btf) -> &'a str {
        btf.name_at(self.file_off)
    }

    /// The source text of the line.
    pub fn text<'a>(&self, btf: &'a Btf) -> &'a str {
        btf.name_at(self.text_off)
    }
}

/// `enum bpf_core_relo_kind`: what is asked of the target's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[allow(missing_docs)] // each variant is the question that `name` spells
pub enum CoreReloKind {
    FieldByteOffset = 0,
    FieldByteSize = 1,
    FieldExists = 2,
    FieldSigned = 3,
    FieldLshiftU64 = 4,
    FieldRshiftU64 = 5,
    TypeIdLocal = 6,
    TypeIdTarget = 7,
    TypeExists = 8,
    TypeSize = 9,
    EnumvalExists = 10,
    EnumvalValue = 11,
    TypeMatches = 12,
}

impl CoreReloKind {
    /// Every kind, in the order of its number.
    pub const ALL: &'static [CoreReloKind] = &[
        CoreReloKind::FieldByteOffset,
        CoreReloKind::FieldByteSize,
        CoreReloKind::FieldExists,
        CoreReloKind::FieldSigned,
        CoreReloKind::FieldLshiftU64,
        CoreReloKind::FieldRshiftU64,
        CoreReloKind::TypeIdLocal,
        CoreReloKind::TypeIdTarget,
        CoreReloKind::TypeExists,
        CoreReloKind::TypeSize,
        CoreReloKind::EnumvalExists,
        CoreReloKind::EnumvalValue,
        CoreReloKind::TypeMatches,
    ];

    /// The name that loaders print.
    pub const fn name(self) -> &'static str {
        match self {
            CoreReloKind::FieldByteOffset => "byte_off",
            CoreReloKind::FieldByteSize => "byte_sz",
            CoreReloKind::FieldExists => "field_exists",
            CoreReloKind::FieldSigned => "signed",
            CoreReloKind::FieldLshiftU64 => "lshift_u64",
            CoreReloKind::FieldRshiftU64 => "rshift_u64",
            CoreReloKind::TypeIdLocal => "local_type_id",
            CoreReloKind::TypeIdTarget => "target_type_id",
            CoreReloKind::TypeExists => "type_exists",
            CoreReloKind::TypeSize => "type_size",
            CoreReloKind::EnumvalExists => "enumval_exists",
            CoreReloKind::EnumvalValue => "enumval_value",
            CoreReloKind::TypeMatches => "type_matches",
        }
    }

    /// The kind with this number.
    pub fn from_number(number: u32) -> Option<CoreReloKind> {
        Self::ALL.get(number as usize).copied()
    }

    /// Whether the access string leads to a field.
    pub const fn is_field(self) -> bool {
        (self as u32) <= CoreReloKind::FieldRshiftU64 as u32
    }

    /// Whether the question is about a type as a whole.
    pub const fn is_type(self) -> bool {
        matches!(
            self,
            CoreReloKind::TypeIdLocal
                | CoreReloKind::TypeIdTarget
                | CoreReloKind::TypeExists
                | CoreReloKind::TypeSize
                | CoreReloKind::TypeMatches
        )
    }

    /// Whether the access string is the index of an enum's value.
    pub const fn is_enumval(self) -> bool {
        matches!(self, CoreReloKind::EnumvalExists | CoreReloKind::EnumvalValue)
    }
}

impl fmt::Display for CoreReloKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `struct bpf_core_relo`: an instruction that depends on the types of the kernel it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreRelo {
    /// Bytes from the start of the ELF section to the instruction, a multiple of 8.
    pub insn_off: u32,
    /// The root type, in the program's own BTF.
    pub type_id: TypeId,
    /// Where the string `access` begins in the program's BTF.
    pub access_off: u32,
    /// The way from the root type, such as `0:1:2`.
    pub access: String,
    /// What is asked.
    pub kind: CoreReloKind,
}

/// A parsed `.BTF.ext`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BtfExt {
    /// Where functions begin.
    pub func_info: Vec<ExtSection<FuncInfo>>,
    /// Source lines.
    pub line_info: Vec<ExtSection<LineInfo>>,
    /// CO-RE relocations.
    pub core_relos: Vec<ExtSection<CoreRelo>>,
}

fn header_error(offset: u32, problem: impl Into<String>) -> ExtError {
    ExtError::Header { offset, problem: problem.into() }
}

/// A subsection, with the BTF its strings and types are in.
struct Part<'a> {
    name: &'static str,
    data: &'a [u8],
    btf: &'a Btf,
    at: u32,
    end: u32,
}

impl<'a> Part<'a> {
    fn error(&self, offset: u32, problem: ExtProblem) -> ExtError {
        ExtError::Part { part: self.name, offset, problem }
    }

    fn take(&mut self, need: u64) -> Result<&'a [u8], ExtError> {
        let left = self.end - self.at;
        if need > u64::from(left) {
            return Err(self.error(self.at, ExtProblem::Truncated { need, left }));
        }
        let bytes = &self.data[self.at as usize..][..need as usize];
        self.at += need as u32;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, ExtError> {
        Ok(word(self.take(4)?, 0))
    }

    fn has_string(&self, at: u32, offset: u32) -> Result<(), ExtError> {
        if self.btf.has_string(offset) { Ok(()) } else { Err(self.error(at, ExtProblem::NoSuchString(offset))) }
    }

    /// A string that is copied: many records may name one, so that it must be short.
    fn string(&self, at: u32, offset: u32, most: usize) -> Result<&'a str, ExtError> {
        let text = self.btf.string(offset).map_err(|_| self.error(at, ExtProblem::NoSuchString(offset)))?;
        if text.len() > most { Err(self.error(at, ExtProblem::LongString { offset, most })) } else { Ok(text) }
    }

    fn type_id(&self, at: u32, id: u32) -> Result<TypeId, ExtError> {
        let id = TypeId(id);
        if id.0 < self.btf.len() { Ok(id) } else { Err(self.error(at, ExtProblem::NoSuchType(id))) }
    }

    fn insn_off(&self, at: u32, offset: u32) -> Result<u32, ExtError> {
        if offset.is_multiple_of(8) { Ok(offset) } else { Err(self.error(at, ExtProblem::UnalignedInsn(offset))) }
    }

    /// Reads all sections; `record` gets the offset of a record and the `least` bytes of it that are known.
    fn sections<R>(
        mut self,
        least: u32,
        record: impl Fn(&Part<'a>, u32, &[u8]) -> Result<R, ExtError>,
    ) -> Result<Vec<ExtSection<R>>, ExtError> {
        if self.at == self.end {
            return Ok(Vec::new());
        }
        let at = self.at;
        let size = self.number()?;
        if size < least || size % 4 != 0 {
            return Err(self.error(at, ExtProblem::RecordSize { size, least }));
        }
        let mut sections = Vec::new();
        while self.at < self.end {
            let at = self.at;
            let (name, count) = (self.number()?, self.number()?);
            let section = self.string(at, name, MAX_SECTION)?.to_owned();
            if count == 0 {
                return Err(self.error(at + 4, ExtProblem::NoRecords));
            }
            let start = self.at;
            let bytes = self.take(u64::from(size) * u64::from(count))?;
            let mut records = Vec::with_capacity(count as usize);
            for (nth, bytes) in bytes.chunks_exact(size as usize).enumerate() {
                records.push(record(&self, start + nth as u32 * size, bytes)?);
            }
            sections.push(ExtSection { section, records });
        }
        Ok(sections)
    }
}

impl BtfExt {
    /// Reads the bytes of a `.BTF.ext` section; `btf` is the object's `.BTF`, which its ids and strings refer to. Records may be longer
    /// than is known here, as they are from later compilers; what follows the known part is not read.
    ///
    /// # Errors
    /// A wrong header, a record that leaves its subsection, a string, type or relocation kind that does not exist.
    pub fn parse(data: &[u8], btf: &Btf) -> Result<BtfExt, ExtError> {
        let size = u32::try_from(data.len()).map_err(|_| header_error(0, "section is too large"))?;
        if size < 24 {
            return Err(header_error(0, format!("{size} bytes are too few for a header")));
        }
        match u16::from_le_bytes([data[0], data[1]]) {
            MAGIC => {}
            swapped if swapped == MAGIC.swap_bytes() => {
                return Err(header_error(0, "the byte order is big-endian; only little-endian BTF is read"));
            }
            magic => return Err(header_error(0, format!("magic is {magic:#06x}, not 0xeb9f"))),
        }
        if data[2] != 1 {
            return Err(header_error(2, format!("version {} is not supported", data[2])));
        }
        if data[3] != 0 {
            return Err(header_error(3, format!("flags {:#x} are not supported", data[3])));
        }
        let hdr_len = word(data, 4);
        if hdr_len < 24 || hdr_len > size || !hdr_len.is_multiple_of(4) {
            return Err(header_error(4, format!("header length {hdr_len} does not fit")));
        }
        let part = |field: u32, name: &'static str| {
            let (off, len) = match field + 8 <= hdr_len {
                true => (word(data, field as usize), word(data, field as usize + 4)),
                false => (0, 0),
            };
            let start = u64::from(hdr_len) + u64::from(off);
            let end = start + u64::from(len);
            if len != 0 && (end > u64::from(size) || off % 4 != 0) {
                return Err(header_error(
                    field,
                    format!("{name} of {len} bytes at {start} is unaligned or leaves the section of {size} bytes"),
                ));
            }
            let (at, end) = if len == 0 { (0, 0) } else { (start as u32, end as u32) };
            Ok(Part { name, data, btf, at, end })
        };
        Ok(BtfExt {
            func_info: part(8, "func_info")?.sections(8, |part, at, bytes| {
                Ok(FuncInfo { insn_off: part.insn_off(at, word(bytes, 0))?, type_id: part.type_id(at + 4, word(bytes, 4))? })
            })?,
            line_info: part(16, "line_info")?.sections(16, |part, at, bytes| {
                let (file_off, text_off, place) = (word(bytes, 4), word(bytes, 8), word(bytes, 12));
                part.has_string(at + 4, file_off)?;
                part.has_string(at + 8, text_off)?;
                let insn_off = part.insn_off(at, word(bytes, 0))?;
                Ok(LineInfo { insn_off, file_off, text_off, line: place >> 10, column: (place & 0x3ff) as u16 })
            })?,
            core_relos: part(24, "core_relo")?.sections(16, |part, at, bytes| {
                let (access_off, number) = (word(bytes, 8), word(bytes, 12));
                let kind = CoreReloKind::from_number(number).ok_or(part.error(at + 12, ExtProblem::UnknownRelo(number)))?;
                Ok(CoreRelo {
                    insn_off: part.insn_off(at, word(bytes, 0))?,
                    type_id: part.type_id(at + 4, word(bytes, 4))?,
                    access_off,
                    access: part.string(at + 8, access_off, MAX_ACCESS)?.to_owned(),
                    kind,
                })
            })?,
        })
    }
}
