//! Special fields of map values and of the structs that programs allocate: what [`skep_program::special`] finds, resolved against the
//! kernel that the program is for.

use std::collections::BTreeMap;

use skep_btf::{Btf, Kind, Type, TypeId};
use skep_linux::special::special;
use skep_linux::trust::kernel_object;
use skep_linux::{SpecialKind, Target};
use skep_program::special::{FieldError, Place, fields, tagged_pointer};
use skep_program::{Holds, MapDef};

use super::TypesOf;

/// A field that the kernel treats by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    /// What it is.
    pub kind: SpecialKind,
    /// Bytes into the value.
    pub offset: u32,
    /// Its bytes.
    pub size: u32,
    /// What it points to or holds.
    pub to: Link,
}

/// What a field points to or holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// Nothing.
    Nothing,
    /// Of a pointer: the struct that it points to.
    Pointee {
        /// Whose struct.
        types: TypesOf,
        /// Its id there.
        id: TypeId,
    },
    /// Of a list or tree: the program's struct of its items, and where in them their node lies, in bytes.
    Items {
        /// The struct.
        item: TypeId,
        /// Bytes from its start to the node.
        node: u32,
    },
}

impl Field {
    /// What the kernel's messages call it.
    pub fn label(&self) -> &'static str {
        special(self.kind).label()
    }
}

/// The special fields of a value, by offset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Record {
    /// The fields.
    pub fields: Vec<Field>,
}

/// Why the kernel takes a value for bytes alone, refuses the map, or refuses the types of a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A field that breaks a rule.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A pointer to an object of the kernel that maps cannot hold.
    #[error("maps hold no references to struct {0}")]
    NotHeld(String),
    /// The kernel's types are not known.
    #[error("pointers in values need the types of the kernel")]
    NoKernelTypes,
    /// A pointer to user memory to a struct of the kernel, or one without bytes.
    #[error("struct {0} is of the kernel, or has no bytes: user space cannot hand it over")]
    NotOfUser(String),
    /// A pointer to user memory to more than a page.
    #[error("struct {0} has more bytes than a page")]
    OverPage(String),
    /// A struct that is in lists or trees has lists or trees of structs that have some, too.
    #[error("lists and trees of struct {0} may contain each other")]
    Loop(String),
    /// A list or tree of structs without a node.
    #[error("struct {0} has no special fields")]
    NoMeta(String),
}

/// Bytes of a page, on the machines that skep knows.
const PAGE: u32 = 4096;

impl Record {
    /// The first field of a kind.
    pub fn find(&self, kind: SpecialKind) -> Option<&Field> {
        self.fields.iter().find(|field| field.kind == kind)
    }

    /// Whether there is a field of a kind.
    pub fn has(&self, kind: SpecialKind) -> bool {
        self.find(kind).is_some()
    }

    /// The field of a kind that begins at an offset.
    pub fn at(&self, offset: u32, kind: SpecialKind) -> Option<&Field> {
        self.fields.iter().find(|field| field.offset == offset && field.kind == kind)
    }

    /// The first field of which an access of `size` bytes at `offset` touches a byte.
    pub fn overlap(&self, offset: u32, size: u32) -> Option<&Field> {
        let end = u64::from(offset) + u64::from(size);
        self.fields.iter().find(|field| offset < field.offset + field.size && u64::from(field.offset) < end)
    }

    /// Whether it has lists or trees.
    pub fn has_roots(&self) -> bool {
        self.has(SpecialKind::ListHead) || self.has(SpecialKind::RbRoot)
    }

    /// Whether it may be in lists or trees.
    pub fn has_nodes(&self) -> bool {
        self.has(SpecialKind::ListNode) || self.has(SpecialKind::RbNode)
    }

    /// The fields of a struct or section of the program.
    ///
    /// # Errors
    /// A field that breaks a rule.
    pub fn of(btf: &Btf, id: TypeId, place: Place, target: &Target) -> Result<Record, RecordError> {
        let found = fields(btf, id, place)?;
        let resolve = |field: skep_program::SpecialField| {
            let to = match field.to {
                Holds::Nothing => Link::Nothing,
                Holds::Items { item, node } => Link::Items { item, node },
                Holds::Struct(to) => pointee(btf, to, field.kind, target)?,
            };
            Ok(Field { kind: field.kind, offset: field.offset, size: field.size, to })
        };
        Ok(Record { fields: found.into_iter().map(resolve).collect::<Result<_, RecordError>>()? })
    }

    /// The fields of the values of a map; none where one breaks a rule.
    pub fn of_map(map: &MapDef, target: &Target) -> Record {
        let btf = map.btf.as_ref().filter(|_| map.value_type_id != 0);
        let record = btf.and_then(|btf| {
            let id = btf.resolve(TypeId(map.value_type_id));
            Record::of(btf, id, Place::Value, target).ok()
        });
        record.unwrap_or_default()
    }

    /// Rules on what fields hold, which need the other structs of the program: a map with such values, or types with such a struct, are
    /// refused.
    ///
    /// # Errors
    /// What breaks one.
    pub fn check_links(&self, btf: &Btf, metas: &Metas) -> Result<(), RecordError> {
        for field in &self.fields {
            match field.to {
                Link::Pointee { types, id } if field.kind == SpecialKind::Uptr => {
                    let size = if types == TypesOf::Program { btf.size_of(id).unwrap_or(0) } else { 0 };
                    match size {
                        0 => return Err(RecordError::NotOfUser(btf.name(id).to_owned())),
                        1..=PAGE => {}
                        _ => return Err(RecordError::OverPage(btf.name(id).to_owned())),
                    }
                }
                Link::Items { item, .. } => {
                    let record = metas.get(item).ok_or_else(|| RecordError::NoMeta(btf.name(item).to_owned()))?;
                    // Whoever is in a list may have lists of those alone that have none.
                    if self.has_nodes() && record.has_roots() {
                        return Err(RecordError::Loop(btf.name(item).to_owned()));
                    }
                }
                Link::Nothing | Link::Pointee { .. } => {}
            }
        }
        Ok(())
    }
}

/// What a pointer in a value points to: a struct of the kernel of the same name, or else the program's own.
///
/// # Errors
/// A struct that maps cannot hold references to; [`RecordError::NoKernelTypes`].
pub fn pointee(btf: &Btf, id: TypeId, kind: SpecialKind, target: &Target) -> Result<Link, RecordError> {
    let kernel = target.btf().ok_or(RecordError::NoKernelTypes)?;
    let name = btf.name(id);
    let Some(found) = kernel.find(name, Kind::Struct) else { return Ok(Link::Pointee { types: TypesOf::Program, id }) };
    let held = kernel_object(name).is_some_and(|row| row.in_maps && target.since(row.since));
    if kind == SpecialKind::KptrRef && !held {
        return Err(RecordError::NotHeld(name.to_owned()));
    }
    Ok(Link::Pointee { types: TypesOf::Kernel, id: found })
}

/// The program's structs that have special fields of their own, found in one pass over its types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metas(BTreeMap<TypeId, Record>);

/// Structs by which the kernel recognises those that have special fields. One that has a resilient lock alone is none.
const MARKS: [SpecialKind; 6] = [
    SpecialKind::SpinLock,
    SpecialKind::ListHead,
    SpecialKind::ListNode,
    SpecialKind::RbRoot,
    SpecialKind::RbNode,
    SpecialKind::Refcount,
];

impl Metas {
    /// The structs of these types.
    ///
    /// # Errors
    /// A field that breaks a rule: the kernel then refuses all the types.
    pub fn of(btf: &Btf, target: &Target) -> Result<Metas, RecordError> {
        let marks: Vec<TypeId> = MARKS.iter().filter_map(|kind| btf.find(special(*kind).label(), Kind::Struct)).collect();
        let marked = |id| marks.contains(&id) || matches!(tagged_pointer(btf, id, Place::Object), Ok(Some(_)));
        let mut metas = BTreeMap::new();
        for id in btf.own_ids() {
            let Some(Type::Struct(s)) = btf.get(id) else { continue };
            if s.members().any(|member| marked(member.ty)) {
                let record = Record::of(btf, id, Place::Object, target)?;
                if record.fields.is_empty() {
                    return Err(RecordError::NoMeta(s.name().to_owned()));
                }
                metas.insert(id, record);
            }
        }
        let metas = Metas(metas);
        for record in metas.0.values() {
            record.check_links(btf, &metas)?;
        }
        Ok(metas)
    }

    /// The fields of a struct; `None` for one without.
    pub fn get(&self, id: TypeId) -> Option<&Record> {
        self.0.get(&id)
    }

    /// The structs, by id.
    pub fn iter(&self) -> impl Iterator<Item = (TypeId, &Record)> {
        self.0.iter().map(|(id, record)| (*id, record))
    }
}
