//! Bytes to a tree of values.

use super::{Layout, is_char};
use crate::{Array, Btf, BtfError, Composite, IntEncoding, Kind, PathError, Place, Type, TypeId};

/// A value of a type, read from bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer without sign, at most 16 bytes.
    Unsigned(u128),
    /// An integer with sign, at most 16 bytes.
    Signed(i128),
    /// A truth value: whether any bit is set.
    Bool(bool),
    /// A floating-point number of 4 or 8 bytes.
    Float(f64),
    /// A value of an enum, with the first name that has it.
    Enum {
        /// The name; `None` when none has the value.
        name: Option<String>,
        /// The value.
        value: i64,
    },
    /// An address.
    Pointer(u64),
    /// An array of `char`, up to its first NUL.
    Text(Vec<u8>),
    /// The elements of an array.
    Array(Vec<Value>),
    /// The fields of a struct or union by name, in order; those of anonymous members stand among those around them. The members of a
    /// union all show the same bytes.
    Struct(Vec<(String, Value)>),
    /// Bytes that have no other form: a number of an odd size.
    Bytes(Vec<u8>),
}

/// Bytes that are not a value of the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Fewer bytes than the value takes.
    #[error("value of type {id} needs {need} bytes, {have} given")]
    Short {
        /// The type.
        id: TypeId,
        /// Bytes it takes, from the start of the whole.
        need: u64,
        /// Bytes given.
        have: usize,
    },
    /// A type that has no values.
    #[error("type {id} of kind {kind} has no values")]
    NoValue {
        /// The type.
        id: TypeId,
        /// Its kind.
        kind: Kind,
    },
    /// More fields and elements than a sensible value has.
    #[error("value of type {id} has too many parts")]
    TooLarge {
        /// The type.
        id: TypeId,
    },
    /// The path leads through a pointer, out of the bytes.
    #[error("path `{path}` leads through a pointer")]
    ThroughPointer {
        /// The path.
        path: String,
    },
    /// The path leads nowhere.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The types do not answer.
    #[error(transparent)]
    Btf(#[from] BtfError),
}

/// Most fields and elements of one value, however many bytes there are.
const MAX_PARTS: usize = 1 << 20;
/// Fields and elements that any value may have, and how many more for each byte: bits, and unions that show bytes again.
const FEW_PARTS: usize = 4096;
const PARTS_PER_BYTE: usize = 8;

/// The `width` bits that begin at `bit_offset`, as a number; `None` when the bytes end before. At most 128 bits.
pub(super) fn read_bits(bytes: &[u8], bit_offset: u64, width: u32) -> Option<u128> {
    let end = (bit_offset + u64::from(width)).div_ceil(8);
    let bytes = bytes.get((bit_offset / 8) as usize..usize::try_from(end).ok()?)?;
    let shift = (bit_offset % 8) as u32;
    let mut number = 0u128;
    for (nth, byte) in (0u32..).zip(bytes) {
        let at = nth as i32 * 8 - shift as i32;
        let byte = u128::from(*byte);
        number |= if at < 0 { byte >> -at } else { byte.checked_shl(at as u32).unwrap_or(0) };
    }
    Some(if width < 128 { number & ((1 << width) - 1) } else { number })
}

fn extend(number: u128, width: u32) -> i128 {
    match width {
        0 => 0,
        1..128 => (number << (128 - width)) as i128 >> (128 - width),
        _ => number as i128,
    }
}

struct Reader<'a> {
    btf: &'a Btf,
    bytes: &'a [u8],
    /// Fields and elements that may still be read.
    parts: usize,
}

impl<'a> Reader<'a> {
    fn new(btf: &'a Btf, bytes: &'a [u8]) -> Reader<'a> {
        let parts = bytes.len().saturating_mul(PARTS_PER_BYTE).saturating_add(FEW_PARTS).min(MAX_PARTS);
        Reader { btf, bytes, parts }
    }

    fn count(&mut self, id: TypeId, parts: usize) -> Result<(), ValueError> {
        self.parts = self.parts.checked_sub(parts).ok_or(ValueError::TooLarge { id })?;
        Ok(())
    }

    fn bits(&self, id: TypeId, bit_offset: u64, width: u32) -> Result<u128, ValueError> {
        read_bits(self.bytes, bit_offset, width).ok_or(ValueError::Short {
            id,
            need: (bit_offset + u64::from(width)).div_ceil(8),
            have: self.bytes.len(),
        })
    }

    fn raw(&self, id: TypeId, bit_offset: u64, size: u32) -> Result<&[u8], ValueError> {
        let (start, need) = (bit_offset / 8, bit_offset / 8 + u64::from(size));
        let range = (start as usize)..usize::try_from(need).unwrap_or(usize::MAX);
        self.bytes.get(range).ok_or(ValueError::Short { id, need, have: self.bytes.len() })
    }

    /// A number of `size` bytes or, for a bitfield, of its bits; `None` for sizes that are no number's.
    fn number(&self, id: TypeId, at: u64, size: u32, bitfield: Option<u8>) -> Result<Option<(u128, u32)>, ValueError> {
        let width = match bitfield {
            Some(width) => u32::from(width),
            None if size <= 16 => size * 8,
            None => return Ok(None),
        };
        if width > 128 {
            return Ok(None);
        }
        Ok(Some((self.bits(id, at, width)?, width)))
    }

    fn value(&mut self, id: TypeId, at: u64, bitfield: Option<u8>) -> Result<Value, ValueError> {
        self.count(id, 1)?;
        let id = self.btf.resolve(id);
        match self.btf.ty(id)? {
            Type::Int(int) => {
                let Some((number, width)) = self.number(id, at, int.size, bitfield)? else {
                    return Ok(Value::Bytes(self.raw(id, at, int.size)?.to_vec()));
                };
                Ok(match int.encoding {
                    IntEncoding::Bool => Value::Bool(number != 0),
                    _ if int.is_signed() => Value::Signed(extend(number, width)),
                    _ => Value::Unsigned(number),
                })
            }
            Type::Enum(e) => {
                let Some((number, width)) = self.number(id, at, e.size(), bitfield)? else {
                    return Ok(Value::Bytes(self.raw(id, at, e.size())?.to_vec()));
                };
                let value = if e.is_signed() { extend(number, width) as i64 } else { number as u64 as i64 };
                let name = e.values().find(|v| v.value == value).map(|v| v.name.to_owned());
                Ok(Value::Enum { name, value })
            }
            Type::Ptr(_) => Ok(Value::Pointer(self.bits(id, at, 64)? as u64)),
            Type::Float(float) => match float.size {
                4 => Ok(Value::Float(f64::from(f32::from_bits(self.bits(id, at, 32)? as u32)))),
                8 => Ok(Value::Float(f64::from_bits(self.bits(id, at, 64)? as u64))),
                size => Ok(Value::Bytes(self.raw(id, at, size)?.to_vec())),
            },
            Type::Array(array) => self.array(array, at),
            Type::Struct(composite) | Type::Union(composite) => {
                self.raw(id, at, composite.size())?;
                let mut fields = Vec::new();
                self.fields(composite, at, &mut fields)?;
                Ok(Value::Struct(fields))
            }
            Type::Datasec(section) => {
                self.raw(id, at, section.size())?;
                let each = section.vars().map(|place| {
                    let value = self.value(place.ty, at + u64::from(place.offset) * 8, None)?;
                    Ok((self.btf.name(place.ty).to_owned(), value))
                });
                Ok(Value::Struct(each.collect::<Result<_, ValueError>>()?))
            }
            Type::Var(var) => self.value(var.ty, at, None),
            Type::Void
            | Type::Fwd(_)
            | Type::Func(_)
            | Type::FuncProto(_)
            | Type::DeclTag(_)
            | Type::Typedef(_)
            | Type::TypeTag(_)
            | Type::Volatile(_)
            | Type::Const(_)
            | Type::Restrict(_) => Err(ValueError::NoValue { id, kind: self.btf.kind(id) }),
        }
    }

    /// A flexible array has as many elements as the bytes that are left hold.
    fn array(&mut self, array: Array, at: u64) -> Result<Value, ValueError> {
        let size = self.btf.size_of(array.element)?;
        let count = match array.count {
            0 if size > 0 => self.bytes.len().saturating_sub((at / 8) as usize) / size as usize,
            count => count as usize,
        };
        if is_char(self.btf, array.element) {
            let bytes = self.raw(array.id, at, count as u32)?;
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            return Ok(Value::Text(bytes[..end].to_vec()));
        }
        if count > self.parts {
            return Err(ValueError::TooLarge { id: array.id });
        }
        self.raw(array.id, at, size.saturating_mul(count as u32))?;
        let each = (0..count as u64).map(|nth| self.value(array.element, at + nth * u64::from(size) * 8, None));
        Ok(Value::Array(each.collect::<Result<_, _>>()?))
    }

    fn fields(&mut self, composite: Composite<'_>, at: u64, fields: &mut Vec<(String, Value)>) -> Result<(), ValueError> {
        let last = composite.member_count().saturating_sub(1);
        for (nth, member) in (0..).zip(composite.members()) {
            let at = at + u64::from(member.bit_offset);
            if member.name.is_empty() {
                // An anonymous member that is no struct is padding.
                if let Type::Struct(inner) | Type::Union(inner) = self.btf.ty(self.btf.resolve(member.ty))? {
                    self.count(inner.id(), 1)?;
                    self.fields(inner, at, fields)?;
                }
                continue;
            }
            let open = self.btf.is_flexible_array(member.ty) && (nth != last || composite.is_union());
            let value = if open { Value::Array(Vec::new()) } else { self.value(member.ty, at, member.bitfield)? };
            fields.push((member.name.to_owned(), value));
        }
        Ok(())
    }
}

impl Btf {
    /// Reads a value of a type from bytes. A flexible array at the end takes what is left of them.
    ///
    /// # Errors
    /// Too few bytes, a type that has no values.
    pub fn read(&self, id: TypeId, bytes: &[u8]) -> Result<Value, ValueError> {
        Reader::new(self, bytes).value(id, 0, None)
    }

    /// Reads the value at a place in bytes.
    ///
    /// # Errors
    /// As [`Btf::read`].
    pub fn read_place(&self, place: Place, bytes: &[u8]) -> Result<Value, ValueError> {
        Reader::new(self, bytes).value(place.ty, u64::from(place.bit_offset), place.bitfield)
    }
}

impl Layout<'_> {
    /// Reads the field at a path; an empty path is the whole.
    ///
    /// # Errors
    /// A path that leads nowhere or through a pointer, too few bytes.
    pub fn get(&self, bytes: &[u8], path: &str) -> Result<Value, ValueError> {
        if path.is_empty() {
            return self.btf.read(self.root, bytes);
        }
        self.btf.read_place(self.place(path)?, bytes)
    }

    pub(super) fn place(&self, path: &str) -> Result<Place, ValueError> {
        let access = self.btf.walk(self.root, path)?;
        if access.pointers.is_empty() { Ok(access.place) } else { Err(ValueError::ThroughPointer { path: path.to_owned() }) }
    }
}

impl Value {
    /// The number, if it is one; of a pointer, the address; of text, an array or a struct, `None`.
    pub fn as_i128(&self) -> Option<i128> {
        match self {
            Value::Unsigned(number) => i128::try_from(*number).ok(),
            Value::Signed(number) => Some(*number),
            Value::Bool(set) => Some(i128::from(*set)),
            Value::Enum { value, .. } => Some(i128::from(*value)),
            Value::Pointer(address) => Some(i128::from(*address)),
            Value::Float(_) | Value::Text(_) | Value::Array(_) | Value::Struct(_) | Value::Bytes(_) => None,
        }
    }

    /// The field of a struct with this name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Struct(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            Value::Unsigned(_)
            | Value::Signed(_)
            | Value::Bool(_)
            | Value::Float(_)
            | Value::Enum { .. }
            | Value::Pointer(_)
            | Value::Text(_)
            | Value::Array(_)
            | Value::Bytes(_) => None,
        }
    }
}
