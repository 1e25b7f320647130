//! Rows: routes and MTU.

use super::shape::arg::{ANY, CTX, MEM_INOUT, SIZE, aligned};
use super::shape::{Access, HelperRow, Proto, Ret};
use crate::ProgType::{SchedAct, SchedCls, Xdp};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 69,
        name: "bpf_fib_lookup",
        since: Release::new(4, 18),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[CTX, MEM_INOUT, SIZE, ANY],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 163,
        name: "bpf_check_mtu",
        since: Release::new(5, 12),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, Xdp]),
            ret: Ret::Integer,
            args: &[CTX, ANY, aligned(Access::ReadWrite, 4), ANY, ANY],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
];
