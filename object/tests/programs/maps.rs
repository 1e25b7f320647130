//! Definitions of maps, with types and without.

use skep_linux::{MapType, ProgType};
use skep_object::{Object, Options};
use skep_program::{MapDef, SpecialKind};

use super::{open, path, relocate, target};

fn shape(def: &MapDef) -> (MapType, u32, u32, u32, u32) {
    (def.map_type, def.key_size, def.value_size, def.max_entries, def.flags)
}

fn def<'o>(object: &'o Object, name: &str) -> &'o MapDef {
    object.map(name).unwrap()
}

#[test]
fn attributes() {
    let object = open("maps");
    let typed = def(&object, "typed");
    assert_eq!(shape(typed), (MapType::Hash, 8, 16, 100, 0));
    let types = typed.btf.as_deref().unwrap();
    let name = |id: u32| types.name(skep_btf::TypeId(id));
    assert_eq!((name(typed.key_type_id), name(typed.value_type_id)), ("key", "value"));
    let special: Vec<_> = typed.special.iter().map(|field| (field.kind, field.offset)).collect();
    assert_eq!(special, [(SpecialKind::SpinLock, 0)]);

    let sized = def(&object, "sized");
    assert_eq!(shape(sized), (MapType::Hash, 12, 20, 7, 5));
    assert_eq!((sized.numa_node, sized.key_type_id, sized.value_type_id), (0, 0, 0));
    assert_eq!(def(&object, "pinned").pinning, 1);
    assert_eq!(def(&object, "bloom").map_extra, 5);
    assert_eq!(shape(def(&object, "ring")), (MapType::Ringbuf, 0, 0, 8192, 0));
    assert_eq!(shape(def(&object, "storage")), (MapType::SkStorage, 4, 16, 0, 1));
}

#[test]
fn maps_of_maps_and_prog_arrays_have_initial_values() {
    let object = open("maps");
    let outer = def(&object, "outer");
    assert_eq!(shape(outer), (MapType::ArrayOfMaps, 4, 4, 4, 0));
    assert_eq!(outer.slots, [(0, "inner_a".to_owned()), (3, "inner_b".to_owned())]);
    let inner = outer.inner.as_deref().unwrap();
    assert_eq!((inner.name.as_str(), shape(inner)), ("outer.inner", shape(def(&object, "inner_a"))));

    let by_tenant = def(&object, "by_tenant");
    assert!(by_tenant.slots.is_empty());
    assert_eq!(shape(by_tenant.inner.as_deref().unwrap()), (MapType::Hash, 8, 4, 16, 1));

    let next = def(&object, "next");
    assert_eq!(shape(next), (MapType::ProgArray, 4, 4, 3, 0));
    assert_eq!(next.slots, [(0, "on_even".to_owned()), (2, "on_odd".to_owned())]);
    let entry = relocate(object.program("entry").unwrap());
    assert_eq!(entry.maps.iter().map(|map| map.name.as_str()).collect::<Vec<_>>(), ["outer", "next"]);
}

#[test]
fn an_arena_has_its_address_and_its_variables() {
    let object = open("arena");
    let pages = def(&object, "pages");
    assert_eq!((shape(pages), pages.map_extra), ((MapType::Arena, 0, 0, 4, 1 << 10), 0x1000_0000_0000));
    let data = pages.arena_data.as_ref().unwrap();
    // In the last page.
    assert_eq!((data.offset, data.bytes.len()), (3 * 4096, 16));
    assert_eq!(data.bytes[..4], 7u32.to_le_bytes());
    assert_eq!(data.bytes[8..], 0x1122_3344_5566_7788u64.to_le_bytes());
}

#[test]
fn definitions_of_numbers() {
    let object = open("legacy");
    assert_eq!(object.kern_version(), Some(0x05_04_03));
    assert_eq!(shape(def(&object, "counts")), (MapType::Hash, 4, 8, 1024, 1));
    assert_eq!(shape(def(&object, "events")), (MapType::PerfEventArray, 4, 4, 64, 0));
    let program = relocate(object.program("count").unwrap());
    assert_eq!(program.maps.iter().map(|map| map.name.as_str()).collect::<Vec<_>>(), ["counts", "events"]);
    assert_eq!((program.prog_type, program.kern_version), (ProgType::Kprobe, 0x05_04_03));
    assert!(program.btf.is_none());
}

#[test]
fn definitions_of_iproute2() {
    let object = open("legacy_tc");
    let outer = def(&object, "outer");
    assert_eq!((shape(outer), outer.pinning), ((MapType::ArrayOfMaps, 4, 4, 3, 0), 2));
    assert_eq!(outer.slots, [(2, "inner".to_owned())]);
    assert_eq!(shape(outer.inner.as_deref().unwrap()), (MapType::Array, 4, 8, 1, 0));
    let program = object.program("classify").unwrap().relocate(&target()).unwrap();
    assert_eq!(program.prog_type, ProgType::SchedCls);
}

#[test]
fn maps_of_variables_are_named_after_the_object() {
    let named = |name: &str| {
        let options = Options { name: name.to_owned(), ..Options::default() };
        let object = Object::parse_with(&std::fs::read(path("sections.bpf.o")).unwrap(), &options).unwrap();
        object.maps().next().unwrap().name.clone()
    };
    assert_eq!(named(""), ".bss");
    assert_eq!(named("a_rather_long_name"), "a_rather.bss");
}
