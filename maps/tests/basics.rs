//! What each type does, told by the kernel's rules. `kernel.rs` holds the same types against the kernel itself.

mod common;

use std::sync::Arc;

use common::map;
use skep_linux::{Errno, MapType};
use skep_maps::flags::*;
use skep_maps::*;
use skep_program::{SpecialField, SpecialKind};

const CPU0: Caller = Caller { cpu: 0 };
const CPU1: Caller = Caller { cpu: 1 };

#[test]
fn an_array_has_all_its_elements() {
    let m = map(MapType::Array, 4, 4, 2, 0);
    m.update(CPU0, &[1, 0, 0, 0], &[7, 0, 0, 0], BPF_ANY).unwrap();
    assert_eq!(m.user_lookup(&[1, 0, 0, 0], 0).unwrap(), [7, 0, 0, 0]);
    assert_eq!(m.user_lookup(&[2, 0, 0, 0], 0), Err(Errno::ENOENT));
    assert_eq!(m.update(CPU0, &[2, 0, 0, 0], &[0; 4], 0), Err(Errno::E2BIG));
    assert_eq!(m.update(CPU0, &[1, 0, 0, 0], &[0; 4], BPF_NOEXIST), Err(Errno::EEXIST));
    assert_eq!(m.delete(CPU0, &[1, 0, 0, 0]), Err(Errno::EINVAL));
}

#[test]
fn percpu_values_are_apart() {
    for t in [MapType::PercpuArray, MapType::PercpuHash] {
        let m = map(t, 4, 4, 2, 0);
        m.update(CPU1, &[1, 0, 0, 0], &[7, 0, 0, 0], BPF_ANY).unwrap();
        let all = m.user_lookup(&[1, 0, 0, 0], 0).unwrap();
        assert_eq!(all, [0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        let one = m.lookup(CPU1, &[1, 0, 0, 0]).unwrap().unwrap().slot().unwrap();
        assert_eq!(one.bytes(), [7, 0, 0, 0]);
        assert_eq!(m.lookup_percpu(1, &[1, 0, 0, 0]).unwrap().unwrap().slot().unwrap().addr(), one.addr());
        assert!(m.lookup_percpu(2, &[1, 0, 0, 0]).unwrap().is_none());
    }
}

#[test]
fn a_hash_map_replaces_its_elements_and_keeps_the_old_memory() {
    let m = map(MapType::Hash, 4, 8, 1, 0);
    m.update(CPU0, b"aaaa", &[1; 8], BPF_ANY).unwrap();
    let old = m.lookup(CPU0, b"aaaa").unwrap().unwrap().slot().unwrap();
    m.update(CPU0, b"aaaa", &[2; 8], BPF_EXIST).unwrap();
    assert_eq!(old.bytes(), [1; 8], "a program that holds the old value still sees it");
    assert_eq!(m.user_lookup(b"aaaa", 0).unwrap(), [2; 8]);
    assert_eq!(m.update(CPU0, b"bbbb", &[1; 8], BPF_ANY), Err(Errno::E2BIG));
    m.delete(CPU0, b"aaaa").unwrap();
    m.update(CPU0, b"bbbb", &[1; 8], BPF_NOEXIST).unwrap();
    assert_eq!(m.next_key(Some(b"gone")).unwrap(), b"bbbb");
}

#[test]
fn a_ring_drops_when_it_is_full() {
    let m = map(MapType::Ringbuf, 0, 0, 4096, 0);
    let ring = m.as_any().downcast_ref::<RingBuf>().unwrap();
    assert_eq!(ring.output(&[1; 4088], 0), Err(Errno::EAGAIN), "the ring never fills to the last byte");
    ring.output(&[1; 4080], 0).unwrap();
    assert!(ring.reserve(0, 0).is_none());
    assert_eq!(ring.drain(), [vec![1; 4080]]);
    let open = ring.reserve(24, 0).unwrap();
    open.block.write(open.offset, &[9; 24]);
    ring.output(b"after", 0).unwrap();
    assert!(ring.drain().is_empty(), "an open record holds back what follows");
    ring.submit(open.addr()).unwrap();
    assert_eq!(ring.drain(), [vec![9; 24], b"after".to_vec()]);
    assert_eq!(ring.submit(open.addr()), Err(Errno::EINVAL));
}

#[test]
fn a_perf_event_must_be_on_the_callers_cpu() {
    let m = map(MapType::PerfEventArray, 4, 4, 2, 0);
    let perf = m.as_any().downcast_ref::<PerfEventArray>().unwrap();
    assert_eq!(perf.output(CPU0, BPF_F_CURRENT_CPU), Err(Errno::ENOENT));
    perf.open_all();
    assert_eq!(perf.output(CPU1, BPF_F_CURRENT_CPU), Ok(1));
    assert_eq!(perf.output(CPU1, 0), Err(Errno::EOPNOTSUPP));
    assert_eq!(perf.output(CPU1, 2), Err(Errno::E2BIG));
}

#[test]
fn a_prog_array_answers_what_it_was_given() {
    let m = map(MapType::ProgArray, 4, 4, 2, 0);
    let progs = m.as_any().downcast_ref::<ProgArray>().unwrap();
    assert_eq!(m.user_lookup(&[0; 4], 0), Err(Errno::ENOENT));
    m.user_update(&[0; 4], &0u32.to_le_bytes(), 0).unwrap();
    assert_eq!(progs.get(0), Some(0));
    assert_eq!((progs.get(1), progs.get(2)), (None, None));
    assert_eq!(m.user_delete(&[1, 0, 0, 0]), Err(Errno::ENOENT));
    assert_eq!(m.user_update(&[0; 4], &[0; 4], BPF_EXIST), Err(Errno::EINVAL));
}

#[test]
fn a_lock_that_stays_taken_is_not_waited_for_forever() {
    for t in [MapType::Array, MapType::Hash] {
        let mut locked = common::def(t, 4, 8, 1, 0);
        locked.special = vec![SpecialField::plain(SpecialKind::SpinLock, 0)];
        let m = create(&Arc::new(locked), &CreateOptions::new(2)).unwrap();
        let (key, value) = ([0; 4], [0, 0, 0, 0, 7, 7, 7, 7]);
        m.update(CPU0, &key, &value, BPF_ANY).unwrap();
        m.update(CPU0, &key, &value, BPF_F_LOCK).unwrap();
        let slot = m.lookup(CPU0, &key).unwrap().unwrap().slot().unwrap();
        slot.block.store(slot.offset, 4, 1);
        assert_eq!(m.update(CPU0, &key, &value, BPF_F_LOCK), Err(Errno::EBUSY));
        assert_eq!(m.user_lookup(&key, BPF_F_LOCK), Err(Errno::EBUSY));
        assert_eq!(m.user_lookup(&key, 0).unwrap(), value);
        slot.block.store(slot.offset, 4, 0);
        assert_eq!(m.user_lookup(&key, BPF_F_LOCK).unwrap(), value);
    }
}
