//! `struct __sk_buff`: a socket buffer as the test run of the kernel makes it.

use skep_linux::Errno;
use skep_memory::{Block, RegionKind};
use skep_program::Program;
use skep_world::{Context, Packet, World};

use super::{Input, InputError, Output, fields, refuse};

/// `NET_SKB_PAD`: room before the link-layer header.
const HEADROOM: usize = 64;
/// What the kernel keeps for `skb_shared_info` behind the packet.
const TAILROOM: usize = 320;
/// A page: what buffers lie in.
const FRAME: usize = 4096;
/// Bytes of a link-layer header.
const ETH_HLEN: usize = 14;
/// `sizeof(struct __sk_buff)`.
const SIZE: usize = 192;
/// Fields that an input may set, and that come back: offset and size.
const INPUTS: &[(&str, usize, usize)] = &[
    ("mark", 8, 4),
    ("priority", 32, 4),
    ("ingress_ifindex", 36, 4),
    ("ifindex", 40, 4),
    ("cb", 48, 20),
    ("tstamp", 152, 8),
    ("wire_len", 160, 4),
    ("gso_segs", 164, 4),
    ("gso_size", 176, 4),
    ("hwtstamp", 184, 8),
];
/// Of these, what the kernel does not write back.
const NOT_RETURNED: &str = "gso_size";
/// `GSO_MAX_SEGS` and `GSO_LEGACY_MAX_SIZE`.
const MAX_SEGMENTS: u64 = 65535;
const MAX_WIRE_LEN: u64 = 65536;

const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
/// `TCP_CLOSE`: the state of a socket that was just made.
const TCP_CLOSE: u64 = 7;

pub(super) fn prepare(program: &Program, world: &World, input: &Input, link_layer: bool) -> Result<Context, InputError> {
    let empty = Vec::new();
    let data = input.data.as_ref().unwrap_or(&empty);
    if data.len() < ETH_HLEN {
        return refuse(format!("a packet of {} bytes, fewer than {ETH_HLEN}", data.len()), Errno::EINVAL);
    }
    if data.len() > FRAME - HEADROOM - TAILROOM {
        return refuse(format!("a packet of {} bytes does not fit a page", data.len()), Errno::EINVAL);
    }
    let block = Block::zeroed(SIZE);
    let given = input.context.as_deref().unwrap_or_default();
    if given.len() > SIZE && given[SIZE..].iter().any(|byte| *byte != 0) {
        return refuse("the context has bytes behind struct __sk_buff", Errno::E2BIG);
    }
    block.write(0, &given[..given.len().min(SIZE)]);
    let mut context = Context::new(program.prog_type, program.attach_type, world.target.arch, block);
    fields(&context, input)?;
    // In the kernel's order: of an input with two faults, it names the first.
    device(&context, world)?;
    let ethertype = protocol(data);
    network_header(data, ethertype)?;
    check(&context)?;

    let mut packet = Packet::new(data, HEADROOM, TAILROOM);
    packet.network = packet.mac + ETH_HLEN;
    if !link_layer {
        packet.data = packet.network;
        packet.meta = packet.data;
    }
    let set = |offset, size, value| context.block.store(offset, size, value);
    set(0, 4, packet.len() as u64);
    set(4, 4, packet_type(data));
    set(16, 4, u64::from(ethertype.to_be()));
    if context.block.load(40, 4) == 0 {
        set(40, 4, 1);
    }
    let wire_len = context.block.load(160, 4);
    if wire_len == 0 {
        set(160, 4, packet.len() as u64);
    } else if wire_len < packet.len() as u64 || wire_len > MAX_WIRE_LEN {
        return refuse(format!("wire_len {wire_len} for a packet of {} bytes", packet.len()), Errno::EINVAL);
    }
    let sock = socket(&context, data, ethertype);
    context.lend("sk", RegionKind::Kernel("bpf_sock".into()), sock, false);
    context.packet = Some(packet);
    context.skb = world.event.skb.clone();
    Ok(context)
}

/// The device that a frame came by: loopback, unless the context says another.
fn device(context: &Context, world: &World) -> Result<(), InputError> {
    let ifindex = context.block.load(40, 4);
    if ifindex > 1 && world.net.device(ifindex as u32).is_none() {
        return refuse(format!("no device {ifindex}"), Errno::ENODEV);
    }
    Ok(())
}

fn network_header(data: &[u8], ethertype: u16) -> Result<(), InputError> {
    let least = match ethertype {
        0x0800 => 20,
        0x86dd => 40,
        _other => 0,
    };
    if data.len() - ETH_HLEN < least {
        return refuse("a packet that ends in its network header", Errno::EINVAL);
    }
    Ok(())
}

/// What the kernel asks of the fields that a test run brings.
fn check(context: &Context) -> Result<(), InputError> {
    let bytes = context.block.bytes(0, SIZE);
    let allowed = |at: usize| INPUTS.iter().any(|(_, offset, size)| (*offset..offset + size).contains(&at));
    if let Some(at) = (0..SIZE).find(|at| bytes[*at] != 0 && !allowed(*at)) {
        let field = context.row().and_then(|row| row.field_at(at as i32)).map_or("padding", |field| field.name);
        return refuse(format!("field `{field}` of struct __sk_buff is not an input"), Errno::EINVAL);
    }
    if context.block.load(164, 4) > MAX_SEGMENTS {
        return refuse("gso_segs is more than 65535", Errno::EINVAL);
    }
    Ok(())
}

/// `skb->protocol`: the type field, or what stands for frames that have a length there.
fn protocol(data: &[u8]) -> u16 {
    const ETH_P_802_3: u16 = 1;
    const ETH_P_802_2: u16 = 4;
    let field = u16::from_be_bytes([data[12], data[13]]);
    match field {
        0x0600.. => field,
        _ if data.get(14..16) == Some(&[0xff, 0xff]) => ETH_P_802_3,
        _ => ETH_P_802_2,
    }
}

/// `skb->pkt_type` of a frame that came by a device whose address is all zero.
fn packet_type(data: &[u8]) -> u64 {
    const PACKET_HOST: u64 = 0;
    const PACKET_BROADCAST: u64 = 1;
    const PACKET_MULTICAST: u64 = 2;
    const PACKET_OTHERHOST: u64 = 3;
    match &data[..6] {
        [0, 0, 0, 0, 0, 0] => PACKET_HOST,
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => PACKET_BROADCAST,
        [first, ..] if first & 1 == 1 => PACKET_MULTICAST,
        _ => PACKET_OTHERHOST,
    }
}

/// The socket that the test run makes for the buffer, as `struct bpf_sock`; its addresses are the packet's.
fn socket(context: &Context, data: &[u8], ethertype: u16) -> std::sync::Arc<Block> {
    let sock = Block::zeroed(80);
    sock.store(72, 4, TCP_CLOSE);
    sock.store(76, 4, u64::from(u32::MAX));
    let skb = &context.block;
    match ethertype {
        0x0800 => {
            let (from, to) = (&data[ETH_HLEN + 12..ETH_HLEN + 16], &data[ETH_HLEN + 16..ETH_HLEN + 20]);
            sock.store(4, 4, AF_INET);
            sock.write(24, from);
            sock.write(52, to);
            skb.store(88, 4, AF_INET);
            skb.write(92, to);
            skb.write(96, from);
        }
        0x86dd => {
            let (from, to) = (&data[ETH_HLEN + 8..ETH_HLEN + 24], &data[ETH_HLEN + 24..ETH_HLEN + 40]);
            sock.store(4, 4, AF_INET6);
            sock.write(28, from);
            sock.write(56, to);
            skb.store(88, 4, AF_INET6);
            skb.write(100, to);
            skb.write(116, from);
        }
        _ => {}
    }
    sock
}

pub(super) fn finish(input: &Input, context: &Context, link_layer: bool) -> Output {
    let mut out = vec![0; SIZE];
    if let Some(given) = &input.context {
        let len = given.len().min(SIZE);
        out[..len].copy_from_slice(&given[..len]);
    }
    for (name, offset, size) in INPUTS {
        if *name != NOT_RETURNED {
            context.block.read(*offset, &mut out[*offset..offset + size]);
        }
    }
    let packet = context.packet.as_ref().map(|packet| {
        // The header that the program did not see comes back as zeros.
        let mut bytes = if link_layer { Vec::new() } else { vec![0; ETH_HLEN] };
        bytes.extend(packet.bytes());
        bytes
    });
    Output { packet, context: out }
}
