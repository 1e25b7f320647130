//! Special fields of map values and of the structs of programs: made at random, and asked of the kernel byte by byte.

use std::os::fd::{AsFd, AsRawFd};

use skep_btf::{Btf, BtfBuilder, IntEncoding, MemberDef, TypeDef, TypeId};
use skep_kernel::{Load, LogLevel, Map, MapSpec};
use skep_linux::special::{Mark, SPECIAL};
use skep_linux::{MapType, ProgType};
use skep_program::MapDef;
use skep_verifier::types::record::{Link, Metas, Record};

use crate::ask::{EXIT, Random, ask, can_ask, helper, host, insn, load, mov, set};

/// Types of which a value is made.
struct Types {
    build: BtfBuilder,
    int: TypeId,
    long: TypeId,
    char: TypeId,
    /// A struct, its size and alignment.
    blocks: Vec<(TypeId, u32)>,
    /// Names of structs with nodes, and the names of their members.
    items: Vec<(String, &'static str)>,
}

fn member(name: &str, ty: TypeId, offset: u32) -> MemberDef {
    MemberDef { name: name.to_owned(), ty, bit_offset: offset * 8, bits: 0 }
}

impl Types {
    fn new(random: &mut Random) -> Types {
        let mut build = BtfBuilder::new();
        let int = build.int("int", 4, IntEncoding::Signed);
        let long = build.int("long", 8, IntEncoding::Signed);
        let char = build.int("char", 1, IntEncoding::Char);
        let mut blocks = vec![(int, 4), (long, 8)];
        let mut nodes = Vec::new();
        for row in SPECIAL {
            if let Mark::Struct(name) = row.mark {
                // A struct of the right name but of another size is none.
                let size = if random.below(40) == 0 { row.size + 8 } else { row.size };
                let bytes = build.array(char, int, size);
                let id = build.structure(name, size, vec![member("bytes", bytes, 0)]);
                blocks.push((id, size));
                if name.ends_with("_node") {
                    nodes.push((id, size));
                }
            }
        }
        let mut types = Types { build, int, long, char, blocks, items: Vec::new() };
        types.pointers(random);
        types.structs_with_nodes(random, &nodes);
        types
    }

    /// Pointers of every tag to a struct of the kernel or of the program's own.
    fn pointers(&mut self, random: &mut Random) {
        let own = self.build.structure("own_thing", 8, vec![member("a", self.long, 0)]);
        let task = self.build.structure("task_struct", 8, vec![member("a", self.long, 0)]);
        let file = self.build.structure("file", 8, vec![member("a", self.long, 0)]);
        let tags = ["kptr", "kptr", "kptr_untrusted", "percpu_kptr", "kptr", "kptr", "rcu"];
        for _ in 0..2 {
            let target = *random.pick(&[own, task, task, own, file]);
            let target = if random.below(20) == 0 { self.int } else { target };
            // Tags that mean nothing spoil everything, so that there must not be many.
            let tag = if random.below(30) == 0 { "user" } else { tags[random.below(6) as usize] };
            let tagged = self.build.add(TypeDef::TypeTag { value: tag.to_owned(), attribute: random.below(20) == 0, to: target });
            let mut pointer = self.build.ptr(tagged);
            if random.below(6) == 0 {
                pointer = self.build.add(TypeDef::Volatile { to: pointer });
            }
            self.blocks.push((pointer, 8));
        }
        let plain = self.build.ptr(task);
        self.blocks.push((plain, 8));
    }

    fn structs_with_nodes(&mut self, random: &mut Random, nodes: &[(TypeId, u32)]) {
        for name in ["item_a", "item_b"] {
            let (node, size) = *random.pick(nodes);
            let at = 8 * random.below(3) as u32;
            let mut members = vec![member("pad", self.long, 0)];
            if at == 0 {
                members.clear();
            }
            members.push(member("node", node, at));
            self.build.structure(name, at + size, members);
            self.items.push((name.to_owned(), "node"));
        }
    }

    /// A struct of some blocks; a nested one, and arrays, may be among them.
    fn structure(&mut self, random: &mut Random, name: &str, inner: Option<(TypeId, u32)>, most: u64) -> (TypeId, u32) {
        let (mut members, mut offset, mut tags) = (Vec::new(), 0u32, Vec::new());
        // Roots need a lock: without one in most structs, most would be spoilt.
        let locks = self.blocks[2];
        for index in 0..=random.below(most) {
            let (mut ty, mut size) = match (index, inner) {
                (0, _) if random.below(3) != 0 => locks,
                (1, Some(inner)) => inner,
                _ => *random.pick(&self.blocks),
            };
            let count = if random.below(6) == 0 { random.below(4) as u32 } else { 1 };
            if count != 1 {
                ty = self.build.array(ty, self.int, count);
                size *= count;
            }
            if random.below(12) == 0 {
                ty = self.build.typedef("alias", ty);
            }
            let align = if size % 8 == 0 && random.below(30) != 0 { 8 } else { 4 };
            offset = offset.next_multiple_of(align);
            members.push(member(&format!("m{index}"), ty, offset));
            offset += size;
            let (item, node) = random.pick(&self.items).clone();
            if random.below(15) != 0 {
                let node = if random.below(30) == 0 { "none" } else { node };
                tags.push((index as u32, format!("contains:{item}:{node}")));
            }
        }
        let size = offset.next_multiple_of(8).max(8);
        let id = self.build.structure(name, size, members);
        for (index, value) in tags {
            self.build.add(TypeDef::DeclTag { value, attribute: false, of: id, component: Some(index) });
        }
        (id, size)
    }
}

/// What the kernel says of every byte of a value: the name of the field that it is in.
fn kernels(map: &Map, size: u32) -> Vec<String> {
    let byte = |offset: u32| {
        let wide = [insn(0x18, 1, 1, 0, map.as_fd().as_raw_fd()), insn(0, 0, 0, 0, 0)];
        let lookup = [insn(0x62, 10, 0, -4, 0), mov(2, 10), insn(0x07, 2, 0, 0, -4), helper(1), insn(0x55, 0, 0, 1, 0), EXIT];
        let read = [load(1, 6, 0, offset as i16), set(0, 0), EXIT];
        let insns: Vec<_> = wide.into_iter().chain(lookup).chain(read).collect();
        let answer = ask(Load { log_level: LogLevel::Path, ..Load::raw(ProgType::SchedCls, &insns) });
        if answer.accepted {
            return "-".to_owned();
        }
        let words = answer.words().last().unwrap_or_else(|| panic!("{}", answer.log)).to_string();
        words.split(" access ").next().and_then(|w| w.split(" cannot ").next()).unwrap_or("").to_owned()
    };
    (0..size).map(byte).collect()
}

fn ours(record: &Record, size: u32) -> Vec<String> {
    (0..size).map(|offset| record.overlap(offset, 1).map_or("-", |field| field.label()).to_owned()).collect()
}

#[test]
fn fields_of_values_and_structs() {
    if !can_ask() {
        return;
    }
    let target = host();
    let mut random = Random(0x9e3779b9);
    let (mut maps, mut with_fields, mut refused_types, mut refused_maps) = (0, 0, 0, 0);
    for round in 0..700 {
        let mut types = Types::new(&mut random);
        let inner = if random.below(2) == 0 { Some(types.structure(&mut random, "inner", None, 3)) } else { None };
        let (value, size) = types.structure(&mut random, "value", inner, 5);
        let (int, _) = (types.int, types.char);
        let btf = types.build.build().expect("types that hold together");
        let loaded = skep_kernel::Btf::load(btf.raw());
        let metas = Metas::of(&btf, &target);
        let context = || format!("round {round}: {}\nours {metas:?}", dump(&btf));
        assert_eq!(loaded.is_ok(), metas.is_ok(), "types {loaded:?}, {}", context());
        let (Ok(loaded), Ok(metas)) = (loaded, &metas) else {
            refused_types += 1;
            continue;
        };
        let mut def = MapDef::new("m", MapType::Array);
        (def.value_type_id, def.btf) = (value.0, Some(std::sync::Arc::new(btf.clone())));
        let record = Record::of_map(&def, &target);
        let spec = MapSpec::new(MapType::Array, 4, size, 1);
        let map = MapSpec { btf: Some((&loaded, int.0, value.0)), ..spec }.create();
        let fine = record.check_links(&btf, metas).is_ok();
        assert_eq!(map.is_ok(), fine, "map {map:?}, {record:?}, {}", context());
        let Ok(map) = map else {
            refused_maps += 1;
            continue;
        };
        maps += 1;
        with_fields += u32::from(!record.fields.is_empty());
        assert_eq!(ours(&record, size), kernels(&map, size), "{record:?}, {}", context());
    }
    println!("{maps} maps, {with_fields} with fields, {refused_maps} refused; {refused_types} refused for their types");
    assert!(with_fields > 100 && refused_types > 20);
}

fn dump(btf: &Btf) -> String {
    let types = btf.ids().map(|id| format!("{id} {:?}", btf.get(id)));
    let members = btf.ids().filter_map(|id| match btf.get(id) {
        Some(skep_btf::Type::Struct(s)) => Some(format!("{id}: {:?}", s.members().collect::<Vec<_>>())),
        _ => None,
    });
    types.chain(members).collect::<Vec<_>>().join("\n")
}

/// What lists hold, and what pointers point to.
#[test]
fn links() {
    let mut build = BtfBuilder::new();
    let int = build.int("int", 4, IntEncoding::Signed);
    let node = build.structure("bpf_list_node", 24, vec![]);
    let head = build.structure("bpf_list_head", 16, vec![]);
    let lock = build.structure("bpf_spin_lock", 4, vec![]);
    let item = build.structure("item", 32, vec![member("a", int, 0), member("node", node, 8)]);
    let task = build.structure("task_struct", 4, vec![member("pid", int, 0)]);
    let tagged = build.add(TypeDef::TypeTag { value: "kptr".to_owned(), attribute: false, to: task });
    let pointer = build.ptr(tagged);
    let own = build.add(TypeDef::TypeTag { value: "kptr".to_owned(), attribute: false, to: item });
    let own = build.ptr(own);
    let members = vec![member("lock", lock, 0), member("head", head, 8), member("task", pointer, 24), member("own", own, 32)];
    let value = build.structure("value", 40, members);
    build.add(TypeDef::DeclTag { value: "contains:item:node".to_owned(), attribute: false, of: value, component: Some(1) });
    let btf = build.build().unwrap();
    let target = skep_linux::Target::of(skep_linux::Release::new(6, 18), skep_linux::Arch::X86_64);
    let metas = Metas::of(&btf, &target).unwrap();
    assert_eq!(metas.iter().map(|(id, _)| id).collect::<Vec<_>>(), [item, value]);
    let record = metas.get(value).unwrap();
    assert_eq!(record.fields[1].to, Link::Items { item, node: 8 });
    let kernels = target.btf().unwrap().find("task_struct", skep_btf::Kind::Struct).unwrap();
    assert_eq!(record.fields[2].to, Link::Pointee { types: skep_verifier::types::TypesOf::Kernel, id: kernels });
    assert_eq!(record.fields[3].to, Link::Pointee { types: skep_verifier::types::TypesOf::Program, id: item });
}
