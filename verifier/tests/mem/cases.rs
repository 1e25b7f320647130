//! Programs that show one rule each.

use std::sync::Arc;

use skep_linux::{AttachType, MapType, ProgType};
use skep_program::{MapDef, Program};

use crate::ask::{can_ask, program, same, typed};

#[test]
fn packet_loads_may_end_the_function() {
    if !can_ask() {
        return;
    }
    let texts = [
        ("r6 = r1\ncall sub\nr0 = 0\nexit\nsub:\nr6 = r1\nr0 = *(u32 *)skb[0]\nr0 = 1\nexit", 4),
        (
            "r9 = 7\ncall sub\nif r0 == 1 goto out\nr0 = r9\nout:\nr0 = 0\nexit\nsub:\nr6 = r1\nr0 = *(u8 *)skb[5]\nr0 = 1\nexit",
            6,
        ),
    ];
    for (text, sub) in texts {
        same(&typed(program(ProgType::SocketFilter, text), &[0, sub]));
    }
}

fn array(flags: u32, value_size: u32, entries: u32) -> MapDef {
    MapDef { key_size: 4, value_size, max_entries: entries, flags, ..MapDef::new("values", MapType::Array) }
}

fn with_map(prog_type: ProgType, text: &str, map: &MapDef) -> Program {
    Program { maps: vec![Arc::new(map.clone())], ..program(prog_type, text) }
}

#[test]
fn map_values() {
    if !can_ask() {
        return;
    }
    const RDONLY_PROG: u32 = 1 << 7;
    const WRONLY_PROG: u32 = 1 << 8;
    let constants = MapDef { frozen: true, initial: Some(vec![0x81, 2, 3, 4, 5, 6, 7, 0x98]), ..array(RDONLY_PROG, 16, 1) };
    let maps = [
        array(0, 16, 1),
        array(RDONLY_PROG, 16, 1),
        array(WRONLY_PROG, 16, 1),
        constants.clone(),
        MapDef { flags: 0, ..constants },
    ];
    let texts = [
        "r1 = map[idx:0]+0\nr0 = *(u8 *)(r1 +0)\nexit",
        "r1 = map[idx:0]+0\nr0 = *(s8 *)(r1 +0)\nexit",
        "r1 = map[idx:0]+4\nr0 = *(s32 *)(r1 +0)\nif r0 s< 0 goto out\nr0 = r3\nout:\nexit",
        "r1 = map[idx:0]+4\nr0 = *(u64 *)(r1 +8)\nexit",
        "r1 = map[idx:0]+4\nr0 = *(u32 *)(r1 +8)\nif r0 == 0 goto out\nr0 = r3\nout:\nexit",
        "r1 = map[idx:0]+12\nr0 = *(u64 *)(r1 +0)\nexit",
        "r1 = map[idx:0]+0\nr0 = *(u64 *)(r1 -1)\nexit",
        "r1 = map[idx:0]+0\nr0 = 7\n*(u16 *)(r1 +14) = r0\nexit",
        "r1 = map[idx:0]+0\nr0 = 7\n*(u16 *)(r1 +15) = 5\nexit",
        "r2 = *(u32 *)(r1 +0)\nr2 &= 15\nr1 = map[idx:0]+0\nr1 += r2\nr0 = *(u8 *)(r1 +0)\nr0 = *(u16 *)(r1 +0)\nexit",
        "r2 = *(u32 *)(r1 +0)\nr1 = map[idx:0]+0\nr1 += r2\nr0 = *(u8 *)(r1 +0)\nexit",
        "r2 = *(u32 *)(r1 +0)\nr2 -= 1\nif r2 s> 3 goto out\nr1 = map[idx:0]+0\nr1 += r2\nr0 = *(u8 *)(r1 +0)\nout:\nr0 = 0\nexit",
        "r1 = map[idx:0]+0\nlock *(u64 *)(r1 +0) += r1\nr0 = 0\nexit",
        "r1 = map[idx:0]\nr0 = *(u32 *)(r1 +0)\nexit",
        "r1 = map[idx:0]\nr0 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r0 +0)\nexit",
        "r1 = map[idx:0]\nr0 = *(u32 *)(r1 -4)\nexit",
        "r1 = map[idx:0]\n*(u32 *)(r1 +0) = 4\nr0 = 0\nexit",
        "r1 = map[idx:0]\nr0 = *(u8 *)(r1 +20000)\nexit",
    ];
    for map in &maps {
        for text in texts {
            same(&with_map(ProgType::SocketFilter, text, map));
        }
    }
}

#[test]
fn map_values_that_are_looked_up() {
    if !can_ask() {
        return;
    }
    const RDONLY_PROG: u32 = 1 << 7;
    let setup = "r6 = r1\n*(u32 *)(r10 -4) = 0\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\ncall 1\n";
    let bodies = [
        "r0 = *(u8 *)(r0 +0)",
        "if r0 == 0 goto out\nr0 = *(u8 *)(r0 +0)\nout:",
        "if r0 == 0 goto out\nr0 = *(u64 *)(r0 +9)\nout:",
        "if r0 == 0 goto out\nr1 = *(u32 *)(r6 +0)\nif r1 > 8 goto out\nr0 += r1\nr0 = *(u64 *)(r0 +0)\nout:",
        "if r0 == 0 goto out\nr1 = *(u32 *)(r6 +0)\nif r1 > 9 goto out\nr0 += r1\nr0 = *(u64 *)(r0 +0)\nout:",
        "if r0 == 0 goto out\nr1 = *(u32 *)(r6 +0)\nif r1 > 9 goto out\nr0 -= r1\nr0 = *(u64 *)(r0 +0)\nout:",
        "if r0 == 0 goto out\n*(u64 *)(r0 +0) = r0\nout:",
    ];
    let constants = MapDef { frozen: true, initial: Some(vec![1; 16]), ..array(RDONLY_PROG, 16, 1) };
    let hash = MapDef { map_type: MapType::Hash, ..array(0, 16, 4) };
    let per_cpu = MapDef { map_type: MapType::PercpuArray, ..array(0, 16, 4) };
    let frozen = MapDef { frozen: true, ..array(RDONLY_PROG, 16, 3) };
    for map in [array(0, 16, 1), array(0, 16, 4), constants, hash, per_cpu, frozen] {
        for body in bodies {
            same(&with_map(ProgType::SocketFilter, &format!("{setup}{body}\nr0 = 0\nexit"), &map));
        }
    }
}

#[test]
fn the_stack_at_variable_offsets() {
    if !can_ask() {
        return;
    }
    // r7: -24 to -8.
    let setup = "r6 = r1\nr7 = *(u32 *)(r1 +0)\nr7 &= 16\nr7 += -24\nr8 = r10\nr8 += r7\nr9 = 5\n";
    let bodies = [
        "r0 = *(u64 *)(r8 +0)",
        "r0 = *(u8 *)(r8 +0)",
        "r0 = *(u8 *)(r8 +7)",
        "r0 = *(u64 *)(r8 +8)",
        "r0 = *(u64 *)(r8 -496)",
        "*(u64 *)(r10 -8) = 0\n*(u64 *)(r10 -16) = 0\n*(u64 *)(r10 -24) = 0\nr0 = *(u64 *)(r8 +0)\nif r0 == 0 goto out\nr0 = r3\nout:",
        "*(u64 *)(r10 -8) = r6\nr0 = *(u64 *)(r8 +0)",
        "*(u64 *)(r10 -8) = r6\n*(u64 *)(r8 +0) = r9\nr0 = *(u64 *)(r10 -8)\nr0 = *(u32 *)(r0 +0)",
        "*(u64 *)(r10 -8) = 0\n*(u64 *)(r8 +0) = 0\nr0 = *(u64 *)(r10 -8)\nif r0 == 0 goto out\nr0 = r3\nout:",
        "r9 = 0\n*(u32 *)(r10 -12) = r9\n*(u64 *)(r8 +0) = r9\nr0 = *(u32 *)(r10 -12)\nif r0 == 0 goto out\nr0 = r3\nout:",
        "*(u64 *)(r10 -16) = 0\n*(u8 *)(r8 +3) = 1\nr0 = *(u64 *)(r10 -16)\nif r0 == 0 goto out\nr0 = r3\nout:",
        "lock *(u64 *)(r8 +0) += r9",
        "r9 = atomic64_fetch_add((u64 *)(r8 +0), r9)",
        "r8 = *(u64 *)(r8 -8)",
        "*(u64 *)(r8 +0) = r10\nr0 = *(u64 *)(r10 -8)\nr0 = *(u8 *)(r0 -1)",
    ];
    for body in bodies {
        same(&program(ProgType::SocketFilter, &format!("{setup}{body}\nr0 = 0\nexit")));
    }
}

#[test]
fn packets() {
    if !can_ask() {
        return;
    }
    let setup = "r2 = *(u32 *)(r1 +76)\nr3 = *(u32 *)(r1 +80)\nr0 = 0\n";
    let bodies = [
        "r0 = *(u8 *)(r2 +0)",
        "r4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u64 *)(r2 +0)\nr0 = *(u8 *)(r2 +8)\nout:",
        "r4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u64 *)(r2 +0)\n*(u32 *)(r2 +4) = r0\n*(u64 *)(r2 +0) = r1\nout:",
        "r4 = r2\nr4 += 8\nif r4 >= r3 goto out\nr0 = *(u64 *)(r2 +1)\nr0 = *(u64 *)(r2 +2)\nout:",
        "r4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u8 *)(r2 -1)\nout:",
        "r4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u8 *)(r4 +0)\nout:",
        "r4 = r2\nr4 += 8\nif r4 > r3 goto in\ngoto out\nin:\nr0 = *(u8 *)(r4 +0)\nout:",
        "r0 = *(u8 *)(r3 +0)",
        "*(u8 *)(r3 +0) = 1",
        "lock *(u64 *)(r2 +0) += r0",
        "r5 = *(u32 *)(r1 +0)\nr5 &= 255\nr2 += r5\nr4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u64 *)(r2 +0)\nr0 = *(u64 *)(r2 +1)\nout:",
        "r5 = *(u32 *)(r1 +0)\nr2 += r5\nr4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u64 *)(r2 +0)\nout:",
        "r2 -= 4\nr4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u8 *)(r2 +4)\nout:",
        "r5 = *(u32 *)(r1 +140)\nr4 = r5\nr4 += 8\nif r4 > r2 goto out\nr0 = *(u64 *)(r5 +0)\n*(u8 *)(r5 +0) = 1\nout:",
        "r0 = *(s32 *)(r1 +76)",
        "r0 = *(s32 *)(r1 +0)",
        "r0 = *(u16 *)(r1 +76)",
        "r0 = *(u64 *)(r1 +76)",
        "*(u32 *)(r1 +76) = 4",
        "r1 += 4\nr0 = *(u32 *)(r1 +0)",
        "r1 += -4\nr0 = *(u32 *)(r1 +4)",
        "r5 = *(u64 *)(r1 +168)\nr0 = *(u32 *)(r5 +0)",
        "r5 = *(u64 *)(r1 +168)\nif r5 == 0 goto out\nr0 = *(u32 *)(r5 +4)\nr0 = *(u32 *)(r5 +8)\nout:",
        "r5 = *(u64 *)(r1 +168)\nif r5 == 0 goto out\n*(u32 *)(r5 +4) = 1\nout:",
        "r5 = *(u64 *)(r1 +168)\nif r5 == 0 goto out\nlock *(u32 *)(r5 +4) += r0\nout:",
    ];
    for prog_type in [ProgType::SchedCls, ProgType::CgroupSkb, ProgType::SocketFilter, ProgType::LwtXmit, ProgType::LwtIn] {
        for body in bodies {
            same(&program(prog_type, &format!("{setup}{body}\nr0 = 0\nexit")));
        }
    }
}

#[test]
fn one_instruction_reaches_one_kind_of_memory() {
    if !can_ask() {
        return;
    }
    let fork = "r7 = *(u32 *)(r1 +0)\nr8 = *(u64 *)(r1 +168)\n*(u64 *)(r10 -8) = 0\nif r8 == 0 goto one\n";
    let bodies = [
        "r2 = r8\ngoto both\none:\nr2 = r1\nboth:\nr0 = *(u32 *)(r2 +4)",
        "r2 = r8\ngoto both\none:\nr2 = r10\nr2 += -8\nboth:\nr0 = *(u32 *)(r2 +4)",
        "r2 = r1\ngoto both\none:\nr2 = r10\nr2 += -8\nboth:\n*(u32 *)(r2 +0) = 4",
        "r2 = r10\nr2 += -8\ngoto both\none:\nr2 = r10\nr2 += -16\nboth:\n*(u32 *)(r2 +4) = 4",
    ];
    for body in bodies {
        same(&program(ProgType::SchedCls, &format!("{fork}{body}\nr0 = 0\nexit")));
    }
}

#[test]
fn contexts_that_are_memory() {
    if !can_ask() {
        return;
    }
    for off in [0, 4, 8, 12, 160, 164, 168, 1 << 14, -8] {
        for size in ["u8", "u16", "u32", "u64", "s8", "s32"] {
            let text = format!("r0 = *({size} *)(r1 {off:+})\nexit");
            for prog_type in [ProgType::Kprobe, ProgType::Tracepoint, ProgType::RawTracepoint, ProgType::PerfEvent] {
                same(&program(prog_type, &text));
            }
            let sysctl = Program { attach_type: Some(AttachType::CgroupSysctl), ..program(ProgType::CgroupSysctl, &text) };
            same(&sysctl);
        }
    }
}

#[test]
fn contexts_that_are_handed_to_calls() {
    if !can_ask() {
        return;
    }
    let types = [
        (ProgType::Kprobe, None, 0),
        (ProgType::Tracepoint, None, 0),
        (ProgType::RawTracepoint, None, 0),
        (ProgType::PerfEvent, None, 0),
        (ProgType::SchedCls, None, 0),
        (ProgType::Xdp, None, 0),
        (ProgType::CgroupDevice, None, 0),
        (ProgType::CgroupSysctl, Some(AttachType::CgroupSysctl), 0),
        (ProgType::CgroupSockopt, Some(AttachType::CgroupGetsockopt), 0),
        (ProgType::Netfilter, Some(AttachType::Netfilter), 0),
        (ProgType::SockOps, None, 0),
        (ProgType::SkLookup, Some(AttachType::SkLookup), 0),
        (ProgType::Syscall, None, 1 << 4),
    ];
    for (prog_type, attach_type, flags) in types {
        for size in [1, 2, 8, 12, 16, 64, 168, 169, 192, 8192, 70000] {
            for off in [0, 8] {
                let text = format!("r1 += {off}\nr2 = {size}\ncall 6\nr0 = 0\nexit");
                same(&Program { attach_type, flags, ..program(prog_type, &text) });
            }
        }
    }
}
