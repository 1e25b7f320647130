//! Bodies: maps of sockets, and the messages that go through them.

use std::sync::Arc;

use skep_linux::flags::{BPF_F_INGRESS, SK_DROP, SK_PASS};
use skep_linux::{Errno, MapType};
use skep_maps::{Map, ObjectArray, Sockhash};
use skep_world::{Effect, Packet, Redirect, SocketState};

use crate::call::{Call, Done, Fail, helpers};
use crate::sock::{Sock, TCP};

helpers! {
    52 "bpf_sk_redirect_map" => |c| redirect_map(c, false),
    53 "bpf_sock_map_update" => update,
    60 "bpf_msg_redirect_map" => |c| redirect_map(c, true),
    61 "bpf_msg_apply_bytes" => |c| {
        let bytes = c.arg32(2);
        c.world().output.effects.push(Effect::ApplyBytes(bytes));
        Ok(0)
    },
    62 "bpf_msg_cork_bytes" => |c| {
        let bytes = c.arg32(2);
        c.world().output.effects.push(Effect::CorkBytes(bytes));
        Ok(0)
    },
    63 "bpf_msg_pull_data" => pull_data,
    70 "bpf_sock_hash_update" => update,
    71 "bpf_msg_redirect_hash" => |c| redirect_hash(c, true),
    72 "bpf_sk_redirect_hash" => |c| redirect_hash(c, false),
    82 "bpf_sk_select_reuseport" => select_reuseport,
    90 "bpf_msg_push_data" => push_data,
    91 "bpf_msg_pop_data" => pop_data,
}

/// The bytes that argument `n` points to: a key of the map.
fn key(c: &mut Call<'_>, n: usize, map: &dyn Map) -> Result<Vec<u8>, Fail> {
    let len = map.def().key_size;
    c.bytes(n, len.into())
}

/// The cookie of the socket that an entry of a map names.
fn entry(c: &Call<'_>, n: usize, map: &dyn Map, key: &[u8]) -> Result<Option<u64>, Fail> {
    if let Some(array) = map.as_any().downcast_ref::<ObjectArray>() {
        let index = <[u8; 4]>::try_from(key).map(u32::from_le_bytes);
        return Ok(index.ok().and_then(|index| array.get(index)));
    }
    match map.as_any().downcast_ref::<Sockhash>() {
        Some(hash) => Ok(hash.get(key)?),
        None => Err(c.bad(n, "not a map of sockets")),
    }
}

/// `(sock_ops, map, key, flags)`: the socket of the context goes into the map when it has become a connection, or listens.
fn update(c: &mut Call<'_>) -> Done {
    const ACTIVE_ESTABLISHED_CB: u64 = 4;
    const PASSIVE_ESTABLISHED_CB: u64 = 5;
    const TCP_LISTEN_CB: u64 = 11;
    let (map, flags) = (c.map(2)?, c.arg(4));
    let op = c.context(1)?.field("op").unwrap_or_default();
    let sock = c.socket(1)?.filter(|_| matches!(op, ACTIVE_ESTABLISHED_CB | PASSIVE_ESTABLISHED_CB | TCP_LISTEN_CB));
    let Some(sock) = sock else {
        return Err(Errno::EOPNOTSUPP.into());
    };
    let cookie = c.adopt_socket(1, &sock)?;
    let key = key(c, 3, &*map)?;
    map.update_object(&key, cookie, flags)?;
    Ok(0)
}

/// `(skb or msg, map, key, flags)`, the key by value.
fn redirect_map(c: &mut Call<'_>, message: bool) -> Done {
    let key = c.arg32(3).to_le_bytes().to_vec();
    let map = c.map(2)?;
    redirect(c, &map, key, message)
}

/// `(skb or msg, map, key, flags)`.
fn redirect_hash(c: &mut Call<'_>, message: bool) -> Done {
    let map = c.map(2)?;
    let key = key(c, 3, &*map)?;
    redirect(c, &map, key, message)
}

/// To connections, not to those who listen for some; out of the machine goes TCP only.
fn redirect(c: &mut Call<'_>, map: &Arc<dyn Map>, key: Vec<u8>, message: bool) -> Done {
    let flags = c.arg(4);
    if flags & !BPF_F_INGRESS != 0 {
        return Ok(SK_DROP.into());
    }
    let Some(cookie) = entry(c, 2, &**map, &key)? else {
        return Ok(SK_DROP.into());
    };
    let facts = c.facts(2, &Sock::World(cookie))?;
    let of_tcp = facts.protocol == TCP;
    let connected = match of_tcp {
        true => facts.state != SocketState::Listen as u32,
        false => facts.state == SocketState::Established as u32,
    };
    if !connected || message && !of_tcp && flags & BPF_F_INGRESS == 0 {
        return Ok(SK_DROP.into());
    }
    let map = map.def().name.clone();
    c.world().event.redirect = Some(Redirect::Map { map, key, broadcast: false, flags });
    Ok(SK_PASS.into())
}

/// `(reuse, map, key, flags)`: the socket of the group that gets the packet.
fn select_reuseport(c: &mut Call<'_>) -> Done {
    let (map, flags) = (c.map(2)?, c.arg(4));
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let key = key(c, 3, &*map)?;
    let cookie = entry(c, 2, &*map, &key)?.ok_or(Errno::ENOENT)?;
    let Some(group) = c.world().net.sockets.get(cookie).and_then(|socket| socket.reuseport) else {
        let of_groups = map.def().map_type == MapType::ReuseportSockarray;
        return Err(if of_groups { Errno::ENOENT } else { Errno::EINVAL }.into());
    };
    let chosen = c.facts(2, &Sock::World(cookie))?;
    if let Some(own @ Sock::World(known)) = c.socket(1)?
        && let Some(wanted) = c.world().net.sockets.get(known).and_then(|socket| socket.reuseport)
        && wanted != group
    {
        let own = c.facts(1, &own)?;
        return Err(match () {
            () if own.protocol != chosen.protocol => Errno::EPROTOTYPE,
            () if own.family != chosen.family => Errno::EAFNOSUPPORT,
            () => Errno::EBADFD,
        }
        .into());
    }
    c.world().output.effects.push(Effect::Assign(Some(cookie)));
    Ok(0)
}

/// The message: all of it lies from the mark of the link-layer header on, of which the program reaches a window.
fn message<'a>(c: &'a mut Call<'_>) -> Result<&'a mut Packet, Fail> {
    c.packet(1)
}

/// Lets the program reach a part of the message.
fn show(packet: &mut Packet, from: usize, to: usize) {
    packet.data = packet.mac + from;
    packet.meta = packet.data;
    packet.linear_end = packet.mac + to;
}

/// `(msg, start, end, flags)`.
fn pull_data(c: &mut Call<'_>) -> Done {
    let (start, end, flags) = (c.arg32(2) as usize, c.arg32(3) as usize, c.arg(4));
    let packet = message(c)?;
    let size = packet.end - packet.mac;
    if flags != 0 || end <= start || end > size {
        return Err(Errno::EINVAL.into());
    }
    show(packet, start, end);
    Ok(0)
}

/// `(msg, start, len, flags)`: room in the message, which is a part by itself then.
fn push_data(c: &mut Call<'_>) -> Done {
    let (start, len, flags) = (c.arg32(2) as usize, c.arg32(3) as usize, c.arg(4));
    let packet = message(c)?;
    let size = packet.end - packet.mac;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    if len == 0 {
        return Ok(0);
    }
    if start > size {
        return Err(Errno::EINVAL.into());
    }
    if len > LONGEST {
        return Err(Errno::ENOMEM.into());
    }
    packet.expand(0, len);
    let at = packet.mac + start;
    packet.block.copy_within(at, at + len, size - start);
    packet.block.fill(at, len, 0);
    packet.end += len;
    let first = if start == 0 { len } else { start };
    show(packet, 0, first);
    Ok(0)
}

/// Bytes that a program may put into a message at once: what the kernel allocates in one piece.
const LONGEST: usize = 4 << 20;

/// `(msg, start, len, flags)`.
fn pop_data(c: &mut Call<'_>) -> Done {
    let (start, len, flags) = (c.arg32(2) as usize, c.arg32(3) as usize, c.arg(4));
    let packet = message(c)?;
    let size = packet.end - packet.mac;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    if len == 0 {
        return Ok(0);
    }
    if start >= size || start + len > size {
        return Err(Errno::EINVAL.into());
    }
    let at = packet.mac + start;
    packet.block.copy_within(at + len, at, size - start - len);
    packet.end -= len;
    let left = size - len;
    let first = if start == 0 { left } else { start };
    show(packet, 0, first);
    Ok(0)
}
