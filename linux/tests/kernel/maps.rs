//! The rows of map types, held against the kernel of this host.

use std::os::fd::{AsFd, AsRawFd};

use crate::ask::{EXIT, Kind, can_ask, insn, set};
use skep_kernel::{LogLevel, Map, MapSpec};
use skep_linux::maps::{DirectValue, Entries, MAPS, MapRow, Size};
use skep_linux::{AttachType, Errno, MapType, ProgType};

/// Sizes and numbers with which a map of the row can be made.
pub(crate) struct Shape {
    pub(crate) key: u32,
    pub(crate) value: u32,
    pub(crate) entries: u32,
    pub(crate) flags: u32,
}

fn smallest(size: Size) -> u32 {
    match size {
        Size::None => 0,
        Size::OneOf(sizes) => sizes[0],
        Size::Words(_) => 8,
        Size::Within { min, .. } => min,
    }
}

pub(crate) fn shape(row: &MapRow) -> Shape {
    let entries = match row.entries {
        Entries::Zero => 0,
        Entries::Some | Entries::AtMost(_) => 4,
        Entries::PowerOfTwoPages => 4096,
    };
    Shape { key: smallest(row.key), value: smallest(row.value), entries, flags: row.required_flags }
}

/// Rows whose maps can be made without BTF.
fn plain() -> impl Iterator<Item = &'static MapRow> {
    MAPS.iter().filter(|row| !row.needs_btf)
}

pub(crate) fn make(row: &MapRow, shape: &Shape) -> Result<Map, Errno> {
    let inner = MapSpec::new(MapType::Array, 4, 8, 1).create().expect("an array");
    let spec = MapSpec::new(row.map_type, shape.key, shape.value, shape.entries).flags(shape.flags);
    if row.needs_inner { MapSpec { inner: Some(&inner), ..spec }.create() } else { spec.create() }
}

#[test]
fn every_row_makes_a_map() {
    if !can_ask() {
        return;
    }
    assert!(plain().count() >= 28);
    for row in plain() {
        if let Err(errno) = make(row, &shape(row)) {
            panic!("{:?}: {errno}", row.map_type);
        }
    }
}

#[test]
fn sizes_that_keys_and_values_may_have() {
    if !can_ask() {
        return;
    }
    let sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 24, 255, 256, 260, 261, 512, 513, 1016, 1024, 1032, 32768, 32769, 65536];
    for row in plain() {
        for bytes in sizes {
            let key = make(row, &Shape { key: bytes, ..shape(row) }).map(|_| ());
            assert_eq!(row.key.check(bytes), key, "{:?} key of {bytes}", row.map_type);
            let value = make(row, &Shape { value: bytes, ..shape(row) }).map(|_| ());
            assert_eq!(row.value.check(bytes), value, "{:?} value of {bytes}", row.map_type);
        }
    }
}

#[test]
fn numbers_of_entries() {
    if !can_ask() {
        return;
    }
    // Small numbers only: the kernel allocates what it is asked for. An arena allocates no page before it is touched, so that its
    // limit may be asked.
    let few = [0, 1, 2, 3, 4, 100, 4095, 4096, 4097, 8192, 12288];
    for row in plain() {
        let limit = (row.map_type == MapType::Arena).then_some([1 << 20, (1 << 20) + 1]);
        for entries in few.into_iter().chain(limit.into_iter().flatten()) {
            let made = make(row, &Shape { entries, ..shape(row) }).map(|_| ());
            let expected = row.entries.check(entries, 4096);
            // What a kernel is built for bounds the CPUs of a map.
            let beyond_cpus = row.map_type == MapType::Cpumap && entries > 100;
            assert!(made == expected || beyond_cpus && made == Err(Errno::E2BIG), "{:?} {entries}: {made:?}", row.map_type);
        }
    }
}

#[test]
fn flags_that_creation_takes() {
    if !can_ask() {
        return;
    }
    let descriptors = skep_linux::flags::BPF_F_TOKEN_FD | skep_linux::flags::BPF_F_VTYPE_BTF_OBJ_FD;
    for row in plain() {
        for bit in (0..20).map(|shift| 1u32 << shift).filter(|bit| bit & descriptors == 0) {
            let base = shape(row);
            // Build ids take 32 bytes per frame.
            let value = if bit == skep_linux::flags::BPF_F_STACK_BUILD_ID && row.flags & bit != 0 { 32 } else { base.value };
            let made = make(row, &Shape { flags: base.flags ^ bit, value, ..base });
            let expected = row.flags & bit != 0 && row.required_flags & bit == 0;
            assert_eq!(made.is_ok(), expected, "{:?} flag {bit:#x}: {:?}", row.map_type, made.err());
        }
    }
}

fn absent(errno: Errno) -> bool {
    errno == Errno::ENOTSUPP || errno == Errno::EOPNOTSUPP
}

#[test]
fn operations_of_user_space() {
    if !can_ask() {
        return;
    }
    for row in plain() {
        let map = make(row, &shape(row)).expect("made before");
        let key = vec![0; map.key_len()];
        let value = vec![0; map.value_len()];
        let name = format!("{:?}", row.map_type);
        let there = |result: Result<(), Errno>| !result.err().is_some_and(absent);
        // A bloom filter and an arena look values up by other means than the key.
        let looked = map.peek(&key, &value, 0).map(|_| ());
        assert_eq!(row.user.lookup, there(looked), "{name} lookup {looked:?}");
        assert_eq!(row.user.update, there(map.update(&key, &value, 0)), "{name} update");
        assert_eq!(row.user.delete, there(map.delete(&key)), "{name} delete");
        assert_eq!(row.user.next_key, there(map.next_key(None).map(|_| ())), "{name} next key");
        assert_eq!(row.user.take, there(map.lookup_and_delete(&key, 0).map(|_| ())), "{name} lookup and delete");
        let batch = |delete| map.lookup_batch(None, 1, 0, delete).map(|_| ());
        assert_eq!(row.user.lookup_batch, there(batch(false)), "{name} lookup batch");
        assert_eq!(row.user.take_batch, there(batch(true)), "{name} lookup and delete batch");
        let updated = map.update_batch(&[(&key, &value)], 0).1;
        assert_eq!(row.user.update_batch, !updated.is_some_and(absent), "{name} update batch");
        let deleted = map.delete_batch(&[&key], 0).1;
        assert_eq!(row.user.delete_batch, !deleted.is_some_and(absent), "{name} delete batch");
    }
}

#[test]
fn maps_of_programs_that_sleep_and_direct_values() {
    if !can_ask() {
        return;
    }
    let attach = AttachType::CgroupInetIngress;
    let sleeping = Kind { prog: ProgType::Syscall, attach, flags: skep_linux::flags::BPF_F_SLEEPABLE, returns: 0 };
    let filter = Kind { prog: ProgType::SocketFilter, attach, flags: 0, returns: 0 };
    // Arenas must be mapped before programs may use them.
    for row in plain().filter(|row| row.map_type != MapType::Arena) {
        let map = make(row, &Shape { entries: if shape(row).entries == 4 { 1 } else { shape(row).entries }, ..shape(row) });
        let map = map.expect("made before");
        let wide = |pseudo| [insn(0x18, 1, pseudo, 0, map.as_fd().as_raw_fd()), insn(0, 0, 0, 0, 0), set(0, 0), EXIT];
        let used = sleeping.load(&wide(1), LogLevel::OnFailure);
        assert_eq!(row.in_sleepable, used.is_ok(), "{:?}: {used:?}", row.map_type);
        let direct = filter.load(&wide(2), LogLevel::OnFailure);
        assert_eq!(row.direct_value != DirectValue::None, direct.is_ok(), "{:?}: {direct:?}", row.map_type);
    }
}
