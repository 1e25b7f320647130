//! Fields of map values, and of objects that programs allocate, that mean more to the kernel than bytes: locks, timers, kernel pointers, roots of lists and trees.
//!
//! The rule is the kernel's: fields are found by the name of their type, in structs and arrays of structs inside of the value too, but not
//! behind typedefs or in unions; pointers by their type tag. One field that breaks a rule spoils all: the kernel then treats the value
//! as bytes.

use skep_btf::{Btf, Composite, Datasec, Kind, Type, TypeId};
use skep_linux::special::{Mark, Repeats, SPECIAL, SpecialRow, special};

use crate::SpecialKind;

/// A field that the kernel treats by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialField {
    /// What it is.
    pub kind: SpecialKind,
    /// Bytes into the value.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
    /// What it points to or holds.
    pub to: Holds,
}

/// What a field points to or holds, by ids of the BTF that the field is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// Of a pointer: the struct that it points to.
    Struct(TypeId),
    /// Of a list or tree: the struct of its items, and where in them their node lies, in bytes.
    Items {
        /// The struct.
        item: TypeId,
        /// Bytes from its start to the node.
        node: u32,
    },
}

impl SpecialField {
    /// A field that neither points nor holds, with the size of its kind.
    pub fn plain(kind: SpecialKind, offset: u32) -> SpecialField {
        SpecialField { kind, offset, size: special(kind).size, to: Holds::Nothing }
    }
}

/// Where fields are looked for: not every kind means something everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the value of a map.
    Value,
    /// In an object that a program allocates.
    Object,
}

impl Place {
    /// Whether fields of this kind mean something there; elsewhere they are plain bytes.
    pub const fn has(self, kind: SpecialKind) -> bool {
        match kind {
            SpecialKind::SpinLock
            | SpecialKind::ResSpinLock
            | SpecialKind::KptrUntrusted
            | SpecialKind::KptrRef
            | SpecialKind::KptrPercpu
            | SpecialKind::ListHead
            | SpecialKind::RbRoot
            | SpecialKind::Refcount => true,
            SpecialKind::Timer | SpecialKind::Workqueue | SpecialKind::TaskWork | SpecialKind::Uptr => {
                matches!(self, Place::Value)
            }
            SpecialKind::ListNode | SpecialKind::RbNode => matches!(self, Place::Object),
        }
    }
}

/// Why the kernel takes no field of a type to be special.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The type is neither a struct nor a section of variables.
    #[error("type {0} is neither a struct nor a section")]
    NotStruct(TypeId),
    /// More than the kernel keeps.
    #[error("more than {FIELDS_MAX} special fields")]
    TooMany,
    /// Structs or arrays in each other.
    #[error("types nest more than {MAX_DEPTH} deep")]
    TooDeep,
    /// More members than skep looks at.
    #[error("more than {MAX_STEPS} members")]
    TooWide,
    /// A member does not begin at a byte.
    #[error("a member of {0} begins at bit {1}")]
    BitOffset(TypeId, u32),
    /// A kind of which a struct may have one.
    #[error("two fields of kind {0:?} in one struct")]
    Twice(SpecialKind),
    /// An array of fields of which there is no array.
    #[error("an array of fields of kind {0:?}")]
    Array(SpecialKind),
    /// A tagged pointer with a tag that means nothing here, or with several.
    #[error("pointer {0} has a tag that means nothing in a value, or several tags")]
    Tag(TypeId),
    /// A tagged pointer to something else than a struct.
    #[error("tagged pointer {0} does not point to a struct")]
    Pointee(TypeId),
    /// A list or tree without one tag `contains:STRUCT:MEMBER`.
    #[error("a list or tree at {0} without one tag `contains:STRUCT:MEMBER`")]
    Contains(u32),
    /// The tag names no struct, or no member that is a node.
    #[error("the list or tree at {0} contains what has no such node")]
    Node(u32),
    /// Fields overlap, or are not in the order of their offsets.
    #[error("the field at {0} begins before the one that is declared before it ends")]
    Overlap(u32),
    /// A field beyond the value.
    #[error("the field at {0} ends beyond the value")]
    Beyond(u32),
    /// Both kinds of locks.
    #[error("two kinds of locks")]
    TwoLocks,
    /// A list or tree that no lock guards.
    #[error("a list or tree without a lock beside it")]
    NoLock,
    /// Nodes of both kinds, and no reference count.
    #[error("nodes of lists and of trees without a reference count")]
    NoRefcount,
}

/// The most fields of one value.
const FIELDS_MAX: usize = 11;
/// How deep structs and arrays may nest.
const MAX_DEPTH: u32 = 32;
/// Members looked at: bounds the work on types that nest widely.
const MAX_STEPS: u32 = 100_000;

struct Search<'a> {
    btf: &'a Btf,
    place: Place,
    found: Vec<SpecialField>,
    steps: u32,
}

/// Something that may be a field: a member of a struct, or a variable.
struct Candidate {
    ty: TypeId,
    offset: u32,
    /// What a section says of its bytes.
    size: Option<u32>,
    /// What its declaration tags are attached to.
    declared: (TypeId, Option<u32>),
}

impl Search<'_> {
    /// Looks at a struct's members, or at a section's variables. Offsets are from its start.
    fn members(&mut self, of: Composite<'_>, depth: u32) -> Result<(), FieldError> {
        let mut seen = Vec::new();
        for index in 0..of.member_count() {
            let Some(member) = of.member(index) else { continue };
            let (bits, _) = of.field_bits(index);
            if !bits.is_multiple_of(8) {
                return Err(FieldError::BitOffset(of.id(), bits));
            }
            let declared = (of.id(), Some(index));
            self.field(Candidate { ty: member.ty, offset: bits / 8, size: None, declared }, &mut seen, depth)?;
        }
        Ok(())
    }

    fn variables(&mut self, of: Datasec<'_>) -> Result<(), FieldError> {
        let mut seen = Vec::new();
        for var in of.vars() {
            if let Some(ty) = self.btf.referred(var.ty) {
                let candidate = Candidate { ty, offset: var.offset, size: Some(var.size), declared: (var.ty, None) };
                self.field(candidate, &mut seen, 0)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, mut at: Candidate, seen: &mut Vec<SpecialKind>, depth: u32) -> Result<(), FieldError> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(FieldError::TooWide);
        }
        let mut count = 1u32;
        let mut arrays = 0;
        while let Some(Type::Array(array)) = self.btf.get(at.ty) {
            count = count.wrapping_mul(array.count);
            at.ty = array.element;
            arrays += 1;
            if arrays == MAX_DEPTH {
                return Err(FieldError::TooDeep);
            }
        }
        if count == 0 {
            return Ok(());
        }
        let fits = |size: u32| at.size.is_none_or(|known| known == 0 || known == size.wrapping_mul(count));
        let structure = match self.btf.get(at.ty) {
            Some(Type::Struct(s)) => Some(s),
            _ => None,
        };
        let name = self.btf.name(at.ty);
        let marked = SPECIAL.iter().find(|row| row.mark == Mark::Struct(named(name)) && self.place.has(row.kind));
        let first = self.found.len();
        match (marked, structure) {
            (Some(row), _) => {
                if row.repeats == Repeats::Never {
                    if seen.contains(&row.kind) {
                        return Err(FieldError::Twice(row.kind));
                    }
                    seen.push(row.kind);
                }
                // The name decides, before the type turns out to be no struct of this size.
                let is_it = structure.is_some_and(|s| s.size() == row.size);
                if !fits(row.size) || !at.offset.is_multiple_of(row.align) || !is_it {
                    return Ok(());
                }
                let to = match row.kind {
                    SpecialKind::ListHead | SpecialKind::RbRoot => self.items(row.kind, &at)?,
                    _ => Holds::Nothing,
                };
                self.push(SpecialField { kind: row.kind, offset: at.offset, size: row.size, to })?;
                self.repeat(first, count, row.size)
            }
            (None, Some(s)) => {
                if !fits(s.size()) {
                    return Ok(());
                }
                if depth + 1 >= MAX_DEPTH {
                    return Err(FieldError::TooDeep);
                }
                self.members(s, depth + 1)?;
                for field in &mut self.found[first..] {
                    field.offset = field.offset.wrapping_add(at.offset);
                }
                self.repeat(first, count, s.size())
            }
            (None, None) => {
                let size = special(SpecialKind::KptrRef).size;
                if !fits(size) || !at.offset.is_multiple_of(size) {
                    return Ok(());
                }
                let Some((row, to)) = tagged_pointer(self.btf, at.ty, self.place)? else { return Ok(()) };
                self.push(SpecialField { kind: row.kind, offset: at.offset, size, to: Holds::Struct(to) })?;
                self.repeat(first, count, size)
            }
        }
    }

    fn push(&mut self, field: SpecialField) -> Result<(), FieldError> {
        if self.found.len() == FIELDS_MAX {
            return Err(FieldError::TooMany);
        }
        self.found.push(field);
        Ok(())
    }

    /// What was found from `first` on, for every element of an array.
    fn repeat(&mut self, first: usize, count: u32, stride: u32) -> Result<(), FieldError> {
        let fields = self.found[first..].to_vec();
        if count == 1 || fields.is_empty() {
            return Ok(());
        }
        if let Some(field) = fields.iter().find(|field| special(field.kind).repeats != Repeats::InArrays) {
            return Err(FieldError::Array(field.kind));
        }
        if fields.len().saturating_mul(count as usize) > FIELDS_MAX - first {
            return Err(FieldError::TooMany);
        }
        for nth in 1..count {
            let shifted = |field: &SpecialField| {
                let offset = field.offset.wrapping_add(nth.wrapping_mul(stride));
                SpecialField { offset, ..*field }
            };
            self.found.extend(fields.iter().map(shifted));
        }
        Ok(())
    }

    /// What the tag of a list or tree says.
    fn items(&self, root: SpecialKind, at: &Candidate) -> Result<Holds, FieldError> {
        let (of, component) = at.declared;
        let tags = self.btf.decl_tags(of).filter(|tag| tag.component == component);
        let mut contains = tags.filter_map(|tag| tag.value.strip_prefix("contains:"));
        let (Some(value), None) = (contains.next(), contains.next()) else { return Err(FieldError::Contains(at.offset)) };
        let (item, node) = value.split_once(':').ok_or(FieldError::Contains(at.offset))?;
        let id = self.btf.find(item, Kind::Struct).ok_or(FieldError::Node(at.offset))?;
        let Some(Type::Struct(item)) = self.btf.get(id) else { return Err(FieldError::Node(at.offset)) };
        if node.is_empty() {
            return Err(FieldError::Contains(at.offset));
        }
        let wanted = special(if root == SpecialKind::ListHead { SpecialKind::ListNode } else { SpecialKind::RbNode });
        let mut members = (0..).zip(item.members()).filter(|(_, member)| member.name == node);
        let (Some((index, member)), None) = (members.next(), members.next()) else { return Err(FieldError::Node(at.offset)) };
        let is_node = self.btf.kind(member.ty) == Kind::Struct && wanted.mark == Mark::Struct(named(self.btf.name(member.ty)));
        let (bits, _) = item.field_bits(index);
        if !is_node || !bits.is_multiple_of(8 * wanted.align) {
            return Err(FieldError::Node(at.offset));
        }
        Ok(Holds::Items { item: id, node: bits / 8 })
    }

    /// What holds of the fields together.
    fn check(&self, size: u32) -> Result<(), FieldError> {
        let mut end = 0;
        for field in &self.found {
            if u64::from(field.offset) + u64::from(field.size) > u64::from(size) {
                return Err(FieldError::Beyond(field.offset));
            }
            if field.offset < end {
                return Err(FieldError::Overlap(field.offset));
            }
            end = field.offset + field.size;
        }
        let has = |kind| self.found.iter().any(|field| field.kind == kind);
        let (lock, resilient) = (has(SpecialKind::SpinLock), has(SpecialKind::ResSpinLock));
        if lock && resilient {
            return Err(FieldError::TwoLocks);
        }
        if (has(SpecialKind::ListHead) || has(SpecialKind::RbRoot)) && !lock && !resilient {
            return Err(FieldError::NoLock);
        }
        if has(SpecialKind::ListNode) && has(SpecialKind::RbNode) && !has(SpecialKind::Refcount) {
            return Err(FieldError::NoRefcount);
        }
        Ok(())
    }
}

/// The name as rows have it; names that no row has are all the same.
fn named(name: &str) -> &'static str {
    let names = SPECIAL.iter().filter_map(|row| match row.mark {
        Mark::Struct(name) => Some(name),
        Mark::Tag(_) => None,
    });
    names.into_iter().find(|known| *known == name).unwrap_or("")
}

/// The kind of a pointer that a tag makes special, and the struct that it points to; `None` if it has no tag, or one that means nothing in
/// this place.
///
/// # Errors
/// A tag that means nothing anywhere, several tags, a pointer to something else than a struct.
pub fn tagged_pointer(btf: &Btf, id: TypeId, place: Place) -> Result<Option<(&'static SpecialRow, TypeId)>, FieldError> {
    let pointer = match btf.get(id) {
        Some(Type::Volatile(inner)) => inner.to,
        _ => id,
    };
    let Some(Type::Ptr(pointer)) = btf.get(pointer) else { return Ok(None) };
    let Some(Type::TypeTag(tag)) = btf.get(pointer.to) else { return Ok(None) };
    if tag.attribute {
        return Ok(None);
    }
    let row = SPECIAL.iter().find(|row| matches!(row.mark, Mark::Tag(name) if name == tag.name));
    let Some(row) = row.filter(|_| btf.kind(tag.to) != Kind::TypeTag) else { return Err(FieldError::Tag(id)) };
    if !place.has(row.kind) {
        return Ok(None);
    }
    let to = btf.resolve(tag.to);
    if btf.kind(to) == Kind::Struct { Ok(Some((row, to))) } else { Err(FieldError::Pointee(id)) }
}

/// The special fields of a type (a struct, or a section of variables), by offset.
///
/// # Errors
/// A field that breaks a rule: the kernel then treats the value of a map as if it had none, and refuses the types of a program whose own
/// structs have such a field.
pub fn fields(btf: &Btf, id: TypeId, place: Place) -> Result<Vec<SpecialField>, FieldError> {
    let mut search = Search { btf, place, found: Vec::new(), steps: 0 };
    match btf.get(id) {
        Some(Type::Struct(s)) => {
            search.members(s, 0)?;
            search.check(s.size())?;
        }
        Some(Type::Datasec(section)) => {
            search.variables(section)?;
            // Compilers leave it to loaders to fill in the size of a section.
            search.check(if section.size() == 0 { u32::MAX } else { section.size() })?;
        }
        _ => return Err(FieldError::NotStruct(id)),
    }
    search.found.sort_by_key(|field| field.offset);
    Ok(search.found)
}

/// The special fields of the value of a map of this type, by offset. None where one breaks a rule, as in the kernel.
pub fn special_fields(btf: &Btf, id: TypeId) -> Vec<SpecialField> {
    fields(btf, id, Place::Value).unwrap_or_default()
}
