//! Packets through the firewall of this repository: single ones, and a capture.

use std::fs;

use etherparse::PacketBuilder;
use serde_json::json;

use crate::common::{Scratch, json, own, passes, told};

const ETHERNET: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

/// The capture that lies in the repository: what is in it, packet by packet.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let write = |size: usize, write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::with_capacity(size);
        write(&mut bytes);
        bytes
    };
    let v4 = || PacketBuilder::ethernet2(ETHERNET.0, ETHERNET.1).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    let v6 = || PacketBuilder::ethernet2(ETHERNET.0, ETHERNET.1).ipv6([1; 16], [2; 16], 64);
    let vlan = || {
        let tagged = PacketBuilder::ethernet2(ETHERNET.0, ETHERNET.1).single_vlan(5.try_into().unwrap());
        tagged.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
    };
    let mut arp = vec![0xff; 6];
    arp.extend(ETHERNET.0);
    arp.extend([8, 6]);
    arp.resize(42, 0);
    vec![
        ("TCP to 443", write(64, &|out| v4().tcp(40_000, 443, 1, 1000).write(out, b"hello").unwrap())),
        ("TCP to 23", write(64, &|out| v4().tcp(40_001, 23, 1, 1000).write(out, b"telnet").unwrap())),
        ("UDP to 53", write(64, &|out| v4().udp(40_002, 53).write(out, b"query").unwrap())),
        ("UDP to 23", write(64, &|out| v4().udp(40_003, 23).write(out, b"x").unwrap())),
        ("TCP to 23 over IPv6", write(80, &|out| v6().tcp(40_004, 23, 1, 1000).write(out, b"six").unwrap())),
        ("TCP to 23 in a VLAN", write(64, &|out| vlan().tcp(40_005, 23, 1, 1000).write(out, b"tagged").unwrap())),
        ("ARP", arp),
        ("half of an IPv4 header", write(64, &|out| v4().udp(1, 2).write(out, &[]).unwrap())[..24].to_vec()),
    ]
}

/// The capture as bytes: classic pcap with microseconds, a packet every ten milliseconds.
fn capture() -> Vec<u8> {
    const START: u32 = 1_700_000_000;
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65535, 1] {
        file.extend(u32::to_le_bytes(word));
    }
    for (nth, (_, frame)) in (0u32..).zip(frames()) {
        let len = frame.len() as u32;
        for word in [START, nth * 10_000, len, len] {
            file.extend(u32::to_le_bytes(word));
        }
        file.extend(frame);
    }
    file
}

const PCAP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ports.pcap");

/// `SKEP_BLESS=1` writes it.
#[test]
fn the_capture_is_what_the_code_here_makes() {
    if std::env::var_os("SKEP_BLESS").is_some() {
        fs::write(PCAP, capture()).unwrap();
    }
    assert_eq!(fs::read(PCAP).unwrap(), capture());
}

const VERDICTS: [&str; 8] = ["XDP_PASS", "XDP_DROP", "XDP_PASS", "XDP_DROP", "XDP_DROP", "XDP_DROP", "XDP_PASS", "XDP_ABORTED"];

#[test]
fn a_firewall_drops_and_passes_packets_of_a_capture() {
    let passed = Scratch::new("passed.pcap", &[]);
    let args = ["run", &own("firewall"), "--pcap", PCAP, "--map", "blocked_ports[23]=1"];
    let (code, mut answers) = json(&[&args[..], &["--pcap-out", passed.path(), "--dump", "dropped", "--dump", ".bss"]].concat());
    assert_eq!(code, 0);
    let maps = answers.pop().unwrap();
    let verdicts: Vec<&str> = answers.iter().map(|run| run["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, VERDICTS);
    assert!(answers.iter().all(|run| run["kind"] == "packet" && run["packet_out"].is_null()));

    let values = |key: usize| maps["maps"]["dropped"][key]["values"].clone();
    let tcp: usize = [1, 4, 5].iter().map(|nth| frames()[*nth].1.len()).sum();
    assert_eq!(values(6), json!([{ "cpu": 0, "value": { "packets": 3, "bytes": tcp } }]));
    assert_eq!(values(17), json!([{ "cpu": 0, "value": { "packets": 1, "bytes": frames()[3].1.len() } }]));
    assert_eq!(maps["maps"]["firewall.bss"], json!([{ "key": 0, "value": { "malformed": 1 } }]));

    // What passed runs again, and all of it passes.
    let again = json(&["run", &own("firewall"), "--pcap", passed.path(), "--map", "blocked_ports[23]=1"]).1;
    let packets = |runs: &[serde_json::Value]| runs.iter().map(|run| run["packet"].clone()).collect::<Vec<_>>();
    assert!(again.iter().all(|run| run["verdict"] == "XDP_PASS"));
    let expected: Vec<_> = answers.into_iter().filter(|run| run["verdict"] == "XDP_PASS").collect();
    assert_eq!(packets(&again), packets(&expected));
}

#[test]
fn runs_are_told_in_words() {
    let text = passes(&["run", &own("firewall"), "--pcap", PCAP, "--map", "blocked_ports[23]=1"]);
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.pop(), Some("8 runs: 3 XDP_PASS, 4 XDP_DROP, 1 XDP_ABORTED"));
    assert_eq!(lines.len(), VERDICTS.len());
    for (nth, (line, verdict)) in lines.iter().zip(VERDICTS).enumerate() {
        let start = format!("packet {} ({} bytes): firewall: {verdict} (", nth + 1, frames()[nth].1.len());
        assert!(line.starts_with(&start) && line.ends_with(" instructions"), "{line}");
    }
    assert!(!text.contains('\x1b'), "colours in a pipe");
}

#[test]
fn a_kernel_whose_types_nobody_knows_will_do() {
    let args = ["run", &own("firewall"), "--pcap", PCAP, "--map", "blocked_ports[23]=1", "-q", "--target"];
    for target in ["4.18", "5.15", "6.18", "6.18.3-custom"] {
        assert_eq!(passes(&[&args[..], &[target]].concat()), "8 runs: 3 XDP_PASS, 4 XDP_DROP, 1 XDP_ABORTED\n", "{target}");
    }
    let (code, _, err) = told(&[&args[..], &["nowhere"]].concat());
    let expected = "error: --target nowhere\n  caused by: neither `host`, nor a kernel release such as 6.18, nor a file\n";
    assert_eq!((code, err.as_str()), (2, expected));
}

#[test]
fn verdicts_are_counted() {
    let args = ["run", &own("firewall"), "--pcap", PCAP, "--map", "blocked_ports[23]=1", "--quiet"];
    assert_eq!(passes(&args), "8 runs: 3 XDP_PASS, 4 XDP_DROP, 1 XDP_ABORTED\n");
    let expected = json!({ "summary": { "runs": 8, "verdicts": { "XDP_PASS": 3, "XDP_DROP": 4, "XDP_ABORTED": 1 } } });
    assert_eq!(json(&args), (0, vec![expected]));
}

#[test]
fn no_capture_no_answer() {
    let text = Scratch::new("not.pcap", b"this is no capture at all, though it is long");
    let (code, out, err) = told(&["run", &own("firewall"), "--pcap", text.path()]);
    assert_eq!((code, out.as_str()), (2, ""));
    let expected = format!("error: cannot read packets from `{}`\n  caused by: it is neither pcap nor pcapng\n", text.path());
    assert_eq!(err, expected);
}

#[test]
fn a_packet_from_digits_or_a_file() {
    let frame = &frames()[1].1;
    let file = Scratch::new("frame.bin", frame);
    let digits: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    for packet in [digits, format!("@{}", file.path())] {
        let text = passes(&["run", &own("firewall"), "--packet", &packet, "--map", "blocked_ports[23]=1"]);
        assert!(text.starts_with("firewall: XDP_DROP (1), "), "{text}");
        // Without the fixture nothing is blocked.
        assert!(passes(&["run", &own("firewall"), "firewall", "--packet", &packet]).starts_with("firewall: XDP_PASS (2), "));
    }
    let (code, _, err) = told(&["run", &own("firewall"), "--packet", "00"]);
    assert_eq!((code, err.as_str()), (2, "error: a packet of 1 bytes, fewer than 14 (EINVAL)\n"));
}

#[test]
fn a_variable_is_set_before_load() {
    let arp: String = frames()[6].1.iter().map(|byte| format!("{byte:02x}")).collect();
    let verdict = |global: &str| json(&["run", &own("firewall"), "--packet", &arp, "--global", global]).1[0]["verdict"].clone();
    assert_eq!((verdict("strict=0"), verdict("strict=1")), (json!("XDP_PASS"), json!("XDP_DROP")));
    let (code, _, err) = told(&["run", &own("firewall"), "--packet", &arp, "-G", "strikt=1"]);
    assert_eq!(code, 2);
    assert!(err.contains("global variable `strikt`") && err.contains("strict"), "{err}");
}
