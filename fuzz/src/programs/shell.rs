//! All of a random program that is the same in every one: maps, types, the shapes of its functions.

use std::sync::Arc;

use skep_btf::{Btf, BtfBuilder, IntEncoding, Linkage, MemberDef, TypeDef, TypeId};
use skep_linux::special::{Mark, special};
use skep_linux::{MapType, SpecialKind};
use skep_program::{MapDef, special_fields};

/// The text that the read-only map holds.
pub(super) const TEXT: &[u8; 16] = b"%d %x skep\0more\0";

/// The struct that global functions take: of this many bytes.
pub(super) const POINT: u32 = 16;

/// A parameter of a global function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A number.
    Number,
    /// The context.
    Context,
    /// Memory.
    Point,
    /// Memory or NULL.
    PointOrNull,
    /// A dynptr.
    Dynptr,
    /// A trusted pointer to `struct task_struct`.
    Task,
}

/// The signatures of global functions.
pub(super) const GLOBALS: [(&str, &[Takes]); 8] = [
    ("global_number", &[Takes::Number, Takes::Number]),
    ("global_point", &[Takes::Point, Takes::Number]),
    ("global_null", &[Takes::PointOrNull]),
    ("global_context", &[Takes::Context, Takes::Number]),
    ("global_dynptr", &[Takes::Dynptr]),
    ("global_task", &[Takes::Task]),
    ("global_all", &[Takes::Context, Takes::Point, Takes::PointOrNull, Takes::Number]),
    ("global_none", &[]),
];

/// An object that programs allocate: where its parts lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// Its struct.
    pub(super) id: TypeId,
    /// Its node of a list, and that of a tree, in bytes.
    pub(super) list: Option<u32>,
    /// See `list`.
    pub(super) tree: Option<u32>,
    /// It counts references.
    pub(super) counted: bool,
}

/// Bytes of the numbers that each object begins with.
pub(super) const NUMBERS: i16 = 16;

/// A field of a map value that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: SpecialKind,
    pub(super) offset: i16,
    /// Of a list or tree: which of the items it holds. Of a pointer: the struct.
    pub(super) holds: Option<usize>,
    pub(super) points: Option<&'static str>,
}

/// A map whose values programs reach.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// Its number.
    pub(super) map: usize,
    /// Bytes of a key.
    pub(super) key: usize,
    /// Bytes of a value that mean nothing, from the first on.
    pub(super) plain: i16,
    /// What comes behind them.
    pub(super) parts: Vec<Part>,
}

/// Types and maps.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) btf: Arc<Btf>,
    pub(super) maps: Vec<Arc<MapDef>>,
    pub(super) values: Vec<Values>,
    pub(super) items: Vec<Item>,
    /// The `FUNC` of the program, of a static function, and of each global one.
    pub(super) main: u32,
    pub(super) local: u32,
    pub(super) globals: Vec<u32>,
    pub(super) text: usize,
}

/// A type that is there for its name: with the size of its kind.
fn marked(types: &mut BtfBuilder, kind: SpecialKind, word: TypeId) -> Option<TypeId> {
    let row = special(kind);
    let Mark::Struct(name) = row.mark else { return None };
    let word_size = row.align.min(row.size);
    let member = types.int(if word_size == 8 { "__u64" } else { "__u32" }, word_size, IntEncoding::Unsigned);
    let array = types.array(member, word, row.size / word_size);
    Some(types.structure(name, row.size, vec![MemberDef::new("opaque", array, 0)]))
}

/// What a value has behind its plain bytes.
enum Want {
    Plain(SpecialKind),
    Holds(SpecialKind, usize, &'static str),
    Points(SpecialKind, &'static str),
}

struct Builder {
    types: BtfBuilder,
    int: TypeId,
    long: TypeId,
    /// Structs of the kernel, and items, by name.
    known: Vec<(&'static str, TypeId)>,
    items: Vec<Item>,
}

impl Builder {
    fn item(&mut self, name: &'static str, parts: &[SpecialKind]) {
        let mut members = vec![MemberDef::new("a", self.long, 0), MemberDef::new("b", self.long, 8)];
        let mut item = Item { id: TypeId(0), list: None, tree: None, counted: false };
        let mut at = NUMBERS as u32;
        for kind in parts {
            let row = special(*kind);
            at = at.next_multiple_of(row.align);
            let Some(ty) = marked(&mut self.types, *kind, self.int) else { continue };
            let part = match kind {
                SpecialKind::ListNode => {
                    item.list = Some(at);
                    "list"
                }
                SpecialKind::RbNode => {
                    item.tree = Some(at);
                    "tree"
                }
                _count => {
                    item.counted = true;
                    "count"
                }
            };
            members.push(MemberDef::new(part, ty, at));
            at += row.size;
        }
        item.id = self.types.structure(name, at.next_multiple_of(8), members);
        self.items.push(item);
        self.known.push((name, item.id));
    }

    /// A struct of so many plain bytes and these parts.
    fn value(&mut self, name: &str, plain: u32, wants: &[Want]) -> (TypeId, Vec<Part>, u32) {
        let words = self.types.array(self.long, self.int, plain / 8);
        let mut members = vec![MemberDef::new("plain", words, 0)];
        let (mut parts, mut tags, mut at) = (Vec::new(), Vec::new(), plain);
        for (number, want) in wants.iter().enumerate() {
            let (kind, ty) = match want {
                Want::Plain(kind) | Want::Holds(kind, ..) => (*kind, marked(&mut self.types, *kind, self.int)),
                Want::Points(kind, to) => {
                    let to = self.known.iter().find(|(known, _)| known == to).map_or(self.int, |(_, id)| *id);
                    let Mark::Tag(tag) = special(*kind).mark else { continue };
                    let tagged = self.types.add(TypeDef::TypeTag { value: tag.to_owned(), attribute: false, to });
                    (*kind, Some(self.types.ptr(tagged)))
                }
            };
            let (row, Some(ty)) = (special(kind), ty) else { continue };
            at = at.next_multiple_of(row.align);
            let mut part = Part { kind, offset: at as i16, holds: None, points: None };
            match want {
                Want::Plain(_) => {}
                Want::Holds(_, item, node) => {
                    part.holds = Some(*item);
                    tags.push((members.len() as u32, format!("contains:{}:{node}", self.known[*item].0)));
                }
                Want::Points(_, to) => part.points = Some(to),
            }
            members.push(MemberDef::new(&format!("part{number}"), ty, at));
            parts.push(part);
            at += row.size;
        }
        let size = at.next_multiple_of(8);
        let id = self.types.structure(name, size, members);
        for (component, value) in tags {
            self.types.add(TypeDef::DeclTag { value, attribute: false, of: id, component: Some(component) });
        }
        (id, parts, size)
    }

    fn function(&mut self, name: &str, linkage: Linkage, takes: &[Takes]) -> u32 {
        let mut params = Vec::new();
        let mut tags: Vec<(u32, &str)> = Vec::new();
        for (number, one) in (0..).zip(takes) {
            let struct_of = |name: &str| self.known.iter().find(|(known, _)| *known == name).map_or(self.int, |(_, id)| *id);
            let ty = match one {
                Takes::Number => self.long,
                Takes::Context => self.types.ptr(TypeId(0)),
                Takes::Point | Takes::PointOrNull => self.types.ptr(struct_of("point")),
                Takes::Dynptr => self.types.ptr(struct_of("bpf_dynptr")),
                Takes::Task => self.types.ptr(struct_of("task_struct")),
            };
            params.push((format!("arg{number}"), ty));
            match one {
                Takes::Context => tags.push((number, "arg:ctx")),
                Takes::Point => tags.push((number, "arg:nonnull")),
                Takes::Task => tags.push((number, "arg:trusted")),
                Takes::Number | Takes::PointOrNull | Takes::Dynptr => {}
            }
        }
        let proto = self.types.add(TypeDef::FuncProto { ret: self.int, params });
        let of = self.types.add(TypeDef::Func { name: name.to_owned(), proto, linkage });
        for (number, value) in tags {
            self.types.add(TypeDef::DeclTag { value: value.to_owned(), attribute: false, of, component: Some(number) });
        }
        of.0
    }
}

/// The struct of a map value: its plain bytes, and what follows.
const TYPED: [(&str, u32, &[Want]); 7] = [
    ("locked", 16, &[Want::Plain(SpecialKind::SpinLock)]),
    ("resilient", 16, &[Want::Plain(SpecialKind::ResSpinLock)]),
    ("timed", 8, &[Want::Plain(SpecialKind::Timer)]),
    ("queued", 8, &[Want::Plain(SpecialKind::Workqueue)]),
    (
        "kept",
        16,
        &[
            Want::Points(SpecialKind::KptrRef, "task_struct"),
            Want::Points(SpecialKind::KptrRef, "cgroup"),
            Want::Points(SpecialKind::KptrRef, "bpf_cpumask"),
            Want::Points(SpecialKind::KptrRef, "plain"),
            Want::Points(SpecialKind::KptrUntrusted, "task_struct"),
        ],
    ),
    (
        "graph",
        8,
        &[
            Want::Plain(SpecialKind::SpinLock),
            Want::Holds(SpecialKind::ListHead, 1, "list"),
            Want::Holds(SpecialKind::RbRoot, 2, "tree"),
        ],
    ),
    (
        "shared",
        8,
        &[
            Want::Plain(SpecialKind::SpinLock),
            Want::Holds(SpecialKind::ListHead, 3, "list"),
            Want::Holds(SpecialKind::RbRoot, 3, "tree"),
        ],
    ),
];

impl Common {
    pub(super) fn new() -> Common {
        let mut types = BtfBuilder::new();
        let int = types.int("int", 4, IntEncoding::Signed);
        let long = types.int("long", 8, IntEncoding::Unsigned);
        let mut builder = Builder { types, int, long, known: Vec::new(), items: Vec::new() };
        builder.item("plain", &[]);
        builder.item("listed", &[SpecialKind::ListNode]);
        builder.item("treed", &[SpecialKind::RbNode]);
        builder.item("both", &[SpecialKind::ListNode, SpecialKind::RbNode, SpecialKind::Refcount]);
        for (name, size) in [("task_struct", 8), ("cgroup", 8), ("bpf_cpumask", 8), ("point", POINT), ("bpf_dynptr", 16)] {
            let words = builder.types.array(long, int, size / 8);
            let id = builder.types.structure(name, size, vec![MemberDef::new("words", words, 0)]);
            builder.known.push((name, id));
        }
        let context = builder.types.ptr(TypeId(0));
        let proto = builder.types.add(TypeDef::FuncProto { ret: int, params: vec![("ctx".to_owned(), context)] });
        let main = builder.types.add(TypeDef::Func { name: "generated".to_owned(), proto, linkage: Linkage::Global }).0;
        let local = builder.function("local", Linkage::Static, &[Takes::Number; 3]);
        let globals = GLOBALS.iter().map(|(name, takes)| builder.function(name, Linkage::Global, takes)).collect();
        let typed: Vec<_> =
            TYPED.iter().map(|(name, plain, wants)| (*name, *plain, builder.value(name, *plain, wants))).collect();
        let btf = Arc::new(builder.types.build().unwrap_or_else(|error| panic!("types of our own: {error}")));
        let mut maps = plain_maps();
        let mut values = vec![
            Values { map: 0, key: 4, plain: 32, parts: Vec::new() },
            Values { map: 1, key: 8, plain: 48, parts: Vec::new() },
            Values { map: 3, key: 4, plain: 8, parts: Vec::new() },
        ];
        for (name, plain, (id, parts, size)) in typed {
            values.push(Values { map: maps.len(), key: 4, plain: plain as i16, parts });
            maps.push(Arc::new(MapDef {
                key_size: 4,
                value_size: size,
                max_entries: 2,
                key_type_id: int.0,
                value_type_id: id.0,
                special: special_fields(&btf, id),
                btf: Some(btf.clone()),
                ..MapDef::new(name, MapType::Array)
            }));
        }
        Common { maps, values, items: builder.items, main, local, globals, btf, text: 6 }
    }
}

/// The maps without types: an array, a hash, a ring buffer, a per-CPU array, programs, a buffer that users fill, text.
fn plain_maps() -> Vec<Arc<MapDef>> {
    let map = |name: &str, map_type, key_size, value_size, max_entries| {
        Arc::new(MapDef { key_size, value_size, max_entries, ..MapDef::new(name, map_type) })
    };
    let text = MapDef {
        key_size: 4,
        value_size: TEXT.len() as u32,
        max_entries: 1,
        flags: skep_linux::flags::BPF_F_RDONLY_PROG,
        initial: Some(TEXT.to_vec()),
        frozen: true,
        ..MapDef::new("text", MapType::Array)
    };
    vec![
        map("array", MapType::Array, 4, 32, 4),
        map("hash", MapType::Hash, 8, 48, 4),
        map("ring", MapType::Ringbuf, 0, 0, 4096),
        map("percpu", MapType::PercpuArray, 4, 8, 2),
        map("progs", MapType::ProgArray, 4, 4, 2),
        map("users", MapType::UserRingbuf, 0, 0, 4096),
        Arc::new(text),
        map("queue", MapType::Queue, 0, 8, 4),
    ]
}
