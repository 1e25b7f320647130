//! Frames.

use proptest::prelude::*;
use skep::ProgType;

use crate::script::{Arg, Script, cases, kernel, tcp4};
use Arg::{Ctx, Mem, Num};

const HEAD: u32 = 44;
const META: u32 = 54;
const TAIL: u32 = 65;
const LEN: u32 = 188;
const LOAD: u32 = 189;
const STORE: u32 = 190;
/// `BPF_F_XDP_HAS_FRAGS`.
const HAS_FRAGS: u32 = 1 << 5;

fn xdp(packet: &[u8]) -> Script {
    Script { flags: HAS_FRAGS, ..Script::new(ProgType::Xdp, packet) }
}

#[test]
fn ends_move() {
    if !kernel() {
        return;
    }
    let deltas = [
        0,
        1,
        4,
        -1,
        -4,
        14,
        46,
        47,
        59,
        60,
        -215,
        -216,
        -217,
        -256,
        -257,
        3400,
        3460,
        3461,
        3462,
        10_000,
        -45,
        -46,
        -47,
        -60,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        -1 << 32,
        1 << 32,
    ];
    for packet in [tcp4(6), vec![0; 14], vec![7; 3520]] {
        for id in [HEAD, META, TAIL] {
            for delta in deltas {
                for flags in [0, HAS_FRAGS] {
                    let script = Script { flags, ..Script::new(ProgType::Xdp, &packet) };
                    let script = script.call(id, &[Ctx, Num(delta as u64)]).snapshot().call(LEN, &[Ctx]);
                    script.call(TAIL, &[Ctx, Num(5)]).call(HEAD, &[Ctx, Num(-8_i64 as u64)]).snapshot().compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn metadata_moves_with_the_head() {
    if !kernel() {
        return;
    }
    for meta in [-4_i64, -8, -3, -252, -256, -216, -220, 4] {
        for head in [-4_i64, 4, 40, -100, -212, -200] {
            for context in [false, true] {
                let mut script = xdp(&tcp4(6));
                if context {
                    script = script.context(0, &8_u32.to_le_bytes()).context(4, &60_u32.to_le_bytes());
                }
                let script = script.call(META, &[Ctx, Num(meta as u64)]).snapshot().call(HEAD, &[Ctx, Num(head as u64)]);
                script.snapshot().call(META, &[Ctx, Num(4)]).snapshot().compare().unwrap();
            }
        }
    }
}

#[test]
fn bytes_inside_and_outside() {
    if !kernel() {
        return;
    }
    for packet in [tcp4(6), vec![7; 9000], vec![7; 3520], vec![8; 70_000]] {
        let len = packet.len() as u64;
        for offset in [0, 1, 50, 59, 60, 61, 3510, len - 5, len, len + 1, 0xfffe, 0xffff, 0x1_0000, 0xffff_ffff, 1 << 32] {
            for bytes in [1, 4, 20, 60] {
                let script = xdp(&packet).put(0, &[0xaa; 128]).call(LOAD, &[Ctx, Num(offset), Mem(512), Num(bytes)]);
                let script = script.call(STORE, &[Ctx, Num(offset), Mem(0), Num(bytes)]).call(LEN, &[Ctx]).snapshot();
                // More fragments than there may be are refused by both.
                let _left = script.compare();
            }
        }
    }
}

#[test]
fn fragments_shrink_and_grow() {
    if !kernel() {
        return;
    }
    for len in [3520, 3521, 5000, 3520 + 4096, 3520 + 4097, 20_000] {
        let packet = vec![7; len];
        for delta in [1_i64, 100, 4000, 4095, 4096, -1, -100, -1480, -1481, -4096, -4097, -(len as i64) + 14, -(len as i64) + 13]
        {
            let script = xdp(&packet).call(TAIL, &[Ctx, Num(delta as u64)]).snapshot().call(LEN, &[Ctx]);
            let script = script.call(TAIL, &[Ctx, Num(7)]).call(TAIL, &[Ctx, Num(-3_i64 as u64)]).snapshot().call(LEN, &[Ctx]);
            script.call(HEAD, &[Ctx, Num(20)]).snapshot().compare().unwrap();
        }
    }
}

fn change() -> impl Strategy<Value = (u32, Vec<Arg>)> {
    let moves = prop_oneof![-300..300_i64, -5000..5000_i64, (-60..60_i64).prop_map(|n| n * 4)];
    prop_oneof![
        (prop::sample::select(vec![HEAD, META, TAIL]), moves).prop_map(|(id, delta)| (id, vec![Ctx, Num(delta as u64)])),
        (0..9000_u64, 1..64_u64).prop_map(|(at, len)| (STORE, vec![Ctx, Num(at), Mem(0), Num(len)])),
        (0..9000_u64, 1..64_u64).prop_map(|(at, len)| (LOAD, vec![Ctx, Num(at), Mem(512), Num(len)])),
        Just((LEN, vec![Ctx])),
    ]
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn changes_one_after_the_other(
        len in prop_oneof![14..100_usize, 3000..9000_usize],
        linear in proptest::option::of(prop_oneof![0..100_u32, 14..3600_u32]),
        frags in prop_oneof![3 => Just(HAS_FRAGS), 1 => Just(0)],
        meta in 0..20_u32,
        calls in proptest::collection::vec(change(), 1..8),
    ) {
        if kernel() {
            let packet: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut script = Script { flags: frags, ..xdp(&packet) }.put(0, &[0xaa; 256]);
            if let Some(linear) = linear {
                script = script.context(0, &(meta * 4).to_le_bytes()).context(4, &linear.to_le_bytes());
            }
            for (id, args) in calls {
                script = script.call(id, &args).snapshot();
            }
            let _refused_by_both = script.compare();
        }
    }
}
