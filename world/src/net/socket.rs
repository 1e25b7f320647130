//! Sockets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use skep_linux::contexts::{SOCK, TCP_SOCK};
use skep_memory::Block;

/// What a socket is doing: the states of TCP, which other protocols borrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the states are those of TCP
pub enum SocketState {
    Established = 1,
    SynSent = 2,
    SynRecv = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    /// Only the part that all sockets have is there.
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
    /// A connection in the making (a request socket): only the part that all sockets have is there.
    NewSynRecv = 12,
}

impl SocketState {
    /// The state with this number.
    pub fn from_number(number: u32) -> Option<SocketState> {
        use SocketState::*;
        let all =
            [Established, SynSent, SynRecv, FinWait1, FinWait2, TimeWait, Close, CloseWait, LastAck, Listen, Closing, NewSynRecv];
        all.into_iter().find(|state| *state as u32 == number)
    }

    /// Whether all of a socket is there, not only the part that time-wait and request sockets have.
    pub fn is_full(self) -> bool {
        !matches!(self, SocketState::TimeWait | SocketState::NewSynRecv)
    }
}

/// A socket.
#[derive(Debug, Clone)]
pub struct Socket {
    /// `SOCK_STREAM` (1), `SOCK_DGRAM` (2) ...
    pub kind: u32,
    /// `IPPROTO_TCP` (6), `IPPROTO_UDP` (17) ...
    pub protocol: u32,
    /// What it is doing.
    pub state: SocketState,
    /// Address and port that it is bound to; its version of IP is the family of the socket.
    pub local: SocketAddr,
    /// Who it is connected to; address and port 0 if to nobody.
    pub remote: SocketAddr,
    /// Of IPv6: takes no connections of IPv4 (`IPV6_V6ONLY`).
    pub v6_only: bool,
    /// Device that it is bound to; 0 for all.
    pub device: u32,
    /// `SO_MARK`.
    pub mark: u32,
    /// `SO_PRIORITY`.
    pub priority: u32,
    /// Receive queue that its packets came by.
    pub rx_queue: Option<u16>,
    /// Who made it.
    pub uid: u32,
    /// The cgroup that it was made in.
    pub cgroup: u64,
    /// The group of sockets that share a port with `SO_REUSEPORT`.
    pub reuseport: Option<u32>,
    /// Of a connection in the making: the cookie of the socket that listens.
    pub listener: Option<u64>,
    /// Of one that listens: more connections come than it can take, so that it gives out SYN cookies.
    pub flooded: bool,
    /// Counters of `struct bpf_tcp_sock`, by field; those that are not here are 0.
    pub tcp: BTreeMap<String, u64>,
    /// What programs are called for (`BPF_SOCK_OPS_*_CB_FLAG`).
    pub callbacks: u32,
    view: Arc<Block>,
    tcp_view: Arc<Block>,
}

/// `SOCK_STREAM`, `SOCK_DGRAM`.
const STREAM: u32 = 1;
const DATAGRAM: u32 = 2;
const TCP: u32 = 6;
const UDP: u32 = 17;

/// The address of nobody, in the family of another.
fn nobody(like: SocketAddr) -> SocketAddr {
    let addr: IpAddr = if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(addr, 0)
}

impl Socket {
    /// A socket of a type (`SOCK_*`) and a protocol (`IPPROTO_*`).
    pub fn new(kind: u32, protocol: u32, state: SocketState, local: SocketAddr, remote: SocketAddr) -> Socket {
        Socket {
            kind,
            protocol,
            state,
            local,
            remote,
            v6_only: false,
            device: 0,
            mark: 0,
            priority: 0,
            rx_queue: None,
            uid: 0,
            cgroup: 1,
            reuseport: None,
            listener: None,
            flooded: false,
            tcp: BTreeMap::new(),
            callbacks: 0,
            view: Block::zeroed(SOCK.size as usize),
            tcp_view: Block::zeroed(TCP_SOCK.size as usize),
        }
    }

    /// A socket that listens for TCP connections.
    pub fn tcp_listener(local: SocketAddr) -> Socket {
        Socket::new(STREAM, TCP, SocketState::Listen, local, nobody(local))
    }

    /// An established TCP connection.
    pub fn tcp(local: SocketAddr, remote: SocketAddr) -> Socket {
        Socket::new(STREAM, TCP, SocketState::Established, local, remote)
    }

    /// A UDP socket that is connected to nobody.
    pub fn udp(local: SocketAddr) -> Socket {
        Socket::new(DATAGRAM, UDP, SocketState::Close, local, nobody(local))
    }

    /// A connected UDP socket.
    pub fn udp_connected(local: SocketAddr, remote: SocketAddr) -> Socket {
        Socket::new(DATAGRAM, UDP, SocketState::Established, local, remote)
    }

    /// `AF_INET` or `AF_INET6`.
    pub fn family(&self) -> u32 {
        const AF_INET: u32 = 2;
        const AF_INET6: u32 = 10;
        if self.local.is_ipv4() { AF_INET } else { AF_INET6 }
    }

    /// Whether it takes no connections of IPv4: it was told not to, or has an address of its own that is none of IPv4.
    pub fn is_v6_only(&self) -> bool {
        match self.local.ip() {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => self.v6_only || !address.is_unspecified() && address.to_ipv4_mapped().is_none(),
        }
    }

    /// `struct bpf_sock`, as it is now. Its address names the socket to programs.
    pub fn view(&self) -> &Arc<Block> {
        let set = |name: &str, value: u64| {
            if let Some(field) = SOCK.fields.iter().find(|field| field.name == name) {
                self.view.store(field.offset as usize, field.size as usize, value);
            }
        };
        set("bound_dev_if", self.device.into());
        set("family", self.family().into());
        set("type", self.kind.into());
        set("protocol", self.protocol.into());
        set("mark", self.mark.into());
        set("priority", self.priority.into());
        set("src_port", self.local.port().into());
        set("dst_port", self.remote.port().to_be().into());
        set("state", self.state as u64);
        set("rx_queue_mapping", self.rx_queue.map_or(u64::from(u32::MAX), u64::from));
        self.put_address("src_ip", self.local.ip());
        self.put_address("dst_ip", self.remote.ip());
        &self.view
    }

    fn put_address(&self, name: &str, address: IpAddr) {
        let set = |suffix: &str, bytes: &[u8]| {
            if let Some(field) = SOCK.fields.iter().find(|field| field.name.strip_prefix(name) == Some(suffix)) {
                self.view.write(field.offset as usize, bytes);
            }
        };
        match address {
            IpAddr::V4(address) => {
                set("4", &address.octets());
                // A connection of IPv4 has its addresses in both forms.
                let both = self.protocol == TCP && self.state != SocketState::Listen && self.state != SocketState::Close;
                let other = if both { address.to_ipv6_mapped() } else { Ipv6Addr::UNSPECIFIED };
                set("6", &other.octets());
            }
            IpAddr::V6(address) => {
                set("6", &address.octets());
                // In IPv4, the kernel calls every address of its own in IPv6 but "all" by one that is nobody's.
                if name == "src_ip" {
                    let other = if address.is_unspecified() { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::new(127, 0, 0, 6) };
                    set("4", &other.octets());
                }
            }
        }
    }

    /// `struct bpf_tcp_sock`, as it is now.
    pub fn tcp_view(&self) -> &Arc<Block> {
        for field in TCP_SOCK.fields {
            let value = self.tcp.get(field.name).copied().unwrap_or_default();
            self.tcp_view.store(field.offset as usize, field.size as usize, value);
        }
        &self.tcp_view
    }

    /// Whether packets that came by a device may reach it.
    fn hears(&self, device: u32) -> bool {
        self.device == 0 || self.device == device
    }

    /// How well its own address fits packets to `to`: exactly (2), by listening on all addresses (1), or not at all.
    fn fit(&self, to: SocketAddr) -> Option<u32> {
        if self.local.port() != to.port() {
            return None;
        }
        let own = self.local.ip();
        let either = !self.v6_only && own == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        match own == to.ip() {
            true if !own.is_unspecified() => Some(2),
            _other => (own.is_unspecified() && own.is_ipv4() == to.is_ipv4() || either).then_some(1),
        }
    }
}

/// The sockets of a world, by their cookies.
#[derive(Debug, Clone, Default)]
pub struct Sockets {
    by_cookie: BTreeMap<u64, Socket>,
    /// Options that were set, by cookie, level and name: also of sockets that an event brought, which are none of the world's.
    options: BTreeMap<(u64, u32, u32), Vec<u8>>,
    /// Kernel objects that were made of sockets, by cookie and type.
    objects: BTreeMap<(u64, &'static str), u64>,
    last: u64,
}

/// Where a packet comes from and where it goes, for lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Who sent it.
    pub from: SocketAddr,
    /// Whom it is for.
    pub to: SocketAddr,
    /// The device that it came by.
    pub device: u32,
}

impl Sockets {
    /// A cookie that no socket has had.
    pub fn new_cookie(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Adds a socket under a cookie that [`Sockets::new_cookie`] gave.
    pub fn insert(&mut self, cookie: u64, socket: Socket) {
        self.by_cookie.insert(cookie, socket);
    }

    /// Adds a socket; its cookie.
    pub fn add(&mut self, socket: Socket) -> u64 {
        let cookie = self.new_cookie();
        self.by_cookie.insert(cookie, socket);
        cookie
    }

    /// The socket with this cookie.
    pub fn get(&self, cookie: u64) -> Option<&Socket> {
        self.by_cookie.get(&cookie)
    }

    /// The socket with this cookie, to be changed.
    pub fn get_mut(&mut self, cookie: u64) -> Option<&mut Socket> {
        self.by_cookie.get_mut(&cookie)
    }

    /// Takes a socket away.
    pub fn remove(&mut self, cookie: u64) -> Option<Socket> {
        self.by_cookie.remove(&cookie)
    }

    /// All sockets with their cookies, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Socket)> {
        self.by_cookie.iter().map(|(cookie, socket)| (*cookie, socket))
    }

    /// The socket whose `struct bpf_sock` or `struct bpf_tcp_sock` begins at an address.
    pub fn at(&self, addr: u64) -> Option<u64> {
        let found = self.iter().find(|(_, socket)| socket.view.addr() == addr || socket.tcp_view.addr() == addr);
        found.map(|(cookie, _)| cookie)
    }

    /// The value of an option (`SOL_*`, `SO_*`), if somebody has set it.
    pub fn option(&self, cookie: u64, level: u32, name: u32) -> Option<&[u8]> {
        self.options.get(&(cookie, level, name)).map(Vec::as_slice)
    }

    /// Sets the value of an option.
    pub fn set_option(&mut self, cookie: u64, level: u32, name: u32, value: Vec<u8>) {
        self.options.insert((cookie, level, name), value);
    }

    /// The kernel object that was made of a socket, of this type.
    pub(super) fn object(&self, cookie: u64, ty: &'static str) -> Option<u64> {
        self.objects.get(&(cookie, ty)).copied()
    }

    pub(super) fn set_object(&mut self, cookie: u64, ty: &'static str, addr: u64) {
        self.objects.insert((cookie, ty), addr);
    }

    /// The socket that the kernel object at an address was made of.
    pub fn of_object(&self, addr: u64) -> Option<u64> {
        self.objects.iter().find(|(_, object)| **object == addr).map(|((cookie, _), _)| *cookie)
    }

    /// The TCP socket that a packet belongs to: its connection, or who listens for it. Of those that listen, an address of its own comes
    /// before all addresses, then a device of its own, then IPv4 before both versions; of those that are alike, the oldest.
    pub fn tcp(&self, flow: Flow) -> Option<u64> {
        let tcp = || self.iter().filter(|(_, socket)| socket.protocol == TCP && socket.hears(flow.device));
        let connected = |socket: &Socket| {
            !matches!(socket.state, SocketState::Listen | SocketState::Close)
                && socket.local == flow.to
                && socket.remote == flow.from
        };
        if let Some((cookie, _)) = tcp().find(|(_, socket)| connected(socket)) {
            return Some(cookie);
        }
        let listening = tcp().filter(|(_, socket)| socket.state == SocketState::Listen);
        best(listening.filter_map(|(cookie, socket)| {
            let own_device = u32::from(socket.device != 0);
            let same_version = u32::from(socket.local.is_ipv4() == flow.to.is_ipv4());
            Some((cookie, (socket.fit(flow.to)?, own_device, same_version)))
        }))
    }

    /// The UDP socket that a packet belongs to: an address of its own comes before all addresses, then what it is connected to.
    pub fn udp(&self, flow: Flow) -> Option<u64> {
        let udp = self.iter().filter(|(_, socket)| socket.protocol == UDP && socket.hears(flow.device));
        best(udp.filter_map(|(cookie, socket)| {
            let fit = socket.fit(flow.to)?;
            let mut score = if socket.local.is_ipv4() == flow.to.is_ipv4() { 2 } else { 1 };
            for (own, theirs) in [
                (!socket.remote.ip().is_unspecified(), socket.remote.ip() == flow.from.ip()),
                (socket.remote.port() != 0, socket.remote.port() == flow.from.port()),
            ] {
                match (own, theirs) {
                    (true, true) => score += 4,
                    (true, false) => return None,
                    (false, _) => {}
                }
            }
            score += if socket.device == 0 { 0 } else { 4 };
            Some((cookie, (fit, score, 0)))
        }))
    }
}

/// The cookie with the highest rank; the first of those that are alike.
fn best(ranked: impl Iterator<Item = (u64, (u32, u32, u32))>) -> Option<u64> {
    let mut best: Option<(u64, (u32, u32, u32))> = None;
    for (cookie, rank) in ranked {
        if best.is_none_or(|(_, found)| rank > found) {
            best = Some((cookie, rank));
        }
    }
    best.map(|(cookie, _)| cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_come_before_those_who_listen() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mut sockets = Sockets::default();
        let both = sockets.add(Socket::tcp_listener(at("[::]:80")));
        let all = sockets.add(Socket::tcp_listener(at("0.0.0.0:80")));
        let one = sockets.add(Socket::tcp_listener(at("10.0.0.1:80")));
        let connected = sockets.add(Socket::tcp(at("10.0.0.1:80"), at("10.0.0.2:5000")));
        let bound = sockets.add(Socket { device: 7, ..Socket::tcp_listener(at("0.0.0.0:80")) });
        let found = |from: &str, to: &str, device| sockets.tcp(Flow { from: at(from), to: at(to), device });
        assert_eq!(found("10.0.0.2:5000", "10.0.0.1:80", 1), Some(connected));
        assert_eq!(found("10.0.0.2:5001", "10.0.0.1:80", 1), Some(one));
        assert_eq!(found("10.0.0.2:5001", "10.0.0.9:80", 1), Some(all));
        assert_eq!(found("10.0.0.2:5001", "10.0.0.9:80", 7), Some(bound));
        assert_eq!(found("[fd00::1]:5001", "[fd00::2]:80", 1), Some(both));
        assert_eq!(found("10.0.0.2:5001", "10.0.0.9:81", 1), None);
        let view = sockets.get(one).unwrap().view().addr();
        assert_eq!(sockets.at(view), Some(one));
    }
}
