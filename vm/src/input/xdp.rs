//! `struct xdp_md`: frames of a page, with headroom and room for fragments' bookkeeping behind them.

use skep_linux::Errno;
use skep_memory::Block;
use skep_program::Program;
use skep_world::{Context, Packet, World};

use super::{Input, InputError, Output, fields, refuse};

/// `XDP_PACKET_HEADROOM`.
const HEADROOM: usize = 256;
/// What the kernel keeps for `skb_shared_info` at the end of a frame.
const SHARED_INFO: usize = 320;
/// A frame.
const FRAME: usize = 4096;
/// Bytes of a link-layer header: no packet is shorter.
const ETH_HLEN: usize = 14;
/// The most metadata there may be: the kernel's own description of the frame (`struct xdp_frame`) has to fit before it.
const MAX_META: usize = 256 - 40;
/// Where that field lies.
const INGRESS_IFINDEX: std::ops::Range<usize> = 12..16;
/// `sizeof(struct xdp_md)`.
const SIZE: usize = 24;

pub(super) fn prepare(program: &Program, world: &World, input: &Input) -> Result<Context, InputError> {
    let block = Block::zeroed(SIZE);
    let given = input.context.as_deref().unwrap_or_default();
    if given.len() > SIZE && given[SIZE..].iter().any(|byte| *byte != 0) {
        return refuse("the context has bytes behind struct xdp_md", Errno::E2BIG);
    }
    block.write(0, &given[..given.len().min(SIZE)]);
    let mut context = Context::new(program.prog_type, program.attach_type, world.target.arch, block);
    fields(&context, input)?;
    let word = |offset| context.block.load(offset, 4) as usize;
    let empty = Vec::new();
    let data = input.data.as_ref().unwrap_or(&empty);
    let (meta, mut linear) = (word(0), data.len());
    // A context of bytes says where the packet ends, even if it says 0; fields by name need not.
    if !given.is_empty() || word(4) != 0 || word(0) != 0 || word(8) != 0 {
        if word(8) != 0 || word(4) > data.len() || meta > word(4) || meta % 4 != 0 || meta > MAX_META {
            return refuse("data, data_end and data_meta do not describe the packet", Errno::EINVAL);
        }
        linear = word(4);
    }
    if data.len() < ETH_HLEN + meta {
        let len = data.len().saturating_sub(meta);
        return refuse(format!("a packet of {len} bytes, fewer than {ETH_HLEN}"), Errno::EINVAL);
    }
    let room = FRAME - (HEADROOM - meta) - SHARED_INFO;
    // What does not fit lies in fragments, also for a program that takes none: it sees the linear part.
    linear = linear.min(room);
    devices(&context, world)?;
    let headroom = HEADROOM - meta;
    // Fragments are pages; the last one may be filled.
    let in_fragments = data.len() - linear;
    let unfilled = in_fragments.next_multiple_of(FRAME) - in_fragments;
    let mut packet = Packet::new(data, headroom, if in_fragments == 0 { room.saturating_sub(linear) } else { unfilled });
    packet.data = headroom + meta;
    packet.mac = packet.data;
    packet.network = packet.data;
    packet.linear_end = headroom + linear;
    packet.linear_limit = FRAME - SHARED_INFO;
    context.block.fill(0, 12, 0);
    context.packet = Some(packet);
    Ok(context)
}

/// The device a frame came by: loopback, unless the context says another.
fn devices(context: &Context, world: &World) -> Result<(), InputError> {
    let (ifindex, queue, egress) = (context.block.load(12, 4), context.block.load(16, 4), context.block.load(20, 4));
    if egress != 0 {
        return refuse("egress_ifindex is not an input", Errno::EINVAL);
    }
    match ifindex {
        0 if queue != 0 => refuse("rx_queue_index without ingress_ifindex", Errno::EINVAL),
        0 => {
            context.block.store(12, 4, 1);
            Ok(())
        }
        1 if queue != 0 => refuse(format!("the loopback has no receive queue {queue}"), Errno::EINVAL),
        1 => Ok(()),
        other if world.net.device(other as u32).is_some() => Ok(()),
        other => refuse(format!("no device {other}"), Errno::ENODEV),
    }
}

pub(super) fn finish(input: &Input, context: &Context) -> Output {
    let mut out = context.block.bytes(0, context.block.len());
    // The device that a frame came by is returned as it was given: none stays none, though the program saw the loopback.
    let bytes = input.context.as_deref().and_then(|given| given.get(INGRESS_IFINDEX)).unwrap_or_default();
    let named = input.fields.iter().any(|(name, value)| name == "ingress_ifindex" && *value != 0);
    if !named && bytes.iter().all(|byte| *byte == 0) {
        out[INGRESS_IFINDEX].fill(0);
    }
    let packet = context.packet.as_ref().map(|packet| {
        let put = |out: &mut Vec<u8>, at: usize, value: usize| out[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
        put(&mut out, 0, packet.data - packet.meta);
        put(&mut out, 4, packet.linear_end - packet.meta);
        let mut bytes = packet.metadata();
        bytes.extend(packet.bytes());
        bytes
    });
    Output { packet, context: out }
}
