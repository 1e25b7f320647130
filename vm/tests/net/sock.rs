//! Sockets.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use skep::ProgType;
use skep::world::Socket;

use crate::script::{Arg, Left, Script, Step, kernel, tcp4, udp6};
use Arg::{Ctx, Field, Mem, Num, Ret};

const COOKIE: u32 = 46;
const UID: u32 = 47;
const LOOKUP_TCP: u32 = 84;
const LOOKUP_UDP: u32 = 85;
const RELEASE: u32 = 86;
const FULL: u32 = 95;
const TCP: u32 = 96;
const LISTENER: u32 = 98;
const COMMON: u32 = 99;
const NETNS: u32 = 122;
const ASSIGN: u32 = 124;
/// Where `__sk_buff` has its socket.
const SK: i16 = 168;
const WITH_LOOKUP: [ProgType; 4] = [ProgType::SchedCls, ProgType::SchedAct, ProgType::Xdp, ProgType::CgroupSkb];

/// What a socket is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Listener,
    Stream,
    Datagram,
}

/// Sockets of this process, and the same in a world.
struct Real {
    sockets: Vec<(SocketAddr, Socket)>,
    listeners: Vec<TcpListener>,
    streams: Vec<TcpStream>,
    datagrams: Vec<UdpSocket>,
}

fn real() -> Real {
    let mut real = Real { sockets: Vec::new(), listeners: Vec::new(), streams: Vec::new(), datagrams: Vec::new() };
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let local = listener.local_addr().unwrap();
        real.sockets.push((local, Socket::tcp_listener(local)));
        let there: SocketAddr =
            if local.is_ipv4() { format!("127.0.0.1:{}", local.port()) } else { format!("[::1]:{}", local.port()) }
                .parse()
                .unwrap();
        let client = TcpStream::connect(there).unwrap();
        let (server, _) = listener.accept().unwrap();
        for stream in [client, server] {
            let (local, remote) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            real.sockets.push((local, Socket::tcp(local, remote)));
            real.streams.push(stream);
        }
        real.listeners.push(listener);
        let datagrams = UdpSocket::bind(address).unwrap();
        let local = datagrams.local_addr().unwrap();
        real.sockets.push((local, Socket::udp(local)));
        if !local.ip().is_unspecified() {
            let connected = UdpSocket::bind(address).unwrap();
            connected.connect(local).unwrap();
            let own = connected.local_addr().unwrap();
            real.sockets.push((own, Socket::udp_connected(own, local)));
            real.datagrams.push(connected);
        }
        real.datagrams.push(datagrams);
    }
    real
}

impl Real {
    fn in_world(&self, mut script: Script) -> Script {
        for (_, socket) in &self.sockets {
            script.world.net.sockets.add(socket.clone());
        }
        script
    }

    /// The cookie in the world of a socket by its end and, where several have it, by what it is.
    fn cookie_of(&self, kind: Kind, end: SocketAddr) -> u64 {
        let is_it = |(at, socket): &(SocketAddr, Socket)| {
            let listens = socket.state == skep::world::SocketState::Listen;
            let same = match kind {
                Kind::Listener => listens,
                Kind::Stream => socket.protocol == 6 && !listens,
                Kind::Datagram => socket.protocol == 17,
            };
            *at == end && same
        };
        1 + self.sockets.iter().position(is_it).unwrap() as u64
    }

    /// Every end, and some where nobody is.
    fn ends(&self) -> Vec<SocketAddr> {
        let mut ends: Vec<SocketAddr> = self.sockets.iter().map(|(end, _)| *end).collect();
        for end in ends.clone() {
            let other = if end.is_ipv4() { "127.0.0.2".parse().unwrap() } else { "fd00::5".parse().unwrap() };
            ends.push(SocketAddr::new(other, end.port()));
        }
        ends
    }
}

/// A `struct bpf_sock_tuple`.
fn tuple(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let octets = |end: SocketAddr| match end {
        SocketAddr::V4(end) => end.ip().octets().to_vec(),
        SocketAddr::V6(end) => end.ip().octets().to_vec(),
    };
    [octets(from), octets(to), from.port().to_be_bytes().to_vec(), to.port().to_be_bytes().to_vec()].concat()
}

/// Fields of `struct bpf_sock`: offset and size. The receive queue is not among them: it depends on what has arrived.
const FIELDS: [(i16, u8); 19] = [
    (0, 4),
    (4, 4),
    (8, 4),
    (12, 4),
    (16, 4),
    (20, 4),
    (24, 4),
    (28, 4),
    (32, 4),
    (36, 4),
    (40, 4),
    (44, 4),
    (48, 2),
    (52, 4),
    (56, 4),
    (60, 4),
    (64, 4),
    (68, 4),
    (72, 4),
];

/// Reads the fields of a socket. What one of IPv6 says in IPv4 of who is at the other end depends on who called whom.
fn read_all(mut script: Script, of: usize, six: bool) -> Script {
    const DST_IP4: i16 = 52;
    for (offset, size) in FIELDS.into_iter().filter(|(offset, _)| !six || *offset != DST_IP4) {
        script = script.step(Step::Load(of, offset, size));
    }
    script
}

#[test]
fn lookups_find_what_the_kernel_finds() {
    if !kernel() {
        return;
    }
    let real = real();
    let mut found = [0; 2];
    for prog_type in WITH_LOOKUP {
        for from in real.ends() {
            for to in real.ends().into_iter().filter(|to| to.is_ipv4() == from.is_ipv4()) {
                let bytes = tuple(from, to);
                for id in [LOOKUP_TCP, LOOKUP_UDP] {
                    let script = real.in_world(Script::new(prog_type, &tcp4(6))).put(0, &bytes);
                    let ask = [Ctx, Mem(0), Num(bytes.len() as u64), Num(u64::MAX), Num(0)];
                    let script =
                        read_all(script.step(Step::Pointer(id, ask.to_vec())), 0, from.is_ipv6()).call(RELEASE, &[Ret(0)]);
                    found[usize::from(id == LOOKUP_UDP)] += script.compare().unwrap().rets[0];
                }
            }
        }
    }
    assert!(found.iter().all(|found| *found > 20), "{found:?}");
}

#[test]
fn a_found_socket_as_others() {
    if !kernel() {
        return;
    }
    let real = real();
    for prog_type in [ProgType::SchedCls, ProgType::CgroupSkb] {
        for id in [COMMON, LOOKUP_TCP] {
            for (end, socket) in real.sockets.iter().filter(|(_, socket)| socket.protocol == 6) {
                let from = if socket.remote.port() == 0 { *end } else { socket.remote };
                let bytes = tuple(from, *end);
                let ask = vec![Ctx, Mem(0), Num(bytes.len() as u64), Num(u64::MAX), Num(0)];
                for cast in [FULL, TCP, LISTENER] {
                    let mut script = real.in_world(Script::new(prog_type, &tcp4(6))).put(0, &bytes);
                    script = script.step(Step::Pointer(id, ask.clone())).step(Step::Pointer(cast, vec![Ret(0)]));
                    if cast != TCP {
                        script = read_all(script, 1, end.is_ipv6());
                    }
                    script.call(RELEASE, &[Ret(0)]).compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn lookups_with_bad_arguments() {
    if !kernel() {
        return;
    }
    let real = real();
    let end = real.sockets[0].0;
    let bytes = tuple(end, end);
    for prog_type in WITH_LOOKUP {
        for id in [LOOKUP_TCP, LOOKUP_UDP, COMMON] {
            for size in [1, 11, 12, 13, 35, 36, 37, 64] {
                for (namespace, flags) in [
                    (u64::MAX, 0),
                    (0xffff_ffff, 0),
                    (0, 0),
                    (5, 0),
                    (1 << 32, 0),
                    (u64::MAX, 1),
                    (u64::MAX, 1 << 32),
                    (0x8000_0000, 0),
                    (0x7fff_ffff, 0),
                ] {
                    let ask = vec![Ctx, Mem(0), Num(size), Num(namespace), Num(flags)];
                    let script = real.in_world(Script::new(prog_type, &tcp4(6))).put(0, &bytes);
                    script.step(Step::Pointer(id, ask)).call(RELEASE, &[Ret(0)]).compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn the_socket_of_the_event() {
    if !kernel() {
        return;
    }
    for packet in [tcp4(6), udp6(6), vec![1; 60]] {
        for prog_type in [ProgType::SchedCls, ProgType::CgroupSkb, ProgType::SocketFilter] {
            let mut script = Script::new(prog_type, &packet).call(UID, &[Ctx]).call(NETNS, &[Ctx]).call(NETNS, &[Num(0)]);
            script.world.net.namespace_cookie = script.in_kernel().unwrap().rets[1];
            script.compare().unwrap();
            let cookie = Script::new(prog_type, &packet).call(COOKIE, &[Ctx]).call(COOKIE, &[Ctx]);
            for Left { rets, .. } in [cookie.in_kernel().unwrap(), cookie.in_skep().unwrap()] {
                assert!(rets[0] != 0 && rets[0] == rets[1]);
            }
        }
        for prog_type in [ProgType::SchedCls, ProgType::CgroupSkb] {
            for cast in [FULL, TCP, LISTENER] {
                let mut script = Script::new(prog_type, &packet).step(Step::Pointer(cast, vec![Field(SK)]));
                if cast == FULL {
                    script = read_all(script, 0, false);
                }
                script.compare().unwrap();
            }
        }
        for flags in [0, 1, 1 << 32] {
            Script::new(ProgType::SchedCls, &packet).call(ASSIGN, &[Ctx, Field(SK), Num(flags)]).compare().unwrap();
        }
    }
}

#[test]
fn cgroups_of_sockets() {
    if !kernel() {
        return;
    }
    for (prog_type, ids) in [(ProgType::SchedCls, vec![79, 83, 151, 17]), (ProgType::CgroupSkb, vec![79, 83])] {
        for id in ids {
            for level in [0, 1, 5, -1_i64, 1 << 32] {
                let script = Script::new(prog_type, &tcp4(6)).call(id, &[Ctx, Num(level as u64)]);
                let (theirs, ours) = (script.in_kernel().unwrap().rets[0], script.in_skep().unwrap().rets[0]);
                // The kernel's own tree has the tests in some cgroup; here they are in the root.
                assert_eq!(theirs == 0, ours == 0, "helper {id} at level {level}: kernel {theirs}, skep {ours}");
            }
        }
    }
}

#[test]
fn what_looks_for_its_socket_gets_one() {
    if !kernel() {
        return;
    }
    let real = real();
    let mut assigned = 0;
    let listeners = real.listeners.iter().map(|s| (s.as_raw_fd(), Kind::Listener, s.local_addr().unwrap()));
    let streams = real.streams.iter().map(|s| (s.as_raw_fd(), Kind::Stream, s.local_addr().unwrap()));
    let datagrams = real.datagrams.iter().map(|s| (s.as_raw_fd(), Kind::Datagram, s.local_addr().unwrap()));
    let all: Vec<(i32, Kind, SocketAddr)> = listeners.chain(streams).chain(datagrams).collect();
    for (descriptor, cookie) in all.into_iter().map(|(descriptor, kind, end)| (descriptor, real.cookie_of(kind, end))) {
        for (family, protocol) in [(2_u32, 6_u32), (10, 6), (2, 17), (10, 17), (2, 1)] {
            for flags in [0, 1, 2, 3, 4, 1 << 32] {
                let mut script = real.in_world(Script::new(ProgType::SkLookup, &[]));
                script = script.map(skep::MapDef {
                    key_size: 4,
                    value_size: 8,
                    max_entries: 2,
                    ..skep::MapDef::new("sockets", skep::MapType::Sockmap)
                });
                script.sockets.push((0, vec![0; 4], descriptor, cookie));
                script.attach_type = Some(skep::AttachType::SkLookup);
                script.ret = 1;
                let script = script.context(8, &family.to_le_bytes()).context(12, &protocol.to_le_bytes()).context(71, &[0]);
                let script = script.step(Step::Pointer(1, vec![Arg::Map(0), Mem(0)]));
                let script = script.call(ASSIGN, &[Ctx, Ret(0), Num(flags)]).call(ASSIGN, &[Ctx, Ret(0), Num(0)]);
                let script = script.call(ASSIGN, &[Ctx, Num(0), Num(flags)]).call(ASSIGN, &[Ctx, Ret(0), Num(1)]);
                let script = script.call(RELEASE, &[Ret(0)]);
                let (mut theirs, mut ours) = (script.in_kernel().unwrap(), script.in_skep().unwrap());
                // Cookies differ; whether there is one does not.
                for left in [&mut theirs, &mut ours] {
                    let chosen = left.ctx[..8].iter().any(|byte| *byte != 0);
                    left.ctx[..8].fill(chosen.into());
                    assigned += u32::from(chosen);
                }
                assert_eq!(ours, theirs, "socket {cookie}, family {family}, protocol {protocol}, flags {flags}");
            }
        }
    }
    assert!(assigned > 20);
}
