//! How a test run makes the context of the program types that are no socket buffers and no frames, and what it gives back.

use skep::{AttachType, Errno, ProgType, Program};

use super::both::{Both, kernel, program};

fn frame(protocol: u16, len: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..len).map(|i| i as u8).collect();
    frame[12..14].copy_from_slice(&protocol.to_be_bytes());
    frame
}

#[test]
fn flow_dissectors_give_their_keys() {
    if !kernel() {
        return;
    }
    let dissector = |text: &str| program(ProgType::FlowDissector, &format!("r6 = *(u64 *)(r1 +144)\n{text}\nexit"), vec![]);
    let run = |text: &str, len| Both::packet(&frame(0x0800, len)).run(&dissector(text)).unwrap();
    let (value, keys, _) = run("r0 = *(u16 *)(r6 +0)", 60);
    assert_eq!((value, keys.len(), keys[0], keys[2], &keys[10..12]), (14, 56, 14, 14, &[8, 0][..]));
    // Offsets stay inside of the frame, and the second does not come before the first.
    for (network, transport) in [(20, 40), (0, 0), (13, 70), (70, 20), (60, 60), (61, 5), (65535, 65535), (30, 29)] {
        for len in [14, 15, 34, 60] {
            run(&format!("*(u16 *)(r6 +0) = {network}\n*(u16 *)(r6 +2) = {transport}\nr0 = 0"), len);
        }
    }
    run("r2 = *(u32 *)(r1 +80)\nr1 = *(u32 *)(r1 +76)\nr2 -= r1\nr0 = r2", 33);
    run("*(u64 *)(r6 +16) = 77\n*(u32 *)(r6 +52) = 5\nr0 = *(u32 *)(r6 +48)", 33);

    let flags = |at: usize, len: usize| {
        let mut keys = vec![0; len];
        keys[at] = 3;
        Both { ctx: keys, ctx_out: 56, ..Both::packet(&frame(0x86dd, 60)) }.run(&dissector("r0 = *(u32 *)(r6 +48)"))
    };
    assert_eq!(flags(48, 56).unwrap().0, 3);
    assert_eq!(flags(48, 52).unwrap().0, 3);
    assert_eq!(flags(47, 56), Err(Errno::EINVAL));
    assert_eq!(flags(52, 56), Err(Errno::EINVAL));
    assert_eq!(flags(56, 57), Err(Errno::E2BIG));
    assert_eq!(Both::packet(&[0; 13]).run(&dissector("r0 = 0")), Err(Errno::EINVAL));
}

fn lookup(text: &str) -> Program {
    let attach_type = Some(AttachType::SkLookup);
    Program { attach_type, ..program(ProgType::SkLookup, &format!("r0 = 1\n{text}\nexit"), vec![]) }
}

/// A `struct bpf_sk_lookup` with these bytes at these places.
fn connection(parts: &[(usize, &[u8])]) -> Both {
    let mut ctx = vec![0; 72];
    for (at, bytes) in parts {
        ctx[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    Both { ctx, ctx_out: 72, ..Both::default() }
}

#[test]
fn socket_lookups_take_addresses_and_ports() {
    if !kernel() {
        return;
    }
    let ipv4: (usize, &[u8]) = (8, &[2, 0, 0, 0]);
    let ipv6: (usize, &[u8]) = (8, &[10, 0, 0, 0]);
    let all: [(usize, &[u8]); 4] = [(12, &[6]), (16, &[1, 2, 3, 4]), (36, &[5, 6]), (60, &[7, 8])];
    for family in [ipv4, ipv6] {
        let mut parts = all.to_vec();
        parts.push(family);
        parts.push((20, &[9; 16]));
        parts.push((44, &[8; 16]));
        for offset in [8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64] {
            // The verdict is one bit: the word is told apart from others by all of its bits.
            for bit in 0..32 {
                let read = format!("r7 = *(u32 *)(r1 +{offset})\nr7 >>= {bit}\nr7 &= 1\nr0 = r7");
                connection(&parts).run(&lookup(&read)).unwrap();
            }
        }
    }
    let refused = |parts: &[(usize, &[u8])]| connection(parts).run(&lookup("")).unwrap_err();
    assert_eq!(refused(&[]), Errno::EAFNOSUPPORT);
    assert_eq!(refused(&[ipv4, (0, &[1])]), Errno::EINVAL);
    assert_eq!(refused(&[ipv4, (60, &[0, 0, 1])]), Errno::ERANGE);
    assert_eq!(refused(&[ipv4, (64, &[1])]), Errno::EINVAL);
    connection(&[ipv4, (10, &[1])]).run(&lookup("")).unwrap();
    let short = Both { ctx: vec![0, 0, 0, 0, 0, 0, 0, 0, 2], ..Both::default() };
    short.run(&lookup("")).unwrap();
    assert_eq!(Both::default().run(&lookup("")), Err(Errno::EINVAL));
}

#[test]
fn hooks_of_netfilter_take_packets() {
    if !kernel() {
        return;
    }
    let hook = |text: &str| Program {
        attach_type: Some(AttachType::Netfilter),
        ..program(ProgType::Netfilter, &format!("{text}\nexit"), vec![])
    };
    let state = "r6 = *(u64 *)(r1 +0)\nr2 = *(u8 *)(r6 +0)\nr3 = *(u8 *)(r6 +1)\nr0 = 0\nif r2 != 3 goto no\nif r3 == 2 goto yes\nno:\nexit\nyes:\nr0 = 1";
    assert_eq!(Both::packet(&[0; 20]).value(&hook(state)), 1);
    // Many of these are refused: by both, with the same error number.
    for hook_number in [0, 1, 3, 4, 5, 6, 255] {
        for family in [0, 2, 3, 5, 10] {
            Both { ctx: vec![hook_number, family], ..Both::packet(&frame(0x0800, 60)) }.run(&hook("r0 = 1")).ok();
        }
    }
    for len in [0, 14, 19, 20, 33, 34, 53, 54, 60] {
        for protocol in [0x0800, 0x86dd, 0x0806] {
            for ctx in [
                vec![],
                vec![3, 2],
                vec![3, 10],
                vec![0, 2],
                vec![0, 10],
                vec![4, 2],
                vec![0],
                vec![1, 2, 1],
                vec![1, 2, 0, 0, 0, 0, 0, 1],
                vec![1, 2, 0, 0, 0, 0, 0, 0, 1],
            ] {
                let data = if len < 14 { vec![0; len] } else { frame(protocol, len) };
                Both { ctx, ..Both::packet(&data) }.run(&hook("r0 = 1")).ok();
            }
        }
    }
}

#[test]
fn arguments_are_memory() {
    if !kernel() {
        return;
    }
    let raw = |text: &str| program(ProgType::RawTracepoint, &format!("{text}\nexit"), vec![]);
    let args: Vec<u8> = (0..96).collect();
    assert_eq!(Both::context(&args).value(&raw("r0 = *(u64 *)(r1 +88)")), 0x5b5a_5958);
    assert_eq!(Both::context(&args[..16]).value(&raw("r0 = *(u16 *)(r1 +14)")), 0x0f0e);
    assert_eq!(Both::context(&[0; 97]).run(&raw("r0 = 0")), Err(Errno::EINVAL));

    let call = |text: &str| program(ProgType::Syscall, &format!("{text}\nexit"), vec![]);
    let (value, _, argument) = Both::context(&[1, 2, 3, 4]).run(&call("*(u8 *)(r1 +3) = 9\nr0 = *(u16 *)(r1 +0)")).unwrap();
    assert_eq!((value, argument), (0x0201, vec![1, 2, 3, 9]));
    assert_eq!(Both::context(&[0; 65536]).run(&call("r0 = 0")), Err(Errno::EINVAL));
}

/// A context is long enough if it holds what instructions read, on whichever way.
#[test]
fn a_context_holds_what_the_program_reads() {
    if !kernel() {
        return;
    }
    let reads = [
        ("r0 = *(u16 *)(r1 +2)\nexit", 4),
        ("r6 = r1\nr0 = *(u64 *)(r6 +16)\nexit", 24),
        ("r0 = *(u64 *)(r1 +0)\nif r0 != 5 goto +1\nr0 = *(u32 *)(r1 +40)\nexit", 44),
        ("r2 = 1\nr0 = 0\nif r2 != 5 goto +1\nr0 = *(u32 *)(r1 +40)\nexit", 0),
        ("r0 = 1\nexit", 0),
    ];
    for (text, reach) in reads {
        for prog_type in [ProgType::RawTracepoint, ProgType::Syscall] {
            let program = program(prog_type, text, vec![]);
            assert_eq!(program.context_reach(), reach);
            // An empty context is none at all: there, skep has zeros.
            for len in [1, 4, 8, 16, 23, 24, 40, 43, 44, 48, 96] {
                assert_eq!(Both::context(&vec![0; len]).run(&program).is_ok(), len >= reach, "{len} of {reach}: {text}");
            }
        }
    }
}

/// Of an input with several faults, both name the same one.
#[test]
fn faults_of_inputs_come_in_the_kernels_order() {
    if !kernel() {
        return;
    }
    // `struct __sk_buff`: none, and faults at the device, at a field that is no input, at gso_segs, at wire_len, and behind the struct.
    let skb = |parts: &[(usize, u32)], len: usize| {
        let mut ctx = vec![0; len];
        for (at, value) in parts {
            ctx[*at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        ctx
    };
    let (device, no_input, gso_segs, wire_len, behind) = ((40, 9), (0, 1), (164, 65536), (160, 1), (192, 1));
    let contexts = [
        vec![],
        skb(&[device], 192),
        skb(&[no_input], 192),
        skb(&[gso_segs], 192),
        skb(&[wire_len], 192),
        skb(&[behind], 200),
        skb(&[device, no_input], 192),
        skb(&[device, gso_segs, wire_len], 192),
        skb(&[device, behind], 200),
    ];
    let mut refused = std::collections::BTreeSet::new();
    for prog_type in [ProgType::SchedCls, ProgType::SocketFilter, ProgType::CgroupSkb] {
        let program = program(prog_type, "r0 = 1\nexit", vec![]);
        for (protocol, len) in [(0x0800, 14), (0x0800, 33), (0x0800, 34), (0x86dd, 53), (0x86dd, 54), (0x0806, 14), (0x0800, 13)]
        {
            for ctx in &contexts {
                let data = frame(protocol, len.max(14))[..len].to_vec();
                let left = Both { ctx: ctx.clone(), ctx_out: ctx.len(), ..Both::packet(&data) }.run(&program);
                refused.extend(left.err());
            }
        }
    }
    assert_eq!(refused, [Errno::E2BIG, Errno::EINVAL, Errno::ENODEV].into());

    // `struct xdp_md`: data_meta, data_end, data, ingress_ifindex, rx_queue_index, egress_ifindex.
    let program = program(ProgType::Xdp, "r0 = 2\nexit", vec![]);
    for words in [
        vec![],
        vec![0, 60, 0, 0, 0, 0],
        vec![0, 60, 0, 9, 0, 0],
        vec![0, 61, 0, 9, 0, 0],
        vec![0, 60, 0, 9, 0, 1],
        vec![0, 60, 0, 0, 1, 0],
        vec![0, 60, 0, 9, 1, 0],
        vec![0, 60, 0, 1, 9, 0],
        vec![48, 60, 0, 9, 0, 0],
        vec![2, 60, 0, 9, 0, 0],
        vec![0, 60, 0, 9, 0, 0, 1],
        vec![0, 61, 0, 9, 0, 1, 1],
    ] {
        for len in [13, 14, 60] {
            let ctx: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
            let data = frame(0x0800, len.max(14))[..len].to_vec();
            Both { ctx_out: ctx.len(), ctx, ..Both::packet(&data) }.run(&program).ok();
        }
    }
}

#[test]
fn packets_have_room() {
    if !kernel() {
        return;
    }
    let hook = Program { attach_type: Some(AttachType::Netfilter), ..program(ProgType::Netfilter, "r0 = 1\nexit", vec![]) };
    let types = [ProgType::SchedCls, ProgType::SocketFilter, ProgType::FlowDissector, ProgType::Xdp];
    let programs = types.map(|prog_type| program(prog_type, "r0 = 0\nexit", vec![]));
    for program in programs.iter().chain([&hook]) {
        let fits = |len: usize| Both::packet(&frame(0x0800, len)).run(program).is_ok();
        let longest = [5000, 4096, 3712].into_iter().find(|len| fits(*len)).unwrap();
        let expected = match program.prog_type {
            ProgType::FlowDissector => 4096,
            ProgType::Xdp => 5000,
            _buffer => 3712,
        };
        assert_eq!((longest, fits(longest + 1)), (expected, program.prog_type == ProgType::Xdp), "{:?}", program.prog_type);
    }
}
