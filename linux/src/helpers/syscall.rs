//! Rows: system calls.

use super::shape::arg::{ANY, MEM_IN, SIZE, SIZE0, aligned};
use super::shape::{Access, HelperRow, Needs, Proto, Ret, Sleeps};
use crate::ProgType::Syscall;
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 166,
        name: "bpf_sys_bpf",
        since: Release::new(5, 14),
        protos: &[Proto { users: Users::of(&[Syscall]), ret: Ret::Integer, args: &[ANY, MEM_IN, SIZE], ..Proto::BASE }],
        sleeps: Sleeps::Always,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 167,
        name: "bpf_btf_find_by_name_kind",
        since: Release::new(5, 14),
        protos: &[Proto { users: Users::of(&[Syscall]), ret: Ret::Integer, args: &[MEM_IN, SIZE, ANY, ANY], ..Proto::BASE }],
        sleeps: Sleeps::Always,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 168,
        name: "bpf_sys_close",
        since: Release::new(5, 14),
        protos: &[Proto { users: Users::of(&[Syscall]), ret: Ret::Integer, args: &[ANY], ..Proto::BASE }],
        sleeps: Sleeps::Always,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 179,
        name: "bpf_kallsyms_lookup_name",
        since: Release::new(5, 16),
        protos: &[Proto {
            users: Users::of(&[Syscall]),
            ret: Ret::Integer,
            args: &[MEM_IN, SIZE0, ANY, aligned(Access::Fill, 8)],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
];
