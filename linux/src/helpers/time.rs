//! Rows: clocks.

use super::shape::{HelperRow, Needs, Proto, Ret};
use crate::ProgType::{
    CgroupSkb, CgroupSock, CgroupSockAddr, CgroupSysctl, FlowDissector, LwtIn, LwtOut, LwtSeg6local, LwtXmit, SchedAct, SchedCls,
    SkLookup, SkMsg, SkReuseport, SkSkb, SockOps, SocketFilter, StructOps, Xdp,
};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 5,
        name: "bpf_ktime_get_ns",
        since: Release::new(4, 1),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 118,
        name: "bpf_jiffies64",
        since: Release::new(5, 6),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 125,
        name: "bpf_ktime_get_boot_ns",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 160,
        name: "bpf_ktime_get_coarse_ns",
        since: Release::new(5, 11),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                SchedCls,
                SchedAct,
                Xdp,
                CgroupSkb,
                CgroupSock,
                LwtIn,
                LwtOut,
                LwtXmit,
                StructOps,
                SockOps,
                SkSkb,
                SkMsg,
                CgroupSockAddr,
                LwtSeg6local,
                SkReuseport,
                FlowDissector,
                CgroupSysctl,
                SkLookup,
            ]),
            ret: Ret::Integer,
            args: &[],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 208,
        name: "bpf_ktime_get_tai_ns",
        since: Release::new(6, 1),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        ..HelperRow::BASE
    },
];
