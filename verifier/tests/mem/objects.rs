//! Objects of the kernel, field by field, held against the kernel: chains of loads through pointers to structs, maps and sockets.

use std::sync::Arc;

use skep_btf::Kind;
use skep_linux::{AttachType, MapType, ProgType};
use skep_program::{MapDef, Program};

use crate::ask::{accepts, can_ask, compare, program, vmlinux};
use crate::numbers::Random;

/// Puts programs to both, and says where they differ.
fn all_alike(what: &str, count: u64, make: impl Fn(u64) -> Program) {
    let (mut accepted, mut undecided, mut different) = (0, 0, Vec::new());
    for seed in 1..=count {
        let program = make(seed);
        let compared = compare(&program);
        accepted += u64::from(compared.accepted);
        undecided += u64::from(compared.undecided);
        // Two loads that no field of `bpf_tcp_sock` allows end in "verifier bug", after all paths were followed.
        let bug = |text: &String| text.contains("invalid tcp_sock access off=") && !compared.accepted;
        different.extend(compared.difference.filter(|text| !bug(text)).map(|difference| (seed, program, difference)));
    }
    println!("{what}: {count} programs: {accepted} accepted by Linux, {undecided} undecided, {} different", different.len());
    for (seed, program, difference) in different.iter().take(3) {
        let code = skep_isa::Code::decode_each(&program.insns);
        println!("seed {seed}\n{}\n{difference}\n", code.listing(&skep_isa::NoNames));
    }
    assert!(different.is_empty(), "{what}");
}

fn count(plain: u64) -> u64 {
    std::env::var("SKEP_MEMORY_PROGRAMS").map_or(plain, |count| count.parse().expect("a number"))
}

/// A load through a register, most often, and what is done with what it loaded.
fn load(random: &Random, base: &str, to: &str, size: i64) -> String {
    let (name, bytes) = random.one(&[("u64", 8), ("u64", 8), ("u64", 8), ("u32", 4), ("u16", 2), ("u8", 1), ("s32", 4)]);
    let off = random.between(0, size / bytes) * bytes + i64::from(random.below(16) == 0);
    let mut text = match random.below(24) {
        0 => format!("*({} *)({base} {off:+}) = 0\n", name.replace('s', "u")),
        1 => format!("lock *(u64 *)({base} {off:+}) += r9\n"),
        2 => format!("{base} += {off}\n{to} = *({name} *)({base} +0)\n"),
        3 => format!("{to} = *({name} *)({base} {:+})\n", -off),
        4 => format!("r9 = *(u32 *)({base} +0)\nr9 &= 8\n{base} += r9\n{to} = *({name} *)({base} +0)\n"),
        _ => format!("{to} = *({name} *)({base} {off:+})\n"),
    };
    if random.below(3) == 0 {
        text += &format!("if {to} == 0 goto out\n");
    }
    text
}

/// Loads through `r6`, and through what was loaded. Most are such that skep takes the program up to there; the last is what it is.
fn chain(random: &Random, start: &str, size: i64, make: impl Fn(&str) -> Program) -> Program {
    let end = "out:\nr0 = 0\nexit";
    let mut text = start.to_owned();
    let mut base = "r6";
    for _ in 0..random.below(6) {
        let to = random.one(&["r6", "r7", "r8"]);
        let longer = (0..12).map(|_| format!("{text}{}", load(random, base, to, size)));
        // A load through the new register says whether it is a pointer.
        let mut taken = longer.filter(|text| accepts(&make(&format!("{text}{end}"))));
        let Some(first) = taken.next() else { break };
        let pointer = |text: &String| accepts(&make(&format!("{text}r8 = *(u8 *)({to} +0)\n{end}")));
        text = if pointer(&first) { first } else { taken.find(pointer).unwrap_or(first) };
        base = to;
    }
    make(&format!("{text}{}{end}", load(random, base, "r7", size)))
}

#[test]
fn tasks() {
    if !can_ask() {
        return;
    }
    all_alike("tasks", count(1_000), |seed| {
        let random = Random::new(seed);
        let size = random.one(&[200, 3000, 9000]);
        let license = random.one(&["GPL", "GPL", "GPL", "GPL", "MIT"]);
        let make = |text: &str| Program { license: license.into(), ..program(ProgType::RawTracepoint, text) };
        chain(&random, "r9 = 0\nr7 = r1\nr8 = r1\ncall 158\nr6 = r0\n", size, make)
    });
}

#[test]
fn arguments_of_tracepoints_and_iterators() {
    if !can_ask() {
        return;
    }
    let tracepoints = ["sched_switch", "task_newtask", "kfree_skb", "netif_receive_skb", "block_rq_issue", "inet_sock_set_state"];
    let iterators = ["task", "task_file", "bpf_map", "ksym", "tcp", "udp", "netlink", "bpf_prog", "cgroup", "task_vma"];
    all_alike("arguments", count(1_000), |seed| {
        let random = Random::new(seed);
        let (attach_type, name, kind) = match random.below(2) {
            0 => (AttachType::TraceRawTp, format!("btf_trace_{}", random.one(&tracepoints)), Kind::Typedef),
            _ => (AttachType::TraceIter, format!("bpf_iter_{}", random.one(&iterators)), Kind::Func),
        };
        let Some(id) = vmlinux().find(&name, kind) else { return program(ProgType::RawTracepoint, "r0 = 0\nexit") };
        let arg = random.below(4) * 8;
        let make = |text: &str| Program {
            attach_type: Some(attach_type),
            attach_btf_id: Some(id.0),
            ..program(ProgType::Tracing, text)
        };
        let null = if random.below(4) == 0 { "" } else { "if r6 == 0 goto out\n" };
        chain(&random, &format!("r9 = 0\nr7 = r1\nr8 = r1\nr6 = *(u64 *)(r1 +{arg})\n{null}"), 200, make)
    });
}

#[test]
fn maps() {
    if !can_ask() {
        return;
    }
    let hash = |map_type, key_size, value_size, max_entries, flags| MapDef {
        key_size,
        value_size,
        max_entries,
        flags,
        ..MapDef::new("map", map_type)
    };
    let maps = [
        hash(MapType::Array, 4, 8, 1, 0),
        hash(MapType::Hash, 4, 8, 1, 0),
        hash(MapType::LruHash, 4, 8, 1, 0),
        hash(MapType::LpmTrie, 8, 8, 1, 1),
        hash(MapType::Ringbuf, 0, 0, 4096, 0),
        hash(MapType::Queue, 0, 8, 1, 0),
        hash(MapType::Stack, 0, 8, 1, 0),
        hash(MapType::StackTrace, 4, 8, 1, 0),
        hash(MapType::Devmap, 4, 4, 1, 0),
        hash(MapType::DevmapHash, 4, 4, 1, 0),
        hash(MapType::Cpumap, 4, 4, 1, 0),
        hash(MapType::Xskmap, 4, 4, 1, 0),
        hash(MapType::Sockmap, 4, 4, 1, 0),
        hash(MapType::Sockhash, 4, 4, 1, 0),
        hash(MapType::PerfEventArray, 4, 4, 1, 0),
        hash(MapType::ProgArray, 4, 4, 1, 0),
        hash(MapType::CgroupArray, 4, 4, 1, 0),
        hash(MapType::ReuseportSockarray, 4, 8, 1, 0),
        hash(MapType::BloomFilter, 0, 8, 1, 0),
        hash(MapType::UserRingbuf, 0, 0, 4096, 0),
        hash(MapType::CgroupStorage, 8, 8, 0, 0),
    ];
    all_alike("maps", count(1_000), |seed| {
        let random = Random::new(seed);
        let map = Arc::new(maps[random.below(maps.len() as u64) as usize].clone());
        let make = |text: &str| Program { maps: vec![map.clone()], ..program(ProgType::SocketFilter, text) };
        chain(&random, "r9 = 0\nr7 = r1\nr8 = r1\nr6 = map[idx:0]\n", 400, make)
    });
}

#[test]
fn sockets() {
    if !can_ask() {
        return;
    }
    all_alike("sockets", count(1_000), |seed| {
        let random = Random::new(seed);
        let cast = random.one(&[
            "",
            "r1 = r6\ncall 95\n",
            "r1 = r6\ncall 96\n",
            "r1 = r6\ncall 95\nif r0 == 0 goto out\nr1 = r0\ncall 98\n",
        ]);
        let cast = if cast.is_empty() { String::new() } else { format!("{cast}if r0 == 0 goto out\nr6 = r0\n") };
        let start = format!("r9 = 0\nr7 = r1\nr8 = r1\nr6 = *(u64 *)(r1 +168)\nif r6 == 0 goto out\n{cast}");
        chain(&random, &start, 120, |text| program(ProgType::SchedCls, text))
    });
}

#[test]
fn operations() {
    if !can_ask() {
        return;
    }
    let structs = ["tcp_congestion_ops", "bpf_dummy_ops"];
    all_alike("operations", count(1_000), |seed| {
        let random = Random::new(seed);
        let btf = vmlinux();
        let id = btf.find(random.one(&structs), Kind::Struct).expect("a struct of operations");
        let member = random.below(14) as u32;
        let attach_type = AttachType::from_u32(member);
        let make = |text: &str| Program { attach_type, attach_btf_id: Some(id.0), ..program(ProgType::StructOps, text) };
        let store = match random.below(3) {
            0 => format!("*(u32 *)(r6 {:+}) = 1\n", random.one(&[488, 492, 500, 1296, 1392, 1396, 1400, 0, 4])),
            1 => format!("*(u64 *)(r6 {:+}) = r9\n", random.between(0, 300) * 8),
            _ => String::new(),
        };
        let null = if random.below(4) == 0 { "" } else { "if r6 == 0 goto out\n" };
        let arg = random.below(3) * 8;
        chain(&random, &format!("r9 = 0\nr7 = r1\nr8 = r1\nr6 = *(u64 *)(r1 +{arg})\n{null}{store}"), 2400, make)
    });
}
