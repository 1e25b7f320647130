//! Rows: socket maps and messages.

use super::shape::arg::{ANY, CTX, KEY, MAP};
use super::shape::{HelperRow, Proto, Ret};
use crate::MapType;
use crate::ProgType::{SkMsg, SkReuseport, SkSkb, SockOps};
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 52,
        name: "bpf_sk_redirect_map",
        since: Release::new(4, 14),
        protos: &[Proto { users: Users::of(&[SkSkb]), ret: Ret::Integer, args: &[CTX, MAP, ANY, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Sockmap]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 53,
        name: "bpf_sock_map_update",
        since: Release::new(4, 14),
        protos: &[Proto {
            users: Users::of(&[SockOps]),
            ret: Ret::Integer,
            args: &[CTX, MAP, KEY, ANY],
            takes_packet: true,
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::Sockmap]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 60,
        name: "bpf_msg_redirect_map",
        since: Release::new(4, 17),
        protos: &[Proto { users: Users::of(&[SkMsg]), ret: Ret::Integer, args: &[CTX, MAP, ANY, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Sockmap]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 61,
        name: "bpf_msg_apply_bytes",
        since: Release::new(4, 17),
        protos: &[Proto { users: Users::of(&[SkMsg]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 62,
        name: "bpf_msg_cork_bytes",
        since: Release::new(4, 17),
        protos: &[Proto { users: Users::of(&[SkMsg]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 63,
        name: "bpf_msg_pull_data",
        since: Release::new(4, 17),
        protos: &[Proto { users: Users::of(&[SkMsg]), ret: Ret::Integer, args: &[CTX, ANY, ANY, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 70,
        name: "bpf_sock_hash_update",
        since: Release::new(4, 18),
        protos: &[Proto {
            users: Users::of(&[SockOps]),
            ret: Ret::Integer,
            args: &[CTX, MAP, KEY, ANY],
            takes_packet: true,
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::Sockhash]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 71,
        name: "bpf_msg_redirect_hash",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[SkMsg]), ret: Ret::Integer, args: &[CTX, MAP, KEY, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Sockhash]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 72,
        name: "bpf_sk_redirect_hash",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[SkSkb]), ret: Ret::Integer, args: &[CTX, MAP, KEY, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Sockhash]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 82,
        name: "bpf_sk_select_reuseport",
        since: Release::new(4, 19),
        protos: &[Proto { users: Users::of(&[SkReuseport]), ret: Ret::Integer, args: &[CTX, MAP, KEY, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::ReuseportSockarray, MapType::Sockmap, MapType::Sockhash]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 90,
        name: "bpf_msg_push_data",
        since: Release::new(4, 20),
        protos: &[Proto { users: Users::of(&[SkMsg]), ret: Ret::Integer, args: &[CTX, ANY, ANY, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 91,
        name: "bpf_msg_pop_data",
        since: Release::new(5, 0),
        protos: &[Proto { users: Users::of(&[SkMsg]), ret: Ret::Integer, args: &[CTX, ANY, ANY, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
];
