//! Bodies: sockets.

mod cast;
mod find;
mod options;
mod refer;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use skep_linux::flags::{BPF_SK_LOOKUP_F_NO_REUSEPORT, BPF_SK_LOOKUP_F_REPLACE};
use skep_linux::{Errno, ProgType};
use skep_world::{Effect, SocketState};

pub(crate) use refer::{Facts, Sock, TCP, UDP};

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    46 "bpf_get_socket_cookie" => get_socket_cookie,
    47 "bpf_get_socket_uid" => get_socket_uid,
    49 "bpf_setsockopt" => options::set,
    57 "bpf_getsockopt" => options::get,
    64 "bpf_bind" => bind,
    84 "bpf_sk_lookup_tcp" => |c| find::full(c, TCP),
    85 "bpf_sk_lookup_udp" => |c| find::full(c, UDP),
    86 "bpf_sk_release" => release,
    95 "bpf_sk_fullsock" => fullsock,
    96 "bpf_tcp_sock" => cast::tcp_sock,
    98 "bpf_get_listener_sock" => get_listener_sock,
    99 "bpf_skc_lookup_tcp" => find::common,
    122 "bpf_get_netns_cookie" => |c| Ok(c.world().net.namespace_cookie),
    124 "bpf_sk_assign" => assign,
    136 "bpf_skc_to_tcp6_sock" => cast::to_tcp6_sock,
    137 "bpf_skc_to_tcp_sock" => cast::to_tcp_sock,
    138 "bpf_skc_to_tcp_timewait_sock" => cast::to_tcp_timewait_sock,
    139 "bpf_skc_to_tcp_request_sock" => cast::to_tcp_request_sock,
    140 "bpf_skc_to_udp6_sock" => cast::to_udp6_sock,
    162 "bpf_sock_from_file" => cast::sock_from_file,
    178 "bpf_skc_to_unix_sock" => cast::to_unix_sock,
    196 "bpf_skc_to_mptcp_sock" => cast::to_mptcp_sock,
}

pub(crate) const AF_INET: u32 = 2;
pub(crate) const AF_INET6: u32 = 10;

/// `(ctx)` or `(sk)`.
fn get_socket_cookie(c: &mut Call<'_>) -> Done {
    match c.socket(1)? {
        Some(sock) => c.cookie(&sock),
        None => Ok(0),
    }
}

/// `(skb)`: who made the socket; nobody, if there is none, or not all of it.
fn get_socket_uid(c: &mut Call<'_>) -> Done {
    const OVERFLOW_UID: u64 = 65534;
    let Some(sock) = c.socket(1)? else {
        return Ok(OVERFLOW_UID);
    };
    if !c.facts(1, &sock)?.is_full() {
        return Ok(OVERFLOW_UID);
    }
    Ok(match sock {
        Sock::World(cookie) => c.world().net.sockets.get(cookie).map_or(OVERFLOW_UID, |socket| socket.uid.into()),
        Sock::Own(_) | Sock::Object(_) => 0,
    })
}

/// `(sk)`.
fn release(c: &mut Call<'_>) -> Done {
    let Some(sock) = c.socket(1)? else {
        return Ok(0);
    };
    c.give_back(1, &sock)?;
    Ok(0)
}

/// `(sk)`.
fn fullsock(c: &mut Call<'_>) -> Done {
    let Some(sock) = c.socket(1)? else {
        return Ok(0);
    };
    if c.facts(1, &sock)?.is_full() { c.lend_socket(&sock) } else { Ok(0) }
}

/// `(sk)`: the socket itself, or the one that it is a connection in the making of, if that listens.
fn get_listener_sock(c: &mut Call<'_>) -> Done {
    let Some(sock) = c.socket(1)? else {
        return Ok(0);
    };
    let full = c.full(sock);
    let listens = c.facts(1, &full)?.state == SocketState::Listen as u32;
    if listens { c.lend_socket(&full) } else { Ok(0) }
}

/// `(ctx, addr, addr_len)`: the address that the socket connects from.
fn bind(c: &mut Call<'_>) -> Done {
    const SOCKADDR_IN: u32 = 16;
    const SIN6_LEN_RFC2133: u32 = 24;
    let len = c.arg32(3);
    let bytes = c.bytes(2, len.into())?;
    let Some(family) = bytes.get(..2).map(|family| u32::from(u16::from_le_bytes([family[0], family[1]]))) else {
        return Err(Errno::EINVAL.into());
    };
    let ip: IpAddr = match family {
        AF_INET if len >= SOCKADDR_IN => Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]).into(),
        AF_INET6 if len >= SIN6_LEN_RFC2133 => {
            <[u8; 16]>::try_from(&bytes[8..24]).map(Ipv6Addr::from).unwrap_or(Ipv6Addr::UNSPECIFIED).into()
        }
        AF_INET | AF_INET6 => return Err(Errno::EINVAL.into()),
        _other => return Err(Errno::EAFNOSUPPORT.into()),
    };
    let address = SocketAddr::new(ip, u16::from_be_bytes([bytes[2], bytes[3]]));
    c.world().output.effects.push(Effect::Bind(address));
    Ok(0)
}

/// `(ctx, sk, flags)`.
fn assign(c: &mut Call<'_>) -> Done {
    let flags = c.arg(3);
    let sock = c.socket(2)?;
    if c.context(1)?.prog_type == ProgType::SkLookup {
        return assign_lookup(c, sock, flags);
    }
    let Some(sock) = sock.filter(|_| flags == 0) else {
        return Err(Errno::EINVAL.into());
    };
    if !c.context(1)?.skb.ingress {
        return Err(Errno::EOPNOTSUPP.into());
    }
    // What nobody can find is in no table: sockets of TCP that are closed.
    let facts = c.facts(2, &sock)?;
    if facts.protocol == TCP && facts.state == SocketState::Close as u32 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    choose(c, Some(sock))
}

/// Sockets that listen, or that receive datagrams from all, may be chosen for what looks for its socket.
fn assign_lookup(c: &mut Call<'_>, sock: Option<Sock>, flags: u64) -> Done {
    if flags & !(BPF_SK_LOOKUP_F_REPLACE | BPF_SK_LOOKUP_F_NO_REUSEPORT) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let facts = match &sock {
        Some(sock) => Some(c.facts(2, sock)?),
        None => None,
    };
    let unfit = |facts: &Facts| {
        let wanted = if facts.protocol == TCP { SocketState::Listen } else { SocketState::Close };
        matches!(facts.protocol, TCP | UDP) && facts.state != wanted as u32
    };
    if facts.as_ref().is_some_and(unfit) {
        return Err(Errno::ESOCKTNOSUPPORT.into());
    }
    let context = c.context(1)?;
    let (protocol, family) = (context.field("protocol").unwrap_or_default(), context.field("family").unwrap_or_default());
    let chosen = context.pointer("sk") != 0;
    if let Some(facts) = facts {
        if u64::from(facts.protocol) != protocol {
            return Err(Errno::EPROTOTYPE.into());
        }
        if u64::from(facts.family) != family && (facts.family == AF_INET || facts.v6_only) {
            return Err(Errno::EAFNOSUPPORT.into());
        }
    }
    if chosen && flags & BPF_SK_LOOKUP_F_REPLACE == 0 {
        return Err(Errno::EEXIST.into());
    }
    choose(c, sock)
}

/// Makes a socket the one of the context.
fn choose(c: &mut Call<'_>, sock: Option<Sock>) -> Done {
    let (addr, cookie) = match &sock {
        Some(sock) => (c.lend_socket(sock)?, Some(c.cookie(sock)?)),
        None => (0, None),
    };
    let context = c.context(1)?;
    context.pointers.retain(|(name, _)| *name != "sk");
    context.pointers.push(("sk", addr));
    c.world().output.effects.push(Effect::Assign(cookie));
    Ok(0)
}

impl Call<'_> {
    /// The socket that helpers with all of a socket see: of a connection in the making, the one that listens.
    pub(crate) fn full(&mut self, sock: Sock) -> Sock {
        let Sock::World(cookie) = sock else {
            return sock;
        };
        let socket = self.world().net.sockets.get(cookie);
        let listener = socket.filter(|socket| socket.state == SocketState::NewSynRecv).and_then(|socket| socket.listener);
        Sock::World(listener.unwrap_or(cookie))
    }

    /// The cgroup of a socket: the current task's, for sockets that the event brings.
    pub(crate) fn cgroup_of(&mut self, sock: &Sock) -> Result<u64, Fail> {
        match sock {
            Sock::World(cookie) => Ok(self.world().net.sockets.get(*cookie).map_or(0, |socket| socket.cgroup)),
            Sock::Own(_) => Ok(self.world().task.cgroup_id),
            Sock::Object(_) => Err(self.not_simulated("the cgroup of a socket that is a kernel object")),
        }
    }
}
