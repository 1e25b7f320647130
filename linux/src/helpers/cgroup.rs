//! Rows: control groups.

use super::shape::arg::{ANY, BTF_SOCK, CTX, MAP};
use super::shape::{HelperRow, Needs, Proto, Ret};
use super::shared::RETVAL;
use crate::AttachType::LsmCgroup;
use crate::MapType;
use crate::ProgType::{
    CgroupDevice, CgroupSkb, CgroupSock, CgroupSockAddr, CgroupSockopt, CgroupSysctl, Lsm, LwtIn, LwtOut, LwtSeg6local, LwtXmit,
    SchedAct, SchedCls, SockOps,
};
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 17,
        name: "bpf_get_cgroup_classid",
        since: Release::new(4, 3),
        protos: &[
            Proto {
                users: Users::of(&[SchedCls, SchedAct, LwtIn, LwtOut, LwtXmit, LwtSeg6local]),
                ret: Ret::Integer,
                args: &[CTX],
                ..Proto::BASE
            },
            Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE },
        ],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 33,
        name: "bpf_skb_under_cgroup",
        since: Release::new(4, 8),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, LwtIn, LwtOut, LwtXmit, LwtSeg6local]),
            ret: Ret::Integer,
            args: &[CTX, MAP, ANY],
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::CgroupArray]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 37,
        name: "bpf_current_task_under_cgroup",
        since: Release::new(4, 9),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::CgroupArray]),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 79,
        name: "bpf_skb_cgroup_id",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct, CgroupSkb]), ret: Ret::Integer, args: &[CTX], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 80,
        name: "bpf_get_current_cgroup_id",
        since: Release::new(4, 18),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 81,
        name: "bpf_get_local_storage",
        since: Release::new(4, 19),
        protos: &[Proto {
            users: Users::of(&[CgroupSkb, CgroupSock, SockOps, CgroupDevice, CgroupSockAddr, CgroupSysctl, CgroupSockopt, Lsm])
                .when(&[(Lsm, &[LsmCgroup])]),
            ret: Ret::MapValue { nullable: false },
            args: &[MAP, ANY],
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::CgroupStorage, MapType::PercpuCgroupStorage]),
        zero_args: &[1],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 83,
        name: "bpf_skb_ancestor_cgroup_id",
        since: Release::new(4, 19),
        protos: &[Proto {
            users: Users::of(&[SchedCls, SchedAct, CgroupSkb]),
            ret: Ret::Integer,
            args: &[CTX, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 123,
        name: "bpf_get_current_ancestor_cgroup_id",
        since: Release::new(5, 7),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[ANY], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 128,
        name: "bpf_sk_cgroup_id",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::of(&[CgroupSkb]), ret: Ret::Integer, args: &[BTF_SOCK], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 129,
        name: "bpf_sk_ancestor_cgroup_id",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::of(&[CgroupSkb]), ret: Ret::Integer, args: &[BTF_SOCK, ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 151,
        name: "bpf_skb_cgroup_classid",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::of(&[SchedCls, SchedAct]), ret: Ret::Integer, args: &[CTX], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 186,
        name: "bpf_get_retval",
        since: Release::new(5, 18),
        protos: &[Proto {
            users: Users::of(&[CgroupSock, CgroupSockAddr, CgroupSockopt, Lsm]).when(&[
                (CgroupSock, RETVAL),
                (CgroupSockAddr, RETVAL),
                (Lsm, &[LsmCgroup]),
            ]),
            ret: Ret::Integer,
            args: &[],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 187,
        name: "bpf_set_retval",
        since: Release::new(5, 18),
        protos: &[Proto {
            users: Users::of(&[CgroupSock, CgroupSockAddr, CgroupSockopt, Lsm]).when(&[
                (CgroupSock, RETVAL),
                (CgroupSockAddr, RETVAL),
                (Lsm, &[LsmCgroup]),
            ]),
            ret: Ret::Integer,
            args: &[ANY],
            ..Proto::BASE
        }],
        sets_result: true,
        ..HelperRow::BASE
    },
];
