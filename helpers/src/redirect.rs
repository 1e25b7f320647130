//! Bodies: sending packets elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use skep_linux::flags::{
    BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, BPF_F_INGRESS, TC_ACT_REDIRECT, TC_ACT_SHOT, XDP_ABORTED, XDP_REDIRECT,
};
use skep_linux::{Errno, MapType, ProgType};
use skep_maps::{Cpumap, Devmap, DevmapHash, Map};
use skep_world::{Effect, Link, Redirect};

use crate::call::{Call, Done, helpers};

helpers! {
    13 "bpf_clone_redirect" => clone_redirect,
    23 "bpf_redirect" => redirect,
    51 "bpf_redirect_map" => redirect_map,
    152 "bpf_redirect_neigh" => redirect_neigh,
    155 "bpf_redirect_peer" => redirect_peer,
}

/// `sizeof(struct bpf_redir_neigh)`.
const NEIGH_SIZE: u64 = 20;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
/// What a device that is down answers to packets that came in by it, and to those that are to leave by it (`NET_RX_DROP`, and
/// `NET_XMIT_CN` of its queue that drops all).
const NOT_IN: u64 = 1;
const NOT_OUT: u64 = 2;

/// `(ifindex, flags)`.
fn redirect(c: &mut Call<'_>) -> Done {
    let (ifindex, flags) = (c.arg32(1), c.arg(2));
    let (known, refused, done) = match c.parts().context.prog_type {
        ProgType::Xdp => (0, XDP_ABORTED as i32, XDP_REDIRECT as i32),
        _traffic_control => (BPF_F_INGRESS, TC_ACT_SHOT, TC_ACT_REDIRECT),
    };
    if flags & !known != 0 {
        return Ok(refused as u64);
    }
    let ingress = flags & BPF_F_INGRESS != 0;
    c.world().event.redirect = Some(Redirect::Device { ifindex, ingress });
    Ok(done as u64)
}

/// `(ifindex, flags)`.
fn redirect_peer(c: &mut Call<'_>) -> Done {
    let (ifindex, flags) = (c.arg32(1), c.arg(2));
    if flags != 0 {
        return Ok(TC_ACT_SHOT as u64);
    }
    c.world().event.redirect = Some(Redirect::Peer { ifindex });
    Ok(TC_ACT_REDIRECT as u64)
}

/// `(ifindex, params, plen, flags)`.
fn redirect_neigh(c: &mut Call<'_>) -> Done {
    let [_, _, _, flags, _] = c.args;
    let (ifindex, len) = (c.arg32(1), c.arg32(3) as i32);
    if flags != 0 || len != 0 && (len as u32 as u64) < NEIGH_SIZE {
        return Ok(TC_ACT_SHOT as u64);
    }
    let via = match len {
        0 => None,
        _given => next_hop(&c.bytes(2, NEIGH_SIZE)?),
    };
    c.world().event.redirect = Some(Redirect::Neighbour { ifindex, via });
    Ok(TC_ACT_REDIRECT as u64)
}

/// The address in a `struct bpf_redir_neigh`; `None` if it is of a family that no packet goes by.
fn next_hop(params: &[u8]) -> Option<IpAddr> {
    let family = u32::from_le_bytes([params[0], params[1], params[2], params[3]]);
    match family {
        AF_INET => Some(Ipv4Addr::new(params[4], params[5], params[6], params[7]).into()),
        AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(&params[4..20]).ok()?).into()),
        _other => None,
    }
}

/// `(skb, ifindex, flags)`.
fn clone_redirect(c: &mut Call<'_>) -> Done {
    let (ifindex, flags) = (c.arg32(2), c.arg(3));
    let buffer = c.buffer(1)?;
    if flags & !BPF_F_INGRESS != 0 {
        return Err(Errno::EINVAL.into());
    }
    if buffer.is_gso() {
        return Err(Errno::EBADMSG.into());
    }
    let (data, bare) = (buffer.packet.bytes(), buffer.network_offset());
    let headless = buffer.packet.mac >= buffer.packet.network || data.is_empty();
    let ingress = flags & BPF_F_INGRESS != 0;
    let Some(device) = c.world().net.device(ifindex) else {
        return Err(Errno::EINVAL.into());
    };
    let data = match device.link {
        Link::Ethernet if headless => return Err(Errno::ERANGE.into()),
        Link::Ethernet => data,
        // The link-layer header stays behind.
        Link::Bare => match usize::try_from(bare).ok().and_then(|at| data.get(at..)).filter(|rest| !rest.is_empty()) {
            Some(rest) => rest.to_vec(),
            None => return Err(Errno::ERANGE.into()),
        },
    };
    match (device.up, ingress) {
        (true, _) => {}
        (false, true) => return Ok(NOT_IN),
        (false, false) => return Ok(NOT_OUT),
    }
    c.world().output.effects.push(Effect::Clone { ifindex, ingress, data });
    Ok(0)
}

/// `(map, key, flags)`: flags below 4 are what is returned if there is no such entry.
fn redirect_map(c: &mut Call<'_>) -> Done {
    const ACTIONS: u64 = 3;
    let (key, flags) = (c.arg32(2), c.arg(3));
    let map = c.map(1)?;
    let of_devices = matches!(map.def().map_type, MapType::Devmap | MapType::DevmapHash);
    let known = if of_devices { ACTIONS | BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS } else { ACTIONS };
    if flags & !known != 0 {
        return Ok(XDP_ABORTED.into());
    }
    let broadcast = flags & BPF_F_BROADCAST != 0;
    if !broadcast && !names_target(c, &*map, key)? {
        c.world().event.redirect = None;
        return Ok(flags & ACTIONS);
    }
    let (map, key) = (map.def().name.clone(), key.to_ne_bytes().to_vec());
    c.world().event.redirect = Some(Redirect::Map { map, key, broadcast, flags: flags & !ACTIONS });
    Ok(XDP_REDIRECT.into())
}

/// Whether an entry of a map names something to send packets to.
fn names_target(c: &Call<'_>, map: &dyn Map, key: u32) -> Result<bool, crate::call::Fail> {
    let any = map.as_any();
    if let Some(devices) = any.downcast_ref::<Devmap>() {
        return Ok(devices.entry(key).is_some());
    }
    if let Some(devices) = any.downcast_ref::<DevmapHash>() {
        return Ok(devices.entry(key).is_some());
    }
    if let Some(cpus) = any.downcast_ref::<Cpumap>() {
        return Ok(cpus.entry(key).is_some());
    }
    if let Some(sockets) = any.downcast_ref::<skep_maps::ObjectArray>() {
        return Ok(sockets.get(key).is_some());
    }
    Err(c.bad(1, "not a map of devices, CPUs or AF_XDP sockets"))
}
