//! Checksums.

use proptest::prelude::*;
use skep::ProgType;

use crate::script::{Arg, Script, cases, kernel, tcp4};
use Arg::{Ctx, Mem, Num};

const L3: u32 = 10;
const L4: u32 = 11;
const DIFF: u32 = 28;
const UPDATE: u32 = 40;
const LEVEL: u32 = 135;

fn tc() -> Script {
    Script::new(ProgType::SchedCls, &tcp4(20))
}

#[test]
fn checksums_in_packets_are_replaced_as_in_the_kernel() {
    if !kernel() {
        return;
    }
    let values = [0, 1, 0x0a00_0001, 0xffff, 0xffff_ffff, 0x1_0000_0000, 0x8000_1234];
    for id in [L3, L4] {
        for flags in [0, 2, 4, 1, 3, 8, 0x10, 0x12, 0x14, 0x20, 0x22, 0x24, 0x60, 0x64, 0x74, 0x80, 0x90, 0x100, 1 << 40] {
            for from in [0, values[2]] {
                for to in values {
                    tc().call(id, &[Ctx, Num(24), Num(from), Num(to), Num(flags)]).compare().unwrap();
                }
            }
        }
        for offset in [0, 23, 24, 71, 72, 73, 74, 0xfffe, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0018] {
            tc().call(id, &[Ctx, Num(offset), Num(7), Num(9), Num(2)]).compare().unwrap();
        }
    }
}

#[test]
fn a_checksum_of_zero_may_mean_none() {
    if !kernel() {
        return;
    }
    for flags in [0x22, 0x62, 0x42, 0x02, 0x30, 0x72] {
        for stored in [[0, 0], [0xff, 0xff], [0x12, 0x34]] {
            let mut packet = tcp4(0);
            packet[50..52].copy_from_slice(&stored);
            for (from, to) in [(0, 0), (0x3412, 0xffff), (0, 0xedcb), (0, 0xcbed)] {
                Script::new(ProgType::SchedCls, &packet)
                    .call(L4, &[Ctx, Num(50), Num(from), Num(to), Num(flags)])
                    .compare()
                    .unwrap();
            }
        }
    }
}

#[test]
fn levels_go_up_and_down() {
    if !kernel() {
        return;
    }
    let mut script = tc();
    for level in [0, 1, 0, 1, 1, 1, 1, 1, 0, 2, 0, 2, 2, 2, 2, 0, 1, 3, 0, 3, 4, 1 << 32] {
        script = script.call(LEVEL, &[Ctx, Num(level)]);
    }
    script.call(UPDATE, &[Ctx, Num(7)]).compare().unwrap();
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn differences_of_random_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 1024),
        from in 0..130_u64,
        to in 0..130_u64,
        aligned in any::<bool>(),
        seed in any::<u64>(),
    ) {
        if kernel() {
            let size = |n: u64| if aligned { n & !3 } else { n };
            tc().put(0, &bytes)
                .call(DIFF, &[Mem(0), Num(size(from)), Mem(512), Num(size(to)), Num(seed)])
                .call(DIFF, &[Num(0), Num(0), Mem(512), Num(size(to)), Num(seed)])
                .call(DIFF, &[Mem(0), Num(size(from)), Num(0), Num(0), Num(seed)])
                .compare()
                .unwrap();
        }
    }

    #[test]
    fn random_replacements(from in any::<u64>(), to in any::<u64>(), stored in any::<[u8; 2]>(), flags in 0..0x100_u64) {
        if kernel() {
            let mut packet = tcp4(0);
            packet[24..26].copy_from_slice(&stored);
            Script::new(ProgType::SchedCls, &packet)
                .call(L4, &[Ctx, Num(24), Num(from), Num(to), Num(flags)])
                .call(L3, &[Ctx, Num(24), Num(from), Num(to), Num(flags & 7)])
                .compare()
                .unwrap();
        }
    }
}

#[test]
fn sums_of_values_that_cancel() {
    if !kernel() {
        return;
    }
    for (from, to) in [([0; 8], [0; 8]), ([0xff; 8], [0xff; 8]), ([0; 8], [0xff; 8]), ([0xff; 8], [0; 8]), ([1; 8], [0xfe; 8])] {
        for seed in [0, 1, 0xffff, 0xffff_ffff, 0xffff_0000, 0x1_0000_0000] {
            tc().put(0, &from)
                .put(512, &to)
                .call(DIFF, &[Mem(0), Num(8), Mem(512), Num(8), Num(seed)])
                .call(DIFF, &[Num(0), Num(0), Mem(512), Num(8), Num(seed)])
                .call(DIFF, &[Mem(0), Num(8), Num(0), Num(0), Num(seed)])
                .call(DIFF, &[Num(0), Num(0), Num(0), Num(0), Num(seed)])
                .compare()
                .unwrap();
        }
    }
}
