//! What lies behind IP headers.

use etherparse::{Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, TcpHeader, TcpOptionElement, UdpHeader, ip_number};

use super::facts::Facts;
use super::net;
use super::random::Random;

/// The addresses that checksums are made over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Between {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

/// Protocols of IPv4 and IPv6 payloads, with their shares.
const PROTOCOLS: [(u8, usize); 10] = [
    (ip_number::TCP.0, 40),
    (ip_number::UDP.0, 30),
    (ip_number::ICMP.0, 6),
    (ip_number::IPV6_ICMP.0, 6),
    (ip_number::GRE.0, 5),
    (ip_number::IPV4.0, 4),
    (ip_number::IPV6.0, 3),
    (ip_number::SCTP.0, 2),
    (ip_number::ENCAP_SEC.0, 2),
    (255, 2),
];

/// A protocol number and what follows the IP header.
pub(super) fn any(random: &mut Random, facts: &mut Facts, between: Between, depth: usize) -> (u8, Vec<u8>) {
    let at = random.weighted(&PROTOCOLS.map(|(_, weight)| weight));
    let protocol = PROTOCOLS[at].0;
    let bytes = match protocol {
        p if p == ip_number::TCP.0 => tcp(random, facts, between),
        p if p == ip_number::UDP.0 => udp(random, facts, between, depth),
        p if p == ip_number::ICMP.0 => icmp(random, facts, depth),
        p if p == ip_number::IPV6_ICMP.0 => icmp6(random, facts, between, depth),
        p if p == ip_number::GRE.0 => gre(random, facts, depth),
        p if p == ip_number::IPV4.0 => net::v4(random, facts, depth + 1),
        p if p == ip_number::IPV6.0 => net::v6(random, facts, depth + 1),
        _ => {
            facts.port(random);
            random.some_bytes(64)
        }
    };
    facts.protocols.push(protocol);
    (protocol, bytes)
}

/// What applications send.
fn payload(random: &mut Random) -> Vec<u8> {
    const REQUESTS: [&[u8]; 4] = [
        b"GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03", // the start of a TLS hello
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01", // a DNS question
    ];
    match random.below(10) {
        0..4 => Vec::new(),
        4..7 => random.some_bytes(120),
        7 => vec![0; random.below(64)],
        _ => random.pick(&REQUESTS).to_vec(),
    }
}

fn tcp(random: &mut Random, facts: &mut Facts, between: Between) -> Vec<u8> {
    const FLAGS: [u8; 9] = [0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x00, 0x3f];
    let (from, to) = (facts.port(random), facts.port(random));
    let mut header = TcpHeader::new(from, to, random.number() as u32, random.number() as u16);
    header.acknowledgment_number = random.number() as u32;
    if random.chance(40) {
        use TcpOptionElement::{MaximumSegmentSize, Noop, SelectiveAcknowledgementPermitted, Timestamp, WindowScale};
        let (value, echo) = (random.number() as u32, random.number() as u32);
        let all = [MaximumSegmentSize(1460), SelectiveAcknowledgementPermitted, Timestamp(value, echo), Noop, WindowScale(7)];
        // Ten words are there for options; these take five.
        let _ = header.set_options(&all[..random.below(all.len() + 1)]);
    } else if random.chance(15) {
        let len = 4 * random.below(11);
        let _ = header.set_options_raw(&random.bytes(len));
    }
    let data = payload(random);
    let sum = match between {
        Between::V4(from, to) => header.calc_checksum_ipv4_raw(from, to, &data),
        Between::V6(from, to) => header.calc_checksum_ipv6_raw(from, to, &data),
    };
    header.checksum = sum.unwrap_or(0);
    let mut bytes = header.to_bytes().to_vec();
    bytes[13] = if random.chance(85) { random.pick(&FLAGS) } else { random.number() as u8 };
    if random.chance(4) {
        bytes[12] = random.number() as u8; // another data offset
    }
    bytes.extend(data);
    bytes
}

fn udp(random: &mut Random, facts: &mut Facts, between: Between, depth: usize) -> Vec<u8> {
    const VXLAN: u16 = 4789;
    let (source_port, mut destination_port) = (facts.port(random), facts.port(random));
    let mut data = payload(random);
    if depth == 0 && random.chance(6) {
        destination_port = VXLAN;
        data = [&[8, 0, 0, 0, 0, 0, random.number() as u8, 0][..], &net::ethernet(random, facts, depth + 1)].concat();
    }
    let length = (8 + data.len()) as u16;
    let mut header = UdpHeader { source_port, destination_port, length, checksum: 0 };
    if random.chance(80) {
        let sum = match between {
            Between::V4(from, to) => header.calc_checksum_ipv4_raw(from, to, &data),
            Between::V6(from, to) => header.calc_checksum_ipv6_raw(from, to, &data),
        };
        header.checksum = sum.unwrap_or(0);
    }
    if random.chance(4) {
        header.length = random.number() as u16;
    }
    [&header.to_bytes()[..], &data].concat()
}

/// The packet that an error is about, or some bytes.
fn quoted(random: &mut Random, facts: &mut Facts, depth: usize, v6: bool) -> Vec<u8> {
    match random.below(3) {
        0 if depth < 2 && v6 => net::v6(random, facts, depth + 1),
        0 if depth < 2 => net::v4(random, facts, depth + 1),
        _ => random.some_bytes(64),
    }
}

fn icmp(random: &mut Random, facts: &mut Facts, depth: usize) -> Vec<u8> {
    let type_u8 = random.pick(&[0, 3, 3, 5, 8, 8, 11, 13, 200]);
    let (code_u8, bytes5to8) = (random.below(5) as u8, (random.number() as u32).to_le_bytes());
    let data = quoted(random, facts, depth, false);
    let header = Icmpv4Header::with_checksum(Icmpv4Type::Unknown { type_u8, code_u8, bytes5to8 }, &data);
    [&header.to_bytes()[..], &data].concat()
}

fn icmp6(random: &mut Random, facts: &mut Facts, between: Between, depth: usize) -> Vec<u8> {
    let type_u8 = random.pick(&[1, 2, 3, 128, 129, 133, 134, 135, 136, 200]);
    let (code_u8, bytes5to8) = (random.below(3) as u8, (random.number() as u32).to_le_bytes());
    let data = match type_u8 {
        // Neighbour messages: the target, and an option with a link-layer address.
        135 | 136 => [&facts.v6(random)[..], &[1, 1], &facts.mac(random)].concat(),
        _ => quoted(random, facts, depth, true),
    };
    let kind = Icmpv6Type::Unknown { type_u8, code_u8, bytes5to8 };
    let (from, to) = match between {
        Between::V6(from, to) => (from, to),
        Between::V4(..) => ([0; 16], [0; 16]),
    };
    let header = Icmpv6Header::with_checksum(kind, from, to, &data).unwrap_or_else(|_| Icmpv6Header::new(kind));
    [&header.to_bytes()[..], &data].concat()
}

fn gre(random: &mut Random, facts: &mut Facts, depth: usize) -> Vec<u8> {
    const CHECKSUM: u16 = 0x8000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    let flags = random.pick(&[0, 0, KEY, KEY | SEQUENCE, CHECKSUM, CHECKSUM | KEY | SEQUENCE, 1]);
    let protocol: u16 = random.pick(&[0x0800, 0x86dd, 0x6558, 0x88be]);
    let mut bytes = [flags.to_be_bytes(), protocol.to_be_bytes()].concat();
    let words = [CHECKSUM, KEY, SEQUENCE].into_iter().filter(|flag| flags & flag != 0).count();
    bytes.extend(random.bytes(4 * words));
    bytes.extend(match protocol {
        _ if depth > 1 => random.some_bytes(40),
        0x0800 => net::v4(random, facts, depth + 1),
        0x86dd => net::v6(random, facts, depth + 1),
        _ => net::ethernet(random, facts, depth + 1),
    });
    bytes
}
