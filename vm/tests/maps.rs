//! Maps of an instance as loaders make them.

use std::sync::Arc;

use skep::{Arch, BuildError, Instance, MapDef, MapType, ProgType, Program, Release, Target, World};
use skep_isa::asm::kernel::assemble;
use skep_linux::AttachType;

fn target() -> Target {
    Target::new(Release::new(6, 18), Arch::X86_64)
}

fn array(name: &str, value_size: u32) -> Arc<MapDef> {
    Arc::new(MapDef { key_size: 4, value_size, max_entries: 1, ..MapDef::new(name, MapType::Array) })
}

fn outer(slots: &[(u32, &str)]) -> MapDef {
    MapDef {
        key_size: 4,
        value_size: 4,
        max_entries: 4,
        inner: Some(array("template", 8)),
        slots: slots.iter().map(|(key, name)| (*key, (*name).to_owned())).collect(),
        ..MapDef::new("outer", MapType::ArrayOfMaps)
    }
}

#[test]
fn maps_of_maps_start_with_their_maps() {
    let builder = Instance::builder(target()).map(array("one", 8)).map(array("two", 8)).map(outer(&[(0, "two"), (3, "one")]));
    let instance = builder.build().unwrap();
    let outer = instance.map("outer").unwrap();
    // User space sees the ids of inner maps.
    let id = |name: &str| Some(instance.map(name).unwrap().inner().base().id().to_le_bytes().to_vec());
    let at = |key: u32| outer.get(&key.to_le_bytes()).unwrap();
    assert_eq!([at(0), at(1), at(2), at(3)], [id("two"), None, None, id("one")]);
}

#[test]
fn inner_maps_must_be_there_and_fit() {
    let build = |slots: &[(u32, &str)]| {
        let error = Instance::builder(target()).map(array("wide", 16)).map(outer(slots)).build().unwrap_err();
        match error {
            BuildError::Slot { map, key, what } => (map, key, what),
            other => panic!("{other}"),
        }
    };
    assert_eq!(build(&[(1, "gone")]), ("outer".into(), 1, "no map `gone`".into()));
    let (_, key, what) = build(&[(2, "wide")]);
    assert_eq!(key, 2);
    assert!(what.contains("EINVAL"), "{what}");
    assert!(build(&[(4, "wide")]).2.contains("E2BIG"));
}

#[test]
fn perf_event_arrays_without_a_size_have_an_entry_for_each_cpu() {
    let events = MapDef { key_size: 4, value_size: 4, ..MapDef::new("events", MapType::PerfEventArray) };
    let mut world = World::new(Arc::new(target()));
    world.cpus = 3;
    let instance = Instance::builder(target()).world(world).map(events).build().unwrap();
    assert_eq!(instance.map("events").unwrap().inner().def().max_entries, 3);
}

#[test]
fn types_that_the_kernel_does_not_take_are_left_away() {
    // Only the key has a type: EINVAL with it.
    let def = MapDef { key_size: 4, value_size: 8, max_entries: 4, key_type_id: 1, ..MapDef::new("half", MapType::Hash) };
    let instance = Instance::builder(target()).map(def).build().unwrap();
    instance.map("half").unwrap().set(&[0; 4], &[7; 8]).unwrap();
    assert_eq!(instance.map("half").unwrap().get(&[0; 4]).unwrap(), Some(vec![7; 8]));
}

/// CVE-2024-50063, CVE-2025-40123: a program goes on in programs of its own hook alone.
#[test]
fn tail_calls_stay_at_their_hook() {
    let jumps = Arc::new(MapDef {
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        slots: vec![(0, "called".to_owned())],
        ..MapDef::new("jumps", MapType::ProgArray)
    });
    let insns = assemble("r0 = 0\nexit").unwrap();
    let program = |name: &str, prog_type, attach_type| {
        let maps = if name == "caller" { vec![jumps.clone()] } else { Vec::new() };
        Program { maps, attach_type, ..Program::bare(name, prog_type, insns.clone()) }
    };
    let build = |caller: Program, called: Program| match Instance::builder(target()).program(caller).program(called).build() {
        Ok(_) => None,
        Err(BuildError::Slot { what, .. }) => Some(what),
        Err(other) => panic!("{other}"),
    };
    let (ingress, egress) = (Some(AttachType::CgroupInetIngress), Some(AttachType::CgroupInetEgress));
    let (tc, xdp, cgroup) = (ProgType::SchedCls, ProgType::Xdp, ProgType::CgroupSkb);
    assert_eq!(build(program("caller", tc, None), program("called", tc, None)), None);
    assert_eq!(build(program("caller", cgroup, egress), program("called", cgroup, egress)), None);
    let refused = Some("program `called` is for another hook than `caller`, which calls it".to_owned());
    assert_eq!(build(program("caller", tc, None), program("called", xdp, None)), refused);
    assert_eq!(build(program("caller", cgroup, egress), program("called", cgroup, ingress)), refused);
}
