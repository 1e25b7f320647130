//! Rows: tunnels and IPsec.

use super::shape::arg::{ANY, CTX, MEM_IN, MEM_OUT, SIZE};
use super::shape::{HelperRow, Proto, Ret};
use crate::ProgType::{LwtXmit, SchedAct, SchedCls};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 20,
        name: "bpf_skb_get_tunnel_key",
        since: Release::new(4, 3),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, MEM_OUT, SIZE, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 21,
        name: "bpf_skb_set_tunnel_key",
        since: Release::new(4, 3),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, MEM_IN, SIZE, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 29,
        name: "bpf_skb_get_tunnel_opt",
        since: Release::new(4, 6),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, MEM_OUT, SIZE],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 30,
        name: "bpf_skb_set_tunnel_opt",
        since: Release::new(4, 6),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtXmit]),
            ret: Ret::Integer,
            args: &[CTX, MEM_IN, SIZE],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 66,
        name: "bpf_skb_get_xfrm_state",
        since: Release::new(4, 18),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct]),
            ret: Ret::Integer,
            args: &[CTX, ANY, MEM_OUT, SIZE, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
];
