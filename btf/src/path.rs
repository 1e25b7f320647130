//! Field paths such as `sk.__sk_common.skc_dport`, `mm->exe_file` or `args[2]`.

use crate::{Btf, Composite, PathError, Type, TypeId};

/// Where a field lies in the object it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The type of the field.
    pub ty: TypeId,
    /// Bits from the start of the object.
    pub bit_offset: u32,
    /// The width of a bitfield in bits; `None` when the field is none.
    pub bitfield: Option<u8>,
}

impl Place {
    /// Bytes from the start of the object to the byte that holds the first bit.
    pub fn offset(&self) -> u32 {
        self.bit_offset / 8
    }

    /// The bytes of the field; of a bitfield, those that hold a part of it.
    ///
    /// # Errors
    /// A type without a size.
    pub fn size(&self, btf: &Btf) -> Result<u32, crate::BtfError> {
        match self.bitfield {
            Some(width) => Ok((self.bit_offset % 8 + u32::from(width)).div_ceil(8)),
            None => btf.size_of(self.ty),
        }
    }
}

/// How to reach a field: through which pointers, and where it lies in the last object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Pointers to load on the way, in order. The first lies in the object that the path began in, each further one in the object that
    /// the pointer before it points to.
    pub pointers: Vec<Place>,
    /// The field, in the object that the last pointer points to.
    pub place: Place,
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'p> {
    Field(&'p str),
    Index(u32),
}

fn steps(path: &str) -> Result<Vec<Step<'_>>, PathError> {
    let syntax = |column: usize, expected| PathError::Syntax { path: path.to_owned(), column, expected };
    let mut steps = Vec::new();
    let mut rest = path;
    let mut separated = true;
    while !rest.is_empty() || (separated && !steps.is_empty()) || steps.is_empty() {
        let column = path.len() - rest.len();
        if let Some(inside) = rest.strip_prefix('[')
            && (!separated || steps.is_empty())
        {
            let (number, after) = inside.split_once(']').ok_or_else(|| syntax(path.len(), "`]`"))?;
            let index = number.trim().parse().map_err(|_| syntax(column + 1, "an index"))?;
            steps.push(Step::Index(index));
            rest = after;
        } else {
            if !separated {
                return Err(syntax(column, "`.`, `->` or `[`"));
            }
            let end = rest.find(['.', '[', '-']).unwrap_or(rest.len());
            let name = rest[..end].trim();
            if name.is_empty() {
                return Err(syntax(column, "a field name"));
            }
            steps.push(Step::Field(name));
            rest = &rest[end..];
        }
        separated = false;
        for mark in [".", "->"] {
            if let Some(after) = rest.strip_prefix(mark) {
                separated = true;
                rest = after;
                break;
            }
        }
    }
    Ok(steps)
}

/// A walk in progress.
struct Walk<'a> {
    btf: &'a Btf,
    path: &'a str,
    pointers: Vec<Place>,
    place: Place,
}

/// Anonymous structs that one search of a field may enter: more than any sensible type has.
const MAX_ANONYMOUS: u32 = 10_000;

impl<'a> Walk<'a> {
    fn describe(&self, id: TypeId) -> String {
        let name = self.btf.name(id);
        if name.is_empty() { format!("type {id}") } else { name.to_owned() }
    }

    fn advance(&mut self, bits: u64, ty: TypeId, bitfield: Option<u8>) -> Result<(), PathError> {
        let bit_offset = u64::from(self.place.bit_offset) + bits;
        let bit_offset = u32::try_from(bit_offset).map_err(|_| PathError::TooFar { path: self.path.to_owned() })?;
        self.place = Place { ty, bit_offset, bitfield };
        Ok(())
    }

    /// Loads the pointer the walk stands on.
    fn dereference(&mut self, to: TypeId) {
        self.pointers.push(self.place);
        self.place = Place { ty: to, bit_offset: 0, bitfield: None };
    }

    fn index(&mut self, index: u32) -> Result<(), PathError> {
        let id = self.btf.resolve(self.place.ty);
        let element = match self.btf.ty(id)? {
            Type::Array(array) => {
                if array.count != 0 && index >= array.count {
                    return Err(PathError::OutOfBounds { path: self.path.to_owned(), index, count: array.count });
                }
                array.element
            }
            Type::Ptr(to) => {
                self.dereference(to.to);
                to.to
            }
            _ => return Err(PathError::NotArray { path: self.path.to_owned(), of: self.describe(id), kind: self.btf.kind(id) }),
        };
        let size = self.btf.size_of(element)?;
        self.advance(u64::from(index) * u64::from(size) * 8, element, None)
    }

    fn field(&mut self, name: &str) -> Result<(), PathError> {
        let mut id = self.btf.resolve(self.place.ty);
        if let Type::Ptr(to) = self.btf.ty(id)? {
            self.dereference(to.to);
            id = self.btf.resolve(to.to);
        }
        let (Type::Struct(composite) | Type::Union(composite)) = self.btf.ty(id)? else {
            let kind = self.btf.kind(id);
            return Err(PathError::NotComposite { path: self.path.to_owned(), of: self.describe(id), kind });
        };
        match self.btf.find_member(composite, name)? {
            Some(found) => self.advance(u64::from(found.bit_offset), found.ty, found.bitfield),
            None => Err(PathError::NoField { path: self.path.to_owned(), of: self.describe(id), field: name.to_owned() }),
        }
    }
}

impl Btf {
    /// The member with this name, those of anonymous structs and unions inside included, and where it lies.
    ///
    /// # Errors
    /// [`crate::BtfError::TooManySteps`] for types with absurdly many anonymous members.
    pub fn find_member(&self, composite: Composite<'_>, name: &str) -> Result<Option<Place>, crate::BtfError> {
        self.search(composite, name, 0, &mut 0)
    }

    fn search(&self, within: Composite<'_>, name: &str, at: u32, entered: &mut u32) -> Result<Option<Place>, crate::BtfError> {
        *entered += 1;
        if *entered > MAX_ANONYMOUS {
            return Err(crate::BtfError::TooManySteps { id: within.id() });
        }
        for member in within.members() {
            let bit_offset = at.saturating_add(member.bit_offset);
            if !member.name.is_empty() {
                if member.name == name {
                    return Ok(Some(Place { ty: member.ty, bit_offset, bitfield: member.bitfield }));
                }
                continue;
            }
            if let Some(Type::Struct(inner) | Type::Union(inner)) = self.get(self.resolve(member.ty))
                && let Some(found) = self.search(inner, name, bit_offset, entered)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where a field path leads from a type. `.` and `->` mean the same: a pointer on the way is loaded either way. Fields of anonymous
    /// structs and unions are found as C finds them.
    ///
    /// # Errors
    /// A path that is not one, a field that is not there, an index out of bounds.
    pub fn walk(&self, from: TypeId, path: &str) -> Result<Access, PathError> {
        let steps = steps(path)?;
        let place = Place { ty: from, bit_offset: 0, bitfield: None };
        let mut walk = Walk { btf: self, path, pointers: Vec::new(), place };
        for step in steps {
            match step {
                Step::Field(name) => walk.field(name)?,
                Step::Index(index) => walk.index(index)?,
            }
        }
        Ok(Access { pointers: walk.pointers, place: walk.place })
    }
}
