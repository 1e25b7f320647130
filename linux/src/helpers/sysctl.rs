//! Rows: sysctl.

use super::shape::arg::{ANY, CTX, MEM_IN, MEM_INOUT, MEM_OUT, SIZE};
use super::shape::{HelperRow, Proto, Ret};
use crate::ProgType::CgroupSysctl;
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 101,
        name: "bpf_sysctl_get_name",
        since: Release::new(5, 2),
        protos: &[Proto {
            users: Users::of(&[CgroupSysctl]),
            ret: Ret::Integer,
            args: &[CTX, MEM_INOUT, SIZE, ANY],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 102,
        name: "bpf_sysctl_get_current_value",
        since: Release::new(5, 2),
        protos: &[Proto { users: Users::of(&[CgroupSysctl]), ret: Ret::Integer, args: &[CTX, MEM_OUT, SIZE], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 103,
        name: "bpf_sysctl_get_new_value",
        since: Release::new(5, 2),
        protos: &[Proto { users: Users::of(&[CgroupSysctl]), ret: Ret::Integer, args: &[CTX, MEM_OUT, SIZE], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 104,
        name: "bpf_sysctl_set_new_value",
        since: Release::new(5, 2),
        protos: &[Proto { users: Users::of(&[CgroupSysctl]), ret: Ret::Integer, args: &[CTX, MEM_IN, SIZE], ..Proto::BASE }],
        ..HelperRow::BASE
    },
];
