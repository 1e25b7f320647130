//! Rows: processors, per-CPU variables and random numbers.

use super::shape::arg::{ANY, PERCPU};
use super::shape::{Bound, HelperRow, Needs, Proto, Ret};
use crate::ProgType::{
    Kprobe, Lsm, LwtIn, LwtOut, LwtSeg6local, LwtXmit, PerfEvent, RawTracepoint, RawTracepointWritable, SchedAct, SchedCls,
    Syscall, Tracepoint, Tracing, Xdp,
};
use crate::sets::Users;
use crate::target::Release;

/// Programs in which the number of the processor is read in place.
const INLINED: Users = Users::of(&[
    Kprobe,
    SchedCls,
    SchedAct,
    Tracepoint,
    Xdp,
    PerfEvent,
    LwtIn,
    LwtOut,
    LwtXmit,
    LwtSeg6local,
    RawTracepoint,
    RawTracepointWritable,
    Tracing,
    Lsm,
    Syscall,
]);

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 7,
        name: "bpf_get_prandom_u32",
        since: Release::new(4, 1),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 8,
        name: "bpf_get_smp_processor_id",
        since: Release::new(4, 1),
        protos: &[
            Proto { users: INLINED, ret: Ret::Integer, args: &[], fastcall: true, ..Proto::BASE },
            Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE },
        ],
        bound: Bound::Cpus,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 42,
        name: "bpf_get_numa_node_id",
        since: Release::new(4, 10),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 153,
        name: "bpf_per_cpu_ptr",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::ALL, ret: Ret::PercpuVar { nullable: true }, args: &[PERCPU, ANY], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 154,
        name: "bpf_this_cpu_ptr",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::ALL, ret: Ret::PercpuVar { nullable: false }, args: &[PERCPU], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
];
