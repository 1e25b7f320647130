//! Rows: processors, per-CPU variables and random numbers.

use super::shape::arg::{ANY, PERCPU};
use super::shape::{Bound, HelperRow, Needs, Proto, Ret};
use crate::sets::Users;
use crate::target::Release;

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
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        fastcall: true,
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
