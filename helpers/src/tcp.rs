//! Bodies: TCP.

mod header;
mod syncookie;

use skep_linux::Errno;
use skep_linux::flags::BPF_SOCK_OPS_ALL_CB_FLAGS;
use skep_world::Effect;

use crate::call::{Call, Done, helpers};
use crate::sock::Sock;

helpers! {
    59 "bpf_sock_ops_cb_flags_set" => cb_flags_set,
    100 "bpf_tcp_check_syncookie" => syncookie::check,
    110 "bpf_tcp_gen_syncookie" => syncookie::generate,
    116 "bpf_tcp_send_ack" => send_ack,
    142 "bpf_load_hdr_opt" => header::load,
    143 "bpf_store_hdr_opt" => header::store,
    144 "bpf_reserve_hdr_opt" => header::reserve,
    204 "bpf_tcp_raw_gen_syncookie_ipv4" => |c| syncookie::generate_raw(c, syncookie::Version::Four),
    205 "bpf_tcp_raw_gen_syncookie_ipv6" => |c| syncookie::generate_raw(c, syncookie::Version::Six),
    206 "bpf_tcp_raw_check_syncookie_ipv4" => |c| syncookie::check_raw(c, syncookie::Version::Four),
    207 "bpf_tcp_raw_check_syncookie_ipv6" => |c| syncookie::check_raw(c, syncookie::Version::Six),
}

/// `(sock_ops, flags)`: those that there are not.
fn cb_flags_set(c: &mut Call<'_>) -> Done {
    let flags = c.arg32(2);
    let Some(sock) = c.socket(1)? else {
        return Err(Errno::EINVAL.into());
    };
    let known = flags & BPF_SOCK_OPS_ALL_CB_FLAGS;
    c.context(1)?.set_field("bpf_sock_ops_cb_flags", known.into());
    if let Sock::World(cookie) = sock
        && let Some(socket) = c.world().net.sockets.get_mut(cookie)
    {
        socket.callbacks = known;
    }
    Ok((flags & !known).into())
}

/// `(tp, rcv_nxt)`.
fn send_ack(c: &mut Call<'_>) -> Done {
    let sequence = c.arg32(2);
    let Some(sock) = c.socket(1)? else {
        return Err(c.bad(1, "NULL"));
    };
    let socket = match sock {
        Sock::World(_) | Sock::Own(_) => c.cookie(&sock)?,
        Sock::Object(_) => 0,
    };
    c.world().output.effects.push(Effect::Acknowledge { socket, sequence });
    Ok(0)
}
