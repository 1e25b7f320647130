//! Bodies: tunnel keys, and what IPsec undid.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use skep_linux::Errno;
use skep_linux::flags::{
    BPF_F_DONT_FRAGMENT, BPF_F_NO_TUNNEL_KEY, BPF_F_SEQ_NUMBER, BPF_F_TUNINFO_FLAGS, BPF_F_TUNINFO_IPV6, BPF_F_ZERO_CSUM_TX,
};
use skep_world::Tunnel;

use crate::call::{Call, Done, helpers};

helpers! {
    20 "bpf_skb_get_tunnel_key" => get_key,
    21 "bpf_skb_set_tunnel_key" => set_key,
    29 "bpf_skb_get_tunnel_opt" => get_options,
    30 "bpf_skb_set_tunnel_opt" => set_options,
    66 "bpf_skb_get_xfrm_state" => get_xfrm_state,
}

/// `sizeof(struct bpf_tunnel_key)`, and what it was in older releases: without the local address, the label, the flags; and the first.
const SIZE: usize = 44;
const OLDER: [usize; 3] = [28, 24, 22];
const OLDEST: usize = 8;
const REMOTE: usize = 4;
const TOS: usize = 20;
const TTL: usize = 21;
const FLAGS: usize = 22;
const LABEL: usize = 24;
const LOCAL: usize = 28;

/// Bits of a tunnel's flags (`TUNNEL_*`).
const TUNNEL_CSUM: u16 = 0x0001;
const TUNNEL_KEY: u16 = 0x0004;
const TUNNEL_SEQ: u16 = 0x0008;
const TUNNEL_DONT_FRAGMENT: u16 = 0x0100;
const TUNNEL_OPTIONS: u16 = 0xd800;
const TUNNEL_NOCACHE: u16 = 0x2000;
/// `IPV6_FLOWLABEL_MASK`.
const LABEL_MASK: u32 = 0xf_ffff;

/// Zeroes what argument `n` points to and fails.
fn clear(c: &mut Call<'_>, n: usize, size: u32, errno: Errno) -> Done {
    c.fill(n, size.into(), 0)?;
    Err(errno.into())
}

/// Addresses as a key has them: of IPv4 as a number, of IPv6 as bytes.
fn put_address(key: &mut [u8], at: usize, address: IpAddr) {
    match address {
        IpAddr::V4(address) => key[at..at + 4].copy_from_slice(&address.to_bits().to_le_bytes()),
        IpAddr::V6(address) => key[at..at + 16].copy_from_slice(&address.octets()),
    }
}

fn address(key: &[u8], at: usize, six: bool) -> IpAddr {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&key[at..at + 16]);
    match six {
        true => Ipv6Addr::from(bytes).into(),
        false => Ipv4Addr::from_bits(number(key, at)).into(),
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// `(skb, to, size, flags)`.
fn get_key(c: &mut Call<'_>) -> Done {
    let (size, flags) = (c.arg32(3), c.arg(4));
    let Some(tunnel) = c.buffer(1)?.state.tunnel.clone() else {
        return clear(c, 2, size, Errno::EINVAL);
    };
    if flags & !(BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS) != 0 {
        return clear(c, 2, size, Errno::EINVAL);
    }
    if tunnel.source.is_ipv6() != (flags & BPF_F_TUNINFO_IPV6 != 0) {
        return clear(c, 2, size, Errno::EPROTO);
    }
    let oldest = size as usize == OLDEST && tunnel.source.is_ipv4();
    if size as usize != SIZE && !OLDER.contains(&(size as usize)) && !oldest {
        return clear(c, 2, size, Errno::EINVAL);
    }
    let mut key = [0; SIZE];
    key[..4].copy_from_slice(&(tunnel.id as u32).to_le_bytes());
    // The remote end of a packet that came in is who sent it.
    put_address(&mut key, REMOTE, tunnel.source);
    put_address(&mut key, LOCAL, tunnel.destination);
    key[TOS] = tunnel.tos;
    key[TTL] = tunnel.ttl;
    if flags & BPF_F_TUNINFO_FLAGS != 0 {
        key[FLAGS..FLAGS + 2].copy_from_slice(&tunnel.flags.to_be_bytes());
    }
    if tunnel.source.is_ipv6() {
        key[LABEL..LABEL + 4].copy_from_slice(&tunnel.label.to_le_bytes());
    }
    c.write(2, &key[..size as usize])?;
    Ok(0)
}

/// `(skb, from, size, flags)`.
fn set_key(c: &mut Call<'_>) -> Done {
    let (size, flags) = (c.arg32(3) as usize, c.arg(4));
    let known = BPF_F_TUNINFO_IPV6 | BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT | BPF_F_SEQ_NUMBER | BPF_F_NO_TUNNEL_KEY;
    if flags & !known != 0 || size != SIZE && !OLDER.contains(&size) && size != OLDEST {
        return Err(Errno::EINVAL.into());
    }
    let mut key = [0; SIZE];
    c.read(2, &mut key[..size])?;
    let set = |flag| flags & flag != 0;
    let six = set(BPF_F_TUNINFO_IPV6);
    let label = number(&key, LABEL);
    if !six && label != 0 || key[FLAGS..FLAGS + 2] != [0, 0] {
        return Err(Errno::EINVAL.into());
    }
    let mut bits = TUNNEL_KEY | TUNNEL_CSUM | TUNNEL_NOCACHE;
    if set(BPF_F_DONT_FRAGMENT) {
        bits |= TUNNEL_DONT_FRAGMENT;
    }
    if set(BPF_F_ZERO_CSUM_TX) {
        bits &= !TUNNEL_CSUM;
    }
    if set(BPF_F_SEQ_NUMBER) {
        bits |= TUNNEL_SEQ;
    }
    if set(BPF_F_NO_TUNNEL_KEY) {
        bits &= !TUNNEL_KEY;
    }
    c.buffer(1)?.state.tunnel = Some(Tunnel {
        id: number(&key, 0).into(),
        source: address(&key, LOCAL, six),
        destination: address(&key, REMOTE, six),
        tos: key[TOS],
        ttl: key[TTL],
        label: if six { label & LABEL_MASK } else { 0 },
        flags: bits,
        options: None,
        outgoing: true,
    });
    Ok(0)
}

/// `(skb, to, size)`: the length of the options.
fn get_options(c: &mut Call<'_>) -> Done {
    let size = c.arg32(3);
    let Some(options) = c.buffer(1)?.state.tunnel.as_ref().and_then(|tunnel| tunnel.options.clone()) else {
        return clear(c, 2, size, Errno::ENOENT);
    };
    if (size as usize) < options.len() {
        return clear(c, 2, size, Errno::ENOMEM);
    }
    c.fill(2, size.into(), 0)?;
    c.write(2, &options)?;
    Ok(options.len() as u64)
}

/// `(skb, from, size)`: only behind a key that the program set itself.
fn set_options(c: &mut Call<'_>) -> Done {
    const MOST: u32 = 255;
    let size = c.arg32(3);
    let own = c.buffer(1)?.state.tunnel.as_ref().is_some_and(|tunnel| tunnel.outgoing);
    if !own || !size.is_multiple_of(4) {
        return Err(Errno::EINVAL.into());
    }
    if size > MOST {
        return Err(Errno::ENOMEM.into());
    }
    let options = c.bytes(2, size.into())?;
    if let Some(tunnel) = &mut c.buffer(1)?.state.tunnel {
        tunnel.options = Some(options);
        tunnel.flags |= TUNNEL_OPTIONS;
    }
    Ok(0)
}

/// `(skb, index, to, size, flags)`.
fn get_xfrm_state(c: &mut Call<'_>) -> Done {
    const SIZE: u32 = 28;
    const AF_INET: u16 = 2;
    const AF_INET6: u16 = 10;
    let (index, size, flags) = (c.arg32(2) as usize, c.arg32(4), c.arg(5));
    let found = c.buffer(1)?.state.xfrm.get(index).copied();
    let Some(state) = found.filter(|_| flags == 0 && size == SIZE) else {
        return clear(c, 3, size, Errno::EINVAL);
    };
    let mut bytes = [0; SIZE as usize];
    bytes[..4].copy_from_slice(&state.request.to_le_bytes());
    bytes[4..8].copy_from_slice(&state.spi.to_be_bytes());
    let (family, remote) = match state.remote {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    };
    bytes[8..10].copy_from_slice(&family.to_le_bytes());
    bytes[12..12 + remote.len()].copy_from_slice(&remote);
    c.write(3, &bytes)?;
    Ok(0)
}
