//! Ring buffers and call stacks: what programs of this host's kernel put into its maps, and the same put into ours.

mod common;

use std::sync::Arc;

use common::def;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, MapSpec, RingReader, TestRun};
use skep_linux::{MapType, ProgType};
use skep_maps::{CreateOptions, RingBuf, StackTrace, create};

/// What a program returns that got no room.
const NO_ROOM: u32 = 1;

const RESERVE: i32 = 131;
const SUBMIT: i32 = 132;
const DISCARD: i32 = 133;
const QUERY: i32 = 134;
const GET_STACKID: i32 = 27;

fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    /// Reserves so many bytes, writes a number into the first ones, and submits or discards them.
    Record {
        size: u32,
        number: i32,
        keep: bool,
        flags: i32,
    },
    Query(i32),
    Drain,
}

fn wide(reg: u8, pseudo: u8, number: i32) -> [RawInsn; 2] {
    [RawInsn::new(0x18, reg, pseudo, 0, number), RawInsn::new(0, 0, 0, 0, 0)]
}

fn set(reg: u8, number: i32) -> RawInsn {
    RawInsn::new(0xb7, reg, 0, 0, number)
}

fn call(helper: i32) -> RawInsn {
    RawInsn::new(0x85, 0, 0, 0, helper)
}

const EXIT: RawInsn = RawInsn::new(0x95, 0, 0, 0, 0);

fn program(op: Op) -> Vec<RawInsn> {
    let mut insns = wide(1, 5, 0).to_vec();
    match op {
        Op::Record { size, number, keep, flags } => insns.extend([
            set(2, size as i32),
            set(3, 0),
            call(RESERVE),
            RawInsn::new(0x55, 0, 0, 2, 0), // if r0 != 0
            set(0, NO_ROOM as i32),
            EXIT,
            RawInsn::new(0x7a, 0, 0, 0, number), // *(u64 *)(r0 + 0) = number
            RawInsn::new(0xbf, 1, 0, 0, 0),
            set(2, flags),
            call(if keep { SUBMIT } else { DISCARD }),
            set(0, 0),
            EXIT,
        ]),
        Op::Query(what) => insns.extend([set(2, what), call(QUERY), EXIT]),
        Op::Drain => unreachable!("user space drains"),
    }
    insns
}

fn run(map: &skep_kernel::Map, prog_type: ProgType, insns: &[RawInsn]) -> u32 {
    let maps = [map];
    let prog = Load { maps: &maps, ..Load::raw(prog_type, insns) }.load().unwrap();
    let data = if prog_type == ProgType::Xdp { vec![0; 64] } else { Vec::new() };
    prog.test_run(&TestRun { data, ..TestRun::default() }).unwrap().retval
}

/// What an operation gave: a number, or the records that were drained, by length and first bytes.
type Answer = (u32, Vec<(usize, Vec<u8>)>);

fn drained(records: Vec<Vec<u8>>) -> Answer {
    (0, records.into_iter().map(|record| (record.len(), record[..8].to_vec())).collect())
}

fn on_kernel(map: &skep_kernel::Map, reader: &mut RingReader, op: Op) -> Answer {
    match op {
        Op::Drain => drained(reader.drain()),
        Op::Record { .. } | Op::Query(_) => (run(map, ProgType::Xdp, &program(op)), Vec::new()),
    }
}

fn on_ours(ring: &RingBuf, op: Op) -> Answer {
    let number = match op {
        Op::Drain => return drained(ring.drain()),
        Op::Query(what) => ring.query(what as u64) as u32,
        Op::Record { size, number, keep, .. } => match ring.reserve(size.into(), 0) {
            None => NO_ROOM,
            Some(slot) => {
                slot.block.store(slot.offset, 8, i64::from(number) as u64);
                if keep { ring.submit(slot.addr()) } else { ring.discard(slot.addr()) }.unwrap();
                0
            }
        },
    };
    (number, Vec::new())
}

#[test]
fn positions_and_records_are_the_kernels() {
    if !kernel() {
        return;
    }
    let sizes =
        prop_oneof![3 => 8u32..64, 3 => 8u32..2000, 1 => prop::sample::select(vec![4072u32, 4080, 4081, 4088, 4096, 8176, 8192])];
    let op = prop_oneof![
        8 => (sizes, any::<i32>(), prop::bool::weighted(0.8), 0i32..3)
            .prop_map(|(size, number, keep, flags)| Op::Record { size, number, keep, flags }),
        4 => (0i32..6).prop_map(Op::Query),
        2 => Just(Op::Drain),
    ];
    for bytes in [4096, 8192] {
        let mut runner = TestRunner::new(Config { cases: 25, failure_persistence: None, ..Config::default() });
        let shape = def(MapType::Ringbuf, 0, 0, bytes, 0);
        let result = runner.run(&prop::collection::vec(op.clone(), 1..40), |ops| {
            let map = MapSpec::new(MapType::Ringbuf, 0, 0, bytes).create().unwrap();
            let mut reader = RingReader::new(&map).unwrap();
            let ours = create(&Arc::new(shape.clone()), &CreateOptions::new(1)).unwrap();
            let ring = ours.as_any().downcast_ref::<RingBuf>().unwrap();
            for (i, op) in ops.iter().enumerate() {
                let (theirs, ours) = (on_kernel(&map, &mut reader, *op), on_ours(ring, *op));
                prop_assert_eq!(theirs, ours, "kernel left, ours right, at operation {}: {:?}", i, op);
            }
            prop_assert_eq!(on_kernel(&map, &mut reader, Op::Drain), on_ours(ring, Op::Drain));
            Ok::<(), TestCaseError>(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    }
}

#[test]
fn stacks_have_the_kernels_ids() {
    if !kernel() {
        return;
    }
    let (entries, value_size) = (64, 8 * 32);
    let map = MapSpec::new(MapType::StackTrace, 4, value_size, entries).create().unwrap();
    let ours = create(&Arc::new(def(MapType::StackTrace, 4, value_size, entries, 0)), &CreateOptions::new(1)).unwrap();
    let stacks = ours.as_any().downcast_ref::<StackTrace>().unwrap();
    let mut ids = Vec::new();
    for skip in 0..6 {
        let mut insns = wide(2, 5, 0).to_vec();
        insns.extend([set(3, skip), call(GET_STACKID), EXIT]);
        let id = run(&map, ProgType::RawTracepoint, &insns);
        assert!(id < entries, "no stack: {}", id as i32);
        let value = map.lookup(&id.to_le_bytes(), 0).unwrap();
        let frames: Vec<u64> =
            value.as_chunks::<8>().0.iter().map(|frame| u64::from_le_bytes(*frame)).filter(|f| *f != 0).collect();
        // The same stack, with frames to pass over before it.
        let whole: Vec<u64> = (0..skip as u64).map(|n| 0x1000 + n).chain(frames).collect();
        assert_eq!(stacks.record(&whole, skip as u64), Ok(id), "skip {skip}");
        assert_eq!(ours.user_lookup(&id.to_le_bytes(), 0).unwrap(), value);
        ids.push(id);
    }
    let mut last = None;
    for _ in 0..=ids.len() {
        let next = map.next_key(last.as_deref());
        assert_eq!(next, ours.next_key(last.as_deref()), "after {last:?}");
        last = next.ok();
    }
    for id in ids.iter().chain(&[entries, u32::MAX]) {
        assert_eq!(map.delete(&id.to_le_bytes()), ours.user_delete(&id.to_le_bytes()), "id {id}");
        assert_eq!(map.lookup(&id.to_le_bytes(), 0), ours.user_lookup(&id.to_le_bytes(), 0), "id {id}");
    }
}
