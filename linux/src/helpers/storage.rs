//! Rows: storage that belongs to sockets, inodes, tasks and cgroups.

use super::shape::arg::{ANY, BTF_SOCK, CTX, MAP, VALUE, btf};
use super::shape::{BtfType, HelperRow, Hooks, Needs, Proto, Refusal, Ret};
use super::shared::TRACING_ONLY;
use crate::AttachType::{TraceFentry, TraceFexit, TraceIter, TraceRawTp};
use crate::MapType;
use crate::ProgType::{
    CgroupSkb, CgroupSock, CgroupSockAddr, CgroupSockopt, Lsm, SchedAct, SchedCls, SkMsg, SockOps, StructOps, Tracing,
};
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 107,
        name: "bpf_sk_storage_get",
        since: Release::new(5, 2),
        protos: &[
            Proto {
                users: Users::of(&[CgroupSock]),
                ret: Ret::MapValue { nullable: true },
                args: &[MAP, CTX, VALUE.or_null(), ANY],
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[Tracing]).when(&[(Tracing, &[TraceIter, TraceRawTp, TraceFentry, TraceFexit])]),
                ret: Ret::MapValue { nullable: true },
                args: &[MAP, btf(BtfType::SockCommon).or_null(), VALUE.or_null(), ANY],
                hooks: Hooks::NotPrefixed("bpf_sk_storage"),
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[SchedCls, SchedAct, CgroupSkb, SockOps, SkMsg, CgroupSockAddr, CgroupSockopt, StructOps, Lsm]),
                ret: Ret::MapValue { nullable: true },
                args: &[MAP, BTF_SOCK, VALUE.or_null(), ANY],
                ..Proto::BASE
            },
        ],
        maps: MapSet::of(&[MapType::SkStorage]),
        refused: &[(TRACING_ONLY, Refusal::NotInProbe)],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 108,
        name: "bpf_sk_storage_delete",
        since: Release::new(5, 2),
        protos: &[
            Proto {
                users: Users::of(&[Tracing]).when(&[(Tracing, &[TraceIter, TraceRawTp, TraceFentry, TraceFexit])]),
                ret: Ret::Integer,
                args: &[MAP, btf(BtfType::SockCommon).or_null()],
                hooks: Hooks::NotPrefixed("bpf_sk_storage"),
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[SchedCls, SchedAct, CgroupSkb, SockOps, SkMsg, CgroupSockAddr, CgroupSockopt, StructOps, Lsm]),
                ret: Ret::Integer,
                args: &[MAP, BTF_SOCK],
                ..Proto::BASE
            },
        ],
        maps: MapSet::of(&[MapType::SkStorage]),
        refused: &[(TRACING_ONLY, Refusal::NotInProbe)],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 145,
        name: "bpf_inode_storage_get",
        since: Release::new(5, 10),
        protos: &[Proto {
            users: Users::of(&[Lsm]),
            ret: Ret::MapValue { nullable: true },
            args: &[MAP, btf(BtfType::Inode).or_null(), VALUE.or_null(), ANY],
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::InodeStorage]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 146,
        name: "bpf_inode_storage_delete",
        since: Release::new(5, 10),
        protos: &[Proto {
            users: Users::of(&[Lsm]),
            ret: Ret::Integer,
            args: &[MAP, btf(BtfType::Inode).or_null()],
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::InodeStorage]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 156,
        name: "bpf_task_storage_get",
        since: Release::new(5, 11),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::MapValue { nullable: true },
            args: &[MAP, btf(BtfType::TaskStruct).or_null(), VALUE.or_null(), ANY],
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::TaskStorage]),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 157,
        name: "bpf_task_storage_delete",
        since: Release::new(5, 11),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MAP, btf(BtfType::TaskStruct).or_null()],
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::TaskStorage]),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 210,
        name: "bpf_cgrp_storage_get",
        since: Release::new(6, 2),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::MapValue { nullable: true },
            args: &[MAP, btf(BtfType::Cgroup).or_null(), VALUE.or_null(), ANY],
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::CgrpStorage]),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 211,
        name: "bpf_cgrp_storage_delete",
        since: Release::new(6, 2),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, btf(BtfType::Cgroup).or_null()], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::CgrpStorage]),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
];
