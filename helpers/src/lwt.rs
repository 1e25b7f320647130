//! Bodies: lightweight tunnels.

use skep_linux::flags::{BPF_LWT_ENCAP_IP, BPF_LWT_ENCAP_SEG6, BPF_LWT_ENCAP_SEG6_INLINE};
use skep_linux::{Errno, ProgType};

use crate::buffer::{ETH_P_IP, ETH_P_IPV6};
use crate::call::{Call, Done, helpers};
use crate::checksum;

helpers! {
    73 "bpf_lwt_push_encap" => push_encap,
    74 "bpf_lwt_seg6_store_bytes" => no_segments,
    75 "bpf_lwt_seg6_adjust_srh" => no_segments,
    76 "bpf_lwt_seg6_action" => action,
}

/// `LWT_BPF_MAX_HEADROOM`.
const MOST: usize = 256;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;

/// `(skb, type, hdr, len)`.
fn push_encap(c: &mut Call<'_>) -> Done {
    let (kind, len) = (c.arg32(2), c.arg32(4) as usize);
    let inbound = c.context(1)?.prog_type == ProgType::LwtIn;
    match kind {
        BPF_LWT_ENCAP_IP => {}
        BPF_LWT_ENCAP_SEG6 | BPF_LWT_ENCAP_SEG6_INLINE if inbound => {
            return Err(c.not_simulated("segment routing headers"));
        }
        _unknown => return Err(Errno::EINVAL.into()),
    }
    if !(IPV4_LEN..=MOST).contains(&len) {
        return Err(Errno::EINVAL.into());
    }
    let mut header = c.bytes(3, len as u64)?;
    let protocol = match header[0] >> 4 {
        4 if len >= usize::from(header[0] & 15) * 4 => ETH_P_IP,
        6 if len >= IPV6_LEN => ETH_P_IPV6,
        _neither => return Err(Errno::EINVAL.into()),
    };
    if protocol == ETH_P_IP && header[10..12] == [0, 0] {
        let covered = (usize::from(header[0] & 15) * 4).max(IPV4_LEN).min(len);
        let sum = checksum::fold(checksum::partial(&header[..covered], 0));
        header[10..12].copy_from_slice(&sum.to_le_bytes());
    }
    let mac_len = c.packet(1)?.mac_len;
    let mut buffer = c.buffer(1)?;
    if buffer.is_gso() {
        return Err(c.not_simulated("tunnels for a packet that stands for several"));
    }
    buffer.packet.ensure_headroom(len + mac_len);
    buffer.insert(0, len)?;
    buffer.write(0, &header);
    if inbound {
        buffer.push_sum(0, len);
    }
    buffer.packet.network = buffer.packet.data;
    buffer.state.encapsulated = true;
    buffer.set_protocol(protocol);
    buffer.clear_hash();
    Ok(0)
}

/// Changes of a segment routing header. The kernel notes where it is when a packet comes to the route that has the program, and a test
/// run has no route.
fn no_segments(c: &mut Call<'_>) -> Done {
    c.packet(1)?;
    Err(Errno::EINVAL.into())
}

/// `(skb, action, param, param_len)`.
fn action(c: &mut Call<'_>) -> Done {
    const END_X: u32 = 2;
    const END_T: u32 = 3;
    const END_DT6: u32 = 7;
    const END_B6: u32 = 9;
    const END_B6_ENCAP: u32 = 10;
    c.packet(1)?;
    match c.arg32(2) {
        END_X | END_T | END_DT6 => Err(Errno::EBADMSG.into()),
        END_B6 | END_B6_ENCAP => Err(c.not_simulated("segment routing headers")),
        _unknown => Err(Errno::EINVAL.into()),
    }
}
