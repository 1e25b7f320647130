//! Rows: stack traces.

use super::shape::arg::{ANY, CTX, MAP, MEM_OUT, SIZE0, btf};
use super::shape::{Bound, BtfType, HelperRow, Needs, Proto, Ret, Sleeps};
use crate::MapType;
use crate::ProgType::{Kprobe, Lsm, PerfEvent, RawTracepoint, RawTracepointWritable, Syscall, Tracepoint, Tracing};
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 27,
        name: "bpf_get_stackid",
        since: Release::new(4, 6),
        protos: &[
            Proto { users: Users::of(&[PerfEvent]), ret: Ret::Integer, args: &[CTX, MAP, ANY], ..Proto::BASE },
            Proto {
                users: Users::of(&[Kprobe, Tracepoint, RawTracepoint, RawTracepointWritable, Tracing, Lsm, Syscall]),
                ret: Ret::Integer,
                args: &[CTX, MAP, ANY],
                gpl_only: true,
                ..Proto::BASE
            },
        ],
        maps: MapSet::of(&[MapType::StackTrace]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 67,
        name: "bpf_get_stack",
        since: Release::new(4, 18),
        protos: &[
            Proto {
                users: Users::of(&[RawTracepoint, RawTracepointWritable, Tracing, Lsm, Syscall]),
                ret: Ret::Integer,
                args: &[CTX, MEM_OUT, SIZE0, ANY],
                gpl_only: true,
                ..Proto::BASE
            },
            Proto {
                users: Users::of(&[Kprobe, Tracepoint, PerfEvent]),
                ret: Ret::Integer,
                args: &[CTX, MEM_OUT, SIZE0, ANY],
                gpl_only: true,
                ..Proto::BASE
            },
        ],
        bound: Bound::SizeArg(2),
        sleeps: Sleeps::IfSleepable,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 141,
        name: "bpf_get_task_stack",
        since: Release::new(5, 9),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[btf(BtfType::TaskStruct), MEM_OUT, SIZE0, ANY],
            ..Proto::BASE
        }],
        bound: Bound::SizeArg(2),
        needs: Needs::Perfmon,
        sleeps: Sleeps::IfSleepable,
        ..HelperRow::BASE
    },
];
