//! Rows: formatted text and iterator output.

use super::shape::arg::{ANY, MEM_IN, MEM_INOUT, SIZE, SIZE0, STR, btf};
use super::shape::{BtfType, HelperRow, Needs, Proto, Ret};
use crate::AttachType::TraceIter;
use crate::ProgType::Tracing;
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 6,
        name: "bpf_trace_printk",
        since: Release::new(4, 1),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_IN, SIZE], gpl_only: true, ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 126,
        name: "bpf_seq_printf",
        since: Release::new(5, 8),
        protos: &[Proto {
            users: Users::of(&[Tracing]).when(&[(Tracing, &[TraceIter])]),
            ret: Ret::Integer,
            args: &[btf(BtfType::SeqFile), MEM_IN, SIZE, MEM_IN.or_null(), SIZE0],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 127,
        name: "bpf_seq_write",
        since: Release::new(5, 8),
        protos: &[Proto {
            users: Users::of(&[Tracing]).when(&[(Tracing, &[TraceIter])]),
            ret: Ret::Integer,
            args: &[btf(BtfType::SeqFile), MEM_IN, SIZE0],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 149,
        name: "bpf_snprintf_btf",
        since: Release::new(5, 10),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_INOUT, SIZE, MEM_IN, SIZE, ANY], ..Proto::BASE }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 150,
        name: "bpf_seq_printf_btf",
        since: Release::new(5, 10),
        protos: &[Proto {
            users: Users::of(&[Tracing]).when(&[(Tracing, &[TraceIter])]),
            ret: Ret::Integer,
            args: &[btf(BtfType::SeqFile), MEM_IN, SIZE0, ANY],
            gpl_only: true,
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 165,
        name: "bpf_snprintf",
        since: Release::new(5, 13),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MEM_INOUT.or_null(), SIZE0, STR, MEM_IN.or_null(), SIZE0],
            gpl_only: true,
            ..Proto::BASE
        }],
        format: true,
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 177,
        name: "bpf_trace_vprintk",
        since: Release::new(5, 16),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MEM_IN, SIZE, MEM_IN.or_null(), SIZE0],
            gpl_only: true,
            ..Proto::BASE
        }],
        needs: Needs::Perfmon,
        ..HelperRow::BASE
    },
];
