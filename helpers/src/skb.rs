//! Bodies: socket buffers.

mod hash;
mod room;
mod vlan;

use skep_linux::flags::{
    BPF_F_INVALIDATE_HASH, BPF_F_RECOMPUTE_CSUM, BPF_HDR_START_MAC, BPF_HDR_START_NET, BPF_SKB_CLOCK_MONOTONIC,
    BPF_SKB_CLOCK_REALTIME, BPF_SKB_CLOCK_TAI,
};
use skep_linux::{Errno, ProgType};

use crate::buffer::{Buffer, ETH_HLEN, ETH_P_IP, ETH_P_IPV6, MAX_LEN};
use crate::call::{Call, Done, Fail, helpers};
use crate::checksum;

helpers! {
    9 "bpf_skb_store_bytes" => store_bytes,
    18 "bpf_skb_vlan_push" => vlan::push,
    19 "bpf_skb_vlan_pop" => vlan::pop,
    24 "bpf_get_route_realm" => |c| Ok(c.buffer(1)?.state.realm.into()),
    26 "bpf_skb_load_bytes" => load_bytes,
    31 "bpf_skb_change_proto" => room::change_proto,
    32 "bpf_skb_change_type" => change_type,
    34 "bpf_get_hash_recalc" => hash::recalc,
    38 "bpf_skb_change_tail" => change_tail,
    39 "bpf_skb_pull_data" => pull_data,
    41 "bpf_set_hash_invalid" => hash::invalidate,
    43 "bpf_skb_change_head" => change_head,
    48 "bpf_set_hash" => hash::set,
    50 "bpf_skb_adjust_room" => room::adjust,
    68 "bpf_skb_load_bytes_relative" => load_bytes_relative,
    97 "bpf_skb_ecn_set_ce" => ecn_set_ce,
    192 "bpf_skb_set_tstamp" => set_tstamp,
}

/// Copies bytes of the packet's block to where argument `n` points to.
fn copy_out(c: &mut Call<'_>, n: usize, from: usize, len: usize) -> Done {
    const FEW: usize = 128;
    let mut few = [0; FEW];
    match few.get_mut(..len) {
        Some(bytes) => {
            c.packet(1)?.block.read(from, bytes);
            c.write(n, &few[..len])?;
        }
        None => {
            let many = c.packet(1)?.block.bytes(from, len);
            c.write(n, &many)?;
        }
    }
    Ok(0)
}

/// The answer of loads that leave the packet: the buffer is zeroed.
fn not_there(c: &mut Call<'_>, n: usize, len: u32) -> Done {
    c.fill(n, len.into(), 0)?;
    Err(Errno::EFAULT.into())
}

/// `(skb, offset, to, len)`.
fn load_bytes(c: &mut Call<'_>) -> Done {
    let (offset, len) = (c.arg32(2), c.arg32(4));
    // The flow dissector runs on a packet that is in no socket buffer yet.
    if c.parts().context.prog_type == ProgType::FlowDissector {
        return not_there(c, 3, len);
    }
    let packet = c.packet(1)?;
    let inside = offset <= i32::MAX as u32 && offset as usize + len as usize <= packet.len();
    if !inside {
        return not_there(c, 3, len);
    }
    let from = packet.data + offset as usize;
    copy_out(c, 3, from, len as usize)
}

/// `(skb, offset, to, len, start_header)`. Fragments are out of reach.
fn load_bytes_relative(c: &mut Call<'_>) -> Done {
    const MAX_OFFSET: u32 = 0xffff;
    let (offset, len, start) = (c.arg32(2), c.arg32(4), c.arg32(5));
    let packet = c.packet(1)?;
    let header = match start {
        BPF_HDR_START_MAC => Some(packet.mac),
        BPF_HDR_START_NET => Some(packet.network),
        _unknown => None,
    };
    let from = header.filter(|_| offset <= MAX_OFFSET).map(|header| header + offset as usize);
    match from.filter(|from| from + len as usize <= packet.linear_end) {
        Some(from) => copy_out(c, 3, from, len as usize),
        None => not_there(c, 3, len),
    }
}

/// `(skb, offset, from, len, flags)`.
fn store_bytes(c: &mut Call<'_>) -> Done {
    let (offset, len, flags) = (c.arg32(2), c.arg32(4), c.arg(5));
    if flags & !(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if offset > i32::MAX as u32 {
        return Err(Errno::EFAULT.into());
    }
    let bytes = c.bytes(3, len.into())?;
    let mut buffer = c.buffer(1)?;
    let (offset, len) = (offset as usize, len as usize);
    buffer.writable(offset + len).map_err(|_| Errno::EFAULT)?;
    if flags & BPF_F_RECOMPUTE_CSUM != 0 {
        buffer.pull_sum(offset, len);
    }
    buffer.write(offset, &bytes);
    if flags & BPF_F_RECOMPUTE_CSUM != 0 {
        buffer.push_sum(offset, len);
    }
    if flags & BPF_F_INVALIDATE_HASH != 0 {
        buffer.clear_hash();
    }
    Ok(0)
}

/// `(skb, len)`: 0 takes what is linear already.
fn pull_data(c: &mut Call<'_>) -> Done {
    let len = c.arg32(2) as usize;
    let mut buffer = c.buffer(1)?;
    buffer.writable(len)?;
    Ok(0)
}

/// `(skb, type)`.
fn change_type(c: &mut Call<'_>) -> Done {
    const PACKET_OTHERHOST: u64 = 3;
    let to = u64::from(c.arg32(2));
    let buffer = c.buffer(1)?;
    if buffer.field("pkt_type") > PACKET_OTHERHOST || to > PACKET_OTHERHOST {
        return Err(Errno::EINVAL.into());
    }
    buffer.set_field("pkt_type", to);
    Ok(0)
}

/// The headers that cutting leaves alone.
fn least_len(buffer: &Buffer<'_>) -> usize {
    let behind = |header: usize| header.saturating_sub(buffer.packet.data);
    let transport = buffer.packet.transport.map(behind).filter(|offset| *offset > 0);
    transport.unwrap_or_else(|| behind(buffer.packet.network))
}

/// `(skb, new_len, flags)`.
fn change_tail(c: &mut Call<'_>) -> Done {
    let (len, flags) = (c.arg32(2) as usize, c.arg(3));
    let mut buffer = c.buffer(1)?;
    if flags != 0 || len > MAX_LEN || len < least_len(&buffer) {
        return Err(Errno::EINVAL.into());
    }
    if buffer.state.encapsulated {
        return Err(Errno::ENOTSUPP.into());
    }
    buffer.writable(buffer.packet.len())?;
    buffer.resize(len);
    buffer.set_field("gso_size", 0);
    buffer.set_field("gso_segs", 0);
    Ok(0)
}

/// `(skb, head_room, flags)`: room for a link-layer header, which begins there then.
fn change_head(c: &mut Call<'_>) -> Done {
    let (room, flags) = (c.arg32(2), c.arg(3));
    let mut buffer = c.buffer(1)?;
    let negative = room > i32::MAX as u32;
    let too_long = || !buffer.is_gso() && buffer.packet.len() + room as usize > MAX_LEN;
    if flags != 0 || negative || too_long() {
        return Err(Errno::EINVAL.into());
    }
    buffer.insert(0, room as usize)?;
    buffer.packet.mac = buffer.packet.data;
    buffer.measure_mac();
    Ok(0)
}

/// `(skb)`: 1 if the packet says now that there was congestion.
fn ecn_set_ce(c: &mut Call<'_>) -> Done {
    let mut buffer = c.buffer(1)?;
    let least = match inner_protocol(&buffer) {
        ETH_P_IP => 20,
        ETH_P_IPV6 => 40,
        _other => return Ok(0),
    };
    let packet = &buffer.packet;
    let (at, linear) = (packet.network, packet.linear_end);
    if linear.saturating_sub(packet.data) < least || at + least > linear {
        return Ok(0);
    }
    let header = packet.block.bytes(at, least);
    let marked = if least == 20 { mark4(&header) } else { mark6(&header, &mut buffer) };
    match marked {
        Marked::No => Ok(0),
        Marked::Already => Ok(1),
        Marked::Header(bytes) => {
            buffer.packet.block.write(at, &bytes);
            Ok(1)
        }
    }
}

/// What becomes of a header that is to say "congestion".
enum Marked {
    /// Its sender does not know about it.
    No,
    /// It does already.
    Already,
    /// These bytes at its start do.
    Header(Vec<u8>),
}

/// Bits of "congestion experienced".
const CE: u8 = 3;

fn mark4(header: &[u8]) -> Marked {
    let ecn = header[1] & CE;
    match ecn {
        0 => return Marked::No,
        CE => return Marked::Already,
        _capable => {}
    }
    let mut bytes = header.to_vec();
    bytes[1] |= CE;
    // The sum of the header grew by what the bits grew by.
    let old = u16::from_le_bytes([header[10], header[11]]);
    let new = checksum::add16(old, (0xffff - u16::from(CE - ecn)).to_be());
    bytes[10..12].copy_from_slice(&new.to_le_bytes());
    Marked::Header(bytes)
}

fn mark6(header: &[u8], buffer: &mut Buffer<'_>) -> Marked {
    if header[1] >> 4 & CE == 0 {
        return Marked::No;
    }
    let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let mut bytes = header[..4].to_vec();
    bytes[1] |= CE << 4;
    if let skep_world::Checksum::Complete(sum) = buffer.state.checksum {
        let sum = checksum::add(checksum::sub(sum, word(header)), word(&bytes));
        buffer.state.checksum = skep_world::Checksum::Complete(sum);
    }
    Marked::Header(bytes)
}

/// The protocol behind VLAN tags that lie in the packet; 0 if there are too many, or if they do not end.
fn inner_protocol(buffer: &Buffer<'_>) -> u16 {
    const MOST_TAGS: usize = 8;
    let mut protocol = buffer.protocol();
    let mut at = match buffer.packet.mac_len {
        0 => ETH_HLEN,
        known => known.saturating_sub(vlan::TAG_LEN),
    };
    let mut left = MOST_TAGS;
    while vlan::is_vlan(protocol) {
        left -= 1;
        match buffer.packet.get(at, vlan::TAG_LEN) {
            Some(tag) if left > 0 => protocol = u16::from_be_bytes([tag[2], tag[3]]),
            Some(_) | None => return 0,
        }
        at += vlan::TAG_LEN;
    }
    protocol
}

/// `(skb, tstamp, tstamp_type)`.
fn set_tstamp(c: &mut Call<'_>) -> Done {
    let (tstamp, clock) = (c.arg(2), c.arg32(3));
    let buffer = c.buffer(1)?;
    if !matches!(buffer.protocol(), ETH_P_IP | ETH_P_IPV6) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    match clock {
        BPF_SKB_CLOCK_REALTIME => {}
        BPF_SKB_CLOCK_MONOTONIC | BPF_SKB_CLOCK_TAI if tstamp != 0 => {}
        _zero_or_unknown => return Err(Errno::EINVAL.into()),
    }
    buffer.set_field("tstamp", tstamp);
    buffer.set_field("tstamp_type", clock.into());
    Ok(0)
}

/// The program's type: programs of sockets (`sk_skb`) have variants of their own of some of these.
fn of_socket(c: &mut Call<'_>) -> Result<bool, Fail> {
    Ok(c.context(1)?.prog_type == ProgType::SkSkb)
}
