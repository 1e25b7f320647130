//! The socket that a context leads to, as `struct bpf_sock`: what the context says of it, and 0 for the rest.

use skep_linux::ProgType;
use skep_linux::contexts::{Object, SOCK, Yields};
use skep_memory::{Block, RegionKind};
use skep_world::Context;

/// Fields of contexts, by name, and the field of the socket that says the same. Contexts have the remote port in network order in 32
/// bits, the socket in 16.
const SAME: &[(&str, &str)] = &[
    ("family", "family"),
    ("type", "type"),
    ("protocol", "protocol"),
    ("ip_protocol", "protocol"),
    ("state", "state"),
    ("local_ip4", "src_ip4"),
    ("local_ip6", "src_ip6"),
    ("local_port", "src_port"),
    ("remote_ip4", "dst_ip4"),
    ("remote_ip6", "dst_ip6"),
    ("remote_port", "dst_port"),
    ("user_ip4", "dst_ip4"),
    ("user_ip6", "dst_ip6"),
    ("user_port", "dst_port"),
];

/// Lends the sockets that the context's fields yield. Fields that may yield NULL do, unless the context says that there is one.
pub(super) fn lend(context: &mut Context) {
    let Some(row) = context.row() else {
        return;
    };
    let full = context.prog_type == ProgType::SockOps && context.field("is_fullsock").is_some_and(|full| full != 0);
    for field in row.fields {
        let there = match field.yields {
            Yields::Sock => true,
            Yields::SockOrNull => full,
            Yields::SockCommonOrNull
            | Yields::Number
            | Yields::PacketStart
            | Yields::PacketEnd
            | Yields::PacketMeta
            | Yields::FlowKeys
            | Yields::TracepointBuffer
            | Yields::Btf(_) => false,
        };
        if there {
            let block = of(context, &SOCK);
            context.lend(field.name, RegionKind::Kernel(SOCK.name.into()), block, false);
        }
    }
}

fn of(context: &Context, object: &Object) -> std::sync::Arc<Block> {
    let sock = Block::zeroed(object.size as usize);
    for (from, to) in SAME {
        let from = context.row().and_then(|row| row.field(from));
        let to = object.fields.iter().find(|field| field.name == *to);
        if let (Some(from), Some(to)) = (from, to) {
            let len = from.size.min(to.size) as usize;
            sock.write(to.offset as usize, &context.block.bytes(from.offset as usize, len));
        }
    }
    sock
}
