//! Rows: socket buffers.

use super::shape::arg::{ANY, CTX, MEM_IN, MEM_OUT, SIZE};
use super::shape::{HelperRow, Proto, Ret};
use crate::ProgType::{
    CgroupSkb, FlowDissector, LwtIn, LwtOut, LwtSeg6local, LwtXmit, SchedAct, SchedCls, SkReuseport, SkSkb, SocketFilter,
};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 9,
        name: "bpf_skb_store_bytes",
        since: Release::new(4, 1),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit, SkSkb]),
            ret: Ret::Integer,
            args: &[CTX, ANY, MEM_IN, SIZE, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 18,
        name: "bpf_skb_vlan_push",
        since: Release::new(4, 3),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX, ANY, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 19,
        name: "bpf_skb_vlan_pop",
        since: Release::new(4, 3),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 24,
        name: "bpf_get_route_realm",
        since: Release::new(4, 4),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtIn, LwtOut, LwtXmit, LwtSeg6local]),
            ret: Ret::Integer,
            args: &[CTX],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 26,
        name: "bpf_skb_load_bytes",
        since: Release::new(4, 5),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                CgroupSkb,
                LwtIn,
                LwtOut,
                LwtXmit,
                SkSkb,
                LwtSeg6local,
                SkReuseport,
                FlowDissector,
            ]),
            ret: Ret::Integer,
            args: &[CTX, ANY, MEM_OUT, SIZE],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 31,
        name: "bpf_skb_change_proto",
        since: Release::new(4, 8),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX, ANY, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 32,
        name: "bpf_skb_change_type",
        since: Release::new(4, 8),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 34,
        name: "bpf_get_hash_recalc",
        since: Release::new(4, 8),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtIn, LwtOut, LwtXmit, LwtSeg6local]),
            ret: Ret::Integer,
            args: &[CTX],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 38,
        name: "bpf_skb_change_tail",
        since: Release::new(4, 9),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit, SkSkb]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 39,
        name: "bpf_skb_pull_data",
        since: Release::new(4, 9),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtIn, LwtOut, LwtXmit, SkSkb, LwtSeg6local]),
            ret: Ret::Integer,
            args: &[CTX, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 41,
        name: "bpf_set_hash_invalid",
        since: Release::new(4, 9),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct, LwtXmit]), ret: Ret::Integer, args: &[CTX], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 43,
        name: "bpf_skb_change_head",
        since: Release::new(4, 10),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit, SkSkb]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 48,
        name: "bpf_set_hash",
        since: Release::new(4, 13),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 50,
        name: "bpf_skb_adjust_room",
        since: Release::new(4, 13),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, SkSkb]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 68,
        name: "bpf_skb_load_bytes_relative",
        since: Release::new(4, 18),
        protos: &[Proto {
            users: Users::of(&[SocketFilter, SchedCls, SchedAct, CgroupSkb, SkReuseport]),
            ret: Ret::Integer,
            args: &[CTX, ANY, MEM_OUT, SIZE, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 97,
        name: "bpf_skb_ecn_set_ce",
        since: Release::new(5, 1),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct, CgroupSkb]), ret: Ret::Integer, args: &[CTX], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 192,
        name: "bpf_skb_set_tstamp",
        since: Release::new(5, 18),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX, ANY, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
];
