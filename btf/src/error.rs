//! What can be wrong with BTF and with questions about it.

use crate::{Kind, TypeId};

/// BTF that cannot be read, or a question that has no answer. Offsets are bytes from the start of the BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// The header is wrong.
    #[error("BTF header, offset {offset}: {problem}")]
    Header {
        /// Where the wrong value is.
        offset: u32,
        /// What is wrong with it.
        problem: HeaderProblem,
    },
    /// A type record is wrong.
    #[error("BTF type {id} at offset {offset}: {problem}")]
    Type {
        /// The type.
        id: TypeId,
        /// Where its record begins.
        offset: u32,
        /// What is wrong with it.
        problem: TypeProblem,
    },
    /// The string section does not begin and end with a NUL byte.
    #[error("BTF string section at offset {offset}: does not begin and end with a NUL byte")]
    StringsUnterminated {
        /// Where the section begins.
        offset: u32,
    },
    /// A string is not UTF-8.
    #[error("BTF string section: byte at offset {offset} is not UTF-8")]
    StringNotUtf8 {
        /// The first byte that does not fit.
        offset: u32,
    },
    /// No type has this id.
    #[error("BTF has no type {id}: it has {count} types")]
    NoSuchType {
        /// The id asked for.
        id: TypeId,
        /// How many types there are, `void` included.
        count: u32,
    },
    /// No string begins at this offset.
    #[error("BTF has no string at offset {offset} of its {len} bytes of strings")]
    NoSuchString {
        /// The offset asked for, from the start of the strings.
        offset: u32,
        /// Bytes of strings.
        len: u32,
    },
    /// The type has no size: `void`, a function, a forward declaration.
    #[error("BTF type {id} of kind {kind} has no size")]
    NoSize {
        /// The type.
        id: TypeId,
        /// Its kind, after modifiers and typedefs.
        kind: Kind,
    },
    /// The size of an array does not fit in 32 bits.
    #[error("BTF type {id}: size of the array overflows 32 bits")]
    ArrayTooBig {
        /// The array.
        id: TypeId,
    },
    /// The answer takes more steps than any sensible BTF needs.
    #[error("BTF type {id}: too many steps to answer")]
    TooManySteps {
        /// The type asked about.
        id: TypeId,
    },
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderProblem {
    /// Fewer bytes than a header has.
    #[error("{len} bytes are too few for a header")]
    Short {
        /// Bytes there are.
        len: usize,
    },
    /// The data is larger than 32-bit offsets can say.
    #[error("{len} bytes are too many for 32-bit offsets")]
    Long {
        /// Bytes there are.
        len: usize,
    },
    /// The magic number of the other byte order.
    #[error("the byte order is big-endian; only little-endian BTF is read")]
    ByteSwapped,
    /// Not the magic number of BTF.
    #[error("magic is {0:#06x}, not 0xeb9f")]
    Magic(u16),
    /// A version that is not 1.
    #[error("version {0} is not supported")]
    Version(u8),
    /// Flags that are not 0.
    #[error("flags {0:#x} are not supported")]
    Flags(u8),
    /// `hdr_len` is too small, or larger than the data.
    #[error("header length {0} does not fit")]
    HeaderLen(u32),
    /// A longer header of a later release, with something in the part that is not known.
    #[error("header has unknown fields that are not zero")]
    UnknownFields,
    /// The section leaves the data.
    #[error("{section} section of {len} bytes at {start} leaves the data of {size} bytes")]
    OutOfRange {
        /// Which section.
        section: &'static str,
        /// Where it begins.
        start: u64,
        /// Its bytes.
        len: u32,
        /// Bytes of the whole.
        size: usize,
    },
    /// The section does not begin at a multiple of 4.
    #[error("{section} section offset {at} is not a multiple of 4")]
    Unaligned {
        /// Which section.
        section: &'static str,
        /// `type_off` of the header.
        at: u32,
    },
    /// The sections overlap.
    #[error("type and string sections overlap")]
    Overlap,
}

/// What is wrong with a type record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TypeProblem {
    /// The record leaves the type section.
    #[error("record of {need} bytes leaves the type section, which has {left} left")]
    Truncated {
        /// Bytes of the record.
        need: u32,
        /// Bytes to the end of the section.
        left: u32,
    },
    /// A kind that no known release has.
    #[error("unknown kind {0}")]
    UnknownKind(u32),
    /// Bits of `info` that nothing is defined for.
    #[error("reserved bits are set in info {0:#010x}")]
    ReservedInfo(u32),
    /// A reference to a type that does not exist.
    #[error("refers to type {0}, which does not exist")]
    NoSuchType(TypeId),
    /// A name that does not exist.
    #[error("string offset {0} is out of range")]
    NoSuchString(u32),
    /// A name of more bytes than names have, of which a few could be made very many types.
    #[error("the name at string offset {offset} is longer than {most} bytes")]
    LongName {
        /// Where it begins.
        offset: u32,
        /// The most bytes a name may have.
        most: usize,
    },
    /// The type contains itself by value or is an alias of itself.
    #[error("contains itself")]
    Loop,
    /// The type nests more deeply than is read.
    #[error("nests deeper than {0}")]
    TooDeep(u16),
    /// More types than ids can count.
    #[error("more than {0} types")]
    TooMany(u32),
}

/// A field path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text is not a path.
    #[error("path `{path}`, column {column}: {expected} expected")]
    Syntax {
        /// The whole path.
        path: String,
        /// Where it stops to be one, from 0.
        column: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// No member has this name.
    #[error("path `{path}`: `{of}` has no field `{field}`")]
    NoField {
        /// The whole path.
        path: String,
        /// The type searched.
        of: String,
        /// The name that it does not have.
        field: String,
    },
    /// A field of something that has none.
    #[error("path `{path}`: `{of}` is {kind}, which has no fields")]
    NotComposite {
        /// The whole path.
        path: String,
        /// The type.
        of: String,
        /// Its kind.
        kind: Kind,
    },
    /// An index into something that is no array or pointer.
    #[error("path `{path}`: `{of}` is {kind}, which has no elements")]
    NotArray {
        /// The whole path.
        path: String,
        /// The type.
        of: String,
        /// Its kind.
        kind: Kind,
    },
    /// An index behind the end of an array.
    #[error("path `{path}`: index {index} is out of bounds: the array has {count} elements")]
    OutOfBounds {
        /// The whole path.
        path: String,
        /// The index.
        index: u32,
        /// Elements there are.
        count: u32,
    },
    /// The offset does not fit in 32 bits.
    #[error("path `{path}`: offset is too big")]
    TooFar {
        /// The whole path.
        path: String,
    },
    /// The types do not answer.
    #[error(transparent)]
    Btf(#[from] BtfError),
}
