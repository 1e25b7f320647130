//! The same random operations by programs and by user space on a map of this host's kernel and on ours.
//!
//! Each operation of a program is a program of its own, run once with `BPF_PROG_TEST_RUN`. The test runs itself again on CPU 0 alone
//! (with `taskset`), since LRU lists and per-CPU values depend on the CPU; so even the order in which LRU maps give up elements is
//! compared.

mod common;

use std::process::Command;
use std::sync::Arc;

use common::def;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, MapSpec, TestRun, possible_cpus};
use skep_linux::{Errno, MapType, ProgType};
use skep_maps::flags::*;
use skep_maps::{Caller, CreateOptions, Found, Map, create};
use skep_program::MapDef;

const CPU0: Caller = Caller { cpu: 0 };

/// Runs the named test again on CPU 0; true in the process that is to do the work.
fn on_cpu_0(test: &str) -> bool {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return false;
    }
    if std::env::var_os("SKEP_ON_CPU_0").is_some() {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let run = Command::new("taskset").args(["-c", "0"]).arg(this).args(["--exact", test]).env("SKEP_ON_CPU_0", "1").output();
    match run {
        Err(_) => println!("skipped: needs taskset"),
        Ok(out) => assert!(
            out.status.success() && String::from_utf8_lossy(&out.stdout).contains("1 passed"),
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        ),
    }
    false
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Helper {
    Lookup = 1,
    Update = 2,
    Delete = 3,
    Push = 87,
    Pop = 88,
    Peek = 89,
    LookupPercpu = 195,
}

#[derive(Debug, Clone)]
enum Op {
    Program(Helper, Vec<u8>, Vec<u8>, u64),
    UserLookup(Vec<u8>),
    UserUpdate(Vec<u8>, Vec<u8>, u64),
    UserDelete(Vec<u8>),
    UserTake(Vec<u8>),
    UserTakeBatch(u32),
}

/// What an operation of a program returned: `r0`, or the first 4 bytes of the value that it found.
const NOTHING: u32 = 0x7fff_fff1;

/// A program that calls the helper with a key and a value on its stack.
fn program(helper: Helper, key: &[u8], value: &[u8], flags: u64) -> Vec<RawInsn> {
    let mut insns = Vec::new();
    let key_at = -(key.len().next_multiple_of(8) as i16);
    let value_at = key_at - value.len().next_multiple_of(8) as i16;
    for (at, bytes) in [(key_at, key), (value_at, value)] {
        for (i, chunk) in bytes.chunks(4).enumerate() {
            let mut four = [0; 4];
            four[..chunk.len()].copy_from_slice(chunk);
            insns.push(RawInsn::new(0x62, 10, 0, at + 4 * i as i16, i32::from_le_bytes(four)));
        }
    }
    let pointer = |insns: &mut Vec<RawInsn>, reg, at: i16| {
        insns.push(RawInsn::new(0xbf, reg, 10, 0, 0));
        insns.push(RawInsn::new(0x07, reg, 0, 0, at.into()));
    };
    let wide = |insns: &mut Vec<RawInsn>, reg, pseudo, number: u64| {
        insns.push(RawInsn::new(0x18, reg, pseudo, 0, number as i32));
        insns.push(RawInsn::new(0, 0, 0, 0, (number >> 32) as i32));
    };
    wide(&mut insns, 1, 5, 0);
    match helper {
        Helper::Push | Helper::Pop | Helper::Peek => {
            pointer(&mut insns, 2, value_at);
            wide(&mut insns, 3, 0, flags);
        }
        Helper::LookupPercpu => {
            pointer(&mut insns, 2, key_at);
            wide(&mut insns, 3, 0, flags);
        }
        Helper::Lookup | Helper::Update | Helper::Delete => {
            pointer(&mut insns, 2, key_at);
            pointer(&mut insns, 3, value_at);
            wide(&mut insns, 4, 0, flags);
        }
    }
    insns.push(RawInsn::new(0x85, 0, 0, 0, helper as i32));
    match helper {
        Helper::Lookup | Helper::LookupPercpu => {
            insns.push(RawInsn::new(0x55, 0, 0, 2, 0)); // if r0 != 0
            insns.push(RawInsn::new(0xb4, 0, 0, 0, NOTHING as i32));
            insns.push(RawInsn::new(0x95, 0, 0, 0, 0));
            insns.push(RawInsn::new(0x61, 0, 0, 0, 0)); // r0 = *(u32 *)(r0 + 0)
        }
        Helper::Pop | Helper::Peek => {
            insns.push(RawInsn::new(0x55, 0, 0, 1, 0));
            insns.push(RawInsn::new(0x61, 0, 10, value_at, 0));
        }
        Helper::Update | Helper::Delete | Helper::Push => {}
    }
    insns.push(RawInsn::new(0x95, 0, 0, 0, 0));
    insns
}

fn first(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().unwrap())
}

fn r0(result: Result<(), Errno>) -> u32 {
    result.map_or_else(|e| e.negated() as u32, |()| 0)
}

fn ours(map: &dyn Map, helper: Helper, key: &[u8], value: &[u8], flags: u64) -> u32 {
    let seen = |found: Result<Option<Found>, Errno>| match found.unwrap() {
        None => NOTHING,
        Some(found) => first(&found.slot().unwrap().bytes()),
    };
    let mut value = value.to_vec();
    match helper {
        Helper::Lookup => {
            // Both ways to look up must agree.
            let addr = map.lookup_addr(CPU0, key).unwrap();
            let found = map.lookup(CPU0, key);
            assert_eq!(addr, found.clone().unwrap().and_then(Found::slot).map(|s| s.addr()));
            seen(found)
        }
        Helper::LookupPercpu => seen(map.lookup_percpu(flags as u32, key)),
        Helper::Update => r0(map.update(CPU0, key, &value, flags)),
        Helper::Delete => r0(map.delete(CPU0, key)),
        Helper::Push => r0(map.push(&value, flags)),
        Helper::Pop => map.pop(&mut value).map_or_else(|e| e.negated() as u32, |()| first(&value)),
        Helper::Peek => map.peek(&mut value).map_or_else(|e| e.negated() as u32, |()| first(&value)),
    }
}

type Answer = (u32, Result<Vec<(Vec<u8>, Vec<u8>)>, Errno>);

fn ask_kernel(map: &skep_kernel::Map, op: &Op) -> Answer {
    let one = |r: Result<Vec<u8>, Errno>| (0, r.map(|v| vec![(vec![], v)]));
    match op {
        Op::Program(helper, key, value, flags) => {
            let maps = [map];
            let load = Load { maps: &maps, ..Load::raw(ProgType::Xdp, &program(*helper, key, value, *flags)) };
            let ran = load.load().unwrap().test_run(&TestRun { data: vec![0; 64], ..TestRun::default() }).unwrap();
            (ran.retval, Ok(vec![]))
        }
        Op::UserLookup(key) => one(map.lookup(key, 0)),
        Op::UserUpdate(key, value, flags) => (0, map.update(key, value, *flags).map(|()| vec![])),
        Op::UserDelete(key) => (0, map.delete(key).map(|()| vec![])),
        Op::UserTake(key) => one(map.lookup_and_delete(key, 0)),
        Op::UserTakeBatch(count) => (0, map.lookup_batch(None, *count, 0, true).map(|page| page.entries)),
    }
}

fn ask_ours(map: &dyn Map, op: &Op) -> Answer {
    let one = |r: Result<Vec<u8>, Errno>| (0, r.map(|v| vec![(vec![], v)]));
    match op {
        Op::Program(helper, key, value, flags) => (ours(map, *helper, key, value, *flags), Ok(vec![])),
        Op::UserLookup(key) => one(map.user_lookup(key, 0)),
        Op::UserUpdate(key, value, flags) => (0, map.user_update(key, value, *flags).map(|()| vec![])),
        Op::UserDelete(key) => (0, map.user_delete(key).map(|()| vec![])),
        Op::UserTake(key) => one(map.user_lookup_and_delete(key, 0)),
        Op::UserTakeBatch(count) => (0, map.user_lookup_batch(None, *count, 0, true).map(|batch| batch.entries)),
    }
}

fn all_keys(mut next: impl FnMut(Option<&[u8]>) -> Result<Vec<u8>, Errno>) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    while let Ok(key) = next(keys.last().map(Vec::as_slice)) {
        keys.push(key);
    }
    keys
}

fn flags() -> impl Strategy<Value = u64> {
    prop_oneof![8 => Just(BPF_ANY), 2 => Just(BPF_NOEXIST), 2 => Just(BPF_EXIST), 1 => 3u64..9, 1 => any::<u64>()]
}

/// Random operations; the longer the sequence, the more often an LRU map gives up elements.
fn ops<K: Strategy<Value = Vec<u8>> + Clone + 'static>(
    def: &MapDef,
    key: K,
    len: usize,
) -> impl Strategy<Value = Vec<Op>> + use<K> {
    let percpu = matches!(def.map_type, MapType::PercpuArray | MapType::PercpuHash | MapType::LruPercpuHash);
    let size = def.value_size as usize;
    let user_size = if percpu { size.next_multiple_of(8) * possible_cpus() } else { size };
    let value = prop::collection::vec(any::<u8>(), size).boxed();
    let user_value = prop::collection::vec(any::<u8>(), user_size).boxed();
    let keyless = def.key_size == 0;
    let bloom = def.map_type == MapType::BloomFilter;
    let helpers = match (keyless, percpu) {
        (true, _) if bloom => prop::sample::select(vec![Helper::Push, Helper::Peek]),
        (true, _) => prop::sample::select(vec![Helper::Push, Helper::Push, Helper::Pop, Helper::Peek]),
        (false, false) => prop::sample::select(vec![Helper::Lookup, Helper::Lookup, Helper::Update, Helper::Delete]),
        (false, true) => prop::sample::select(vec![Helper::Lookup, Helper::LookupPercpu, Helper::Update, Helper::Delete]),
    };
    let by_program = (helpers, key.clone(), value, flags(), 0u64..4)
        .prop_map(|(helper, k, v, f, cpu)| Op::Program(helper, k, v, if helper == Helper::LookupPercpu { cpu } else { f }));
    let by_user = prop_oneof![
        2 => key.clone().prop_map(Op::UserLookup),
        9 => (key.clone(), user_value, flags()).prop_map(|(k, v, f)| Op::UserUpdate(k, v, f)),
        1 => key.clone().prop_map(Op::UserDelete),
        1 => key.prop_map(Op::UserTake),
        1 => (1u32..4).prop_map(Op::UserTakeBatch),
    ];
    let op = if bloom { by_program.boxed() } else { prop_oneof![2 => by_program, 3 => by_user].boxed() };
    prop::collection::vec(op, 1..len)
}

fn compare<K: Strategy<Value = Vec<u8>> + Clone + 'static>(def: MapDef, key: K, cases: u32, len: usize) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() });
    let result = runner.run(&ops(&def, key, len), |ops| {
        let spec = MapSpec::new(def.map_type, def.key_size, def.value_size, def.max_entries).flags(def.flags);
        let kernel = spec.create().unwrap();
        let map = create(&Arc::new(def.clone()), &CreateOptions::new(possible_cpus() as u32)).unwrap();
        for (i, op) in ops.iter().enumerate() {
            let (theirs, ours) = (ask_kernel(&kernel, op), ask_ours(map.as_ref(), op));
            prop_assert_eq!(theirs, ours, "kernel left, ours right, at operation {}: {:?}", i, op);
            if def.key_size != 0 && i % 8 == 0 {
                let (theirs, ours) = (all_keys(|k| kernel.next_key(k)), all_keys(|k| map.next_key(k)));
                prop_assert_eq!(theirs, ours, "keys after operation {}: {:?}", i, op);
            }
        }
        Ok(())
    });
    if let Err(e) = result {
        panic!("{} flags {:#x}\n{e}", def.map_type.name(), def.flags);
    }
}

fn numbers(max: u32) -> impl Strategy<Value = Vec<u8>> + Clone {
    (0..max).prop_map(|i| i.to_le_bytes().to_vec())
}

#[test]
fn arrays() {
    if on_cpu_0("arrays") {
        for t in [MapType::Array, MapType::PercpuArray] {
            compare(def(t, 4, 8, 4, 0), numbers(6), 20, 40);
        }
    }
}

#[test]
fn hashes() {
    if on_cpu_0("hashes") {
        for t in [MapType::Hash, MapType::PercpuHash] {
            for flags in [0, BPF_F_NO_PREALLOC] {
                compare(def(t, 4, 8, 6, flags | BPF_F_ZERO_SEED), numbers(10), 20, 60);
            }
        }
    }
}

#[test]
fn lru_hashes_give_up_the_same_elements() {
    if on_cpu_0("lru_hashes_give_up_the_same_elements") {
        for t in [MapType::LruHash, MapType::LruPercpuHash] {
            for flags in [0, BPF_F_NO_COMMON_LRU] {
                for (entries, keys, len) in [(1, 4, 60), (5, 9, 150), (16, 40, 300), (300, 700, 1500)] {
                    compare(def(t, 4, 8, entries, flags | BPF_F_ZERO_SEED), numbers(keys), if len > 1000 { 4 } else { 12 }, len);
                }
            }
        }
    }
}

#[test]
fn tries() {
    if on_cpu_0("tries") {
        let key = (0u32..=17, prop::sample::select(vec![0u16, 1, 0x80, 0xff80, 0xc080, 0x8000])).prop_map(|(len, data)| {
            let mut key = len.to_le_bytes().to_vec();
            key.extend(data.to_le_bytes());
            key
        });
        let mut shape = def(MapType::LpmTrie, 6, 8, 6, BPF_F_NO_PREALLOC);
        shape.max_entries = 10;
        compare(shape, key, 20, 60);
    }
}

#[test]
fn queues_stacks_and_bloom_filters() {
    if on_cpu_0("queues_stacks_and_bloom_filters") {
        for t in [MapType::Queue, MapType::Stack] {
            compare(def(t, 0, 8, 3, 0), Just(vec![]), 20, 40);
        }
        let mut bloom = def(MapType::BloomFilter, 0, 8, 3, BPF_F_ZERO_SEED);
        bloom.value_size = 4;
        compare(bloom, Just(vec![]), 20, 40);
    }
}
