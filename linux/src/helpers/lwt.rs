//! Rows: lightweight tunnels.

use super::shape::arg::{ANY, CTX, MEM_IN, SIZE};
use super::shape::{HelperRow, Proto, Ret};
use crate::ProgType::{LwtIn, LwtSeg6local, LwtXmit};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 73,
        name: "bpf_lwt_push_encap",
        since: Release::new(4, 18),
        protos: &[Proto {
            users: Users::of(&[LwtIn, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, ANY, MEM_IN, SIZE],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 74,
        name: "bpf_lwt_seg6_store_bytes",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[LwtSeg6local]), ret: Ret::Integer, args: &[CTX, ANY, MEM_IN, SIZE], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 75,
        name: "bpf_lwt_seg6_adjust_srh",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[LwtSeg6local]), ret: Ret::Integer, args: &[CTX, ANY, ANY], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 76,
        name: "bpf_lwt_seg6_action",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[LwtSeg6local]), ret: Ret::Integer, args: &[CTX, ANY, MEM_IN, SIZE], ..Proto::BASE }],
        changes_packet: true,
        ..HelperRow::BASE
    },
];
