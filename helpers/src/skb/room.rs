//! Bodies: room for headers, and the way from one version of IP to the other.

use skep_linux::Errno;
use skep_linux::flags::{
    BPF_ADJ_ROOM_ENCAP_L2_SHIFT, BPF_ADJ_ROOM_MAC, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_DECAP_L3_IPV4, BPF_F_ADJ_ROOM_DECAP_L3_IPV6,
    BPF_F_ADJ_ROOM_ENCAP_L2_ETH, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6, BPF_F_ADJ_ROOM_ENCAP_L4_GRE,
    BPF_F_ADJ_ROOM_ENCAP_L4_UDP, BPF_F_ADJ_ROOM_FIXED_GSO, BPF_F_ADJ_ROOM_NO_CSUM_RESET,
};
use skep_world::Checksum;

use crate::buffer::{Buffer, ETH_HLEN, ETH_P_IP, ETH_P_IPV6, MAX_LEN};
use crate::call::{Call, Done, Fail};

const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const ENCAP_L3: u64 = BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
const ENCAP_L4: u64 = BPF_F_ADJ_ROOM_ENCAP_L4_GRE | BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
const DECAP_L3: u64 = BPF_F_ADJ_ROOM_DECAP_L3_IPV4 | BPF_F_ADJ_ROOM_DECAP_L3_IPV6;
const SHRINK: u64 = BPF_F_ADJ_ROOM_FIXED_GSO | DECAP_L3 | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
const ENCAP_L2: u64 = BPF_F_ADJ_ROOM_ENCAP_L2_ETH | 0xff << BPF_ADJ_ROOM_ENCAP_L2_SHIFT;
const KNOWN: u64 = SHRINK | ENCAP_L3 | ENCAP_L4 | ENCAP_L2;

/// Makes room before the network header's place in the packet, which the headers before it make.
fn push_header(buffer: &mut Buffer<'_>, offset: usize, len: usize) -> Result<(), Errno> {
    let same = buffer.packet.transport == Some(buffer.packet.network);
    buffer.insert(offset, len)?;
    let packet = &mut buffer.packet;
    packet.mac -= len;
    packet.network -= len;
    if same {
        packet.transport = Some(packet.network);
    }
    Ok(())
}

/// Takes room away.
fn pop_header(buffer: &mut Buffer<'_>, offset: usize, len: usize) -> Result<(), Errno> {
    let same = buffer.packet.transport == Some(buffer.packet.network);
    buffer.remove(offset, len)?;
    let packet = &mut buffer.packet;
    packet.mac += len;
    packet.network += len;
    if same {
        packet.transport = Some(packet.network);
    }
    Ok(())
}

/// Bytes of the link-layer header.
fn mac_header_len(buffer: &Buffer<'_>) -> usize {
    buffer.packet.network.saturating_sub(buffer.packet.mac)
}

/// `(skb, proto, flags)`.
pub(super) fn change_proto(c: &mut Call<'_>) -> Done {
    let (to, flags) = (u16::from_be(c.arg(2) as u16), c.arg(3));
    let mut buffer = c.buffer(1)?;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let longer = match (buffer.protocol(), to) {
        (ETH_P_IP, ETH_P_IPV6) => true,
        (ETH_P_IPV6, ETH_P_IP) => false,
        _other => return Err(Errno::ENOTSUPP.into()),
    };
    let (offset, len) = (mac_header_len(&buffer), IPV6_LEN - IPV4_LEN);
    if longer {
        push_header(&mut buffer, offset, len)?;
    } else {
        pop_header(&mut buffer, offset, len)?;
    }
    buffer.set_protocol(to);
    buffer.clear_hash();
    Ok(0)
}

/// `(skb, len_diff, mode, flags)`.
pub(super) fn adjust(c: &mut Call<'_>) -> Done {
    if super::of_socket(c)? {
        return adjust_stream(c);
    }
    let (diff, mode, flags) = (c.arg32(2) as i32, c.arg32(3), c.arg(4));
    let mut buffer = c.buffer(1)?;
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL.into());
    }
    let len = diff.unsigned_abs() as usize;
    if len > 0xfff {
        return Err(Errno::EFAULT.into());
    }
    let base = match buffer.protocol() {
        ETH_P_IP => IPV4_LEN,
        ETH_P_IPV6 => IPV6_LEN,
        _other => return Err(Errno::ENOTSUPP.into()),
    };
    let mac = mac_header_len(&buffer);
    let offset = match mode {
        BPF_ADJ_ROOM_NET => mac + base,
        BPF_ADJ_ROOM_MAC => mac,
        _unknown => return Err(Errno::ENOTSUPP.into()),
    };
    let shrink = diff < 0;
    let least = least_left(flags, shrink, base)?;
    // A packet that ends before its network header has more than enough in the kernel's reckoning.
    let current = (buffer.packet.len() as u32).wrapping_sub(buffer.network_offset() as u32) as usize;
    if shrink && (len >= current || current - len < least) || !shrink && buffer.packet.len() + len > MAX_LEN && !buffer.is_gso() {
        return Err(Errno::ENOTSUPP.into());
    }
    if shrink {
        shrink_net(&mut buffer, offset, len, flags)?
    } else {
        grow_net(&mut buffer, offset, len, flags)?
    }
    if flags & BPF_F_ADJ_ROOM_NO_CSUM_RESET == 0
        && let Checksum::Unnecessary(_) = buffer.state.checksum
    {
        buffer.state.checksum = Checksum::None;
    }
    Ok(0)
}

/// Bytes that must be left from the network header on.
fn least_left(flags: u64, shrink: bool, base: usize) -> Result<usize, Errno> {
    match flags & DECAP_L3 {
        0 => Ok(base),
        BPF_F_ADJ_ROOM_DECAP_L3_IPV4 if shrink => Ok(IPV4_LEN),
        BPF_F_ADJ_ROOM_DECAP_L3_IPV6 if shrink => Ok(IPV6_LEN),
        _both_or_growing => Err(Errno::EINVAL),
    }
}

/// For programs of sockets: room at the beginning of the message.
fn adjust_stream(c: &mut Call<'_>) -> Done {
    let (diff, mode, flags) = (c.arg32(2) as i32, c.arg32(3), c.arg(4));
    let mut buffer = c.buffer(1)?;
    let len = diff.unsigned_abs() as usize;
    if flags != 0 || mode != 0 {
        return Err(Errno::EINVAL.into());
    }
    if len > 0xfff {
        return Err(Errno::EFAULT.into());
    }
    if diff < 0 {
        buffer.remove(0, len)?
    } else {
        buffer.insert(0, len)?
    }
    Ok(0)
}

/// Flags of encapsulation that contradict each other or the packet.
fn check_encapsulation(buffer: &Buffer<'_>, len: usize, flags: u64) -> Result<(), Errno> {
    let inner_mac = (flags >> BPF_ADJ_ROOM_ENCAP_L2_SHIFT) as usize;
    let both = |mask: u64| flags & mask == mask;
    if both(ENCAP_L3) || both(ENCAP_L4) || flags & BPF_F_ADJ_ROOM_ENCAP_L2_ETH != 0 && inner_mac < ETH_HLEN {
        return Err(Errno::EINVAL);
    }
    if buffer.state.encapsulated {
        return Err(Errno::EALREADY);
    }
    if inner_mac > len { Err(Errno::EINVAL) } else { Ok(()) }
}

fn grow_net(buffer: &mut Buffer<'_>, offset: usize, len: usize, flags: u64) -> Result<(), Fail> {
    if buffer.is_gso() {
        return Err(Errno::ENOTSUPP.into());
    }
    let encapsulate = flags & ENCAP_L3 != 0;
    if encapsulate {
        check_encapsulation(buffer, len, flags)?;
    }
    let mac = mac_header_len(buffer);
    push_header(buffer, offset, len)?;
    if !encapsulate {
        return Ok(());
    }
    buffer.state.encapsulated = true;
    buffer.packet.network = buffer.packet.data + mac;
    let (protocol, header) = match flags & ENCAP_L3 {
        BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 => (ETH_P_IPV6, IPV6_LEN),
        _ipv4 => (ETH_P_IP, IPV4_LEN),
    };
    if flags & ENCAP_L4 != 0 {
        buffer.packet.transport = Some(buffer.packet.data + mac + header);
    }
    buffer.set_protocol(protocol);
    Ok(())
}

fn shrink_net(buffer: &mut Buffer<'_>, offset: usize, len: usize, flags: u64) -> Result<(), Fail> {
    if flags & !SHRINK != 0 {
        return Err(Errno::EINVAL.into());
    }
    if buffer.is_gso() {
        return Err(Errno::ENOTSUPP.into());
    }
    pop_header(buffer, offset, len)?;
    match flags & DECAP_L3 {
        BPF_F_ADJ_ROOM_DECAP_L3_IPV4 => buffer.set_protocol(ETH_P_IP),
        BPF_F_ADJ_ROOM_DECAP_L3_IPV6 => buffer.set_protocol(ETH_P_IPV6),
        _neither => {}
    }
    Ok(())
}
