//! Rows: the current task and other tasks.

use super::shape::arg::{ANY, FUNC, MEM_OUT, SIZE, STACK, btf};
use super::shape::{BtfType, HelperRow, Needs, Proto, Ret};
use super::shared::VMA;
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 14,
        name: "bpf_get_current_pid_tgid",
        since: Release::new(4, 2),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 15,
        name: "bpf_get_current_uid_gid",
        since: Release::new(4, 2),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 16,
        name: "bpf_get_current_comm",
        since: Release::new(4, 2),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE], ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 35,
        name: "bpf_get_current_task",
        since: Release::new(4, 8),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 109,
        name: "bpf_send_signal",
        since: Release::new(5, 3),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[ANY], ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 117,
        name: "bpf_send_signal_thread",
        since: Release::new(5, 6),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[ANY], ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 120,
        name: "bpf_get_ns_current_pid_tgid",
        since: Release::new(5, 7),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[ANY, ANY, MEM_OUT, SIZE], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 158,
        name: "bpf_get_current_task_btf",
        since: Release::new(5, 11),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Btf { to: BtfType::TaskStruct, nullable: false, trusted: true },
            args: &[],
            gpl_only: true,
            ..Proto::BASE
        }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 175,
        name: "bpf_task_pt_regs",
        since: Release::new(5, 15),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Btf { to: BtfType::PtRegs, nullable: false, trusted: false },
            args: &[btf(BtfType::TaskStruct)],
            gpl_only: true,
            ..Proto::BASE
        }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 180,
        name: "bpf_find_vma",
        since: Release::new(5, 17),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[btf(BtfType::TaskStruct), ANY, FUNC, STACK.or_null(), ANY],
            ..Proto::BASE
        }],
        callback: Some(VMA),
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
];
