//! Contexts.

use super::random::Random;

const SKB_SIZE: usize = 192;
/// Fields of `struct __sk_buff` that a test run takes: offset, size.
const SKB_FIELDS: [(usize, usize); 14] = [
    (8, 4),  // mark
    (32, 4), // priority
    (36, 4), // ingress_ifindex
    (40, 4), // ifindex
    (48, 4), // cb[0] ... cb[4]
    (52, 4),
    (56, 4),
    (60, 4),
    (64, 4),
    (152, 8), // tstamp
    (160, 4), // wire_len
    (164, 4), // gso_segs
    (176, 4), // gso_size
    (184, 8), // hwtstamp
];
const IFINDEX: usize = 40;
const WIRE_LEN: usize = 160;

fn put(context: &mut [u8], offset: usize, size: usize, value: u64) {
    if let Some(to) = context.get_mut(offset..offset + size) {
        to.copy_from_slice(&value.to_le_bytes()[..size]);
    }
}

/// `struct __sk_buff`, or none.
pub(super) fn skb(random: &mut Random, packet: usize) -> Option<Vec<u8>> {
    if random.chance(45) {
        return None;
    }
    let mut context = vec![0; SKB_SIZE];
    for (offset, size) in SKB_FIELDS {
        if random.chance(50) {
            continue;
        }
        let value = match offset {
            IFINDEX => random.pick(&[0, 1, 1, 1, 1, 1, 1, 1, 1, 9]),
            WIRE_LEN => {
                [0, packet, packet + 100, packet + 4, 65536, 65537, 1][random.weighted(&[40, 20, 20, 10, 6, 1, 1])] as u64
            }
            _ if size == 8 => random.interesting(),
            164 if random.chance(95) => random.below(65536) as u64,
            _ => random.interesting(),
        };
        put(&mut context, offset, size, value);
    }
    if random.chance(2) {
        // A field that is not an input.
        let at = random.below(SKB_SIZE);
        context[at] = 1;
    }
    match random.below(50) {
        0 => context.truncate(4 * random.below(48)),
        1 => context.resize(SKB_SIZE + 8, random.below(2) as u8),
        _ => {}
    }
    Some(context)
}

/// `struct xdp_md`, or none.
pub(super) fn xdp(random: &mut Random, packet: usize) -> Option<Vec<u8>> {
    if random.chance(50) {
        return None;
    }
    let meta = match random.below(10) {
        0..6 => 0,
        6..9 => 4 * random.below(9),
        _ => random.below(260),
    };
    let end = match random.below(20) {
        0 => random.below(packet + 2),
        _ => packet,
    };
    let ifindex = random.pick(&[0, 1, 1, 1, 1, 1, 1, 9]);
    let queue = if random.chance(3) { 1 } else { 0 };
    let words = [meta as u32, end as u32, 0, ifindex, queue, if random.chance(1) { 1 } else { 0 }];
    Some(words.into_iter().flat_map(u32::to_le_bytes).collect())
}

/// Arguments of a raw tracepoint, as many bytes as the program reads at least: the kernel runs none on less. None of the arguments is an
/// address where anything is: neither side has objects behind them.
pub(super) fn args(random: &mut Random, reach: usize) -> Vec<u8> {
    const MOST: usize = 12 * 8;
    let len = match random.below(100) {
        0..92 => MOST,
        92..99 => reach + random.below(MOST.saturating_sub(reach) + 1),
        // More than there may be.
        _ => MOST + 1 + random.below(8),
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| argument(random).to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

fn argument(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => 0,
        1 | 2 => random.below(512) as u64,
        3 => random.number() & 0xffff_ffff,
        4 => random.number() & 0xfff,
        // Bits 48 to 62 are not all equal: no address of a machine with 48 or 57 bits.
        _ => random.number() & !(1 << 62) | 1 << 61,
    }
}

/// A context of a syscall program, as long as what it reads of it.
pub(super) fn memory(random: &mut Random, reach: usize) -> Vec<u8> {
    let len = random.pick(&[64, 128, 256, 8, 0, 512]).max(reach);
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| random.interesting().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

/// `struct bpf_sk_lookup` as a test run takes it.
pub(super) fn sk_lookup(random: &mut Random, addresses: ([u8; 16], [u8; 16]), ports: (u16, u16)) -> Vec<u8> {
    const SIZE: usize = 72;
    let mut context = vec![0; SIZE];
    let v6 = random.chance(40);
    let protocol = random.pick(&[6, 17]);
    put(&mut context, 8, 4, if v6 { 10 } else { 2 });
    put(&mut context, 12, 4, protocol);
    if v6 {
        context[20..36].copy_from_slice(&addresses.0);
        context[44..60].copy_from_slice(&addresses.1);
    } else {
        context[16..20].copy_from_slice(&addresses.0[..4]);
        context[40..44].copy_from_slice(&addresses.1[..4]);
    }
    put(&mut context, 36, 2, u64::from(ports.0.to_be()));
    put(&mut context, 60, 4, u64::from(ports.1));
    if random.chance(10) {
        put(&mut context, 64, 4, 1);
    }
    context
}
