//! A parsed set of types, and the questions that are asked of it by id and by name.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::index::{NameIndex, TagIndex, essential_name};
use crate::types::Record;
use crate::{BtfError, DeclTag, Kind, Type, TypeId, parse};

/// A parsed set of types. Cloning is cheap: clones share the bytes and the indexes.
///
/// Pointers have 8 bytes: programs and the kernels that run them are 64-bit.
#[derive(Clone)]
pub struct Btf {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) raw: Arc<[u8]>,
    pub(crate) strings: Box<str>,
    /// Where the record of each own type begins in `raw`.
    pub(crate) offsets: Vec<u32>,
    pub(crate) base: Option<Btf>,
    pub(crate) first_id: u32,
    pub(crate) first_string: u32,
    pub(crate) names: OnceLock<NameIndex>,
    pub(crate) tags: OnceLock<TagIndex>,
}

impl Default for Btf {
    /// A BTF with no type but `void`.
    fn default() -> Btf {
        Btf::new(Inner {
            raw: Arc::from([]),
            strings: "\0".into(),
            offsets: Vec::new(),
            base: None,
            first_id: 1,
            first_string: 0,
            names: OnceLock::new(),
            tags: OnceLock::new(),
        })
    }
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf").field("types", &self.len()).field("split", &self.inner.base.is_some()).finish()
    }
}

impl Btf {
    pub(crate) fn new(inner: Inner) -> Btf {
        Btf { inner: Arc::new(inner) }
    }

    /// Reads the bytes of a `.BTF` section or of `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// A wrong header, a record that leaves its section, an id or string offset out of range, a type that contains itself, a
    /// string that is not UTF-8. The rules that only the kernel's loader has are not asked here.
    pub fn parse(data: &[u8]) -> Result<Btf, BtfError> {
        parse::parse(Arc::from(data), None)
    }

    /// Like [`Btf::parse`], for bytes that are shared already.
    ///
    /// # Errors
    /// As [`Btf::parse`].
    pub fn parse_shared(data: Arc<[u8]>) -> Result<Btf, BtfError> {
        parse::parse(data, None)
    }

    /// Reads a split BTF, such as a kernel module's: its ids and string offsets go on where those of `base` end.
    ///
    /// # Errors
    /// As [`Btf::parse`].
    pub fn parse_split(data: &[u8], base: &Btf) -> Result<Btf, BtfError> {
        parse::parse(Arc::from(data), Some(base.clone()))
    }

    /// The bytes it was read from; of a split BTF, those of its own part. Empty for [`Btf::default`].
    pub fn raw(&self) -> &[u8] {
        &self.inner.raw
    }

    /// The BTF below a split one.
    pub fn base(&self) -> Option<&Btf> {
        self.inner.base.as_ref()
    }

    /// The number of types, `void` and those of the base included: one more than the largest id.
    #[allow(clippy::len_without_is_empty)] // `void` is always there
    pub fn len(&self) -> u32 {
        self.inner.first_id + self.inner.offsets.len() as u32
    }

    /// The id of its first own type: 1, or the length of the base.
    pub fn first_id(&self) -> TypeId {
        TypeId(self.inner.first_id)
    }

    /// Every id but that of `void`, those of the base first.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TypeId> + ExactSizeIterator + use<> {
        (1..self.len()).map(TypeId)
    }

    /// The ids of its own types: of a split BTF, without those of the base.
    pub fn own_ids(&self) -> impl DoubleEndedIterator<Item = TypeId> + ExactSizeIterator + use<> {
        (self.inner.first_id..self.len()).map(TypeId)
    }

    /// Bytes of strings, those of the base included.
    pub fn strings_len(&self) -> u32 {
        self.inner.first_string.saturating_add(self.inner.strings.len() as u32)
    }

    pub(crate) fn own_strings(&self) -> &str {
        &self.inner.strings
    }

    /// The string that begins at an offset.
    ///
    /// # Errors
    /// An offset out of range or inside a character.
    pub fn string(&self, offset: u32) -> Result<&str, BtfError> {
        self.string_at(offset).ok_or(BtfError::NoSuchString { offset, len: self.strings_len() })
    }

    fn string_at(&self, offset: u32) -> Option<&str> {
        let inner = &*self.inner;
        if offset < inner.first_string {
            return inner.base.as_ref()?.string_at(offset);
        }
        let rest = inner.strings.get((offset - inner.first_string) as usize..)?;
        rest.split_once('\0').map(|(text, _)| text)
    }

    /// Whether a string begins at an offset. It ends somewhere: the section ends with a NUL.
    pub(crate) fn has_string(&self, offset: u32) -> bool {
        let inner = &*self.inner;
        match (offset.checked_sub(inner.first_string), &inner.base) {
            (Some(at), _) => (at as usize) < inner.strings.len() && inner.strings.is_char_boundary(at as usize),
            (None, Some(base)) => base.has_string(offset),
            (None, None) => false,
        }
    }

    /// A string whose offset was checked when the BTF was read. An offset inside a character, which only a hostile BTF has, reads as
    /// the empty string.
    pub(crate) fn name_at(&self, offset: u32) -> &str {
        self.string_at(offset).unwrap_or_default()
    }

    /// Where the record of a type begins in the bytes that hold it; `None` for `void` and ids out of range.
    pub fn offset_of(&self, id: TypeId) -> Option<u32> {
        if id.is_void() {
            return None;
        }
        match id.0.checked_sub(self.inner.first_id) {
            Some(index) => self.inner.offsets.get(index as usize).copied(),
            None => self.inner.base.as_ref()?.offset_of(id),
        }
    }

    /// The record of a type; empty for `void` and for ids out of range, which no parsed BTF holds.
    pub(crate) fn record(&self, id: TypeId) -> Record<'_> {
        Record { btf: self, id, bytes: self.record_bytes(id) }
    }

    fn record_bytes(&self, id: TypeId) -> &[u8] {
        let inner = &*self.inner;
        match id.0.checked_sub(inner.first_id) {
            Some(index) => match inner.offsets.get(index as usize) {
                Some(offset) => {
                    let rest = &inner.raw[*offset as usize..];
                    let info = parse::word(rest, 4);
                    let tail = Kind::from_record(info >> 24 & 0x1f).map_or(0, |k| k.tail_len(info & 0xffff));
                    &rest[..12 + tail as usize]
                }
                None => &[],
            },
            None => inner.base.as_ref().map_or(&[], |base| base.record_bytes(id)),
        }
    }

    /// The type with this id; `None` when there is none.
    pub fn get(&self, id: TypeId) -> Option<Type<'_>> {
        (id.0 < self.len()).then(|| self.record(id).decode())
    }

    /// The type with this id.
    ///
    /// # Errors
    /// [`BtfError::NoSuchType`].
    pub fn ty(&self, id: TypeId) -> Result<Type<'_>, BtfError> {
        self.get(id).ok_or(BtfError::NoSuchType { id, count: self.len() })
    }

    /// The kind of a type; [`Kind::Void`] for `void` and for ids out of range.
    pub fn kind(&self, id: TypeId) -> Kind {
        self.record(id).kind()
    }

    /// The name of a type; empty when it has none.
    pub fn name(&self, id: TypeId) -> &str {
        self.name_at(self.record(id).word(0))
    }

    /// What a pointer, typedef, modifier, function, variable or declaration tag refers to; `None` for other kinds.
    pub fn referred(&self, id: TypeId) -> Option<TypeId> {
        let record = self.record(id);
        match record.kind() {
            Kind::Ptr
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::TypeTag
            | Kind::Func
            | Kind::Var
            | Kind::DeclTag => Some(TypeId(record.word(2))),
            Kind::Void
            | Kind::Int
            | Kind::Array
            | Kind::Struct
            | Kind::Union
            | Kind::Enum
            | Kind::Fwd
            | Kind::FuncProto
            | Kind::Datasec
            | Kind::Float
            | Kind::Enum64 => None,
        }
    }

    /// The type behind `const`, `volatile`, `restrict` and type tags.
    pub fn skip_modifiers(&self, id: TypeId) -> TypeId {
        self.follow(id, Kind::is_modifier)
    }

    /// The type behind modifiers and typedefs.
    pub fn resolve(&self, id: TypeId) -> TypeId {
        self.follow(id, Kind::is_alias)
    }

    fn follow(&self, mut id: TypeId, through: fn(Kind) -> bool) -> TypeId {
        loop {
            let record = self.record(id);
            if !through(record.kind()) {
                return id;
            }
            id = TypeId(record.word(2));
        }
    }

    fn names(&self) -> &NameIndex {
        self.inner.names.get_or_init(|| NameIndex::build(self))
    }

    /// The first type of a kind that has exactly this name. The index of names is built by the first search.
    pub fn find(&self, name: &str, kind: Kind) -> Option<TypeId> {
        self.find_all(name).find(|id| self.kind(*id) == kind)
    }

    /// Every type that has exactly this name, in the order of ids.
    pub fn find_all<'a>(&'a self, name: &'a str) -> Matches<'a> {
        Matches { name, exact: true, ..self.find_essential(essential_name(name)) }
    }

    /// Every type whose name is `essential` when a flavor (`___` and what follows) is taken away, in the order of ids.
    pub fn find_essential<'a>(&'a self, essential: &'a str) -> Matches<'a> {
        Matches { btf: self, layer: self.lowest_layer(), name: essential, essential, exact: false, next: None }
    }

    fn lowest_layer(&self) -> Option<&Btf> {
        let mut layer = self;
        while let Some(base) = layer.base() {
            layer = base;
        }
        Some(layer)
    }

    fn layer_above(&self, below: &Btf) -> Option<&Btf> {
        let mut layer = self;
        if Arc::ptr_eq(&layer.inner, &below.inner) {
            return None;
        }
        while let Some(base) = layer.base() {
            if Arc::ptr_eq(&base.inner, &below.inner) {
                return Some(layer);
            }
            layer = base;
        }
        None
    }

    /// The declaration tags of a type, whole and of its members or parameters, in the order of ids.
    pub fn decl_tags(&self, of: TypeId) -> impl Iterator<Item = DeclTag<'_>> {
        let mut layers = vec![self];
        while let Some(base) = layers[layers.len() - 1].base() {
            layers.push(base);
        }
        let found = layers
            .into_iter()
            .rev()
            .flat_map(move |layer| layer.inner.tags.get_or_init(|| TagIndex::build(layer)).of(of).iter().copied());
        found.filter_map(|id| match self.get(id) {
            Some(Type::DeclTag(tag)) => Some(tag),
            _ => None,
        })
    }
}

/// Types with a name, in the order of ids: see [`Btf::find_all`].
#[derive(Debug, Clone)]
pub struct Matches<'a> {
    btf: &'a Btf,
    /// The part of a split BTF that is searched; `None` at the end.
    layer: Option<&'a Btf>,
    name: &'a str,
    essential: &'a str,
    exact: bool,
    next: Option<u32>,
}

impl Iterator for Matches<'_> {
    type Item = TypeId;

    fn next(&mut self) -> Option<TypeId> {
        while let Some(layer) = self.layer {
            let names = layer.names();
            let mut at = match self.next.take() {
                Some(at) => names.after(at),
                None => names.first(self.essential),
            };
            while let Some(index) = at {
                let id = TypeId(layer.inner.first_id + index);
                let name = layer.name(id);
                if if self.exact { name == self.name } else { essential_name(name) == self.name } {
                    self.next = Some(index);
                    return Some(id);
                }
                at = names.after(index);
            }
            self.layer = self.btf.layer_above(layer);
        }
        None
    }
}
