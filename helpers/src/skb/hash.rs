//! Bodies: the hash of a packet's flow.

use skep_world::Packet;

use super::inner_protocol;
use crate::buffer::{ETH_P_IP, ETH_P_IPV6};
use crate::call::{Call, Done};

/// `(skb)`. Linux hashes with a key that it draws at boot; here, the seed of the world's random numbers is the key. Both directions of a
/// flow have one hash.
pub(super) fn recalc(c: &mut Call<'_>) -> Done {
    let key = c.world().random.boot_key();
    let buffer = c.buffer(1)?;
    if !buffer.state.hashed {
        let hash = flow(buffer.packet, inner_protocol(&buffer), key);
        buffer.state.hashed = true;
        buffer.set_field("hash", hash.into());
    }
    Ok(buffer.field("hash"))
}

/// `(skb)`.
pub(super) fn invalidate(c: &mut Call<'_>) -> Done {
    c.buffer(1)?.clear_hash();
    Ok(0)
}

/// `(skb, hash)`.
pub(super) fn set(c: &mut Call<'_>) -> Done {
    let hash = c.arg32(2);
    let buffer = c.buffer(1)?;
    buffer.state.hashed = true;
    buffer.set_field("hash", hash.into());
    Ok(0)
}

/// What a flow is known by: two ends in order, and the protocol.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flow {
    ends: [(Vec<u8>, [u8; 2]); 2],
    protocol: u8,
}

fn dissect(packet: &Packet, protocol: u16) -> Option<Flow> {
    let all = packet.block.bytes(packet.network, packet.end.saturating_sub(packet.network));
    let (addresses, next, transport) = match protocol {
        ETH_P_IP => {
            let header = all.get(..20)?;
            let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
            let transport = Some(usize::from(header[0] & 15) * 4).filter(|_| !fragment);
            ([header[12..16].to_vec(), header[16..20].to_vec()], header[9], transport)
        }
        ETH_P_IPV6 => {
            let header = all.get(..40)?;
            ([header[8..24].to_vec(), header[24..40].to_vec()], header[6], Some(40))
        }
        _other => return None,
    };
    let ports = transport.filter(|_| has_ports(next)).and_then(|at| all.get(at..at + 4));
    let ports = ports.map_or([[0; 2]; 2], |bytes| [[bytes[0], bytes[1]], [bytes[2], bytes[3]]]);
    let [from, to] = addresses;
    let mut ends = [(from, ports[0]), (to, ports[1])];
    ends.sort();
    Some(Flow { ends, protocol: next })
}

/// Transport protocols that begin with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 33 | 132 | 136)
}

/// The hash of a packet's flow (FNV-1a); never 0, which says that there is none.
fn flow(packet: &Packet, protocol: u16, key: u32) -> u32 {
    let flow = dissect(packet, protocol).unwrap_or_default();
    let ends = flow.ends.iter().flat_map(|(address, port)| address.iter().chain(port));
    let bytes = protocol.to_be_bytes().into_iter().chain(ends.copied()).chain([flow.protocol]);
    let hash = bytes.fold(0x811c_9dc5 ^ key, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(from: (u8, u16), to: (u8, u16)) -> Packet {
        let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, from.0, 10, 0, 0, to.0];
        bytes.extend([from.1.to_be_bytes(), to.1.to_be_bytes()].concat());
        Packet::new(&bytes, 0, 0)
    }

    #[test]
    fn both_directions_of_a_flow_have_one_hash() {
        let there = flow(&packet((1, 5000), (2, 80)), ETH_P_IP, 0);
        assert_eq!(flow(&packet((2, 80), (1, 5000)), ETH_P_IP, 0), there);
        assert_ne!(flow(&packet((1, 80), (2, 5000)), ETH_P_IP, 0), there);
        assert_ne!(flow(&packet((1, 5001), (2, 80)), ETH_P_IP, 0), there);
        assert_ne!(flow(&Packet::new(&[], 0, 0), ETH_P_IP, 0), 0);
        assert_ne!(flow(&packet((1, 5000), (2, 80)), ETH_P_IP, 1), there);
    }
}
