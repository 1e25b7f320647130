//! Views of type records: nothing is copied out of the bytes before it is asked for.

use std::fmt;

use crate::parse::word;
use crate::{Btf, Kind, TypeId};

/// The bytes of one record.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) btf: &'a Btf,
    pub(crate) id: TypeId,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The `n`th 32-bit word; 0 behind the end, so that `void` reads as a record of zeros.
    pub(crate) fn word(self, n: usize) -> u32 {
        if self.bytes.len() >= n * 4 + 4 { word(self.bytes, n * 4) } else { 0 }
    }

    pub(crate) fn kind(self) -> Kind {
        Kind::from_record(self.word(1) >> 24 & 0x1f).unwrap_or(Kind::Void)
    }

    pub(crate) fn vlen(self) -> u32 {
        self.word(1) & 0xffff
    }

    pub(crate) fn kind_flag(self) -> bool {
        self.word(1) >> 31 != 0
    }

    fn name(self) -> &'a str {
        self.btf.name_at(self.word(0))
    }

    fn elements(self, each: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone {
        self.bytes.get(12..).unwrap_or_default().chunks_exact(each)
    }

    fn element(self, each: usize, index: u32) -> Option<&'a [u8]> {
        let at = 12 + index as usize * each;
        self.bytes.get(at..at + each)
    }

    pub(crate) fn decode(self) -> Type<'a> {
        let to = TypeId(self.word(2));
        let reference = Reference { id: self.id, to };
        match self.kind() {
            Kind::Void => Type::Void,
            Kind::Int => Type::Int(Int::new(self)),
            Kind::Ptr => Type::Ptr(reference),
            Kind::Array => Type::Array(Array {
                id: self.id,
                element: TypeId(self.word(3)),
                index: TypeId(self.word(4)),
                count: self.word(5),
            }),
            Kind::Struct => Type::Struct(Composite(self)),
            Kind::Union => Type::Union(Composite(self)),
            Kind::Enum | Kind::Enum64 => Type::Enum(Enum(self)),
            Kind::Fwd => Type::Fwd(Fwd { id: self.id, name: self.name(), union: self.kind_flag() }),
            Kind::Typedef => Type::Typedef(Tag { id: self.id, name: self.name(), attribute: false, to }),
            Kind::Volatile => Type::Volatile(reference),
            Kind::Const => Type::Const(reference),
            Kind::Restrict => Type::Restrict(reference),
            Kind::TypeTag => Type::TypeTag(Tag { id: self.id, name: self.name(), attribute: self.kind_flag(), to }),
            Kind::Func => {
                Type::Func(Func { id: self.id, name: self.name(), proto: to, linkage: Linkage::from_number(self.vlen()) })
            }
            Kind::FuncProto => Type::FuncProto(FuncProto(self)),
            Kind::Var => Type::Var(Var { id: self.id, name: self.name(), ty: to, linkage: Linkage::from_number(self.word(3)) }),
            Kind::Datasec => Type::Datasec(Datasec(self)),
            Kind::Float => Type::Float(Float { id: self.id, name: self.name(), size: self.word(2) }),
            Kind::DeclTag => Type::DeclTag(DeclTag {
                id: self.id,
                value: self.name(),
                attribute: self.kind_flag(),
                of: to,
                component: match self.word(3) {
                    u32::MAX => None,
                    index => Some(index),
                },
            }),
        }
    }
}

/// A type, by kind.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // each variant is the kind of that name
pub enum Type<'a> {
    Void,
    Int(Int<'a>),
    Ptr(Reference),
    Array(Array),
    Struct(Composite<'a>),
    Union(Composite<'a>),
    /// `ENUM` and `ENUM64`.
    Enum(Enum<'a>),
    Fwd(Fwd<'a>),
    Typedef(Tag<'a>),
    Volatile(Reference),
    Const(Reference),
    Restrict(Reference),
    Func(Func<'a>),
    FuncProto(FuncProto<'a>),
    Var(Var<'a>),
    Datasec(Datasec<'a>),
    Float(Float<'a>),
    DeclTag(DeclTag<'a>),
    TypeTag(Tag<'a>),
}

/// A pointer or a modifier: a type made from another and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Its own id.
    pub id: TypeId,
    /// The type it points to or qualifies.
    pub to: TypeId,
}

/// A typedef or a type tag: a type made from another and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Its own id.
    pub id: TypeId,
    /// The new name, or the value of the tag.
    pub name: &'a str,
    /// Of a type tag: the value is an attribute as C writes it, such as `address_space(1)`, not the text of a `btf_type_tag`.
    pub attribute: bool,
    /// The type that is named or tagged.
    pub to: TypeId,
}

/// How an integer is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntEncoding {
    /// No bit set: unsigned.
    Unsigned,
    /// `BTF_INT_SIGNED`.
    Signed,
    /// `BTF_INT_CHAR`.
    Char,
    /// `BTF_INT_BOOL`.
    Bool,
    /// Several bits set, or unknown ones: the raw four bits.
    Other(u8),
}

/// `BTF_KIND_INT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int<'a> {
    /// Its own id.
    pub id: TypeId,
    /// The name, such as `unsigned int`.
    pub name: &'a str,
    /// Bytes of storage.
    pub size: u32,
    /// Bits that count, at most `8 * size` in sensible BTF.
    pub bits: u8,
    /// Where those bits begin in the storage; not zero only in old BTF, for bitfields.
    pub bit_offset: u8,
    /// How it is to be shown.
    pub encoding: IntEncoding,
}

impl<'a> Int<'a> {
    fn new(record: Record<'a>) -> Int<'a> {
        let word = record.word(3);
        Int {
            id: record.id,
            name: record.name(),
            size: record.word(2),
            bits: word as u8,
            bit_offset: (word >> 16) as u8,
            encoding: match word >> 24 & 0xf {
                0 => IntEncoding::Unsigned,
                1 => IntEncoding::Signed,
                2 => IntEncoding::Char,
                4 => IntEncoding::Bool,
                other => IntEncoding::Other(other as u8),
            },
        }
    }

    /// Whether the top bit is a sign.
    pub fn is_signed(&self) -> bool {
        match self.encoding {
            IntEncoding::Signed => true,
            IntEncoding::Other(bits) => bits & 1 != 0,
            IntEncoding::Unsigned | IntEncoding::Char | IntEncoding::Bool => false,
        }
    }
}

/// `BTF_KIND_ARRAY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array {
    /// Its own id.
    pub id: TypeId,
    /// The type of an element.
    pub element: TypeId,
    /// The type of an index.
    pub index: TypeId,
    /// The number of elements; 0 for a flexible array.
    pub count: u32,
}

/// `BTF_KIND_STRUCT` or `BTF_KIND_UNION`.
#[derive(Clone, Copy)]
pub struct Composite<'a>(pub(crate) Record<'a>);

/// A member of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name; empty for an anonymous struct, union or padding bitfield.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Bits from the start of the struct to the member.
    pub bit_offset: u32,
    /// The width of a bitfield in bits; `None` when the member is none.
    pub bitfield: Option<u8>,
}

impl<'a> Composite<'a> {
    /// Its own id.
    pub fn id(&self) -> TypeId {
        self.0.id
    }

    /// The tag; empty when it has none.
    pub fn name(&self) -> &'a str {
        self.0.name()
    }

    /// Bytes of storage.
    pub fn size(&self) -> u32 {
        self.0.word(2)
    }

    /// Whether it is a union.
    pub fn is_union(&self) -> bool {
        self.0.kind() == Kind::Union
    }

    /// Whether member offsets carry a bitfield size (`kind_flag`).
    pub fn kind_flag(&self) -> bool {
        self.0.kind_flag()
    }

    /// The number of members.
    pub fn member_count(&self) -> u32 {
        self.0.vlen()
    }

    /// The members, in order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Member<'a>> + DoubleEndedIterator + Clone + use<'a> {
        let record = self.0;
        record.elements(12).map(move |bytes| Self::decode(record, bytes))
    }

    /// The member with this index.
    pub fn member(&self, index: u32) -> Option<Member<'a>> {
        self.0.element(12, index).map(|bytes| Self::decode(self.0, bytes))
    }

    /// The bit offset of a member, and its width if `kind_flag` says that it is a bitfield, else 0: what CO-RE and the
    /// kernel go by.
    pub fn field_bits(&self, index: u32) -> (u32, u32) {
        let word = self.0.word(3 + index as usize * 3 + 2);
        if self.kind_flag() { (word & 0x00ff_ffff, word >> 24) } else { (word, 0) }
    }

    /// The member with this name, among those of the struct itself.
    pub fn member_named(&self, name: &str) -> Option<(u32, Member<'a>)> {
        (0..).zip(self.members()).find(|(_, member)| member.name == name)
    }

    fn decode(record: Record<'a>, bytes: &'a [u8]) -> Member<'a> {
        let (name, ty, offset) = (record.btf.name_at(word(bytes, 0)), TypeId(word(bytes, 4)), word(bytes, 8));
        if record.kind_flag() {
            let width = (offset >> 24) as u8;
            return Member { name, ty, bit_offset: offset & 0x00ff_ffff, bitfield: (width != 0).then_some(width) };
        }
        // Before `kind_flag`, a bitfield was an integer type of its own with fewer bits than its storage.
        let narrow = match record.btf.get(record.btf.resolve(ty)) {
            Some(Type::Int(int)) if int.bit_offset != 0 || u32::from(int.bits) != int.size.saturating_mul(8) => Some(int),
            _ => None,
        };
        match narrow {
            Some(int) => {
                Member { name, ty, bit_offset: offset.saturating_add(u32::from(int.bit_offset)), bitfield: Some(int.bits) }
            }
            None => Member { name, ty, bit_offset: offset, bitfield: None },
        }
    }
}

impl fmt::Debug for Composite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(if self.is_union() { "Union" } else { "Struct" })
            .field("id", &self.id())
            .field("name", &self.name())
            .field("size", &self.size())
            .field("members", &self.member_count())
            .finish()
    }
}

/// `BTF_KIND_ENUM` or `BTF_KIND_ENUM64`.
#[derive(Clone, Copy)]
pub struct Enum<'a>(pub(crate) Record<'a>);

/// A named value of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnumValue<'a> {
    /// The name.
    pub name: &'a str,
    /// The value, extended to 64 bits by sign when the enum is signed and by zero when not.
    pub value: i64,
}

impl<'a> Enum<'a> {
    /// Its own id.
    pub fn id(&self) -> TypeId {
        self.0.id
    }

    /// The tag; empty when it has none.
    pub fn name(&self) -> &'a str {
        self.0.name()
    }

    /// Bytes of storage.
    pub fn size(&self) -> u32 {
        self.0.word(2)
    }

    /// Whether the record holds 64-bit values (`BTF_KIND_ENUM64`).
    pub fn is_64(&self) -> bool {
        self.0.kind() == Kind::Enum64
    }

    /// Whether values have a sign (`kind_flag`).
    pub fn is_signed(&self) -> bool {
        self.0.kind_flag()
    }

    /// The number of values.
    pub fn value_count(&self) -> u32 {
        self.0.vlen()
    }

    fn each(&self) -> usize {
        if self.is_64() { 12 } else { 8 }
    }

    fn decode(record: Record<'a>, bytes: &'a [u8]) -> EnumValue<'a> {
        let low = word(bytes, 4);
        let value = match (bytes.len() == 12, record.kind_flag()) {
            (true, _) => (u64::from(word(bytes, 8)) << 32 | u64::from(low)) as i64,
            (false, true) => i64::from(low as i32),
            (false, false) => i64::from(low),
        };
        EnumValue { name: record.btf.name_at(word(bytes, 0)), value }
    }

    /// The values, in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = EnumValue<'a>> + DoubleEndedIterator + Clone + use<'a> {
        let record = self.0;
        record.elements(self.each()).map(move |bytes| Self::decode(record, bytes))
    }

    /// The value with this index.
    pub fn value(&self, index: u32) -> Option<EnumValue<'a>> {
        self.0.element(self.each(), index).map(|bytes| Self::decode(self.0, bytes))
    }
}

impl fmt::Debug for Enum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enum")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("size", &self.size())
            .field("values", &self.value_count())
            .finish()
    }
}

/// `BTF_KIND_FWD`: a struct or union that is only named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fwd<'a> {
    /// Its own id.
    pub id: TypeId,
    /// The tag.
    pub name: &'a str,
    /// Whether it stands for a union.
    pub union: bool,
}

/// Who sees a function or variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    /// Its own file alone.
    Static,
    /// Everybody; for a variable, it is allocated here.
    Global,
    /// Everybody, and it is defined elsewhere.
    Extern,
    /// A number that has no meaning.
    Unknown(u32),
}

impl Linkage {
    /// The linkage with this number in a `FUNC` or `VAR` record.
    pub fn from_number(number: u32) -> Linkage {
        match number {
            0 => Linkage::Static,
            1 => Linkage::Global,
            2 => Linkage::Extern,
            other => Linkage::Unknown(other),
        }
    }

    /// Its number in a record.
    pub fn number(self) -> u32 {
        match self {
            Linkage::Static => 0,
            Linkage::Global => 1,
            Linkage::Extern => 2,
            Linkage::Unknown(other) => other,
        }
    }
}

/// `BTF_KIND_FUNC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Func<'a> {
    /// Its own id.
    pub id: TypeId,
    /// The name.
    pub name: &'a str,
    /// Its prototype.
    pub proto: TypeId,
    /// Who sees it.
    pub linkage: Linkage,
}

/// `BTF_KIND_FUNC_PROTO`.
#[derive(Clone, Copy)]
pub struct FuncProto<'a>(pub(crate) Record<'a>);

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name; empty when it has none.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
}

impl<'a> FuncProto<'a> {
    /// Its own id.
    pub fn id(&self) -> TypeId {
        self.0.id
    }

    /// The type returned.
    pub fn ret(&self) -> TypeId {
        TypeId(self.0.word(2))
    }

    /// The parameters as they are recorded, a `...` at the end included.
    pub(crate) fn raw_params(&self) -> impl ExactSizeIterator<Item = Param<'a>> + DoubleEndedIterator + Clone + use<'a> {
        let record = self.0;
        record.elements(8).map(move |b| Param { name: record.btf.name_at(word(b, 0)), ty: TypeId(word(b, 4)) })
    }

    /// The parameters, in order, without the `...` at the end.
    pub fn params(&self) -> impl ExactSizeIterator<Item = Param<'a>> + Clone + use<'a> {
        self.raw_params().take(self.0.vlen() as usize - usize::from(self.is_variadic()))
    }

    /// Whether it ends in `...`: a last parameter with neither name nor type.
    pub fn is_variadic(&self) -> bool {
        self.raw_params().next_back().is_some_and(|last| last.name.is_empty() && last.ty.is_void())
    }
}

impl fmt::Debug for FuncProto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FuncProto")
            .field("id", &self.id())
            .field("ret", &self.ret())
            .field("params", &self.params().len())
            .finish()
    }
}

/// `BTF_KIND_VAR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var<'a> {
    /// Its own id.
    pub id: TypeId,
    /// The name.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Who sees it.
    pub linkage: Linkage,
}

/// `BTF_KIND_DATASEC`: the variables of an ELF section.
#[derive(Clone, Copy)]
pub struct Datasec<'a>(pub(crate) Record<'a>);

/// Where a variable lies in its section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecVar {
    /// The `VAR` (or, for externs, `FUNC`).
    pub ty: TypeId,
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Its bytes.
    pub size: u32,
}

impl<'a> Datasec<'a> {
    /// Its own id.
    pub fn id(&self) -> TypeId {
        self.0.id
    }

    /// The section's name, such as `.bss`.
    pub fn name(&self) -> &'a str {
        self.0.name()
    }

    /// Bytes of the section; compilers leave 0 for the loader to fill in.
    pub fn size(&self) -> u32 {
        self.0.word(2)
    }

    /// The number of variables.
    pub fn var_count(&self) -> u32 {
        self.0.vlen()
    }

    /// The variables, in order.
    pub fn vars(&self) -> impl ExactSizeIterator<Item = SecVar> + DoubleEndedIterator + Clone + use<'a> {
        self.0.elements(12).map(|b| SecVar { ty: TypeId(word(b, 0)), offset: word(b, 4), size: word(b, 8) })
    }
}

impl fmt::Debug for Datasec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datasec")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("size", &self.size())
            .field("vars", &self.var_count())
            .finish()
    }
}

/// `BTF_KIND_FLOAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Float<'a> {
    /// Its own id.
    pub id: TypeId,
    /// The name, such as `double`.
    pub name: &'a str,
    /// Bytes of storage.
    pub size: u32,
}

/// `BTF_KIND_DECL_TAG`: a string attached to a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclTag<'a> {
    /// Its own id.
    pub id: TypeId,
    /// The string.
    pub value: &'a str,
    /// The string is an attribute as C writes it, not the text of a `btf_decl_tag`.
    pub attribute: bool,
    /// What it is attached to.
    pub of: TypeId,
    /// The member or parameter it is attached to; `None` for the whole.
    pub component: Option<u32>,
}
