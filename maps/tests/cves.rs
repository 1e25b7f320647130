//! Bugs of Linux's maps that were given a CVE number, and that maps here could repeat. docs/cves.md lists them.

mod common;

use std::sync::Arc;

use common::{def, map, try_map};
use skep_kernel::{Kernel, MapSpec};
use skep_linux::{Errno, MapType};
use skep_maps::flags::*;
use skep_maps::{Caller, Map};
use skep_program::{SpecialField, SpecialKind};

const CPU0: Caller = Caller { cpu: 0 };

/// What the kernel of this host says of such a map, if it can be asked.
fn theirs(map_type: MapType, key: u32, value: u32, entries: u32) -> Option<Result<(), Errno>> {
    match Kernel::available() {
        Ok(()) => Some(MapSpec::new(map_type, key, value, entries).create().map(drop)),
        Err(why) => {
            println!("skipped: needs {why}");
            None
        }
    }
}

/// The place of an element was reckoned in 32 bits: far ones lay on near ones.
#[test]
fn cve_2022_50167_elements_beyond_2_gib() {
    const MIB: usize = 1 << 20;
    let m = map(MapType::Array, 4, MIB as u32, 4000, 0);
    let at = |index: u32| m.lookup(CPU0, &index.to_le_bytes()).unwrap().unwrap().slot().unwrap();
    assert_eq!(at(3999).addr() - at(0).addr(), 3999 * MIB as u64);
    let mut value = vec![0; MIB];
    value[0] = 7;
    m.update(CPU0, &3999u32.to_le_bytes(), &value, BPF_ANY).unwrap();
    assert_eq!((at(3999).bytes()[0], at(0).bytes()[0], at(1951).bytes()[0]), (7, 0, 0));
}

/// The number of buckets is the next power of two, which ran over.
#[test]
fn cve_2024_26883_buckets_run_over() {
    for entries in [(1 << 31) + 1, u32::MAX] {
        let ours = try_map(def(MapType::StackTrace, 4, 8, entries, 0)).map(drop).map_err(|error| error.errno());
        assert_eq!(ours, Err(Errno::E2BIG));
        assert_eq!(theirs(MapType::StackTrace, 4, 8, entries).unwrap_or(ours), ours);
    }
}

/// Values of a filter may be as large as the kernel allocates at once, and no larger.
#[test]
fn cve_2024_36918_values_of_a_filter() {
    for value in [(4 << 20) + 1, u32::MAX] {
        let ours = try_map(def(MapType::BloomFilter, 0, value, 1, 0)).map(drop).map_err(|error| error.errno());
        assert_eq!(ours, Err(Errno::E2BIG));
        assert_eq!(theirs(MapType::BloomFilter, 0, value, 1).unwrap_or(ours), ours);
    }
}

/// A way through a tree that is as deep as the key is long, and one: the list of what is still to visit was one too short.
#[test]
fn cve_2024_50262_a_tree_as_deep_as_its_keys() {
    const BITS: u32 = 32;
    let m = map(MapType::LpmTrie, 8, 1, 64, BPF_F_NO_PREALLOC);
    let key = |len: u32| [len.to_le_bytes(), [0; 4]].concat();
    for len in 0..=BITS {
        m.update(CPU0, &key(len), &[len as u8], BPF_ANY).unwrap();
    }
    let mut keys: Vec<Vec<u8>> = Vec::new();
    while let Ok(next) = m.next_key(keys.last().map(Vec::as_slice)) {
        keys.push(next);
        assert!(keys.len() <= BITS as usize + 1);
    }
    // Longer prefixes come before those that hold them.
    assert_eq!(keys, (0..=BITS).rev().map(key).collect::<Vec<_>>());
}

/// An element that is used again kept what the one before it had in its special fields.
#[test]
fn cve_2026_74314_special_fields_of_used_elements() {
    let typed =
        skep_program::MapDef { special: vec![SpecialField::plain(SpecialKind::Timer, 0)], ..def(MapType::Hash, 4, 24, 1, 0) };
    let m: Arc<dyn Map> = try_map(typed).unwrap();
    m.update(CPU0, b"aaaa", &[1; 24], BPF_ANY).unwrap();
    let slot = m.lookup(CPU0, b"aaaa").unwrap().unwrap().slot().unwrap();
    assert_eq!(slot.bytes()[..16], [0; 16], "user space writes no timers");
    assert_eq!(slot.bytes()[16..], [1; 8]);
    slot.block.write(slot.offset, &[9; 16]);
    m.delete(CPU0, b"aaaa").unwrap();
    m.update(CPU0, b"bbbb", &[2; 24], BPF_ANY).unwrap();
    let again = m.lookup(CPU0, b"bbbb").unwrap().unwrap().slot().unwrap();
    assert_eq!((&again.bytes()[..16], &again.bytes()[16..]), (&[0; 16][..], &[2; 8][..]));
}
