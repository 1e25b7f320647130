//! Making BTF: new types, and changed copies of types that were read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::parse::{HEADER_LEN, MAGIC};
use crate::{Btf, BtfError, IntEncoding, Kind, Linkage, SecVar, TypeId};

/// A member to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDef {
    /// The name; empty for an anonymous member.
    pub name: String,
    /// Its type.
    pub ty: TypeId,
    /// Bits from the start of the struct.
    pub bit_offset: u32,
    /// The width of a bitfield in bits; 0 when the member is none.
    pub bits: u8,
}

impl MemberDef {
    /// A member that is no bitfield, `offset` bytes from the start.
    pub fn new(name: &str, ty: TypeId, offset: u32) -> MemberDef {
        MemberDef { name: name.to_owned(), ty, bit_offset: offset.wrapping_mul(8), bits: 0 }
    }
}

/// A type to be built. Ids may be of types that are built later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // fields are those of the kind's view
pub enum TypeDef {
    Int { name: String, size: u32, bits: u8, bit_offset: u8, encoding: IntEncoding },
    Ptr { to: TypeId },
    Array { element: TypeId, index: TypeId, count: u32 },
    Struct { name: String, size: u32, members: Vec<MemberDef> },
    Union { name: String, size: u32, members: Vec<MemberDef> },
    Enum { name: String, size: u32, signed: bool, values: Vec<(String, i32)> },
    Enum64 { name: String, size: u32, signed: bool, values: Vec<(String, i64)> },
    Fwd { name: String, union: bool },
    Typedef { name: String, to: TypeId },
    Volatile { to: TypeId },
    Const { to: TypeId },
    Restrict { to: TypeId },
    Func { name: String, proto: TypeId, linkage: Linkage },
    FuncProto { ret: TypeId, params: Vec<(String, TypeId)> },
    Var { name: String, ty: TypeId, linkage: Linkage },
    Datasec { name: String, size: u32, vars: Vec<SecVar> },
    Float { name: String, size: u32 },
    DeclTag { value: String, attribute: bool, of: TypeId, component: Option<u32> },
    TypeTag { value: String, attribute: bool, to: TypeId },
}

/// Types on their way to be BTF.
///
/// A copy of a BTF that was read keeps its strings where they are, so that what refers to them from outside, such as `.BTF.ext`, still
/// does.
#[derive(Debug, Clone)]
pub struct BtfBuilder {
    records: Vec<Vec<u8>>,
    strings: Vec<u8>,
    known: HashMap<String, u32>,
    base: Option<Btf>,
}

impl Default for BtfBuilder {
    fn default() -> BtfBuilder {
        BtfBuilder::new()
    }
}

/// The common head of a record, and what follows it.
struct Encoder(Vec<u8>);

impl Encoder {
    fn new(name: u32, kind: Kind, flag: bool, vlen: u32, third: u32) -> Encoder {
        let info = u32::from(flag) << 31 | (kind as u32) << 24 | vlen & 0xffff;
        let mut encoder = Encoder(Vec::with_capacity(12));
        encoder.words(&[name, info, third]);
        encoder
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.0.extend_from_slice(&word.to_le_bytes());
        }
    }

    fn with(mut self, words: &[u32]) -> Vec<u8> {
        self.words(words);
        self.0
    }
}

impl BtfBuilder {
    /// No types yet.
    pub fn new() -> BtfBuilder {
        BtfBuilder { records: Vec::new(), strings: vec![0], known: HashMap::new(), base: None }
    }

    /// No types yet; they will go on where those of `base` end.
    pub fn split(base: &Btf) -> BtfBuilder {
        BtfBuilder { base: Some(base.clone()), strings: Vec::new(), ..BtfBuilder::new() }
    }

    /// A copy of a BTF; of a split one, of its own part.
    pub fn copy(btf: &Btf) -> BtfBuilder {
        let own = btf.own_strings().as_bytes().to_vec();
        let mut known = HashMap::new();
        let mut at = btf.strings_len() - own.len() as u32;
        for text in btf.own_strings().split_terminator('\0') {
            known.entry(text.to_owned()).or_insert(at);
            at += text.len() as u32 + 1;
        }
        BtfBuilder {
            records: btf.own_ids().map(|id| btf.record(id).bytes.to_vec()).collect(),
            strings: own,
            known,
            base: btf.base().cloned(),
        }
    }

    fn first_id(&self) -> u32 {
        self.base.as_ref().map_or(1, Btf::len)
    }

    /// The id that the next added type gets.
    pub fn next_id(&self) -> TypeId {
        TypeId(self.first_id() + self.records.len() as u32)
    }

    /// The offset of a string, which is added unless it is there already. What follows a NUL in it is cut off.
    pub fn string(&mut self, text: &str) -> u32 {
        let text = text.split('\0').next().unwrap_or_default();
        if text.is_empty() {
            return 0;
        }
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = self.base.as_ref().map_or(0, Btf::strings_len) + self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.known.insert(text.to_owned(), at);
        at
    }

    /// Adds a type.
    pub fn add(&mut self, def: TypeDef) -> TypeId {
        let id = self.next_id();
        let record = self.encode(def);
        self.records.push(record);
        id
    }

    /// Puts another type in the place of one.
    ///
    /// # Errors
    /// [`BtfError::NoSuchType`] for `void`, ids of the base and ids out of range.
    pub fn replace(&mut self, id: TypeId, def: TypeDef) -> Result<(), BtfError> {
        let record = self.encode(def);
        let count = self.next_id().0;
        let index = id.0.checked_sub(self.first_id()).map(|i| i as usize);
        match index.and_then(|i| self.records.get_mut(i)) {
            Some(place) => {
                *place = record;
                Ok(())
            }
            None => Err(BtfError::NoSuchType { id, count }),
        }
    }

    fn members(&mut self, kind: Kind, name: &str, size: u32, members: Vec<MemberDef>) -> Vec<u8> {
        let flag = members.iter().any(|m| m.bits != 0);
        let mut record = Encoder::new(self.string(name), kind, flag, members.len() as u32, size);
        for member in members {
            let offset = if flag { u32::from(member.bits) << 24 | member.bit_offset & 0x00ff_ffff } else { member.bit_offset };
            record.words(&[self.string(&member.name), member.ty.0, offset]);
        }
        record.0
    }

    fn encode(&mut self, def: TypeDef) -> Vec<u8> {
        match def {
            TypeDef::Int { name, size, bits, bit_offset, encoding } => {
                let encoding = match encoding {
                    IntEncoding::Unsigned => 0,
                    IntEncoding::Signed => 1,
                    IntEncoding::Char => 2,
                    IntEncoding::Bool => 4,
                    IntEncoding::Other(bits) => u32::from(bits) & 0xf,
                };
                let word = encoding << 24 | u32::from(bit_offset) << 16 | u32::from(bits);
                Encoder::new(self.string(&name), Kind::Int, false, 0, size).with(&[word])
            }
            TypeDef::Ptr { to } => Encoder::new(0, Kind::Ptr, false, 0, to.0).0,
            TypeDef::Array { element, index, count } => {
                Encoder::new(0, Kind::Array, false, 0, 0).with(&[element.0, index.0, count])
            }
            TypeDef::Struct { name, size, members } => self.members(Kind::Struct, &name, size, members),
            TypeDef::Union { name, size, members } => self.members(Kind::Union, &name, size, members),
            TypeDef::Enum { name, size, signed, values } => {
                let mut record = Encoder::new(self.string(&name), Kind::Enum, signed, values.len() as u32, size);
                for (name, value) in values {
                    record.words(&[self.string(&name), value as u32]);
                }
                record.0
            }
            TypeDef::Enum64 { name, size, signed, values } => {
                let mut record = Encoder::new(self.string(&name), Kind::Enum64, signed, values.len() as u32, size);
                for (name, value) in values {
                    record.words(&[self.string(&name), value as u32, (value >> 32) as u32]);
                }
                record.0
            }
            TypeDef::Fwd { name, union } => Encoder::new(self.string(&name), Kind::Fwd, union, 0, 0).0,
            TypeDef::Typedef { name, to } => Encoder::new(self.string(&name), Kind::Typedef, false, 0, to.0).0,
            TypeDef::Volatile { to } => Encoder::new(0, Kind::Volatile, false, 0, to.0).0,
            TypeDef::Const { to } => Encoder::new(0, Kind::Const, false, 0, to.0).0,
            TypeDef::Restrict { to } => Encoder::new(0, Kind::Restrict, false, 0, to.0).0,
            TypeDef::Func { name, proto, linkage } => {
                Encoder::new(self.string(&name), Kind::Func, false, linkage.number(), proto.0).0
            }
            TypeDef::FuncProto { ret, params } => {
                let mut record = Encoder::new(0, Kind::FuncProto, false, params.len() as u32, ret.0);
                for (name, ty) in params {
                    record.words(&[self.string(&name), ty.0]);
                }
                record.0
            }
            TypeDef::Var { name, ty, linkage } => {
                Encoder::new(self.string(&name), Kind::Var, false, 0, ty.0).with(&[linkage.number()])
            }
            TypeDef::Datasec { name, size, vars } => {
                let mut record = Encoder::new(self.string(&name), Kind::Datasec, false, vars.len() as u32, size);
                for var in vars {
                    record.words(&[var.ty.0, var.offset, var.size]);
                }
                record.0
            }
            TypeDef::Float { name, size } => Encoder::new(self.string(&name), Kind::Float, false, 0, size).0,
            TypeDef::DeclTag { value, attribute, of, component } => {
                Encoder::new(self.string(&value), Kind::DeclTag, attribute, 0, of.0).with(&[component.unwrap_or(u32::MAX)])
            }
            TypeDef::TypeTag { value, attribute, to } => Encoder::new(self.string(&value), Kind::TypeTag, attribute, 0, to.0).0,
        }
    }

    /// An integer of whole bytes.
    pub fn int(&mut self, name: &str, size: u32, encoding: IntEncoding) -> TypeId {
        let bits = (size * 8).min(255) as u8;
        self.add(TypeDef::Int { name: name.to_owned(), size, bits, bit_offset: 0, encoding })
    }

    /// A pointer.
    pub fn ptr(&mut self, to: TypeId) -> TypeId {
        self.add(TypeDef::Ptr { to })
    }

    /// An array; `index` is the integer type of its indexes.
    pub fn array(&mut self, element: TypeId, index: TypeId, count: u32) -> TypeId {
        self.add(TypeDef::Array { element, index, count })
    }

    /// A struct.
    pub fn structure(&mut self, name: &str, size: u32, members: Vec<MemberDef>) -> TypeId {
        self.add(TypeDef::Struct { name: name.to_owned(), size, members })
    }

    /// A union.
    pub fn union(&mut self, name: &str, size: u32, members: Vec<MemberDef>) -> TypeId {
        self.add(TypeDef::Union { name: name.to_owned(), size, members })
    }

    /// A typedef.
    pub fn typedef(&mut self, name: &str, to: TypeId) -> TypeId {
        self.add(TypeDef::Typedef { name: name.to_owned(), to })
    }

    /// The bytes of a `.BTF` section.
    pub fn to_bytes(&self) -> Vec<u8> {
        let types_len: usize = self.records.iter().map(Vec::len).sum();
        let mut bytes = Vec::with_capacity(HEADER_LEN as usize + types_len + self.strings.len());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&[1, 0]);
        for word in [HEADER_LEN, 0, types_len as u32, types_len as u32, self.strings.len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for record in &self.records {
            bytes.extend_from_slice(record);
        }
        bytes.extend_from_slice(&self.strings);
        bytes
    }

    /// The types, read back.
    ///
    /// # Errors
    /// As [`Btf::parse`]: an id that no type got, a type that contains itself.
    pub fn build(&self) -> Result<Btf, BtfError> {
        crate::parse::parse(Arc::from(self.to_bytes()), self.base.clone())
    }
}

impl Btf {
    /// The type with this id in a form that can be changed and given to a [`BtfBuilder`]; `None` for `void` and ids out of range.
    pub fn definition(&self, id: TypeId) -> Option<TypeDef> {
        use crate::Type;
        let members = |composite: crate::Composite<'_>| -> Vec<MemberDef> {
            let each = (0..).zip(composite.members()).map(|(index, member)| {
                let (bit_offset, bits) = composite.field_bits(index);
                MemberDef { name: member.name.to_owned(), ty: member.ty, bit_offset, bits: bits as u8 }
            });
            each.collect()
        };
        Some(match self.get(id)? {
            Type::Void => return None,
            Type::Int(int) => TypeDef::Int {
                name: int.name.to_owned(),
                size: int.size,
                bits: int.bits,
                bit_offset: int.bit_offset,
                encoding: int.encoding,
            },
            Type::Ptr(to) => TypeDef::Ptr { to: to.to },
            Type::Array(array) => TypeDef::Array { element: array.element, index: array.index, count: array.count },
            Type::Struct(c) => TypeDef::Struct { name: c.name().to_owned(), size: c.size(), members: members(c) },
            Type::Union(c) => TypeDef::Union { name: c.name().to_owned(), size: c.size(), members: members(c) },
            Type::Enum(e) if e.is_64() => TypeDef::Enum64 {
                name: e.name().to_owned(),
                size: e.size(),
                signed: e.is_signed(),
                values: e.values().map(|v| (v.name.to_owned(), v.value)).collect(),
            },
            Type::Enum(e) => TypeDef::Enum {
                name: e.name().to_owned(),
                size: e.size(),
                signed: e.is_signed(),
                values: e.values().map(|v| (v.name.to_owned(), v.value as i32)).collect(),
            },
            Type::Fwd(fwd) => TypeDef::Fwd { name: fwd.name.to_owned(), union: fwd.union },
            Type::Typedef(tag) => TypeDef::Typedef { name: tag.name.to_owned(), to: tag.to },
            Type::Volatile(to) => TypeDef::Volatile { to: to.to },
            Type::Const(to) => TypeDef::Const { to: to.to },
            Type::Restrict(to) => TypeDef::Restrict { to: to.to },
            Type::Func(func) => TypeDef::Func { name: func.name.to_owned(), proto: func.proto, linkage: func.linkage },
            Type::FuncProto(proto) => {
                TypeDef::FuncProto { ret: proto.ret(), params: proto.raw_params().map(|p| (p.name.to_owned(), p.ty)).collect() }
            }
            Type::Var(var) => TypeDef::Var { name: var.name.to_owned(), ty: var.ty, linkage: var.linkage },
            Type::Datasec(section) => {
                TypeDef::Datasec { name: section.name().to_owned(), size: section.size(), vars: section.vars().collect() }
            }
            Type::Float(float) => TypeDef::Float { name: float.name.to_owned(), size: float.size },
            Type::DeclTag(tag) => {
                TypeDef::DeclTag { value: tag.value.to_owned(), attribute: tag.attribute, of: tag.of, component: tag.component }
            }
            Type::TypeTag(tag) => TypeDef::TypeTag { value: tag.name.to_owned(), attribute: tag.attribute, to: tag.to },
        })
    }
}
