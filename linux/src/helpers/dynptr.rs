//! Rows: dynptrs.

use super::shape::arg::{ALLOC_SIZE, ANY, DYNPTR, MAP_MEM, MEM_IN, MEM_OUT, NEW_LOCAL, SIZE0};
use super::shape::{HelperRow, Needs, Proto, Ret};
use crate::sets::Users;
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 197,
        name: "bpf_dynptr_from_mem",
        since: Release::new(5, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP_MEM, SIZE0, ANY, NEW_LOCAL], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 201,
        name: "bpf_dynptr_read",
        since: Release::new(5, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MEM_OUT, SIZE0, DYNPTR, ANY, ANY], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 202,
        name: "bpf_dynptr_write",
        since: Release::new(5, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[DYNPTR, ANY, MEM_IN, SIZE0, ANY], ..Proto::BASE }],
        writes_dynptr: true,
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 203,
        name: "bpf_dynptr_data",
        since: Release::new(5, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::DynptrMemOrNull, args: &[DYNPTR, ANY, ALLOC_SIZE], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
];
