//! Rows: perf events.

use super::shape::arg::{ANY, CTX, MAP, MEM_IN, MEM_INOUT, MEM_OUT, SIZE, SIZE0, btf};
use super::shape::{BtfType, HelperRow, Needs, Proto, Ret};
use crate::MapType;
use crate::ProgType::{
    CgroupDevice, CgroupSkb, CgroupSock, CgroupSockAddr, CgroupSockopt, CgroupSysctl, Kprobe, Lsm, LwtIn, LwtOut, LwtSeg6local,
    LwtXmit, PerfEvent, RawTracepoint, RawTracepointWritable, SchedAct, SchedCls, SkLookup, SkMsg, SkSkb, SockOps, SocketFilter,
    Syscall, Tracepoint, Tracing, Xdp,
};
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 22,
        name: "bpf_perf_event_read",
        since: Release::new(4, 3),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, ANY], gpl_only: true, ..Proto::BASE }],
        maps: MapSet::of(&[MapType::PerfEventArray]),
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 25,
        name: "bpf_perf_event_output",
        since: Release::new(4, 4),
        protos: &[Proto {
            users: Users::of(&[
                SocketFilter,
                Kprobe,
                SchedCls,
                SchedAct,
                Tracepoint,
                Xdp,
                PerfEvent,
                CgroupSkb,
                CgroupSock,
                LwtIn,
                LwtOut,
                LwtXmit,
                SockOps,
                SkSkb,
                CgroupDevice,
                SkMsg,
                RawTracepoint,
                CgroupSockAddr,
                LwtSeg6local,
                CgroupSysctl,
                RawTracepointWritable,
                CgroupSockopt,
                Tracing,
                Lsm,
                SkLookup,
                Syscall,
            ]),
            ret: Ret::Integer,
            args: &[CTX, MAP, ANY, MEM_IN, SIZE0],
            gpl_only: true,
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::PerfEventArray]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 55,
        name: "bpf_perf_event_read_value",
        since: Release::new(4, 15),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MAP, ANY, MEM_OUT, SIZE],
            gpl_only: true,
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::PerfEventArray]),
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 56,
        name: "bpf_perf_prog_read_value",
        since: Release::new(4, 15),
        protos: &[Proto {
            users: Users::of(&[PerfEvent]),
            ret: Ret::Integer,
            args: &[CTX, MEM_OUT, SIZE],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 111,
        name: "bpf_skb_output",
        since: Release::new(5, 5),
        protos: &[Proto {
            users: Users::of(&[Tracing, Lsm, Syscall]),
            ret: Ret::Integer,
            args: &[btf(BtfType::SkBuff), MAP, ANY, MEM_IN, SIZE0],
            gpl_only: true,
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::PerfEventArray]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 119,
        name: "bpf_read_branch_records",
        since: Release::new(5, 7),
        protos: &[Proto {
            users: Users::of(&[PerfEvent]),
            ret: Ret::Integer,
            args: &[CTX, MEM_INOUT.or_null(), SIZE0, ANY],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 121,
        name: "bpf_xdp_output",
        since: Release::new(5, 7),
        protos: &[Proto {
            users: Users::of(&[Tracing, Lsm, Syscall]),
            ret: Ret::Integer,
            args: &[btf(BtfType::XdpBuff), MAP, ANY, MEM_IN, SIZE0],
            gpl_only: true,
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::PerfEventArray]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 176,
        name: "bpf_get_branch_snapshot",
        since: Release::new(5, 16),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE0], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
];
