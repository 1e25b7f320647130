//! Rows: sending packets elsewhere.

use super::shape::arg::{ANY, CTX, MAP, MEM_IN, SIZE0};
use super::shape::{HelperRow, MapUse, Proto, Ret};
use crate::MapType;
use crate::ProgType::{LwtXmit, SchedAct, SchedCls, Xdp};
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 13,
        name: "bpf_clone_redirect",
        since: Release::new(4, 2),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 23,
        name: "bpf_redirect",
        since: Release::new(4, 4),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp, LwtXmit]),
            ret: Ret::Integer,
            args: &[ANY, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 51,
        name: "bpf_redirect_map",
        since: Release::new(4, 14),
        protos: &[Proto { users: Users::of(&[Xdp]), ret: Ret::Integer, args: &[MAP, ANY, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Devmap, MapType::DevmapHash, MapType::Cpumap, MapType::Xskmap]),
        map_use: MapUse::Read,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 152,
        name: "bpf_redirect_neigh",
        since: Release::new(5, 10),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct]),
            ret: Ret::Integer,
            args: &[ANY, MEM_IN.or_null(), SIZE0, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 155,
        name: "bpf_redirect_peer",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[ANY, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
];
