//! Bodies: looking up sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use skep_world::{Flow, SocketState};

use super::{Sock, TCP};
use crate::call::{Call, Done, Fail};

/// Bytes of `ipv4` and of `ipv6` in a `struct bpf_sock_tuple`.
const TUPLE4: u32 = 12;
const TUPLE6: u32 = 36;

/// `(ctx, tuple, tuple_size, netns, flags)`: what belongs to a packet, be it a full socket or not.
pub(super) fn common(c: &mut Call<'_>) -> Done {
    match find(c, TCP)? {
        Some(cookie) => c.hold_socket(&Sock::World(cookie)),
        None => Ok(0),
    }
}

/// As [`common`]: a full socket. Of a connection in the making, it is the one that listens.
pub(super) fn full(c: &mut Call<'_>, protocol: u32) -> Done {
    let Some(found) = find(c, protocol)? else {
        return Ok(0);
    };
    let sock = c.full(Sock::World(found));
    if c.facts(1, &sock)?.is_full() { c.hold_socket(&sock) } else { Ok(0) }
}

fn find(c: &mut Call<'_>, protocol: u32) -> Result<Option<u64>, Fail> {
    let (size, namespace, flags) = (c.arg32(3), c.arg(4), c.arg(5));
    if !matches!(size, TUPLE4 | TUPLE6) {
        return Ok(None);
    }
    let tuple = c.bytes(2, size.into())?;
    let ours = (namespace as i32) < 0;
    // Other namespaces are those that this one has given a number, and it has given none.
    if flags != 0 || !ours {
        return Ok(None);
    }
    let device = device(c)?;
    let (from, to) = ends(&tuple);
    let flow = Flow { from, to, device };
    let sockets = &c.world().net.sockets;
    let found = if protocol == TCP { sockets.tcp(flow) } else { sockets.udp(flow) };
    // A connection that is over is nothing that a lookup of datagrams could find.
    Ok(found.filter(|cookie| protocol == TCP || sockets.get(*cookie).is_some_and(|socket| socket.state != SocketState::TimeWait)))
}

/// The device that the packet of the context came by; 0 for contexts without one.
fn device(c: &mut Call<'_>) -> Result<u32, Fail> {
    let context = c.context(1)?;
    let field = if context.field("ifindex").is_some() { "ifindex" } else { "ingress_ifindex" };
    Ok(context.field(field).unwrap_or_default() as u32)
}

/// Who sent a packet and whom it is for.
fn ends(tuple: &[u8]) -> (SocketAddr, SocketAddr) {
    let port = |at: usize| u16::from_be_bytes([tuple[at], tuple[at + 1]]);
    let width = if tuple.len() == TUPLE4 as usize { 4 } else { 16 };
    let address = |at: usize| -> IpAddr {
        let mut bytes = [0; 16];
        bytes[..width].copy_from_slice(&tuple[at..at + width]);
        match width {
            4 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
            _ipv6 => Ipv6Addr::from(bytes).into(),
        }
    };
    (SocketAddr::new(address(0), port(2 * width)), SocketAddr::new(address(width), port(2 * width + 2)))
}
