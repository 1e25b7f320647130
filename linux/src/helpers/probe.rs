//! Rows: reading and writing memory that the program may not reach itself.

use super::shape::arg::{ANY, MEM_IN, MEM_OUT, SIZE, SIZE0, btf};
use super::shape::{Bound, BtfType, HelperRow, Needs, Policy, Proto, Ret, Sleeps};
use super::shared::TRACING;
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 4,
        name: "bpf_probe_read",
        since: Release::new(4, 1),
        protos: &[Proto { users: TRACING, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, ANY], gpl_only: true, ..Proto::BASE }],
        policy: Policy::ReadKernel,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 36,
        name: "bpf_probe_write_user",
        since: Release::new(4, 8),
        protos: &[Proto { users: TRACING, ret: Ret::Integer, args: &[ANY, MEM_IN, SIZE], gpl_only: true, ..Proto::BASE }],
        policy: Policy::WriteUser,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 45,
        name: "bpf_probe_read_str",
        since: Release::new(4, 11),
        protos: &[Proto { users: TRACING, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, ANY], gpl_only: true, ..Proto::BASE }],
        bound: Bound::SizeArg(1),
        policy: Policy::ReadKernel,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 112,
        name: "bpf_probe_read_user",
        since: Release::new(5, 5),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, ANY], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 113,
        name: "bpf_probe_read_kernel",
        since: Release::new(5, 5),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, ANY], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Perfmon,
        policy: Policy::ReadKernel,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 114,
        name: "bpf_probe_read_user_str",
        since: Release::new(5, 5),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, ANY], gpl_only: true, ..Proto::BASE }],
        bound: Bound::SizeArg(1),
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 115,
        name: "bpf_probe_read_kernel_str",
        since: Release::new(5, 5),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, ANY], gpl_only: true, ..Proto::BASE }],
        bound: Bound::SizeArg(1),
        needs: Needs::Perfmon,
        policy: Policy::ReadKernel,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 148,
        name: "bpf_copy_from_user",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, ANY], ..Proto::BASE }],
        needs: Needs::Perfmon,
        sleeps: Sleeps::Always,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 191,
        name: "bpf_copy_from_user_task",
        since: Release::new(5, 18),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MEM_OUT, SIZE0, ANY, btf(BtfType::TaskStruct), ANY],
            gpl_only: true,
            ..Proto::BASE
        }],
        needs: Needs::Perfmon,
        sleeps: Sleeps::Always,
        ..HelperRow::BASE
    },
];
