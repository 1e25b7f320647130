//! Bodies: VLAN tags. The outermost one is beside the packet, others are in it.

use skep_linux::Errno;

use crate::buffer::{Buffer, ETH_HLEN, ETH_P_8021AD, ETH_P_8021Q};
use crate::call::{Call, Done};

/// Bytes of a tag.
pub(super) const TAG_LEN: usize = 4;
/// Bytes of the two addresses before the type of a frame.
const ADDRESSES: usize = 12;

/// Whether an EtherType is that of a VLAN tag.
pub(super) fn is_vlan(protocol: u16) -> bool {
    matches!(protocol, ETH_P_8021Q | ETH_P_8021AD)
}

/// The tag beside the packet: EtherType and TCI.
fn tag(buffer: &Buffer<'_>) -> Option<(u16, u16)> {
    let protocol = u16::from_be(buffer.field("vlan_proto") as u16);
    (buffer.field("vlan_present") != 0).then(|| (protocol, buffer.field("vlan_tci") as u16))
}

fn set_tag(buffer: &Buffer<'_>, tag: Option<(u16, u16)>) {
    let (protocol, tci) = tag.unwrap_or_default();
    buffer.set_field("vlan_present", tag.is_some().into());
    buffer.set_field("vlan_proto", protocol.to_be().into());
    buffer.set_field("vlan_tci", tci.into());
}

/// `(skb, vlan_proto, vlan_tci)`.
pub(super) fn push(c: &mut Call<'_>) -> Done {
    let given = u16::from_be(c.arg(2) as u16);
    let protocol = if is_vlan(given) { given } else { ETH_P_8021Q };
    let tci = c.arg(3) as u16;
    let mut buffer = c.buffer(1)?;
    if let Some((outer, tci)) = tag(&buffer) {
        // The tag that was beside the packet goes into it.
        buffer.insert(ADDRESSES, TAG_LEN)?;
        let mut bytes = outer.to_be_bytes().to_vec();
        bytes.extend(tci.to_be_bytes());
        buffer.write(ADDRESSES, &bytes);
        buffer.packet.mac = buffer.packet.mac.saturating_sub(TAG_LEN);
        buffer.packet.network = buffer.packet.network.saturating_sub(TAG_LEN);
        buffer.push_sum(ADDRESSES, TAG_LEN);
        buffer.set_protocol(outer);
    }
    set_tag(&buffer, Some((protocol, tci)));
    buffer.measure_mac();
    Ok(0)
}

/// `(skb)`.
pub(super) fn pop(c: &mut Call<'_>) -> Done {
    let mut buffer = c.buffer(1)?;
    let popped = pop_from(&mut buffer);
    buffer.measure_mac();
    Ok(popped.map(|()| 0)?)
}

fn pop_from(buffer: &mut Buffer<'_>) -> Result<(), Errno> {
    if tag(buffer).is_some() {
        set_tag(buffer, None);
    } else {
        if !is_vlan(buffer.protocol()) {
            return Ok(());
        }
        take(buffer)?;
    }
    // The next tag in the packet goes beside it.
    let protocol = buffer.protocol();
    if is_vlan(protocol) {
        let tci = take(buffer)?;
        set_tag(buffer, Some((protocol, tci)));
    }
    Ok(())
}

/// Takes the tag out of the packet that follows the addresses: gives its TCI.
fn take(buffer: &mut Buffer<'_>) -> Result<u16, Errno> {
    buffer.writable(ETH_HLEN + TAG_LEN)?;
    let tag = buffer.bytes(ETH_HLEN, TAG_LEN);
    let tci = u16::from_be_bytes([tag[0], tag[1]]);
    buffer.set_protocol(encapsulated(buffer, u16::from_be_bytes([tag[2], tag[3]])));
    buffer.remove(ADDRESSES, TAG_LEN)?;
    buffer.packet.mac += TAG_LEN;
    if buffer.network_offset() < ETH_HLEN as isize {
        buffer.packet.network = buffer.packet.data + ETH_HLEN;
    }
    Ok(tci)
}

/// The protocol of what follows a tag: its type, or what stands for frames that have a length there.
fn encapsulated(buffer: &Buffer<'_>, field: u16) -> u16 {
    const LEAST_TYPE: u16 = 0x0600;
    const ETH_P_802_3: u16 = 1;
    const ETH_P_802_2: u16 = 4;
    if field >= LEAST_TYPE {
        return field;
    }
    let raw = buffer.bytes(ETH_HLEN + TAG_LEN, 2);
    if raw == [0xff, 0xff] { ETH_P_802_3 } else { ETH_P_802_2 }
}
