//! The same random operations on a map of this host's kernel and on ours: same results, same error numbers, same order.
//!
//! Hash maps are made with `BPF_F_ZERO_SEED`, so that the order of their keys can be compared too.

mod common;

use common::def;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use skep_kernel::{Kernel, MapSpec, possible_cpus};
use skep_linux::{Errno, MapType};
use skep_maps::flags::*;
use skep_maps::{CreateOptions, Map, create};
use skep_program::MapDef;
use std::sync::Arc;

/// Whether the kernel can be asked; says so if not.
fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

fn options() -> CreateOptions {
    CreateOptions::new(possible_cpus() as u32)
}

fn spec(def: &MapDef) -> MapSpec<'_> {
    MapSpec {
        map_extra: def.map_extra,
        numa_node: def.numa_node,
        ..MapSpec::new(def.map_type, def.key_size, def.value_size, def.max_entries).flags(def.flags)
    }
}

/// One map on both sides.
struct Pair {
    kernel: skep_kernel::Map,
    ours: Arc<dyn Map>,
    /// Where the last batch ended, on each side.
    tokens: (Option<Vec<u8>>, Option<Vec<u8>>),
}

#[derive(Debug, Clone)]
enum Op {
    Lookup(Vec<u8>, u64),
    Update(Vec<u8>, Vec<u8>, u64),
    Delete(Vec<u8>),
    Take(Vec<u8>, u64),
    NextKey(Option<Vec<u8>>),
    Keys,
    LookupBatch { restart: bool, count: u32, flags: u64, delete: bool },
    UpdateBatch(Vec<(Vec<u8>, Vec<u8>)>, u64),
    DeleteBatch(Vec<Vec<u8>>, u64),
    Freeze,
}

type Entry = (Vec<u8>, Vec<u8>);

/// What an operation answered, made comparable.
#[derive(Debug, PartialEq)]
enum Answer {
    Bytes(Result<Vec<u8>, Errno>),
    Done(Result<(), Errno>),
    Keys(Vec<Vec<u8>>),
    Batch(Result<(Vec<Entry>, Option<Errno>), Errno>),
    Count(u32, Option<Errno>),
}

/// An error before the first entry leaves the kernel's count as it was given: none were done.
fn count(given: usize, (done, error): (u32, Option<Errno>)) -> Answer {
    let untouched = error.is_some() && done as usize == given;
    Answer::Count(if untouched { 0 } else { done }, error)
}

impl Pair {
    fn new(def: MapDef) -> Pair {
        let kernel = spec(&def).create().unwrap_or_else(|e| panic!("the kernel refuses {def:?}: {e}"));
        let ours = create(&Arc::new(def), &options()).unwrap();
        assert_eq!(kernel.value_len(), ours.user_value_size());
        Pair { kernel, ours, tokens: (None, None) }
    }

    fn on_kernel(&mut self, op: &Op) -> Answer {
        let m = &self.kernel;
        match op {
            Op::Lookup(k, f) if m.map_type() == Some(MapType::BloomFilter) => Answer::Done(m.peek(&[], k, *f).map(drop)),
            Op::Lookup(k, f) => Answer::Bytes(m.lookup(k, *f)),
            Op::Update(k, v, f) => Answer::Done(m.update(k, v, *f)),
            Op::Delete(k) => Answer::Done(m.delete(k)),
            Op::Take(k, f) => Answer::Bytes(m.lookup_and_delete(k, *f)),
            Op::NextKey(k) => Answer::Bytes(m.next_key(k.as_deref())),
            Op::Keys => Answer::Keys(m.keys().unwrap_or_default()),
            Op::LookupBatch { restart, count, flags, delete } => {
                let from = self.tokens.0.take().filter(|_| !restart);
                Answer::Batch(m.lookup_batch(from.as_deref(), *count, *flags, *delete).map(|page| {
                    self.tokens.0 = (!page.entries.is_empty()).then_some(page.next);
                    (page.entries, page.end)
                }))
            }
            Op::UpdateBatch(entries, f) => {
                let entries: Vec<(&[u8], &[u8])> = entries.iter().map(|(k, v)| (&k[..], &v[..])).collect();
                count(entries.len(), m.update_batch(&entries, *f))
            }
            Op::DeleteBatch(keys, f) => {
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                count(keys.len(), m.delete_batch(&keys, *f))
            }
            Op::Freeze => Answer::Done(m.freeze()),
        }
    }

    fn on_ours(&mut self, op: &Op) -> Answer {
        let m = &self.ours;
        match op {
            Op::Lookup(k, _) if m.def().map_type == MapType::BloomFilter => Answer::Done(m.user_peek(k)),
            Op::Lookup(k, f) => Answer::Bytes(m.user_lookup(k, *f)),
            Op::Update(k, v, f) => Answer::Done(m.user_update(k, v, *f)),
            Op::Delete(k) => Answer::Done(m.user_delete(k)),
            Op::Take(k, f) => Answer::Bytes(m.user_lookup_and_delete(k, *f)),
            Op::NextKey(k) => Answer::Bytes(m.next_key(k.as_deref())),
            Op::Keys => Answer::Keys(keys(m.as_ref())),
            Op::LookupBatch { restart, count, flags, delete } => {
                let from = self.tokens.1.take().filter(|_| !restart);
                Answer::Batch(m.user_lookup_batch(from.as_deref(), *count, *flags, *delete).map(|batch| {
                    self.tokens.1 = batch.next.filter(|_| !batch.entries.is_empty());
                    (batch.entries, batch.error)
                }))
            }
            Op::UpdateBatch(entries, f) => {
                let entries: Vec<(&[u8], &[u8])> = entries.iter().map(|(k, v)| (&k[..], &v[..])).collect();
                let (n, e) = m.user_update_batch(&entries, *f);
                Answer::Count(n, e)
            }
            Op::DeleteBatch(keys, f) => {
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                let (n, e) = m.user_delete_batch(&keys, *f);
                Answer::Count(n, e)
            }
            Op::Freeze => Answer::Done(m.user_freeze()),
        }
    }

    fn check(&mut self, i: usize, op: &Op) -> Result<(), TestCaseError> {
        let (theirs, ours) = (self.on_kernel(op), self.on_ours(op));
        prop_assert_eq!(theirs, ours, "kernel left, ours right, at operation {}: {:?}", i, op);
        Ok(())
    }
}

/// All keys, as many as there is room for at most.
fn keys(map: &dyn Map) -> Vec<Vec<u8>> {
    let limit = map.def().max_entries as usize;
    let mut keys: Vec<Vec<u8>> = Vec::new();
    while keys.len() < limit {
        match map.next_key(keys.last().map(Vec::as_slice)) {
            Ok(key) => keys.push(key),
            Err(Errno::ENOENT) => break,
            Err(_) => return Vec::new(),
        }
    }
    keys
}

fn update_flags() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(BPF_ANY), 2 => Just(BPF_NOEXIST), 2 => Just(BPF_EXIST), 1 => 3u64..9, 1 => any::<u64>()]
}

fn lookup_flags() -> impl Strategy<Value = u64> {
    prop_oneof![9 => Just(0u64), 1 => 1u64..9]
}

/// Values of two numbers that the kernel knows: a device (lo) or the size of a queue, and no program.
fn known(def: &MapDef) -> impl Strategy<Value = Vec<u8>> + use<> {
    let first = match def.map_type {
        MapType::Cpumap => vec![0u32, 192, 16384, 16385],
        _ => vec![0, 1],
    };
    let len = def.value_size as usize;
    (prop::sample::select(first), prop::sample::select(vec![0i32, -1])).prop_map(move |(first, program)| {
        let mut value = first.to_le_bytes().to_vec();
        value.extend(program.to_le_bytes());
        value.truncate(len);
        value
    })
}

fn value(def: &MapDef) -> impl Strategy<Value = Vec<u8>> + use<> {
    if matches!(def.map_type, MapType::Devmap | MapType::DevmapHash | MapType::Cpumap) {
        return known(def).boxed();
    }
    let percpu = matches!(def.map_type, MapType::PercpuArray | MapType::PercpuHash | MapType::LruPercpuHash);
    let size = def.value_size as usize;
    let len = if percpu { size.next_multiple_of(8) * possible_cpus() } else { size };
    prop::collection::vec(any::<u8>(), len).boxed()
}

fn ops<K: Strategy<Value = Vec<u8>> + Clone + 'static>(def: &MapDef, key: K) -> impl Strategy<Value = Vec<Op>> + use<K> {
    let v = value(def).boxed();
    let op = prop_oneof![
        6 => (key.clone(), lookup_flags()).prop_map(|(k, f)| Op::Lookup(k, f)),
        12 => (key.clone(), v.clone(), update_flags()).prop_map(|(k, v, f)| Op::Update(k, v, f)),
        5 => key.clone().prop_map(Op::Delete),
        3 => (key.clone(), lookup_flags()).prop_map(|(k, f)| Op::Take(k, f)),
        3 => prop::option::of(key.clone()).prop_map(Op::NextKey),
        2 => Just(Op::Keys),
        4 => (any::<bool>(), 0u32..6, lookup_flags(), any::<bool>())
            .prop_map(|(restart, count, flags, delete)| Op::LookupBatch { restart, count, flags, delete }),
        2 => (prop::collection::vec((key.clone(), v), 0..5), update_flags()).prop_map(|(e, f)| Op::UpdateBatch(e, f)),
        2 => (prop::collection::vec(key, 0..5), lookup_flags()).prop_map(|(k, f)| Op::DeleteBatch(k, f)),
    ];
    prop::collection::vec(op, 1..120)
}

/// Runs random sequences on fresh maps of one shape.
fn compare<K: Strategy<Value = Vec<u8>> + Clone + 'static>(def: MapDef, key: K) {
    compare_some(def, key, 150);
}

fn compare_some<K: Strategy<Value = Vec<u8>> + Clone + 'static>(def: MapDef, key: K, cases: u32) {
    if !kernel() {
        return;
    }
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&ops(&def, key), |ops| {
        let mut pair = Pair::new(def.clone());
        for (i, op) in ops.iter().enumerate() {
            pair.check(i, op)?;
        }
        pair.check(ops.len(), &Op::Keys)?;
        for key in keys(pair.ours.as_ref()) {
            pair.check(ops.len(), &Op::Lookup(key, 0))?;
        }
        Ok(())
    });
    if let Err(e) = result {
        panic!("{}\n{e}", def.map_type.name());
    }
}

/// Indices, some of them out of range.
fn index(max: u32) -> impl Strategy<Value = Vec<u8>> + Clone {
    prop_oneof![9 => 0..max + 2, 1 => any::<u32>()].prop_map(|i| i.to_le_bytes().to_vec())
}

/// Keys of some length, few enough to meet again.
fn few(len: usize, different: u8) -> impl Strategy<Value = Vec<u8>> + Clone {
    (0..different).prop_map(move |i| (0..len).map(|at| i.wrapping_mul(37).wrapping_add(at as u8)).collect())
}

#[test]
fn array() {
    compare(def(MapType::Array, 4, 5, 4, 0), index(4));
    compare(def(MapType::Array, 4, 8, 1, BPF_F_MMAPABLE), index(1));
    compare(def(MapType::Array, 4, 8, 3, BPF_F_RDONLY), index(3));
    compare(def(MapType::Array, 4, 8, 3, BPF_F_WRONLY), index(3));
}

#[test]
fn percpu_array() {
    compare(def(MapType::PercpuArray, 4, 12, 3, 0), index(3));
}

#[test]
fn hash() {
    for flags in [0, BPF_F_NO_PREALLOC] {
        compare(def(MapType::Hash, 4, 5, 8, flags | BPF_F_ZERO_SEED), few(4, 14));
        compare(def(MapType::Hash, 13, 16, 30, flags | BPF_F_ZERO_SEED), few(13, 40));
        compare(def(MapType::Hash, 1, 1, 1, flags | BPF_F_ZERO_SEED), few(1, 4));
    }
    compare(def(MapType::Hash, 40, 3, 3, BPF_F_RDONLY | BPF_F_ZERO_SEED), few(40, 4));
}

#[test]
fn percpu_hash() {
    for flags in [0, BPF_F_NO_PREALLOC] {
        compare(def(MapType::PercpuHash, 8, 9, 8, flags | BPF_F_ZERO_SEED), few(8, 14));
    }
}

#[test]
fn lpm_trie() {
    let key = |bytes: usize| {
        let data = prop::collection::vec(prop_oneof![Just(0u8), Just(0x80), Just(0xc0), Just(1), any::<u8>()], bytes);
        (prop_oneof![9 => 0..=bytes as u32 * 8, 1 => Just(bytes as u32 * 8 + 1)], data).prop_map(|(len, mut data)| {
            let mut key = len.to_le_bytes().to_vec();
            key.append(&mut data);
            key
        })
    };
    compare(def(MapType::LpmTrie, 8, 4, 12, BPF_F_NO_PREALLOC), key(4));
    compare(def(MapType::LpmTrie, 5, 9, 200, BPF_F_NO_PREALLOC), key(1));
    compare(def(MapType::LpmTrie, 20, 1, 40, BPF_F_NO_PREALLOC), key(16));
}

#[test]
fn queue_and_stack() {
    for t in [MapType::Queue, MapType::Stack] {
        compare(def(t, 0, 5, 3, 0), Just(Vec::new()));
    }
}

#[test]
fn ringbuf_has_no_elements() {
    compare(def(MapType::Ringbuf, 0, 0, 4096, 0), Just(Vec::new()));
}

#[test]
fn devices_and_cpus() {
    for value_size in [4, 8] {
        compare(def(MapType::Devmap, 4, value_size, 3, 0), index(3));
        compare(def(MapType::DevmapHash, 4, value_size, 5, 0), index(9));
        compare_some(def(MapType::Cpumap, 4, value_size, 3, 0), index(3), 8);
    }
}

#[test]
fn maps_without_their_objects() {
    // Updates name descriptors that nobody has; everything else can be compared.
    for (t, value_size) in [(MapType::Xskmap, 4), (MapType::Sockmap, 4), (MapType::Sockmap, 8), (MapType::Sockhash, 8)] {
        empty(def(t, 4, value_size, 3, 0));
    }
    for t in [MapType::CgroupArray, MapType::PerfEventArray, MapType::ProgArray] {
        empty(def(t, 4, 4, 3, 0));
    }
    for value_size in [4, 8] {
        empty(def(MapType::ReuseportSockarray, 4, value_size, 3, 0));
    }
    empty(def(MapType::StackTrace, 4, 16, 3, 0));
    empty(def(MapType::CgroupStorage, 8, 4, 0, 0));
    empty(def(MapType::CgroupStorage, 16, 4, 0, 0));
    empty(def(MapType::PercpuCgroupStorage, 16, 4, 0, 0));
    empty(def(MapType::UserRingbuf, 0, 0, 4096, 0));
    let mut arena = def(MapType::Arena, 0, 0, 1, BPF_F_MMAPABLE);
    arena.map_extra = 1 << 44;
    empty(arena);
}

/// Operations on a map that stays empty.
fn empty(def: MapDef) {
    if !kernel() {
        return;
    }
    let mut pair = Pair::new(def.clone());
    let key = |i: u32| {
        let mut key = i.to_le_bytes().to_vec();
        key.resize(def.key_size as usize, 0);
        key
    };
    let mut ops = vec![Op::NextKey(None), Op::Keys];
    // Socket maps look at the descriptor before the flags.
    if !matches!(def.map_type, MapType::Sockmap | MapType::Sockhash) {
        ops.push(Op::Update(key(0), vec![0; pair.ours.user_value_size()], 99));
    }
    for i in [0, 2, 3, 4, u32::MAX] {
        ops.extend([Op::Lookup(key(i), 0), Op::Lookup(key(i), 4), Op::Lookup(key(i), 8), Op::Delete(key(i))]);
        ops.extend([Op::Take(key(i), 0), Op::NextKey(Some(key(i))), Op::DeleteBatch(vec![key(i)], 0)]);
    }
    ops.extend([true, false].map(|delete| Op::LookupBatch { restart: true, count: 2, flags: 0, delete }));
    ops.push(Op::UpdateBatch(vec![], 0));
    ops.push(Op::Freeze);
    for (i, op) in ops.iter().enumerate() {
        if let Err(e) = pair.check(i, op) {
            panic!("{} of value size {}: {e}", def.map_type.name(), def.value_size);
        }
    }
}

#[test]
fn freezing() {
    if !kernel() {
        return;
    }
    let mut pair = Pair::new(def(MapType::Array, 4, 4, 2, 0));
    let key = vec![0; 4];
    let update = Op::Update(key.clone(), vec![1; 4], 0);
    let batch = Op::UpdateBatch(vec![(key.clone(), vec![1; 4])], 0);
    let ops = [update.clone(), Op::Freeze, Op::Freeze, update, batch, Op::Lookup(key.clone(), 0), Op::Delete(key)];
    for (i, op) in ops.iter().enumerate() {
        pair.check(i, op).unwrap();
    }
}

#[test]
fn a_bloom_filter_errs_on_the_same_values() {
    if !kernel() {
        return;
    }
    for (extra, value_size) in [(0, 4), (1, 5), (15, 16)] {
        let mut shape = def(MapType::BloomFilter, 0, value_size, 20, BPF_F_ZERO_SEED);
        shape.map_extra = extra;
        let mut pair = Pair::new(shape);
        for i in 0..60u8 {
            let value: Vec<u8> = (0..value_size as u8).map(|at| i.wrapping_mul(71).wrapping_add(at)).collect();
            pair.check(i.into(), &Op::Lookup(value.clone(), 0)).unwrap();
            if i % 2 == 0 {
                pair.check(i.into(), &Op::Update(vec![], value, u64::from(i / 30))).unwrap();
            }
        }
        for op in [Op::NextKey(None), Op::Delete(vec![])] {
            pair.check(0, &op).unwrap();
        }
    }
}
