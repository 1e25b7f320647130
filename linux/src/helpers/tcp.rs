//! Rows: TCP.

use super::shape::arg::{ANY, BTF_SOCK, CTX, MEM_IN, MEM_INOUT, SIZE, SIZE0, btf, fixed};
use super::shape::{Access, BtfType, HelperRow, Proto, Ret};
use crate::ProgType::{SchedAct, SchedCls, SockOps, StructOps, Xdp};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 59,
        name: "bpf_sock_ops_cb_flags_set",
        since: Release::new(4, 16),
        protos: &[Proto { users: Users::of(&[SockOps]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 100,
        name: "bpf_tcp_check_syncookie",
        since: Release::new(5, 2),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[BTF_SOCK, MEM_IN, SIZE, MEM_IN, SIZE],
            takes_packet: true,
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 110,
        name: "bpf_tcp_gen_syncookie",
        since: Release::new(5, 3),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[BTF_SOCK, MEM_IN, SIZE, MEM_IN, SIZE],
            takes_packet: true,
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 116,
        name: "bpf_tcp_send_ack",
        since: Release::new(5, 6),
        protos: &[Proto {
            users: Users::of(&[StructOps]),
            ret: Ret::Integer,
            args: &[btf(BtfType::TcpSock), ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 142,
        name: "bpf_load_hdr_opt",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::of(&[SockOps]), ret: Ret::Integer, args: &[CTX, MEM_INOUT, SIZE, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 143,
        name: "bpf_store_hdr_opt",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::of(&[SockOps]), ret: Ret::Integer, args: &[CTX, MEM_IN, SIZE, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 144,
        name: "bpf_reserve_hdr_opt",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::of(&[SockOps]), ret: Ret::Integer, args: &[CTX, ANY, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 204,
        name: "bpf_tcp_raw_gen_syncookie_ipv4",
        since: Release::new(6, 0),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[fixed(Access::Read, 20), MEM_IN, SIZE0],
            takes_packet: true,
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 205,
        name: "bpf_tcp_raw_gen_syncookie_ipv6",
        since: Release::new(6, 0),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[fixed(Access::Read, 40), MEM_IN, SIZE0],
            takes_packet: true,
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 206,
        name: "bpf_tcp_raw_check_syncookie_ipv4",
        since: Release::new(6, 0),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[fixed(Access::Read, 20), fixed(Access::Read, 20)],
            takes_packet: true,
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 207,
        name: "bpf_tcp_raw_check_syncookie_ipv6",
        since: Release::new(6, 0),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[fixed(Access::Read, 40), fixed(Access::Read, 20)],
            takes_packet: true,
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
];
