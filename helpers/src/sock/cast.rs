//! Bodies: sockets as the kernel's own structs.

use skep_linux::contexts::TCP_SOCK;
use skep_memory::{Block, RegionKind};
use skep_world::SocketState;

use super::{AF_INET6, Facts, Sock, TCP, UDP};
use crate::call::{Call, Done};
use crate::object;

const STREAM: u32 = 1;
const DATAGRAM: u32 = 2;
const AF_UNIX: u32 = 1;

/// `(sk)`: `struct bpf_tcp_sock`, if it is a full socket of TCP.
pub(super) fn tcp_sock(c: &mut Call<'_>) -> Done {
    let Some(sock) = c.socket(1)? else {
        return Ok(0);
    };
    let facts = c.facts(1, &sock)?;
    if !facts.is_full() || facts.protocol != TCP {
        return Ok(0);
    }
    match sock {
        Sock::World(cookie) => {
            let view = c.world().net.sockets.get(cookie).map(|socket| socket.tcp_view().clone());
            Ok(view.map_or(0, |block| c.reach_view(&TCP_SOCK, block)))
        }
        Sock::Own(_) => Ok(own_tcp_sock(c)),
        Sock::Object(_) => Err(c.not_simulated("struct bpf_tcp_sock of a kernel object")),
    }
}

/// That of the socket that the event brings: what the context says, and 0 for the rest.
fn own_tcp_sock(c: &mut Call<'_>) -> u64 {
    let context = c.parts().context;
    let kind = RegionKind::Kernel(TCP_SOCK.name.into());
    if let Some(lent) = context.lent.iter().find(|lent| lent.kind == kind) {
        return lent.start();
    }
    let block = Block::zeroed(TCP_SOCK.size as usize);
    for field in TCP_SOCK.fields {
        block.store(field.offset as usize, field.size as usize, context.field(field.name).unwrap_or_default());
    }
    c.reach_view(&TCP_SOCK, block)
}

/// A socket as a struct of the kernel, if `fits` says that it is one.
fn cast(c: &mut Call<'_>, ty: &'static str, fits: impl Fn(&Facts) -> bool) -> Done {
    let Some(sock) = c.socket(1)? else {
        return Ok(0);
    };
    let facts = c.facts(1, &sock)?;
    if !fits(&facts) {
        return Ok(0);
    }
    match sock {
        Sock::Object(addr) => Ok(addr),
        Sock::World(cookie) => object_of(c, cookie, ty),
        Sock::Own(_) => Err(c.not_simulated(format_args!("struct {ty} of a socket that is none of the world's"))),
    }
}

/// `(sk)`.
pub(super) fn to_tcp6_sock(c: &mut Call<'_>) -> Done {
    cast(c, "tcp6_sock", |sock| is_tcp(sock) && sock.kind == STREAM && sock.family == AF_INET6)
}

/// `(sk)`.
pub(super) fn to_tcp_sock(c: &mut Call<'_>) -> Done {
    cast(c, "tcp_sock", is_tcp)
}

fn is_tcp(sock: &Facts) -> bool {
    sock.is_full() && sock.protocol == TCP
}

/// `(sk)`.
pub(super) fn to_tcp_timewait_sock(c: &mut Call<'_>) -> Done {
    cast(c, "tcp_timewait_sock", |sock| sock.state == SocketState::TimeWait as u32)
}

/// `(sk)`.
pub(super) fn to_tcp_request_sock(c: &mut Call<'_>) -> Done {
    cast(c, "tcp_request_sock", |sock| sock.state == SocketState::NewSynRecv as u32)
}

/// `(sk)`.
pub(super) fn to_udp6_sock(c: &mut Call<'_>) -> Done {
    let is_udp = |sock: &Facts| sock.is_full() && sock.protocol == UDP && sock.kind == DATAGRAM;
    cast(c, "udp6_sock", |sock| is_udp(sock) && sock.family == AF_INET6)
}

/// `(sk)`.
pub(super) fn to_unix_sock(c: &mut Call<'_>) -> Done {
    cast(c, "unix_sock", |sock| sock.is_full() && sock.family == AF_UNIX)
}

/// `(sk)`: no socket here is a part of a connection by many paths.
pub(super) fn to_mptcp_sock(c: &mut Call<'_>) -> Done {
    cast(c, "mptcp_sock", |_| false)
}

/// `(file)`: the socket behind a file, which is the file's private data if its operations are those of sockets.
pub(super) fn sock_from_file(c: &mut Call<'_>) -> Done {
    let file = c.arg(1);
    let operations = object::field(c, 1, file, "file", "f_op")?;
    let of_sockets = c.world().symbols.addr("socket_file_ops");
    if of_sockets.is_some_and(|addr| addr == operations) { object::field(c, 1, file, "file", "private_data") } else { Ok(0) }
}

/// The kernel object of a socket of the world: made when it is first asked for.
fn object_of(c: &mut Call<'_>, cookie: u64, ty: &'static str) -> Done {
    let made = c.world().socket_object(cookie, ty);
    let addr = made.map_err(|error| c.not_simulated(format_args!("struct {ty}: {error}")))?;
    crate::task::reach(c, addr);
    Ok(addr)
}
