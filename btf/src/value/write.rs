//! Literals to bytes.

use super::{Layout, Literal, ValueError, is_char};
use crate::{Array, Composite, Kind, Place, Type, TypeId};

/// A literal that does not fit the place it is to be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// A number that the field does not hold.
    #[error("`{path}`: {number} does not fit in {bits} bits")]
    OutOfRange {
        /// The field.
        path: String,
        /// The number.
        number: i128,
        /// Bits of the field.
        bits: u32,
    },
    /// More elements or characters than the array has.
    #[error("`{path}`: {given} elements given, there are {count}")]
    TooMany {
        /// The field.
        path: String,
        /// How many are given.
        given: usize,
        /// How many there are.
        count: u64,
    },
    /// A name that the enum does not have.
    #[error("`{path}`: no value is named `{name}`")]
    NoSuchName {
        /// The field.
        path: String,
        /// The name.
        name: String,
    },
    /// A literal of another sort than the field.
    #[error("`{path}` is {kind}: {literal} cannot be written to it")]
    WrongSort {
        /// The field.
        path: String,
        /// Its kind.
        kind: Kind,
        /// What was given.
        literal: &'static str,
    },
    /// The field cannot be reached, or the bytes are too few.
    #[error(transparent)]
    Value(#[from] ValueError),
}

fn sort(literal: &Literal) -> &'static str {
    match literal {
        Literal::Number(_) => "a number",
        Literal::Float(_) => "a floating-point number",
        Literal::Text(_) => "text",
        Literal::Name(_) => "a name",
        Literal::List(_) => "a list",
        Literal::Record(_) => "a record of fields",
    }
}

/// Writes the low `width` bits of a number; the caller has checked that the bytes are there.
fn write_bits(bytes: &mut [u8], bit_offset: u64, width: u32, number: u128) {
    for bit in 0..u64::from(width) {
        let at = bit_offset + bit;
        let (byte, mask) = ((at / 8) as usize, 1u8 << (at % 8));
        if number >> bit & 1 != 0 { bytes[byte] |= mask } else { bytes[byte] &= !mask }
    }
}

struct Writer<'a, 'b> {
    layout: Layout<'a>,
    bytes: &'b mut [u8],
}

impl Writer<'_, '_> {
    fn check(&self, id: TypeId, bit_offset: u64, bits: u64) -> Result<(), SetError> {
        let (need, have) = ((bit_offset + bits).div_ceil(8), self.bytes.len());
        if need <= have as u64 { Ok(()) } else { Err(ValueError::Short { id, need, have }.into()) }
    }

    fn number(&mut self, path: &str, id: TypeId, at: u64, width: u32, number: i128) -> Result<(), SetError> {
        let fits = match width {
            0..127 => number >= -(1i128 << width >> 1) && number < 1i128 << width,
            _ => true,
        };
        if !fits {
            return Err(SetError::OutOfRange { path: path.to_owned(), number, bits: width });
        }
        self.check(id, at, u64::from(width))?;
        write_bits(self.bytes, at, width, number as u128);
        Ok(())
    }

    fn set(&mut self, path: &str, place: Place, base: u64, literal: &Literal) -> Result<(), SetError> {
        let btf = self.layout.btf;
        let id = btf.resolve(place.ty);
        let at = base + u64::from(place.bit_offset);
        let wrong = || SetError::WrongSort { path: path.to_owned(), kind: btf.kind(id), literal: sort(literal) };
        let width = |size: u32| place.bitfield.map_or(size.saturating_mul(8).min(128), u32::from);
        match btf.ty(id).map_err(ValueError::from)? {
            Type::Int(int) => {
                let number = match literal {
                    Literal::Number(number) => *number,
                    Literal::Name(name) if name == "true" => 1,
                    Literal::Name(name) if name == "false" => 0,
                    _ => return Err(wrong()),
                };
                self.number(path, id, at, width(int.size), number)
            }
            Type::Ptr(_) => match literal {
                Literal::Number(number) => self.number(path, id, at, 64, *number),
                _ => Err(wrong()),
            },
            Type::Enum(e) => {
                let number = match literal {
                    Literal::Number(number) => *number,
                    Literal::Name(name) => match e.values().find(|v| v.name == name) {
                        Some(value) => i128::from(value.value),
                        None => return Err(SetError::NoSuchName { path: path.to_owned(), name: name.clone() }),
                    },
                    _ => return Err(wrong()),
                };
                self.number(path, id, at, width(e.size()), number)
            }
            Type::Float(float) => {
                let number = match literal {
                    Literal::Float(number) => *number,
                    Literal::Number(number) => *number as f64,
                    _ => return Err(wrong()),
                };
                let (bits, width) = match float.size {
                    4 => (u128::from((number as f32).to_bits()), 32),
                    8 => (u128::from(number.to_bits()), 64),
                    _ => return Err(wrong()),
                };
                self.check(id, at, u64::from(width))?;
                write_bits(self.bytes, at, width, bits);
                Ok(())
            }
            Type::Array(array) => self.array(path, array, at, literal, &wrong),
            Type::Struct(composite) | Type::Union(composite) => self.composite(path, composite, at, literal, &wrong),
            Type::Void
            | Type::Fwd(_)
            | Type::Func(_)
            | Type::FuncProto(_)
            | Type::Var(_)
            | Type::Datasec(_)
            | Type::DeclTag(_)
            | Type::Typedef(_)
            | Type::TypeTag(_)
            | Type::Volatile(_)
            | Type::Const(_)
            | Type::Restrict(_) => Err(wrong()),
        }
    }

    /// Elements that are not given become zero, as in C.
    fn array(
        &mut self,
        path: &str,
        array: Array,
        at: u64,
        literal: &Literal,
        wrong: &dyn Fn() -> SetError,
    ) -> Result<(), SetError> {
        let btf = self.layout.btf;
        let size = u64::from(btf.size_of(array.element).map_err(ValueError::from)?);
        let count = match array.count {
            0 if size > 0 => (self.bytes.len() as u64).saturating_sub(at / 8) / size,
            count => u64::from(count),
        };
        let given = match literal {
            Literal::Text(text) if size == 1 => text.len(),
            Literal::List(items) => items.len(),
            _ => return Err(wrong()),
        };
        if given as u64 > count {
            return Err(SetError::TooMany { path: path.to_owned(), given, count });
        }
        self.check(array.id, at, count.saturating_mul(size).saturating_mul(8))?;
        let start = (at / 8) as usize;
        self.bytes[start..][..(count * size) as usize].fill(0);
        match literal {
            Literal::Text(text) => self.bytes[start..][..text.len()].copy_from_slice(text),
            Literal::List(items) => {
                for (nth, item) in (0u64..).zip(items) {
                    let place = Place { ty: array.element, bit_offset: 0, bitfield: None };
                    self.set(&format!("{path}[{nth}]"), place, at + nth * size * 8, item)?;
                }
            }
            Literal::Number(_) | Literal::Float(_) | Literal::Name(_) | Literal::Record(_) => return Err(wrong()),
        }
        Ok(())
    }

    /// Fields that are not named stay as they are; a list gives the fields in order.
    fn composite(
        &mut self,
        path: &str,
        composite: Composite<'_>,
        at: u64,
        literal: &Literal,
        wrong: &dyn Fn() -> SetError,
    ) -> Result<(), SetError> {
        let join = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        match literal {
            Literal::Record(fields) => {
                let inner = Layout { root: composite.id(), ..self.layout };
                for (field, literal) in fields {
                    let place = inner.place(field)?;
                    self.set(&join(field), place, at, literal)?;
                }
                Ok(())
            }
            Literal::List(items) => {
                let count = u64::from(composite.member_count());
                if items.len() as u64 > count {
                    return Err(SetError::TooMany { path: path.to_owned(), given: items.len(), count });
                }
                for (member, item) in composite.members().zip(items) {
                    let place = Place { ty: member.ty, bit_offset: member.bit_offset, bitfield: member.bitfield };
                    self.set(&join(member.name), place, at, item)?;
                }
                Ok(())
            }
            Literal::Number(_) | Literal::Float(_) | Literal::Name(_) | Literal::Text(_) => Err(wrong()),
        }
    }
}

impl Layout<'_> {
    /// Writes to the field at a path; an empty path is the whole. Fields that are not named keep their bytes; elements of an array that
    /// are not given become zero.
    ///
    /// ```
    /// # use skep_btf::{BtfBuilder, IntEncoding, MemberDef, value::Layout};
    /// let mut types = BtfBuilder::new();
    /// let (int, ch) = (types.int("int", 4, IntEncoding::Signed), types.int("char", 1, IntEncoding::Char));
    /// let comm = types.array(ch, int, 16);
    /// let event = types.structure("event", 20, vec![MemberDef::new("pid", int, 0), MemberDef::new("comm", comm, 4)]);
    /// let types = types.build()?;
    /// let layout = Layout::new(&types, event);
    /// let mut bytes = [0; 20];
    /// layout.set(&mut bytes, "pid", 5)?;
    /// layout.set(&mut bytes, "comm", "sh")?;
    /// assert_eq!(types.read(event, &bytes)?.to_string(), r#"{.pid = 5, .comm = "sh"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A path that leads nowhere or through a pointer, too few bytes, a literal that does not fit the field.
    pub fn set(&self, bytes: &mut [u8], path: &str, literal: impl Into<Literal>) -> Result<(), SetError> {
        let place = match path.is_empty() {
            true => Place { ty: self.root, bit_offset: 0, bitfield: None },
            false => self.place(path)?,
        };
        Writer { layout: *self, bytes }.set(path, place, 0, &literal.into())
    }

    /// Writes to a place that [`crate::Btf::walk`] found, in the bytes of the object it belongs to.
    ///
    /// # Errors
    /// As [`Layout::set`].
    pub fn set_place(&self, bytes: &mut [u8], place: Place, literal: impl Into<Literal>) -> Result<(), SetError> {
        Writer { layout: *self, bytes }.set("", place, 0, &literal.into())
    }

    /// Whether a field is text: an array of characters.
    pub fn is_text(&self, place: Place) -> bool {
        let id = self.btf.resolve(place.ty);
        matches!(self.btf.get(id), Some(Type::Array(array)) if is_char(self.btf, array.element))
    }
}
