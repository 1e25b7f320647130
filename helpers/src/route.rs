//! Bodies: routes and MTU.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use skep_linux::flags::{
    BPF_FIB_LKUP_RET_BLACKHOLE, BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_FWD_DISABLED, BPF_FIB_LKUP_RET_NO_NEIGH,
    BPF_FIB_LKUP_RET_NO_SRC_ADDR, BPF_FIB_LKUP_RET_NOT_FWDED, BPF_FIB_LKUP_RET_PROHIBIT, BPF_FIB_LKUP_RET_SUCCESS,
    BPF_FIB_LKUP_RET_UNREACHABLE, BPF_FIB_LKUP_RET_UNSUPP_LWT, BPF_FIB_LOOKUP_DIRECT, BPF_FIB_LOOKUP_MARK, BPF_FIB_LOOKUP_OUTPUT,
    BPF_FIB_LOOKUP_SKIP_NEIGH, BPF_FIB_LOOKUP_SRC, BPF_FIB_LOOKUP_TBID, BPF_MTU_CHK_RET_FRAG_NEEDED, BPF_MTU_CHK_RET_SUCCESS,
    BPF_MTU_CHK_SEGS,
};
use skep_linux::{Errno, ProgType};
use skep_world::{Device, Found, Lookup, Net, RouteKind, Tables};

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    69 "bpf_fib_lookup" => fib_lookup,
    163 "bpf_check_mtu" => check_mtu,
}

/// `sizeof(struct bpf_fib_lookup)`, and where its members lie.
const SIZE: u64 = 64;
const FAMILY: usize = 0;
const TOT_LEN: usize = 6;
const IFINDEX: usize = 8;
const METRIC: usize = 12;
const SOURCE: usize = 16;
const DESTINATION: usize = 32;
const VLAN: usize = 48;
const SMAC: usize = 52;
const DMAC: usize = 58;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const KNOWN: u32 = BPF_FIB_LOOKUP_DIRECT
    | BPF_FIB_LOOKUP_OUTPUT
    | BPF_FIB_LOOKUP_SKIP_NEIGH
    | BPF_FIB_LOOKUP_TBID
    | BPF_FIB_LOOKUP_SRC
    | BPF_FIB_LOOKUP_MARK;

/// A `struct bpf_fib_lookup`.
struct Params([u8; SIZE as usize]);

impl Params {
    fn number16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn number(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn address(&self, at: usize) -> IpAddr {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[at..at + 16]);
        match self.0[FAMILY] {
            AF_INET => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
            _ipv6 => Ipv6Addr::from(bytes).into(),
        }
    }

    fn put_address(&mut self, at: usize, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.put(at, &address.octets()),
            IpAddr::V6(address) => self.put(at, &address.octets()),
        }
    }
}

/// `(ctx, params, plen, flags)`.
fn fib_lookup(c: &mut Call<'_>) -> Done {
    let (len, flags) = (c.arg32(3) as i32, c.arg32(4));
    if i64::from(len) < SIZE as i64 || flags & !KNOWN != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut params = Params([0; SIZE as usize]);
    c.read(2, &mut params.0)?;
    let of_frame = c.context(1)?.prog_type == ProgType::Xdp;
    let check = of_frame || params.number16(TOT_LEN) != 0;
    let net = &c.world().net;
    let mut result = match params.0[FAMILY] {
        AF_INET | AF_INET6 => lookup(net, &mut params, flags, check)?,
        _other => return Err(Errno::EAFNOSUPPORT.into()),
    };
    if result == BPF_FIB_LKUP_RET_SUCCESS && !check {
        let (mtu, room) = match net.device(params.number(IFINDEX)) {
            Some(device) => (device.mtu, forwards_up_to(device)),
            None => (0, 0),
        };
        params.put(TOT_LEN, &(mtu as u16).to_le_bytes());
        let buffer = c.buffer(1)?;
        if buffer.packet.len() as u64 > room && !buffer.is_gso() {
            result = BPF_FIB_LKUP_RET_FRAG_NEEDED;
        }
    }
    c.write(2, &params.0)?;
    Ok(result)
}

/// Bytes of the longest frame that a device passes on: one VLAN tag more than its MTU.
fn forwards_up_to(device: &Device) -> u64 {
    const VLAN_HLEN: u64 = 4;
    if device.up { u64::from(device.mtu) + u64::from(device.header_len()) + VLAN_HLEN } else { 0 }
}

/// IPv6 addresses that only mean something on one link, or to a group.
fn is_strict(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_multicast() || address.is_unicast_link_local() || address.is_loopback(),
    }
}

fn lookup(net: &Net, params: &mut Params, flags: u32, check: bool) -> Done {
    let (source, destination) = (params.address(SOURCE), params.address(DESTINATION));
    if is_strict(source) || is_strict(destination) {
        return Ok(BPF_FIB_LKUP_RET_NOT_FWDED);
    }
    let ifindex = params.number(IFINDEX);
    let device = net.device(ifindex).ok_or(Errno::ENODEV)?;
    let forwards = if destination.is_ipv4() { device.forwarding4 } else { device.forwarding6 };
    if !forwards {
        return Ok(BPF_FIB_LKUP_RET_FWD_DISABLED);
    }
    let mut tables = Tables::Rules;
    if flags & BPF_FIB_LOOKUP_DIRECT != 0 {
        tables = Tables::One(Tables::MAIN);
        if flags & BPF_FIB_LOOKUP_TBID != 0 {
            // No number means the main table.
            tables = Tables::One(Some(params.number(VLAN)).filter(|table| *table != 0).unwrap_or(Tables::MAIN));
            params.put(VLAN, &[0; 4]);
        }
    }
    if matches!(tables, Tables::One(table) if !net.has_table(table)) {
        return Ok(BPF_FIB_LKUP_RET_NOT_FWDED);
    }
    let device = (flags & BPF_FIB_LOOKUP_OUTPUT != 0 || destination.is_ipv6()).then_some(ifindex);
    let Some(found) = net.route(&Lookup { to: destination, tables, device }) else {
        return Ok(BPF_FIB_LKUP_RET_NOT_FWDED);
    };
    match (found.route.kind, found.device) {
        (RouteKind::Unicast, Some(device)) => forward(net, params, flags, check, (found, device)),
        (RouteKind::Blackhole, _) => Ok(BPF_FIB_LKUP_RET_BLACKHOLE),
        (RouteKind::Unreachable, _) => Ok(BPF_FIB_LKUP_RET_UNREACHABLE),
        (RouteKind::Prohibit, _) => Ok(BPF_FIB_LKUP_RET_PROHIBIT),
        (RouteKind::Unicast | RouteKind::Local | RouteKind::Broadcast | RouteKind::Multicast, _) => {
            Ok(BPF_FIB_LKUP_RET_NOT_FWDED)
        }
    }
}

/// What goes through a route: its MTU is looked at first, its neighbour last.
fn forward(net: &Net, params: &mut Params, flags: u32, check: bool, (found, device): (Found<'_>, &Device)) -> Done {
    let route = found.route;
    let destination = params.address(DESTINATION);
    let mtu = mtu_of(route.mtu, device, destination);
    if check && u32::from(params.number16(TOT_LEN)) > mtu {
        params.put(TOT_LEN, &(mtu as u16).to_le_bytes());
        return Ok(BPF_FIB_LKUP_RET_FRAG_NEEDED);
    }
    if route.encapsulates {
        return Ok(BPF_FIB_LKUP_RET_UNSUPP_LWT);
    }
    params.put(METRIC, &route.metric.to_le_bytes());
    params.put(IFINDEX, &device.index.to_le_bytes());
    let hop = route.via.unwrap_or(destination);
    if flags & BPF_FIB_LOOKUP_SRC != 0 {
        match route.source.or_else(|| source(device, destination)) {
            Some(source) => params.put_address(SOURCE, source),
            None if destination.is_ipv4() => params.put_address(SOURCE, Ipv4Addr::UNSPECIFIED.into()),
            None => return Ok(BPF_FIB_LKUP_RET_NO_SRC_ADDR),
        }
    }
    if hop.is_ipv6() {
        params.0[FAMILY] = AF_INET6;
    }
    params.put_address(DESTINATION, hop);
    if flags & BPF_FIB_LOOKUP_SKIP_NEIGH == 0 {
        let Some(mac) = net.neighbour(device.index, hop) else {
            return Ok(BPF_FIB_LKUP_RET_NO_NEIGH);
        };
        params.put(DMAC, &mac);
        params.put(SMAC, &device.mac);
    }
    params.put(VLAN, &[0; 4]);
    if check {
        params.put(TOT_LEN, &(mtu as u16).to_le_bytes());
    }
    Ok(BPF_FIB_LKUP_RET_SUCCESS)
}

/// The MTU of a route: its own, or its device's, and no more than its version of IP can say.
fn mtu_of(own: Option<u32>, device: &Device, destination: IpAddr) -> u32 {
    const IP_MAX_MTU: u32 = 0xffff;
    const IP6_MAX_MTU: u32 = IP_MAX_MTU + 40;
    const IPV6_MIN_MTU: u32 = 1280;
    match destination {
        IpAddr::V4(_) => own.unwrap_or_else(|| device.mtu.min(IP_MAX_MTU)),
        IpAddr::V6(_) => own.unwrap_or_else(|| device.mtu.max(IPV6_MIN_MTU)).min(IP6_MAX_MTU),
    }
}

/// The address of a device that packets to a destination carry: the first of its family.
fn source(device: &Device, destination: IpAddr) -> Option<IpAddr> {
    device.addresses.iter().copied().find(|address| address.is_ipv4() == destination.is_ipv4() && !is_strict(*address))
}

/// The device that a number means; 0 means the one of the packet.
fn device_of(net: &Net, own: u32, ifindex: u32) -> Result<&Device, Errno> {
    net.device(if ifindex == 0 { own } else { ifindex }).ok_or(Errno::ENODEV)
}

/// `(ctx, ifindex, mtu_len, len_diff, flags)`.
fn check_mtu(c: &mut Call<'_>) -> Done {
    let (ifindex, diff, flags) = (c.arg32(2), c.arg32(4) as i32, c.arg(5));
    let given = c.load(3, 0, 4)? as u32;
    let of_frame = c.context(1)?.prog_type == ProgType::Xdp;
    let (len, gso, own) = packet_facts(c, of_frame)?;
    let known = if of_frame { 0 } else { BPF_MTU_CHK_SEGS };
    if flags & !known != 0 || flags & BPF_MTU_CHK_SEGS != 0 && (diff != 0 || given != 0) {
        return Err(Errno::EINVAL.into());
    }
    let device = device_of(&c.world().net, own, ifindex)?;
    let (mtu, header) = (device.mtu, device.header_len());
    let len = match given {
        0 => len,
        network_len => network_len.wrapping_add(header) as i32,
    };
    let long = len.wrapping_add(diff) > mtu.wrapping_add(header) as i32;
    if long && gso && flags & BPF_MTU_CHK_SEGS != 0 {
        return Err(c.not_simulated("the length of segments of a packet that stands for several"));
    }
    c.store(3, 0, 4, mtu.into())?;
    Ok(if long && !gso { BPF_MTU_CHK_RET_FRAG_NEEDED } else { BPF_MTU_CHK_RET_SUCCESS })
}

/// Length of the packet (of a frame: of its linear part), whether it stands for several, and the device that it is on.
fn packet_facts(c: &mut Call<'_>, of_frame: bool) -> Result<(i32, bool, u32), Fail> {
    let buffer = c.buffer(1)?;
    let packet = &buffer.packet;
    Ok(match of_frame {
        true => ((packet.linear_end - packet.data) as i32, false, buffer.field("ingress_ifindex") as u32),
        false => (packet.len() as i32, buffer.is_gso(), buffer.field("ifindex") as u32),
    })
}
