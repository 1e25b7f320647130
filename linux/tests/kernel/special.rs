//! Special fields of map values, held against the kernel of this host.

use std::os::fd::{AsFd, AsRawFd};

use skep_btf::{BtfBuilder, IntEncoding, MemberDef, TypeDef};
use skep_kernel::{Btf, LogLevel, Map, MapSpec};
use skep_linux::maps::{Lookup, MAPS, MapRow};
use skep_linux::special::{Mark, SPECIAL, SpecialKind, SpecialRow};
use skep_linux::{Errno, MapType};

use crate::ask::{EXIT, can_ask, insn, kinds, set};
use crate::maps::shape;

struct Types {
    btf: Btf,
    int: u32,
    long: u32,
    value: u32,
}

/// Types in which the value of id `value` has such a field at 0 in 64 bytes.
fn types(row: &SpecialRow) -> Types {
    let mut build = BtfBuilder::new();
    let int = build.int("int", 4, IntEncoding::Signed);
    let long = build.int("long unsigned int", 8, IntEncoding::Unsigned);
    let char = build.int("char", 1, IntEncoding::Char);
    let bytes = build.array(char, int, row.size);
    let member = |name: &str, ty, bit_offset| MemberDef { name: name.to_owned(), ty, bit_offset, bits: 0 };
    // A pointer to user memory is to a type of the program's own, the others to one of the kernel's.
    let name = if row.kind == SpecialKind::Uptr { "own" } else { "task_struct" };
    let target = build.structure(name, 8, vec![member("a", int, 0)]);
    let field = match row.mark {
        Mark::Struct(name) => build.structure(name, row.size, vec![member("bytes", bytes, 0)]),
        Mark::Tag(tag) => {
            let tagged = build.add(TypeDef::TypeTag { value: tag.to_owned(), attribute: false, to: target });
            build.ptr(tagged)
        }
    };
    // Roots of lists and trees say what they hold, and who holds what is held is guarded by a lock.
    let lock = build.structure("bpf_spin_lock", 4, vec![member("val", int, 0)]);
    let node_kind = if row.kind == SpecialKind::RbRoot { ("bpf_rb_node", 32) } else { ("bpf_list_node", 24) };
    let node_bytes = build.array(char, int, node_kind.1);
    let node = build.structure(node_kind.0, node_kind.1, vec![member("bytes", node_bytes, 0)]);
    build.structure("item", 64, vec![member("node", node, 0)]);
    let rest = build.array(char, int, 16);
    let root = matches!(row.kind, SpecialKind::ListHead | SpecialKind::RbRoot);
    let mut members = vec![member("field", field, 0), member("rest", rest, 384)];
    if root {
        members.insert(1, member("lock", lock, 320));
    }
    let value = build.structure("value", 64, members);
    if root {
        build.add(TypeDef::DeclTag { value: "contains:item:node".to_owned(), attribute: false, of: value, component: Some(0) });
    }
    let btf = Btf::load(&build.to_bytes()).unwrap_or_else(|error| panic!("{:?}: {error}", row.kind));
    Types { btf, int: int.0, long: long.0, value: value.0 }
}

/// A map of the type whose values have the field.
fn make(map: &MapRow, types: &Types) -> Result<Map, Errno> {
    let base = shape(map);
    let (size, key) = if map.key.check(4).is_ok() { (4, types.int) } else { (8, types.long) };
    let spec = MapSpec::new(map.map_type, size, 64, base.entries).flags(base.flags);
    MapSpec { btf: Some((&types.btf, key, types.value)), ..spec }.create()
}

#[test]
fn map_types_that_may_have_a_field() {
    if !can_ask() {
        return;
    }
    let mut asked = 0;
    for row in SPECIAL.iter().filter(|row| !matches!(row.kind, SpecialKind::ListNode | SpecialKind::RbNode)) {
        let types = types(row);
        for map in MAPS.iter().filter(|map| map.map_type != MapType::StructOps) {
            let made = make(map, &types).map(|_| ());
            asked += 1;
            // Types that take no BTF at all refuse before they look.
            let refused = matches!(made, Err(Errno::EOPNOTSUPP | Errno::ENOTSUPP | Errno::EINVAL));
            assert!(
                made.is_ok() == map.may_have(row.kind) && (made.is_ok() || refused),
                "{:?} in {:?}: {made:?}",
                row.kind,
                map.map_type
            );
        }
    }
    println!("{asked} maps");
    assert!(asked > 150);
}

#[test]
fn programs_that_may_use_such_maps() {
    if !can_ask() {
        return;
    }
    let array = MAPS.iter().find(|map| map.map_type == MapType::Array && map.lookup == Lookup::Value).expect("arrays");
    for row in SPECIAL.iter().filter(|row| row.maps.contains(MapType::Array)) {
        let types = types(row);
        let map = make(array, &types).unwrap_or_else(|errno| panic!("{:?}: {errno}", row.kind));
        for kind in kinds() {
            let wide = [insn(0x18, 1, 1, 0, map.as_fd().as_raw_fd()), insn(0, 0, 0, 0, 0), set(0, kind.returns), EXIT];
            let said = kind.load(&wide, LogLevel::OnFailure).err();
            match row.refusal(kind.prog) {
                Some(message) => {
                    // Roots come with a lock, which is barred too.
                    let said = said.unwrap_or_else(|| panic!("{:?} in {:?} is allowed", row.kind, kind.prog));
                    assert!(said.contains(message), "{:?} in {:?}: {said}", row.kind, kind.prog);
                }
                None => {
                    let of_lock = SPECIAL[SpecialKind::SpinLock as usize].refusal(kind.prog);
                    let root = matches!(row.kind, SpecialKind::ListHead | SpecialKind::RbRoot);
                    match (said, of_lock) {
                        (None, _) => {}
                        (Some(said), Some(message)) if root => assert!(said.contains(message), "{said}"),
                        (Some(said), _) => panic!("{:?} in {:?}: {said}", row.kind, kind.prog),
                    }
                }
            }
        }
    }
}
