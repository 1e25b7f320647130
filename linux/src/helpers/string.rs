//! Rows: strings and numbers in text.

use super::shape::arg::{ANY, MEM_IN, SIZE, STR, aligned};
use super::shape::{Access, HelperRow, Proto, Ret};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 105,
        name: "bpf_strtol",
        since: Release::new(5, 2),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MEM_IN, SIZE, ANY, aligned(Access::Fill, 8)],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 106,
        name: "bpf_strtoul",
        since: Release::new(5, 2),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MEM_IN, SIZE, ANY, aligned(Access::Fill, 8)],
            ..Proto::BASE
        }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 182,
        name: "bpf_strncmp",
        since: Release::new(5, 17),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_IN, SIZE, STR], ..Proto::BASE }],
        ..HelperRow::BASE
    },
];
