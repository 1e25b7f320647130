//! What kept states contain, and what escapes from them.

use skep_btf::TypeId;

use super::*;
use crate::domain::{Range, Scalar64, Tnum};
use crate::state::{ADD_CONST_LOW, ADD_CONST_WHOLE, Byte, Flags, Kind, MapRef, NO_CALLSITE, Ref, RefKind, TypesOf};

const FP: u64 = 0x10_0000;
const CONTEXT: u64 = 0x20_0000;
const PACKET: u64 = 0x30_0000;
const VALUES: u64 = 0x40_0000;

/// One frame, a packet of 64 bytes, a map with ten values of 8 bytes, 16 bytes apart.
struct Fake {
    regs: [u64; 11],
    stack: [u8; 512],
    held: Held,
}

impl Run for Fake {
    fn frames(&self) -> usize {
        1
    }

    fn registers(&self, _: usize) -> [u64; 11] {
        self.regs
    }

    fn stack(&self, _: usize) -> [u8; 512] {
        self.stack
    }

    fn context(&self) -> u64 {
        CONTEXT
    }

    fn packet(&self) -> Option<PacketPlace> {
        Some(PacketPlace { meta: PACKET - 8, data: PACKET, end: PACKET + 64 })
    }

    fn values(&self, map: MapRef, low: u64, high: u64) -> Option<Vec<u64>> {
        (map.0 == 0).then(|| (0..10).map(|at| VALUES + at * 16).filter(|at| (low..=high).contains(at)).collect())
    }

    fn is_map(&self, map: MapRef, addr: u64) -> Option<bool> {
        (map.0 == 0).then_some(addr == 1)
    }

    fn is_object(&self, _: TypesOf, id: TypeId, addr: u64) -> Option<bool> {
        Some(u64::from(id.0) == addr)
    }

    fn is_function(&self, subprog: u32, addr: u64) -> bool {
        u64::from(subprog) == addr
    }

    fn piece(&self, addr: u64) -> Option<(u64, u64)> {
        (PACKET..PACKET + 64).contains(&addr).then_some((PACKET, PACKET + 64))
    }

    fn held(&self) -> Held {
        self.held
    }
}

fn fake() -> Fake {
    let mut regs = [0; 11];
    regs[10] = FP;
    Fake { regs, stack: [0; 512], held: Held::default() }
}

fn state() -> KeptState {
    let mut regs = [Reg::NOT_INIT; 11];
    regs[10] = Reg::pointer(Kind::Stack { frame: 0 });
    let frame = KeptFrame { regs, slots: [].into(), callsite: NO_CALLSITE, subprog: 0, in_callback: false };
    KeptState { pc: 0, frames: vec![frame], refs: Refs::default(), speculative: false }
}

/// Whether the registers, from `r1` on, lie in what is said of them.
fn inside(pairs: &[(Reg, u64)]) -> bool {
    let (mut state, mut fake) = (state(), fake());
    for (at, (reg, value)) in pairs.iter().enumerate() {
        state.frames[0].regs[at + 1] = *reg;
        fake.regs[at + 1] = *value;
    }
    state.contains(&fake, &mut Tally::default()).is_ok()
}

fn precise(num: Scalar64) -> Reg {
    Reg { num, precise: true, ..Reg::UNKNOWN }
}

fn between(umin: u64, umax: u64) -> Scalar64 {
    Scalar64 { wide: Range::of_unsigned(umin, umax), ..Scalar64::UNKNOWN }
}

fn pointer(kind: Kind, off: i32, num: Scalar64) -> Reg {
    Reg { off, num, ..Reg::pointer(kind) }
}

#[test]
fn a_bound_that_is_one_too_narrow_is_found() {
    for value in 10..=20_u64 {
        assert!(inside(&[(precise(between(10, 20)), value)]));
    }
    let full = Scalar64::UNKNOWN;
    let narrowed = [
        Scalar64 { wide: Range { umin: 8, ..Range::FULL }, ..full },
        Scalar64 { wide: Range { umax: 6, ..Range::FULL }, ..full },
        Scalar64 { wide: Range { smin: 8, ..Range::FULL }, ..full },
        Scalar64 { wide: Range { smax: 6, ..Range::FULL }, ..full },
        Scalar64 { low: Range { umin: 8, ..Range::FULL }, ..full },
        Scalar64 { low: Range { umax: 6, ..Range::FULL }, ..full },
        Scalar64 { low: Range { smin: 8, ..Range::FULL }, ..full },
        Scalar64 { low: Range { smax: 6, ..Range::FULL }, ..full },
        Scalar64 { bits: Tnum::new(5, 8), ..full },
    ];
    assert!(inside(&[(precise(full), 7)]));
    for num in narrowed {
        assert!(!inside(&[(precise(num), 7)]), "{num:?}");
        // Nothing relied on it.
        assert!(inside(&[(Reg { precise: false, ..precise(num) }, 7)]), "{num:?}");
    }
}

#[test]
fn a_pointer_is_where_its_offsets_say() {
    let map = Kind::MapValue { map: MapRef(0), uid: 0 };
    assert!(inside(&[(pointer(map, 4, Scalar64::exact(0)), VALUES + 32 + 4)]));
    assert!(!inside(&[(pointer(map, 4, Scalar64::exact(0)), VALUES + 32 + 5)]));
    assert!(inside(&[(pointer(map, 0, between(0, 3)), VALUES + 3)]));
    assert!(!inside(&[(pointer(map, 0, between(0, 2)), VALUES + 3)]));
    assert!(!inside(&[(pointer(map, 0, Scalar64::exact(0)), 0)]));
    let or_null = pointer(map, 0, Scalar64::exact(0)).flagged(Flags::MAYBE_NULL);
    assert!(inside(&[(or_null, 0)]) && inside(&[(or_null, VALUES)]) && !inside(&[(or_null, VALUES + 1)]));
    let stack = pointer(Kind::Stack { frame: 0 }, -16, between(0, 8));
    assert!(inside(&[(stack, FP - 8)]) && !inside(&[(stack, FP - 7)]) && !inside(&[(stack, FP - 17)]));
    assert!(!inside(&[(pointer(Kind::Stack { frame: 1 }, 0, Scalar64::exact(0)), FP)]));
    let context = pointer(Kind::Ctx, 8, Scalar64::exact(0));
    assert!(inside(&[(context, CONTEXT + 8)]) && !inside(&[(context, CONTEXT)]));
    let named = Reg::pointer(Kind::MapPtr { map: MapRef(0), uid: 0 });
    assert!(inside(&[(named, 1)]) && !inside(&[(named, 2)]));
    let function = Reg::pointer(Kind::Func { subprog: 3 });
    assert!(inside(&[(function, 3)]) && !inside(&[(function, 4)]));
    let object = Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: TypeId(9) }).flagged(Flags::TRUSTED);
    assert!(inside(&[(object, 9)]) && !inside(&[(object, 8)]) && !inside(&[(object, 0)]));
}

#[test]
fn memory_has_all_its_bytes() {
    let mem = |size| Kind::Mem { size, dynptr: 0 };
    assert!(inside(&[(pointer(mem(64), 0, Scalar64::exact(0)), PACKET)]));
    assert!(!inside(&[(pointer(mem(65), 0, Scalar64::exact(0)), PACKET)]));
    assert!(!inside(&[(pointer(mem(64), 0, Scalar64::exact(0)), PACKET + 1)]));
    assert!(inside(&[(pointer(mem(60), 0, between(0, 9)), PACKET + 9)]));
    assert!(!inside(&[(pointer(mem(60), 0, between(0, 9)), PACKET + 14)]));
}

#[test]
fn the_range_of_a_packet_pointer_is_there() {
    let at = |off, range| pointer(Kind::Packet { range }, off, Scalar64::exact(0));
    assert!(inside(&[(at(14, 64), PACKET + 14)]));
    assert!(!inside(&[(at(14, 65), PACKET + 14)]));
    assert!(!inside(&[(at(14, 0), PACKET + 15)]));
    assert!(inside(&[(at(64, -1), PACKET + 64)]) && !inside(&[(at(64, -2), PACKET + 64)]));
    assert!(inside(&[(at(65, -2), PACKET + 65)]) && !inside(&[(at(63, -1), PACKET + 63)]));
    let meta = pointer(Kind::PacketMeta { range: 8 }, 0, Scalar64::exact(0));
    assert!(inside(&[(meta, PACKET - 8)]) && !inside(&[(meta, PACKET)]));
    let linked = |off| Reg { id: 3, num: between(0, 40), ..at(off, 4) };
    assert!(inside(&[(linked(0), PACKET + 20), (linked(8), PACKET + 28)]));
    assert!(!inside(&[(linked(0), PACKET + 20), (linked(8), PACKET + 29)]));
}

#[test]
fn numbers_of_one_id_are_one() {
    let linked = |id, off| Reg { id, off, ..precise(Scalar64::UNKNOWN) };
    assert!(inside(&[(linked(1, 0), 7), (linked(1, 0), 7)]) && !inside(&[(linked(1, 0), 7), (linked(1, 0), 8)]));
    let five = linked(1 | ADD_CONST_WHOLE, 5);
    assert!(inside(&[(linked(1, 0), 7), (five, 12)]) && !inside(&[(linked(1, 0), 7), (five, 11)]));
    let low = linked(1 | ADD_CONST_LOW, 5);
    assert!(inside(&[(linked(1, 0), 0x1_ffff_ffff), (low, 4)]));
    assert!(!inside(&[(linked(1, 0), 0x1_ffff_ffff), (low, 5)]));
    // Nothing relied on the second.
    assert!(inside(&[(linked(1, 0), 7), (Reg { precise: false, ..linked(1, 0) }, 8)]));
}

#[test]
fn slots_hold_what_was_spilled() {
    let check = |slot: Slot, bytes: [u8; 8]| {
        let (mut state, mut fake) = (state(), fake());
        state.frames[0].slots = [Slot::EMPTY, slot].into();
        fake.stack[512 - 16..512 - 8].copy_from_slice(&bytes);
        state.contains(&fake, &mut Tally::default()).is_ok()
    };
    let whole = Slot { bytes: [Byte::Spill; 8], reg: precise(Scalar64::exact(0x1_0000_0002)) };
    assert!(check(whole, [2, 0, 0, 0, 1, 0, 0, 0]) && !check(whole, [2, 0, 0, 0, 0, 0, 0, 0]));
    let mut half = Slot { bytes: [Byte::Spill; 8], reg: precise(Scalar64::exact(2)) };
    half.bytes[..4].fill(Byte::Misc);
    assert!(check(half, [2, 0, 0, 0, 9, 9, 9, 9]) && !check(half, [3, 0, 0, 0, 9, 9, 9, 9]));
    // The highest byte comes first.
    let mut zero = Slot { bytes: [Byte::Misc; 8], reg: Reg::NOT_INIT };
    zero.bytes[0] = Byte::Zero;
    assert!(check(zero, [1, 1, 1, 1, 1, 1, 1, 0]) && !check(zero, [0, 1, 1, 1, 1, 1, 1, 1]));
}

#[test]
fn what_is_held_is_counted() {
    let (mut state, mut fake) = (state(), fake());
    state.refs.held.push(Ref { kind: RefKind::Pointer, id: 4, pc: 0 });
    // It came with a pointer that may be NULL, and is; then it is not.
    let map = Kind::MapValue { map: MapRef(0), uid: 0 };
    state.frames[0].regs[1] = Reg { id: 4, ref_id: 4, ..Reg::pointer(map).flagged(Flags::MAYBE_NULL) };
    assert!(state.contains(&fake, &mut Tally::default()).is_ok());
    (fake.regs[1], fake.held.references) = (VALUES, 1);
    assert!(state.contains(&fake, &mut Tally::default()).is_ok());
    fake.held.references = 2;
    assert!(state.contains(&fake, &mut Tally::default()).is_err());
}

#[test]
fn what_was_judged_is_counted() {
    let (mut state, fake) = (state(), fake());
    state.frames[0].regs[2] = Reg::UNKNOWN;
    state.frames[0].regs[3] = Reg { num: Scalar64::UNKNOWN, ..Reg::pointer(Kind::Arena) };
    let mut tally = Tally::default();
    state.contains(&fake, &mut tally).unwrap();
    assert_eq!((tally.states, tally.judged, tally.free, tally.dead), (1, 1, 1, 8));
    assert_eq!(tally.open.into_iter().collect::<Vec<_>>(), [("a pointer into the arena", 1)]);
}
