//! Which shapes of maps are created: the kernel and we agree on each, down to the error number.

mod common;

use std::sync::{Arc, OnceLock};

use common::def;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use skep_kernel::{Kernel, MapSpec, possible_cpus};
use skep_linux::{Errno, MapType};
use skep_maps::flags::*;
use skep_maps::{CreateOptions, create};
use skep_program::MapDef;

fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

fn theirs(def: &MapDef) -> Result<(), Errno> {
    let inner = def
        .inner
        .as_ref()
        .map(|i| MapSpec::new(i.map_type, i.key_size, i.value_size, i.max_entries).flags(i.flags).create().unwrap());
    let spec = MapSpec {
        map_extra: def.map_extra,
        numa_node: def.numa_node,
        inner: inner.as_ref(),
        ..MapSpec::new(def.map_type, def.key_size, def.value_size, def.max_entries).flags(def.flags)
    };
    spec.create().map(drop)
}

fn ours(def: &MapDef) -> Result<(), Errno> {
    let options = CreateOptions { nr_cpus: nr_cpus(), ..CreateOptions::new(possible_cpus() as u32) };
    create(&Arc::new(def.clone()), &options).map(drop).map_err(|e| e.errno())
}

/// `CONFIG_NR_CPUS` of the host: the largest cpumap that it creates, by halves.
fn nr_cpus() -> u32 {
    static CPUS: OnceLock<u32> = OnceLock::new();
    *CPUS.get_or_init(|| {
        let (mut fits, mut beyond) = (1, 1 << 17);
        while beyond - fits > 1 {
            let middle = (fits + beyond) / 2;
            match MapSpec::new(MapType::Cpumap, 4, 4, middle).create() {
                Ok(_) => fits = middle,
                Err(_) => beyond = middle,
            }
        }
        fits
    })
}

/// Sizes around every limit that a type has.
fn key_sizes() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(4u32), 2 => Just(8u32), 2 => Just(0u32), 3 => prop::sample::select(vec![1, 3, 5, 7, 16, 20, 260, 261, 512, 513, (4 << 20) - 56])]
}

fn value_sizes() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(4u32), 4 => Just(8u32), 2 => Just(0u32), 3 => prop::sample::select(
        vec![1, 3, 7, 16, 32, 40, 1016, 1024, 4064, 4096, 32760, 32764, 32768, 32769, 65407, 65408, (4 << 20) - 280, (4 << 20) - 279,
             (4 << 20) - 56, (4 << 20) - 52, (4 << 20) - 51, 4 << 20, (4 << 20) + 1])]
}

fn entries() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0u32), 3 => Just(1u32), 3 => Just(4096u32), 3 => prop::sample::select(vec![2, 3, 100, 256, 257, 8192, 12288, 65536])]
}

fn flag_sets() -> impl Strategy<Value = u32> {
    let one = prop::sample::select((0..19).filter(|b| *b != 16 && *b != 15).map(|b| 1u32 << b).collect::<Vec<_>>());
    let some = prop::collection::vec(one.clone(), 2..4).prop_map(|bits| bits.into_iter().fold(0, |a, b| a | b));
    prop_oneof![5 => Just(0u32), 4 => Just(BPF_F_NO_PREALLOC), 2 => Just(BPF_F_MMAPABLE), 4 => one, 2 => some]
}

/// A shape that each type takes.
fn natural(map_type: MapType) -> MapDef {
    use MapType::*;
    let (key, value, entries, flags) = match map_type {
        Unspec | InodeStorage => (4, 4, 1, 0),
        Array | PercpuArray | Hash | PercpuHash | LruHash | LruPercpuHash => (4, 8, 3, 0),
        ProgArray | PerfEventArray | CgroupArray | ArrayOfMaps | HashOfMaps | Devmap | DevmapHash => (4, 4, 3, 0),
        Cpumap | Xskmap | Sockmap | Sockhash | ReuseportSockarray => (4, 4, 3, 0),
        StackTrace => (4, 1016, 3, 0),
        LpmTrie => (8, 8, 3, BPF_F_NO_PREALLOC),
        CgroupStorage | PercpuCgroupStorage => (16, 8, 0, 0),
        Queue | Stack | BloomFilter => (0, 8, 3, 0),
        SkStorage | TaskStorage | CgrpStorage => (4, 8, 0, BPF_F_NO_PREALLOC),
        StructOps => (4, 64, 1, 0),
        Ringbuf | UserRingbuf => (0, 0, 4096, 0),
        Arena => (0, 0, 3, BPF_F_MMAPABLE),
    };
    def(map_type, key, value, entries, flags)
}

/// Shapes that take little memory if they are created: natural ones with some fields changed.
fn shapes() -> impl Strategy<Value = MapDef> {
    let types: Vec<MapType> =
        MapType::ALL.iter().copied().filter(|t| !matches!(t, MapType::Unspec | MapType::InodeStorage)).collect();
    let extras = prop::sample::select(vec![3u64, 16, 4096, 0xffff_f000]);
    let changes = (
        prop::option::weighted(0.25, key_sizes()),
        prop::option::weighted(0.3, value_sizes()),
        prop::option::weighted(0.3, entries()),
        prop::option::weighted(0.4, flag_sets()),
        prop::option::weighted(0.1, extras),
    );
    let shape = (prop::sample::select(types), changes, 0u32..3);
    shape
        .prop_map(|(map_type, (key, value, entries, flags, extra), node)| {
            let mut d = natural(map_type);
            d.key_size = key.unwrap_or(d.key_size);
            d.value_size = value.unwrap_or(d.value_size);
            d.max_entries = entries.unwrap_or(d.max_entries);
            d.flags = flags.map_or(d.flags, |f| if f.count_ones() == 1 { d.flags | f } else { f });
            d.map_extra = extra.unwrap_or(0);
            d.numa_node = node.saturating_sub(1);
            if matches!(map_type, MapType::ArrayOfMaps | MapType::HashOfMaps) {
                d.inner = Some(Arc::new(def(MapType::Array, 4, 8, 1, 0)));
            }
            d
        })
        .prop_filter("it is small", |d| {
            (u64::from(d.key_size) + u64::from(d.value_size) + 64) * u64::from(d.max_entries) < 32 << 20
        })
}

#[test]
fn the_kernel_creates_the_same_maps() {
    if !kernel() {
        return;
    }
    let mut runner = TestRunner::new(Config { cases: 12_000, failure_persistence: None, ..Config::default() });
    let seen = std::cell::Cell::new(0u32);
    let result = runner.run(&shapes(), |def| {
        let (theirs, ours) = (theirs(&def), ours(&def));
        seen.set(seen.get() + u32::from(theirs.is_ok()));
        prop_assert_eq!(
            theirs,
            ours,
            "kernel left, ours right: {} key {} value {} entries {} flags {:#x} extra {:#x} node {}",
            def.map_type.name(),
            def.key_size,
            def.value_size,
            def.max_entries,
            def.flags,
            def.map_extra,
            def.numa_node
        );
        Ok(())
    });
    let created = seen.get();
    if let Err(e) = result {
        panic!("{}", e.to_string().lines().take(6).collect::<Vec<_>>().join("\n"));
    }
    assert!(created > 2000, "too few shapes were created to mean anything: {created}");
}

#[test]
fn inner_maps_are_judged_alike() {
    if !kernel() {
        return;
    }
    let shapes: Vec<MapDef> = vec![
        def(MapType::Array, 4, 8, 1, 0),
        def(MapType::Array, 4, 8, 2, 0),
        def(MapType::Array, 4, 8, 1, BPF_F_INNER_MAP),
        def(MapType::Array, 4, 8, 2, BPF_F_INNER_MAP),
        def(MapType::Array, 4, 16, 1, 0),
        def(MapType::PercpuArray, 4, 8, 1, 0),
        def(MapType::PercpuArray, 4, 8, 2, 0),
        def(MapType::Hash, 4, 8, 1, 0),
        def(MapType::Hash, 4, 8, 2, 0),
        def(MapType::Hash, 4, 8, 1, BPF_F_NO_PREALLOC),
        def(MapType::Hash, 8, 8, 1, 0),
        def(MapType::Xskmap, 4, 4, 1, 0),
        def(MapType::Xskmap, 4, 4, 2, 0),
        def(MapType::ProgArray, 4, 4, 1, 0),
        def(MapType::PerfEventArray, 4, 4, 1, 0),
        def(MapType::CgroupArray, 4, 4, 1, 0),
        def(MapType::StackTrace, 4, 8, 1, 0),
        def(MapType::Devmap, 4, 4, 1, 0),
        def(MapType::DevmapHash, 4, 4, 1, 0),
        def(MapType::Cpumap, 4, 4, 1, 0),
        def(MapType::Sockmap, 4, 4, 1, 0),
        def(MapType::Sockhash, 4, 4, 1, 0),
        def(MapType::ReuseportSockarray, 4, 4, 1, 0),
        def(MapType::Queue, 0, 4, 1, 0),
        def(MapType::BloomFilter, 0, 4, 1, 0),
        def(MapType::Ringbuf, 0, 0, 4096, 0),
        def(MapType::Ringbuf, 0, 0, 8192, 0),
        def(MapType::LpmTrie, 8, 4, 1, BPF_F_NO_PREALLOC),
        def(MapType::CgroupStorage, 8, 4, 0, 0),
    ];
    let options = CreateOptions::new(possible_cpus() as u32);
    for outer_type in [MapType::ArrayOfMaps, MapType::HashOfMaps] {
        for template in &shapes {
            let inner = MapSpec::new(template.map_type, template.key_size, template.value_size, template.max_entries)
                .flags(template.flags)
                .create()
                .unwrap();
            let kernel = MapSpec { inner: Some(&inner), ..MapSpec::new(outer_type, 4, 4, 4) }.create();
            let shape = MapDef { inner: Some(Arc::new(template.clone())), ..def(outer_type, 4, 4, 4, 0) };
            let map = create(&Arc::new(shape), &options);
            assert_eq!(
                kernel.as_ref().map(drop).map_err(|e| *e),
                map.as_ref().map(drop).map_err(|e| e.errno()),
                "template {template:?}"
            );
            let (Ok(kernel), Ok(map)) = (kernel, map) else { continue };
            for (i, other) in shapes.iter().enumerate() {
                let theirs = MapSpec::new(other.map_type, other.key_size, other.value_size, other.max_entries).flags(other.flags);
                let theirs = theirs.create().unwrap();
                let ours = create(&Arc::new(other.clone()), &options).unwrap();
                let key = 1u32.to_le_bytes();
                for flags in [0, 1, 2, 3] {
                    use std::os::fd::AsFd;
                    assert_eq!(
                        kernel.set_fd(&key, theirs.as_fd(), flags),
                        map.user_update_map(&key, ours.clone(), flags),
                        "{outer_type:?} of {template:?}: shape {i}, flags {flags}"
                    );
                    assert_eq!(kernel.lookup(&key, 0).map(drop), map.user_lookup(&key, 0).map(drop));
                }
                assert_eq!(kernel.delete(&key), map.user_delete(&key), "{outer_type:?} of {template:?}: shape {i}");
            }
        }
    }
}
