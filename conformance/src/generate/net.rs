//! Link and network headers.

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv4Options, Ipv6FlowLabel, Ipv6Header};

use super::facts::Facts;
use super::random::Random;
use super::transport::{self, Between};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
/// MPLS, PPPoE, LLDP, and a frame that has its length here.
const OTHERS: [u16; 4] = [0x8847, 0x8864, 0x88cc, 0x0026];

/// A frame.
pub(super) fn ethernet(random: &mut Random, facts: &mut Facts, depth: usize) -> Vec<u8> {
    let mut frame = [facts.mac(random), facts.mac(random)].concat();
    for _ in 0..random.weighted(&[80, 14, 6]) {
        let tag = random.number() as u16 & if random.chance(50) { 0x000f } else { 0xffff };
        frame.extend(random.pick(&[VLAN, VLAN, SERVICE_VLAN]).to_be_bytes());
        frame.extend(tag.to_be_bytes());
    }
    let (ethertype, rest) = match random.weighted(&[58, 32, 5, 5]) {
        0 => (IPV4, v4(random, facts, depth)),
        1 => (IPV6, v6(random, facts, depth)),
        2 => (ARP, arp(random, facts)),
        _ => (random.pick(&OTHERS), random.some_bytes(80)),
    };
    facts.ethertypes.push(ethertype);
    frame.extend(ethertype.to_be_bytes());
    frame.extend(rest);
    frame
}

fn arp(random: &mut Random, facts: &mut Facts) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, random.pick(&[1, 1, 2, 3])];
    for _ in 0..2 {
        bytes.extend(facts.mac(random));
        bytes.extend(facts.v4(random));
    }
    bytes
}

/// An IPv4 packet.
pub(super) fn v4(random: &mut Random, facts: &mut Facts, depth: usize) -> Vec<u8> {
    let (source, destination) = (facts.v4(random), facts.v4(random));
    let (protocol, data) = match depth {
        0..3 => transport::any(random, facts, Between::V4(source, destination), depth),
        _ => (255, random.some_bytes(32)),
    };
    let mut header = Ipv4Header { protocol: IpNumber(protocol), source, destination, ..Ipv4Header::default() };
    header.time_to_live = random.pick(&[64, 64, 63, 255, 2, 1, 0]);
    header.identification = random.number() as u16;
    header.dont_fragment = random.chance(40);
    if random.chance(8) {
        header.more_fragments = random.chance(50);
        header.fragment_offset = IpFragOffset::try_new(random.below(200) as u16).unwrap_or(IpFragOffset::ZERO);
    }
    if random.chance(12) {
        let len = 4 * random.below(11);
        let options = if random.chance(50) { vec![1; len] } else { random.bytes(len) };
        header.options = Ipv4Options::try_from(&options[..]).unwrap_or_default();
    }
    header.total_len = (header.header_len() + data.len()) as u16;
    match random.below(40) {
        0 => header.total_len = random.number() as u16,
        1 => header.total_len = header.total_len.wrapping_sub(random.below(30) as u16),
        2 => header.total_len = 0,
        _ => {}
    }
    header.header_checksum = if random.chance(95) { header.calc_header_checksum() } else { random.number() as u16 };
    let mut bytes = header.to_bytes().to_vec();
    bytes[1] = random.pick(&[0, 0, 0, 0x10, 0xb8, 0x03]); // type of service
    if random.chance(4) {
        bytes[0] = random.pick(&[0x44, 0x40, 0x4f, 0x65, 0x46, 0x00]);
    }
    bytes.extend(data);
    bytes
}

/// An IPv6 packet, with extension headers now and then.
pub(super) fn v6(random: &mut Random, facts: &mut Facts, depth: usize) -> Vec<u8> {
    let (source, destination) = (facts.v6(random), facts.v6(random));
    let (protocol, data) = match depth {
        0..3 => transport::any(random, facts, Between::V6(source, destination), depth),
        _ => (59, random.some_bytes(32)),
    };
    let (next_header, data) = extend(random, protocol, data);
    let mut header = Ipv6Header {
        traffic_class: random.pick(&[0, 0, 0, 0xb8, 3]),
        flow_label: Ipv6FlowLabel::try_new(random.number() as u32 & 0xf_ffff).unwrap_or(Ipv6FlowLabel::ZERO),
        payload_length: data.len() as u16,
        next_header: IpNumber(next_header),
        hop_limit: random.pick(&[64, 64, 255, 1, 0]),
        source,
        destination,
    };
    if random.chance(5) {
        header.payload_length = random.number() as u16;
    }
    let mut bytes = header.to_bytes().to_vec();
    if random.chance(3) {
        bytes[0] = random.number() as u8;
    }
    bytes.extend(data);
    bytes
}

/// Puts extension headers before a payload.
fn extend(random: &mut Random, protocol: u8, data: Vec<u8>) -> (u8, Vec<u8>) {
    const FRAGMENT: u8 = 44;
    let count = random.weighted(&[78, 15, 5, 2]);
    (0..count).fold((protocol, data), |(next, data), _| {
        // hop-by-hop, routing, fragment, destination options, authentication
        let kind = random.pick(&[0, 43, FRAGMENT, 60, 51]);
        let words = random.below(3);
        let (len, rest) = match kind {
            FRAGMENT => (0, random.bytes(6)),
            51 => ((words * 2) as u8, random.bytes(6 + words * 8)), // its length counts in words of four bytes
            _ => (words as u8, random.bytes(6 + words * 8)),
        };
        (kind, [&[next, len][..], &rest, &data].concat())
    })
}
