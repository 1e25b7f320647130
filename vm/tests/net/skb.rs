//! Socket buffers.

use proptest::prelude::*;
use skep::ProgType;

use crate::script::{Arg, Script, cases, kernel, tagged, tcp4, udp6};
use Arg::{Ctx, Mem, Num};

const STORE: u32 = 9;
const VLAN_PUSH: u32 = 18;
const VLAN_POP: u32 = 19;
const REALM: u32 = 24;
const LOAD: u32 = 26;
const PROTO: u32 = 31;
const TYPE: u32 = 32;
const TAIL: u32 = 38;
const PULL: u32 = 39;
const HASH_INVALID: u32 = 41;
const HEAD: u32 = 43;
const SET_HASH: u32 = 48;
const ROOM: u32 = 50;
const RELATIVE: u32 = 68;
const ECN: u32 = 97;
const TSTAMP: u32 = 192;

fn tc(packet: &[u8]) -> Script {
    Script::new(ProgType::SchedCls, packet)
}

/// Program types with a packet that the kernel runs on request.
const WITH_PACKET: [ProgType; 6] =
    [ProgType::SchedCls, ProgType::SchedAct, ProgType::SocketFilter, ProgType::CgroupSkb, ProgType::LwtXmit, ProgType::LwtIn];

/// Numbers around the ends of a packet of `len` bytes, and beyond everything.
fn around(len: usize) -> Vec<u64> {
    let len = len as u64;
    let mut all =
        vec![0, 1, 13, 14, 15, 16, len.saturating_sub(15), len.saturating_sub(14), len.saturating_sub(13), len - 1, len];
    all.extend([len + 1, 0xfffe, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX]);
    all
}

#[test]
fn loads_inside_and_outside() {
    if !kernel() {
        return;
    }
    let packet = tcp4(6);
    for prog_type in WITH_PACKET {
        for offset in around(packet.len()) {
            for len in [1, 4, 46, 60, 61, 200] {
                let script = Script::new(prog_type, &packet).put(0, &[0xaa; 256]);
                script.call(LOAD, &[Ctx, Num(offset), Mem(0), Num(len)]).compare().unwrap();
            }
        }
    }
}

#[test]
fn loads_from_a_header() {
    if !kernel() {
        return;
    }
    let packet = tcp4(6);
    for prog_type in [ProgType::SchedCls, ProgType::SocketFilter, ProgType::CgroupSkb] {
        for offset in around(packet.len()) {
            for start in [0, 1, 2, 0xffff_ffff, 1 << 32] {
                for len in [1, 46, 60] {
                    let script = Script::new(prog_type, &packet).put(0, &[0xaa; 256]);
                    script.call(RELATIVE, &[Ctx, Num(offset), Mem(0), Num(len), Num(start)]).compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn stores_inside_and_outside() {
    if !kernel() {
        return;
    }
    let packet = tcp4(6);
    for prog_type in [ProgType::SchedCls, ProgType::LwtXmit] {
        for offset in around(packet.len()) {
            for (len, flags) in [(1, 0), (4, 1), (46, 2), (60, 3), (61, 0), (4, 4), (4, 1 << 32)] {
                let script = Script::new(prog_type, &packet).put(0, &[0xaa; 256]);
                script.call(STORE, &[Ctx, Num(offset), Mem(0), Num(len), Num(flags)]).snapshot().compare().unwrap();
            }
        }
    }
}

#[test]
fn pulling_what_is_there_and_what_is_not() {
    if !kernel() {
        return;
    }
    for prog_type in [ProgType::SchedCls, ProgType::LwtXmit, ProgType::LwtIn] {
        for packet in [tcp4(6), tcp4(3000)] {
            for len in around(packet.len()) {
                Script::new(prog_type, &packet).call(PULL, &[Ctx, Num(len)]).snapshot().compare().unwrap();
            }
        }
    }
}

#[test]
fn the_tail_moves() {
    if !kernel() {
        return;
    }
    for prog_type in [ProgType::SchedCls, ProgType::LwtXmit] {
        for packet in [tcp4(6), udp6(30), tcp4(3000)] {
            for len in around(packet.len()).into_iter().chain([20, 34, 54, 100, 4000, 16000, 16064, 16065]) {
                for flags in [0, 1] {
                    let script = Script::new(prog_type, &packet).snapshot().call(TAIL, &[Ctx, Num(len), Num(flags)]);
                    script.snapshot().call(TAIL, &[Ctx, Num(len.wrapping_add(5)), Num(0)]).snapshot().compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn the_head_moves() {
    if !kernel() {
        return;
    }
    for prog_type in [ProgType::SchedCls, ProgType::LwtXmit] {
        for packet in [tcp4(6), udp6(3000)] {
            for len in [0, 1, 14, 15, 49, 50, 51, 64, 200, 4000, 12000, 15989, 16004, 16005, 0x7fff_ffff, 0x8000_0000, u64::MAX] {
                for flags in [0, 1] {
                    let script = Script::new(prog_type, &packet).call(HEAD, &[Ctx, Num(len), Num(flags)]).snapshot();
                    let script = script.call(HEAD, &[Ctx, Num(14), Num(0)]).call(TAIL, &[Ctx, Num(40), Num(0)]);
                    script.snapshot().compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn types_and_hashes() {
    if !kernel() {
        return;
    }
    let mut script = tc(&tcp4(6)).call(REALM, &[Ctx]);
    for to in [0, 1, 2, 3, 4, 5, 0xffff_ffff, 1 << 32] {
        script = script.call(TYPE, &[Ctx, Num(to)]).snapshot();
    }
    let script = script.call(SET_HASH, &[Ctx, Num(0x1234_5678_9abc_def0)]).snapshot().call(34, &[Ctx]);
    let script = script.call(STORE, &[Ctx, Num(0), Mem(0), Num(1), Num(2)]).snapshot();
    script.call(SET_HASH, &[Ctx, Num(0)]).call(34, &[Ctx]).call(HASH_INVALID, &[Ctx]).snapshot().compare().unwrap();
    // A hash differs from boot to boot; that there is one does not.
    let hash = tc(&tcp4(6)).call(34, &[Ctx]).snapshot();
    for left in [hash.in_kernel().unwrap(), hash.in_skep().unwrap()] {
        assert_ne!(left.rets[0], 0);
        assert!(left.seen[0].iter().any(|(name, value)| name == "hash+0" && *value == left.rets[0]));
    }
}

#[test]
fn from_one_version_to_the_other() {
    if !kernel() {
        return;
    }
    let be = |n: u16| Num(n.to_be().into());
    for packet in [tcp4(6), udp6(30), tcp4(3000), vec![0; 14], vec![1; 60]] {
        for to in [0x0800, 0x86dd, 0, 0x0806] {
            for flags in [0, 1] {
                let script = tc(&packet).call(SET_HASH, &[Ctx, Num(7)]).call(PROTO, &[Ctx, be(to), Num(flags)]).snapshot();
                let script = script.call(PROTO, &[Ctx, be(0x0800), Num(0)]).call(PROTO, &[Ctx, be(0x86dd), Num(0)]);
                script.snapshot().call(TAIL, &[Ctx, Num(20), Num(0)]).snapshot().compare().unwrap();
            }
        }
    }
}

#[test]
fn tags_come_and_go() {
    if !kernel() {
        return;
    }
    let be = |n: u16| Num(n.to_be().into());
    let plain = tcp4(6);
    let once = tagged(&plain, 0x2005);
    let twice = tagged(&once, 7);
    let mut service = once.clone();
    service[12..14].copy_from_slice(&[0x88, 0xa8]);
    let mut length = once.clone();
    length[16..18].copy_from_slice(&[0x00, 0x40]);
    let mut raw = length.clone();
    raw[18..20].copy_from_slice(&[0xff, 0xff]);
    let short = once[..17].to_vec();
    for packet in [plain, once, twice, service, length, raw, short] {
        for proto in [0x8100, 0x88a8, 0, 0x0800] {
            let push = |script: Script, tci| script.call(VLAN_PUSH, &[Ctx, be(proto), Num(tci)]).snapshot();
            let pop = |script: Script| script.call(VLAN_POP, &[Ctx]).snapshot();
            pop(pop(pop(tc(&packet)))).compare().unwrap();
            push(push(push(tc(&packet), 5), 0x1_3006), 0).call(ECN, &[Ctx]).compare().unwrap();
            pop(pop(pop(push(push(tc(&packet), 5), 0xffff)))).compare().unwrap();
            push(pop(push(tc(&packet), 9)), 0).call(TAIL, &[Ctx, Num(14), Num(0)]).snapshot().compare().unwrap();
        }
    }
}

#[test]
fn congestion_is_marked() {
    if !kernel() {
        return;
    }
    for ecn in 0..4 {
        for (base, at, shift) in [(tcp4(6), 15, 0), (udp6(6), 15, 4)] {
            for bits in [0, 0xffff] {
                let mut packet = base.clone();
                packet[at] = packet[at] & !(3 << shift) | ecn << shift;
                packet[24..26].copy_from_slice(&u16::to_le_bytes(bits));
                for prog_type in [ProgType::SchedCls, ProgType::CgroupSkb] {
                    for packet in [packet.clone(), tagged(&packet, 5), packet[..58.min(packet.len())].to_vec()] {
                        Script::new(prog_type, &packet).call(ECN, &[Ctx]).snapshot().compare().unwrap();
                    }
                }
            }
        }
    }
    for packet in [vec![0; 14], vec![1; 60]] {
        tc(&packet).call(ECN, &[Ctx]).compare().unwrap();
    }
}

#[test]
fn time_stamps() {
    if !kernel() {
        return;
    }
    for packet in [tcp4(6), udp6(6), vec![0; 60]] {
        for tstamp in [0, 5, u64::MAX] {
            for clock in [0, 1, 2, 3, 0xffff_ffff, 1 << 32] {
                tc(&packet).call(TSTAMP, &[Ctx, Num(tstamp), Num(clock)]).snapshot().compare().unwrap();
            }
        }
    }
}

const ROOM_FLAGS: [u64; 22] = [
    0,
    1,
    1 << 1,
    1 << 2,
    3 << 1,
    1 << 1 | 1 << 3,
    1 << 2 | 1 << 4,
    1 << 1 | 3 << 3,
    1 << 3,
    1 << 5,
    1 << 1 | 14 << 56,
    1 << 1 | 1 << 6 | 14 << 56,
    1 << 1 | 1 << 6 | 13 << 56,
    1 << 2 | 1 << 4 | 1 << 6 | 14 << 56,
    1 << 1 | 255 << 56,
    1 << 6,
    14 << 56,
    1 << 7,
    1 << 8,
    3 << 7,
    1 << 9,
    1 << 55,
];

#[test]
fn room_is_made_and_taken() {
    if !kernel() {
        return;
    }
    for packet in [tcp4(60), udp6(60), vec![0; 60], tcp4(0)] {
        for flags in ROOM_FLAGS {
            for mode in [0, 1, 2] {
                for diff in [0_i64, 1, 8, 20, 50, 0xfff, 0x1000, -1, -8, -20, -40, -46, -66, -80, -0x1000, i64::from(i32::MIN)] {
                    let room = [Ctx, Num(diff as u64), Num(mode), Num(flags)];
                    let script = tc(&packet).call(ROOM, &room).snapshot().call(TAIL, &[Ctx, Num(60), Num(0)]);
                    script.call(ROOM, &room).call(ECN, &[Ctx]).snapshot().compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn packets_that_stand_for_several() {
    if !kernel() {
        return;
    }
    let gso = |packet: &[u8]| tc(packet).context(176, &100_u32.to_le_bytes()).context(164, &3_u32.to_le_bytes());
    for packet in [tcp4(600), udp6(600)] {
        for to in [0x0800_u16, 0x86dd] {
            gso(&packet).call(PROTO, &[Ctx, Num(to.to_be().into()), Num(0)]).snapshot().compare().unwrap();
        }
        for diff in [20_i64, -20] {
            gso(&packet).call(ROOM, &[Ctx, Num(diff as u64), Num(0), Num(0)]).snapshot().compare().unwrap();
        }
        gso(&packet).call(HEAD, &[Ctx, Num(16000), Num(0)]).snapshot().compare().unwrap();
        for len in [100, 614, 2000] {
            gso(&packet).call(TAIL, &[Ctx, Num(len), Num(0)]).snapshot().compare().unwrap();
        }
    }
}

/// A call of a helper that changes a packet, with arguments that are often good. The packet stays longer than its network header's
/// place: moving headers that are not there brings up what the kernel's memory held before.
fn change() -> impl Strategy<Value = (u32, Vec<Arg>)> {
    let be = |n: u16| u64::from(n.to_be());
    prop_oneof![
        (0..120_u64, 1..40_u64, 0..4_u64).prop_map(|(at, len, flags)| (STORE, vec![Ctx, Num(at), Mem(0), Num(len), Num(flags)])),
        (0..120_u64, 1..40_u64).prop_map(|(at, len)| (LOAD, vec![Ctx, Num(at), Mem(512), Num(len)])),
        (0..120_u64, 1..40_u64, 0..2_u64)
            .prop_map(|(at, len, start)| (RELATIVE, vec![Ctx, Num(at), Mem(600), Num(len), Num(start)])),
        (150..400_u64).prop_map(|len| (TAIL, vec![Ctx, Num(len), Num(0)])),
        (0..16_u64).prop_map(|len| (HEAD, vec![Ctx, Num(len), Num(0)])),
        (0..150_u64).prop_map(|len| (PULL, vec![Ctx, Num(len)])),
        (any::<bool>(), any::<u16>())
            .prop_map(move |(q, tci)| (VLAN_PUSH, vec![Ctx, Num(be(if q { 0x8100 } else { 0x88a8 })), Num(tci.into())])),
        Just((VLAN_POP, vec![Ctx])),
        any::<bool>().prop_map(move |six| (PROTO, vec![Ctx, Num(be(if six { 0x86dd } else { 0x0800 })), Num(0)])),
        (-60..60_i64, 0..2_u64, prop::sample::select(ROOM_FLAGS.to_vec()))
            .prop_map(|(diff, mode, flags)| (ROOM, vec![Ctx, Num(diff as u64), Num(mode), Num(flags)])),
        (0..4_u64).prop_map(|to| (TYPE, vec![Ctx, Num(to)])),
        Just((ECN, vec![Ctx])),
        (0..60_u64, any::<u16>(), any::<u16>())
            .prop_map(|(at, from, to)| { (10, vec![Ctx, Num(at * 2), Num(from.into()), Num(to.into()), Num(2)]) }),
    ]
}

fn packets() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = proptest::collection::vec(any::<u8>(), 14..120);
    prop_oneof![
        (0..80_usize).prop_map(tcp4),
        (0..80_usize).prop_map(udp6),
        (0..80_usize, any::<u16>()).prop_map(|(len, tci)| tagged(&tcp4(len), tci)),
        (0..80_usize, any::<u16>()).prop_map(|(len, tci)| tagged(&tagged(&udp6(len), tci), 1)),
        any_bytes,
    ]
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn changes_one_after_the_other(packet in packets(), calls in proptest::collection::vec(change(), 1..8)) {
        if kernel() {
            let mut script = tc(&packet).put(0, &[0xaa; 256]);
            for (id, args) in calls {
                script = script.call(id, &args).snapshot();
            }
            // Too short a packet may be refused; then by both.
            let _left = script.compare();
        }
    }
}

#[test]
fn packets_that_are_refused() {
    if !kernel() {
        return;
    }
    for prog_type in WITH_PACKET {
        for packet in [tcp4(0), udp6(0), vec![0; 60]] {
            for len in [1, 13, 14, 15, 33, 34, 53, 54] {
                let _refused_by_both = Script::new(prog_type, &packet[..len]).snapshot().compare();
            }
        }
        for len in [3711, 3712, 3713, 5000] {
            let _refused_by_both = Script::new(prog_type, &vec![1; len]).snapshot().compare();
        }
    }
}
