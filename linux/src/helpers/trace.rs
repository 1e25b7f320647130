//! Rows: functions that are traced.

use super::shape::arg::{ANY, CTX, aligned};
use super::shape::{Access, HelperRow, Policy, Proto, Refusal, Ret};
use super::shared::{ATTACH_COOKIE, TRACING, TRAMPOLINE};
use crate::ProgType::{Kprobe, Lsm, PerfEvent, RawTracepoint, RawTracepointWritable, Tracepoint, Tracing};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 58,
        name: "bpf_override_return",
        since: Release::new(4, 16),
        protos: &[Proto { users: Users::of(&[Kprobe]), ret: Ret::Integer, args: &[CTX, ANY], gpl_only: true, ..Proto::BASE }],
        policy: Policy::Override,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 173,
        name: "bpf_get_func_ip",
        since: Release::new(5, 15),
        protos: &[Proto {
            users: Users::of(&[Kprobe, Tracing, Lsm]).when(&[(Tracing, TRAMPOLINE)]),
            ret: Ret::Integer,
            args: &[CTX],
            gpl_only: true,
            ..Proto::BASE
        }],
        refused: &[(TRACING, Refusal::NotSupported)],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 174,
        name: "bpf_get_attach_cookie",
        since: Release::new(5, 15),
        protos: &[Proto {
            users: Users::of(&[Kprobe, Tracepoint, PerfEvent, RawTracepoint, RawTracepointWritable, Tracing, Lsm])
                .when(&[(Tracing, ATTACH_COOKIE)]),
            ret: Ret::Integer,
            args: &[CTX],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 183,
        name: "bpf_get_func_arg",
        since: Release::new(5, 17),
        protos: &[Proto {
            users: Users::of(&[Tracing, Lsm]).when(&[(Tracing, TRAMPOLINE)]),
            ret: Ret::Integer,
            args: &[CTX, ANY, aligned(Access::Fill, 8)],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 184,
        name: "bpf_get_func_ret",
        since: Release::new(5, 17),
        protos: &[Proto {
            users: Users::of(&[Tracing, Lsm]).when(&[(Tracing, TRAMPOLINE)]),
            ret: Ret::Integer,
            args: &[CTX, aligned(Access::Fill, 8)],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 185,
        name: "bpf_get_func_arg_cnt",
        since: Release::new(5, 17),
        protos: &[Proto {
            users: Users::of(&[Tracing, Lsm]).when(&[(Tracing, TRAMPOLINE)]),
            ret: Ret::Integer,
            args: &[CTX],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
];
