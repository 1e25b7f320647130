//! Routes and MTU.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use skep::world::{Device, Link, Neighbour, Route, RouteKind};
use skep::{ProgType, World};

use crate::namespace::{self, ip, sysctl};
use crate::script::{Arg, Script, cases, kernel, tcp4, udp6};
use Arg::{Ctx, Mem, Num};

const FIB: u32 = 69;
const MTU: u32 = 163;

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Devices, addresses and routes as `ip` is told to make them, and the same in a world.
fn network(world: &mut World) {
    ip("link add v0 index 10 address 02:00:00:00:00:10 mtu 1500 type veth peer name p0 index 11
        link add v1 index 12 address 02:00:00:00:00:12 mtu 9000 type veth peer name p1 index 13
        link add off index 14 address 02:00:00:00:00:14 type veth peer name poff index 15
        link set lo up
        link set p0 addrgenmode none
        link set v0 addrgenmode none
        link set v1 addrgenmode none
        link set p1 addrgenmode none
        link set v0 up
        link set p0 up
        link set v1 up
        link set p1 up
        addr add 10.0.0.1/24 dev v0
        addr add 10.9.0.1/24 dev v1
        addr add fd00::1/64 dev v0 nodad
        addr add fd09::1/64 dev v1 nodad
        neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent
        neigh add 10.9.0.2 lladdr 02:00:00:00:00:92 dev v1 nud permanent
        neigh add fd00::2 lladdr 02:00:00:00:00:62 dev v0 nud permanent
        neigh add 10.2.0.5 lladdr 02:00:00:00:00:25 dev v1 nud permanent
        route add 10.1.0.0/16 via 10.0.0.2
        route add 10.2.0.0/16 dev v1 metric 7
        route add 10.2.0.0/16 via 10.0.0.2 metric 9
        route add 10.2.3.0/24 via 10.0.0.7 metric 3 src 10.9.0.1
        route add default via 10.0.0.3
        route add blackhole 10.3.0.0/16
        route add unreachable 10.4.0.0/16
        route add prohibit 10.5.0.0/16
        route add 10.6.0.0/16 via 10.0.0.2 mtu lock 1000
        route add 10.7.0.0/16 via inet6 fd00::2 dev v0
        route add 10.8.0.0/16 encap ip id 7 dst 10.0.0.2 dev v0
        route add 10.1.0.0/16 via 10.9.0.2 table 100
        route add fd01::/64 via fd00::2
        route add fd02::/64 dev v1 metric 7
        route add blackhole fd03::/64
        route add unreachable fd04::/64
        route add prohibit fd05::/64
        route add fd06::/64 via fd00::2 mtu lock 1400
        route add fd01::/64 via fd09::2 table 100");
    for name in ["v0", "v1"] {
        namespace::wait_for(name);
        sysctl(&format!("ipv4/conf/{name}/forwarding"), "1");
        sysctl(&format!("ipv6/conf/{name}/forwarding"), "1");
    }
    let device = |index, name: &str, mtu, forwards, addresses: &[&str]| Device {
        mac: [2, 0, 0, 0, 0, if index == 10 { 0x10 } else { 0x12 }],
        mtu,
        forwarding4: forwards,
        forwarding6: forwards,
        addresses: addresses.iter().map(|text| addr(text)).collect(),
        ..Device::new(index, name)
    };
    world.net.devices.extend([
        device(10, "v0", 1500, true, &["10.0.0.1", "fd00::1"]),
        device(11, "p0", 1500, false, &[]),
        device(12, "v1", 9000, true, &["10.9.0.1", "fd09::1"]),
        device(13, "p1", 1500, false, &[]),
        Device { up: false, ..device(14, "off", 1500, false, &[]) },
    ]);
    let neighbour = |device, to: &str, last| Neighbour { device, addr: addr(to), mac: [2, 0, 0, 0, 0, last] };
    world.net.neighbours.extend([
        neighbour(10, "10.0.0.2", 0x02),
        neighbour(12, "10.9.0.2", 0x92),
        neighbour(10, "fd00::2", 0x62),
        neighbour(12, "10.2.0.5", 0x25),
    ]);
    world.net.routes.extend(routes());
}

fn routes() -> Vec<Route> {
    let on = |to: &str, prefix, device| Route::new(addr(to), prefix, device);
    let via = |to: &str, prefix, hop: &str, device| Route { via: Some(addr(hop)), ..on(to, prefix, device) };
    let kind = |kind, route: Route| Route { kind, ..route };
    let local = |to: &str, prefix, device| Route { kind: RouteKind::Local, table: 255, ..on(to, prefix, device) };
    vec![
        local("127.0.0.0", 8, 1),
        local("10.0.0.1", 32, 10),
        local("10.9.0.1", 32, 12),
        local("fd00::1", 128, 10),
        local("fd09::1", 128, 12),
        Route { kind: RouteKind::Broadcast, table: 255, ..on("10.0.0.255", 32, 10) },
        on("10.0.0.0", 24, 10),
        on("10.9.0.0", 24, 12),
        Route { metric: 256, ..on("fd00::", 64, 10) },
        Route { metric: 256, ..on("fd09::", 64, 12) },
        via("10.1.0.0", 16, "10.0.0.2", 10),
        Route { metric: 7, ..on("10.2.0.0", 16, 12) },
        Route { metric: 9, ..via("10.2.0.0", 16, "10.0.0.2", 10) },
        Route { metric: 3, source: Some(addr("10.9.0.1")), ..via("10.2.3.0", 24, "10.0.0.7", 10) },
        via("0.0.0.0", 0, "10.0.0.3", 10),
        kind(RouteKind::Blackhole, on("10.3.0.0", 16, 0)),
        kind(RouteKind::Unreachable, on("10.4.0.0", 16, 0)),
        kind(RouteKind::Prohibit, on("10.5.0.0", 16, 0)),
        Route { mtu: Some(1000), ..via("10.6.0.0", 16, "10.0.0.2", 10) },
        via("10.7.0.0", 16, "fd00::2", 10),
        Route { encapsulates: true, ..on("10.8.0.0", 16, 10) },
        Route { table: 100, ..via("10.1.0.0", 16, "10.9.0.2", 12) },
        Route { metric: 1024, ..via("fd01::", 64, "fd00::2", 10) },
        Route { metric: 7, ..on("fd02::", 64, 12) },
        Route { metric: 1024, ..kind(RouteKind::Blackhole, on("fd03::", 64, 0)) },
        Route { metric: 1024, ..kind(RouteKind::Unreachable, on("fd04::", 64, 0)) },
        Route { metric: 1024, ..kind(RouteKind::Prohibit, on("fd05::", 64, 0)) },
        Route { metric: 1024, mtu: Some(1400), ..via("fd06::", 64, "fd00::2", 10) },
        Route { metric: 1024, table: 100, ..via("fd01::", 64, "fd09::2", 12) },
    ]
}

/// A `struct bpf_fib_lookup`.
fn params(from: IpAddr, to: IpAddr, ifindex: u32, tot_len: u16, table: u32) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let octets = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    bytes[0] = if to.is_ipv4() { 2 } else { 10 };
    bytes[1] = 6;
    bytes[6..8].copy_from_slice(&tot_len.to_le_bytes());
    bytes[8..12].copy_from_slice(&ifindex.to_le_bytes());
    bytes[16..16 + octets(from).len()].copy_from_slice(&octets(from));
    bytes[32..32 + octets(to).len()].copy_from_slice(&octets(to));
    bytes[48..52].copy_from_slice(&table.to_le_bytes());
    bytes[52..64].fill(0xee);
    bytes
}

const DESTINATIONS: [&str; 31] = [
    "10.0.0.2",
    "10.0.0.1",
    "10.0.0.255",
    "10.0.0.9",
    "10.1.2.3",
    "10.2.0.5",
    "10.2.0.6",
    "10.2.3.4",
    "10.3.1.1",
    "10.4.1.1",
    "10.5.1.1",
    "10.6.1.1",
    "10.7.1.1",
    "10.8.1.1",
    "10.9.0.2",
    "8.8.8.8",
    "127.0.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "fd00::2",
    "fd00::1",
    "fd00::9",
    "fd01::5",
    "fd02::5",
    "fd03::5",
    "fd04::5",
    "fd05::5",
    "fd06::5",
    "fe80::1",
    "ff02::1",
];

#[test]
fn routes_as_in_the_kernel() {
    if !namespace::inside("route::routes_as_in_the_kernel") {
        return;
    }
    let mut script = Script::new(ProgType::SchedCls, &tcp4(6));
    network(&mut script.world);
    let inputs = (
        prop::sample::select(DESTINATIONS.to_vec()),
        prop::sample::select(vec![10_u32, 12, 11, 14, 1, 99, 0]),
        prop::sample::select(vec![0_u16, 60, 1000, 1001, 1280, 1400, 1401, 1500, 1501, 9000, 9001, 65535]),
        prop::sample::select(vec![100_u32, 254, 255, 77, 0]),
        prop_oneof![4 => 0..64_u64, 1 => Just(64), 1 => Just(1 << 31), 1 => Just(1 << 32)],
        prop::sample::select(vec![6_usize, 1476, 1490, 3000]),
        prop::sample::select(vec![ProgType::SchedCls, ProgType::Xdp]),
        prop_oneof![Just("10.0.0.77"), Just("0.0.0.0"), Just("127.0.0.1")],
        any::<bool>(),
    );
    let mut runner = TestRunner::new(cases(1500));
    let ran = runner.run(&inputs, |(to, ifindex, tot_len, table, flags, payload, prog_type, from, gso)| {
        // A mark chooses among rules, which are none here; it lies where the answer puts hardware addresses.
        let to = addr(to);
        let from = if to.is_ipv4() { addr(from) } else { addr("fd00::77") };
        let mut script = Script { prog_type, packet: tcp4(payload), ..script.clone() };
        if gso && prog_type == ProgType::SchedCls {
            script = script.context(176, &9_u32.to_le_bytes());
        }
        let script = script.put(0, &params(from, to, ifindex, tot_len, table));
        println!("{to} from {from} by {ifindex}, {tot_len} bytes, table {table}, flags {flags:#x}");
        script.call(FIB, &[Ctx, Mem(0), Num(64), Num(flags)]).compare().unwrap();
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn arguments_that_are_no_lookup() {
    if !kernel() {
        return;
    }
    for prog_type in [ProgType::SchedCls, ProgType::Xdp] {
        let ask = || Script::new(prog_type, &udp6(6)).put(0, &params(addr("10.0.0.1"), addr("10.0.0.2"), 1, 0, 0));
        for len in [1, 63, 64, 65, 200] {
            for family in [2, 10, 0, 1, 255] {
                for flags in [0, 1, 63, 64, 1 << 31, 1 << 32] {
                    ask().put(0, &[family]).call(FIB, &[Ctx, Mem(0), Num(len), Num(flags)]).compare().unwrap();
                }
            }
        }
    }
}

#[test]
fn packets_that_fit_a_device() {
    if !namespace::inside("route::packets_that_fit_a_device") {
        return;
    }
    ip("link add v0 index 10 mtu 100 type veth peer name v1 index 11
        tuntap add mode tun name bare
        link set bare mtu 100");
    let bare = namespace::index_of("bare");
    let mut script = Script::new(ProgType::SchedCls, &tcp4(6));
    script.world.net.devices.extend([
        Device { mtu: 100, ..Device::new(10, "v0") },
        Device { mtu: 100, link: Link::Bare, up: false, ..Device::new(bare, "bare") },
    ]);
    for prog_type in [ProgType::SchedCls, ProgType::Xdp] {
        for payload in [6, 60, 61, 64, 200] {
            let packet = tcp4(payload);
            for ifindex in [0, 1, 10, u64::from(bare), 99] {
                for given in [0_u32, 1, 86, 87, 100, 101, 0x7fff_ffff, 0xffff_fff0] {
                    for diff in [0_i64, 1, -1, 14, -14, 5000, i64::from(i32::MIN), i64::from(i32::MAX), 1 << 32] {
                        let script = Script { prog_type, packet: packet.clone(), ..script.clone() }.put(0, &given.to_le_bytes());
                        script.call(MTU, &[Ctx, Num(ifindex), Mem(0), Num(diff as u64), Num(0)]).compare().unwrap();
                    }
                }
                for flags in [1, 2, 3, 1 << 32] {
                    let script = Script { prog_type, packet: packet.clone(), ..script.clone() };
                    script.call(MTU, &[Ctx, Num(ifindex), Mem(0), Num(0), Num(flags)]).compare().unwrap();
                }
            }
        }
    }
}
