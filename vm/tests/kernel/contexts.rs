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
