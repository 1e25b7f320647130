//! Rows: checksums.

use super::shape::arg::{ANY, CTX, MEM_IN, SIZE0};
use super::shape::{HelperRow, Proto, Ret};
use crate::ProgType::{LwtIn, LwtOut, LwtSeg6local, LwtXmit, SchedAct, SchedCls, Xdp};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 10,
        name: "bpf_l3_csum_replace",
        since: Release::new(4, 1),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY, ANY, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 11,
        name: "bpf_l4_csum_replace",
        since: Release::new(4, 1),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, ANY, ANY, ANY, ANY],
            ..Proto::BASE
        }],
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 28,
        name: "bpf_csum_diff",
        since: Release::new(4, 6),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp, LwtIn, LwtOut, LwtXmit, LwtSeg6local]),
            ret: Ret::Integer,
            args: &[MEM_IN.or_null(), SIZE0, MEM_IN.or_null(), SIZE0, ANY],
            takes_packet: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 40,
        name: "bpf_csum_update",
        since: Release::new(4, 9),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 135,
        name: "bpf_csum_level",
        since: Release::new(5, 8),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
];
