//! Rows: XDP packets.

use super::shape::arg::{ANY, CTX, MEM_IN, MEM_OUT, SIZE, btf};
use super::shape::{BtfType, HelperRow, Proto, Ret};
use crate::ProgType::{Lsm, Syscall, Tracing, Xdp};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 44,
        name: "bpf_xdp_adjust_head",
        since: Release::new(4, 10),
        protos: &[Proto { users: Users::of(&[Xdp]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 54,
        name: "bpf_xdp_adjust_meta",
        since: Release::new(4, 15),
        protos: &[Proto { users: Users::of(&[Xdp]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 65,
        name: "bpf_xdp_adjust_tail",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[Xdp]), ret: Ret::Integer, args: &[CTX, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 188,
        name: "bpf_xdp_get_buff_len",
        since: Release::new(5, 18),
        protos: &[
            Proto { users: Users::of(&[Xdp]), ret: Ret::Integer, args: &[CTX], ..Proto::BASE },
            Proto {
                users: Users::of(&[Tracing, Lsm, Syscall]),
                ret: Ret::Integer,
                args: &[btf(BtfType::XdpBuff)],
                ..Proto::BASE
            },
        ],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 189,
        name: "bpf_xdp_load_bytes",
        since: Release::new(5, 18),
        protos: &[Proto { users: Users::of(&[Xdp]), ret: Ret::Integer, args: &[CTX, ANY, MEM_OUT, SIZE], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 190,
        name: "bpf_xdp_store_bytes",
        since: Release::new(5, 18),
        protos: &[Proto { users: Users::of(&[Xdp]), ret: Ret::Integer, args: &[CTX, ANY, MEM_IN, SIZE], ..Proto::BASE }],
        ..HelperRow::BASE
    },
];
