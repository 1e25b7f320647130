//! What socket arguments name: sockets of the world, the one that the event brings, and kernel objects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use skep_linux::contexts::{Object, SOCK};
use skep_memory::RegionKind;
use skep_world::{Socket, SocketState};

use super::AF_INET6;
use crate::call::{Call, Done, Fail};
use crate::{HeldKind, object};

pub(crate) const TCP: u32 = 6;
pub(crate) const UDP: u32 = 17;

/// A socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sock {
    /// Of the world, by its cookie.
    World(u64),
    /// The one that the event brings, by the address of its `struct bpf_sock`.
    Own(u64),
    /// A kernel object that begins with `struct sock_common`, by its address.
    Object(u64),
}

/// What all kinds of sockets say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) family: u32,
    pub(crate) kind: u32,
    pub(crate) protocol: u32,
    pub(crate) state: u32,
    pub(crate) v6_only: bool,
}

impl Facts {
    /// Whether all of the socket is there.
    pub(crate) fn is_full(&self) -> bool {
        self.state != SocketState::TimeWait as u32 && self.state != SocketState::NewSynRecv as u32
    }
}

/// How references to sockets are counted.
const HELD: HeldKind = HeldKind::Object("sock");

impl Call<'_> {
    /// The socket that argument `n` names: itself, or the context's; `None` for NULL and for contexts without one.
    pub(crate) fn socket(&mut self, n: usize) -> Result<Option<Sock>, Fail> {
        let addr = match self.arg(n) {
            0 => return Ok(None),
            addr if addr == self.parts().context.block.addr() => match self.context_socket(addr) {
                0 => return Ok(None),
                sock => sock,
            },
            addr => addr,
        };
        let parts = self.parts();
        if let Some(cookie) = parts.world.net.sockets.at(addr) {
            return Ok(Some(Sock::World(cookie)));
        }
        let context = &parts.context;
        let own = context.pointer("sk");
        let lent = context.lent.iter().any(|lent| lent.start() == addr);
        if addr == own || addr == context.block.addr() || own != 0 && lent {
            return Ok(Some(Sock::Own(if lent && own != 0 { own } else { addr })));
        }
        if let Some(cookie) = parts.world.net.sockets.of_object(addr) {
            return Ok(Some(Sock::World(cookie)));
        }
        if parts.world.objects.get(addr).is_some() {
            return Ok(Some(Sock::Object(addr)));
        }
        Err(self.bad(n, format_args!("{addr:#x} is no socket")))
    }

    /// The address of the socket of the context at `addr`: what its field says, or the context itself if it is a `struct bpf_sock`.
    fn context_socket(&mut self, addr: u64) -> u64 {
        let context = self.parts().context;
        match context.row() {
            Some(row) if row.name == SOCK.name => addr,
            _other => context.pointer("sk"),
        }
    }

    /// What a socket says of itself; argument `n` led to it.
    pub(crate) fn facts(&mut self, n: usize, sock: &Sock) -> Result<Facts, Fail> {
        match *sock {
            Sock::World(cookie) => {
                let missing = self.bad(n, "a socket that is gone");
                let socket = self.world().net.sockets.get(cookie).ok_or(missing)?;
                Ok(Facts {
                    family: socket.family(),
                    kind: socket.kind,
                    protocol: socket.protocol,
                    state: socket.state as u32,
                    v6_only: socket.is_v6_only(),
                })
            }
            Sock::Own(addr) => {
                let mut field = |name: &str| self.own_field(addr, name, 0);
                let (family, kind, protocol, state) = (field("family"), field("type"), field("protocol"), field("state"));
                Ok(Facts { family, kind, protocol, state, v6_only: false })
            }
            Sock::Object(addr) => self.object_facts(n, addr),
        }
    }

    /// Four bytes of a field of the event's own socket.
    fn own_field(&mut self, addr: u64, name: &str, skip: u64) -> u32 {
        let offset = SOCK.fields.iter().find(|field| field.name == name).map_or(0, |field| field.offset);
        let context = self.parts().context;
        let block = match context.lent.iter().find(|lent| lent.start() == addr) {
            Some(lent) => &lent.block,
            None => &context.block,
        };
        block.load(offset as usize + skip as usize, 4) as u32
    }

    fn object_facts(&mut self, n: usize, addr: u64) -> Result<Facts, Fail> {
        let mut common = |path: &str| object::field(self, n, addr, "sock_common", path);
        let (family, state) = (common("skc_family")? as u32, common("skc_state")? as u32);
        let mut facts = Facts { family, kind: 0, protocol: 0, state, v6_only: false };
        if facts.is_full() {
            facts.kind = object::field(self, n, addr, "sock", "sk_type")? as u32;
            facts.protocol = object::field(self, n, addr, "sock", "sk_protocol")? as u32;
            facts.v6_only = family == AF_INET6 && object::field(self, n, addr, "sock_common", "skc_ipv6only").unwrap_or(0) != 0;
        }
        Ok(facts)
    }

    /// A cookie; the event's own socket gets one when it is asked for.
    pub(crate) fn cookie(&mut self, sock: &Sock) -> Done {
        match sock {
            Sock::World(cookie) => Ok(*cookie),
            Sock::Own(_) => {
                let parts = self.parts();
                if parts.context.own_cookie == 0 {
                    parts.context.own_cookie = parts.world.net.sockets.new_cookie();
                }
                Ok(parts.context.own_cookie)
            }
            Sock::Object(addr) => {
                let cookie = object::field(self, 1, *addr, "sock_common", "skc_cookie.counter")?;
                if cookie == 0 {
                    return Err(self.not_simulated("a cookie for a kernel object that has none (skc_cookie.counter)"));
                }
                Ok(cookie)
            }
        }
    }

    /// The cookie of a socket that the world is to know from now on.
    pub(crate) fn adopt_socket(&mut self, n: usize, sock: &Sock) -> Done {
        let Sock::Own(addr) = *sock else {
            return self.cookie(sock);
        };
        let (facts, cookie) = (self.facts(n, sock)?, self.cookie(sock)?);
        let own_port = self.own_field(addr, "src_port", 0) as u16;
        let other_port = u16::from_be(self.own_field(addr, "dst_port", 0) as u16);
        let local = SocketAddr::new(self.own_address(addr, facts.family, ["src_ip4", "src_ip6"]), own_port);
        let remote = SocketAddr::new(self.own_address(addr, facts.family, ["dst_ip4", "dst_ip6"]), other_port);
        let state = SocketState::from_number(facts.state).unwrap_or(SocketState::Close);
        self.world().net.sockets.insert(cookie, Socket::new(facts.kind, facts.protocol, state, local, remote));
        Ok(cookie)
    }

    /// An address of the event's own socket, from the field for its version of IP.
    fn own_address(&mut self, addr: u64, family: u32, [four, six]: [&str; 2]) -> IpAddr {
        if family != AF_INET6 {
            return Ipv4Addr::from(self.own_field(addr, four, 0).to_le_bytes()).into();
        }
        let mut bytes = [0; 16];
        for (i, word) in bytes.chunks_exact_mut(4).enumerate() {
            word.copy_from_slice(&self.own_field(addr, six, 4 * i as u64).to_le_bytes());
        }
        Ipv6Addr::from(bytes).into()
    }

    /// The pointer to a socket that a program gets.
    pub(crate) fn lend_socket(&mut self, sock: &Sock) -> Done {
        match *sock {
            Sock::World(cookie) => {
                let view = self.world().net.sockets.get(cookie).map(|socket| socket.view().clone());
                Ok(view.map_or(0, |block| self.reach_view(&SOCK, block)))
            }
            Sock::Own(addr) | Sock::Object(addr) => Ok(addr),
        }
    }

    /// Makes a view of a socket reachable until the run ends.
    pub(super) fn reach_view(&mut self, object: &Object, block: std::sync::Arc<skep_memory::Block>) -> u64 {
        let addr = block.addr();
        if self.memory().find(addr).is_none() {
            let region = skep_memory::Region::whole(RegionKind::Kernel(object.name.into()), block, false);
            self.memory().add(region.clone());
            self.parts().context.lent.push(region);
        }
        addr
    }

    /// As [`Call::lend_socket`]; the program must give it back.
    pub(crate) fn hold_socket(&mut self, sock: &Sock) -> Done {
        let addr = self.lend_socket(sock)?;
        let by = self.name;
        self.parts().held.acquire(HELD, addr, by);
        Ok(addr)
    }

    /// Takes back a reference that a lookup gave.
    pub(super) fn give_back(&mut self, n: usize, sock: &Sock) -> Result<(), Fail> {
        let addr = self.lend_socket(sock)?;
        let parts = self.parts();
        if parts.held.release(HELD, addr).is_none() {
            return Err(self.bad(n, format_args!("{addr:#x} is no socket that this run holds")));
        }
        // Nobody may read it any more, unless the context leads to it.
        if parts.held.count(HELD, addr) == 0 && parts.context.pointer("sk") != addr {
            parts.memory.remove(addr);
        }
        Ok(())
    }
}
