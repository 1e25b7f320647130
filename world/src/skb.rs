//! What a socket buffer carries beside its bytes and the fields of `__sk_buff`.

use std::net::IpAddr;

/// What the kernel knows of the checksum of a packet (`skb->ip_summed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksum {
    /// Nothing.
    #[default]
    None,
    /// It has been tested, of so many headers beyond the first.
    Unnecessary(u8),
    /// The sum over all bytes from the network header on.
    Complete(u32),
}

/// A socket buffer's tunnel key (`struct ip_tunnel_info`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// The number that names the tunnel (VNI, GRE key).
    pub id: u64,
    /// Source address of the outer header; of a packet that came in, who sent it.
    pub source: IpAddr,
    /// Destination address of the outer header.
    pub destination: IpAddr,
    /// Type of service.
    pub tos: u8,
    /// Time to live.
    pub ttl: u8,
    /// Flow label of IPv6.
    pub label: u32,
    /// `IP_TUNNEL_*` as bits of 16 in host order (`TUNNEL_KEY`, `TUNNEL_CSUM` ...).
    pub flags: u16,
    /// Options (Geneve, VXLAN group policy, ERSPAN); `None` if there are none.
    pub options: Option<Vec<u8>>,
    /// Set by a program for the way out, not by the device that the packet came by.
    pub outgoing: bool,
}

impl Tunnel {
    /// The key of a packet that came in, with this number, between two addresses of one family.
    pub fn new(id: u64, source: IpAddr, destination: IpAddr) -> Tunnel {
        /// `TUNNEL_KEY`.
        const KEY: u16 = 0x0004;
        Tunnel { id, source, destination, tos: 0, ttl: 0, label: 0, flags: KEY, options: None, outgoing: false }
    }
}

/// A transformation that IPsec undid on the way in (`struct xfrm_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Xfrm {
    /// `reqid`.
    pub request: u32,
    /// Security parameter index.
    pub spi: u32,
    /// Who sent it.
    pub remote: IpAddr,
}

/// A socket buffer beside its bytes. What an event brings is set in [`Event::skb`](crate::Event::skb); what a program makes of it is in
/// the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Skb {
    /// What is known of its checksum.
    pub checksum: Checksum,
    /// Whether the field `hash` holds a hash. The kernel makes one when a program asks, unless there is one.
    pub hashed: bool,
    /// It has inner headers (`skb->encapsulation`).
    pub encapsulated: bool,
    /// Seen on its way in (ingress of traffic control), not on its way out.
    pub ingress: bool,
    /// The tunnel it came by, or is to go by.
    pub tunnel: Option<Tunnel>,
    /// What IPsec undid, outermost first.
    pub xfrm: Vec<Xfrm>,
    /// `bpf_get_route_realm`: the realm of its route.
    pub realm: u32,
}
