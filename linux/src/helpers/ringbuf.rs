//! Rows: ring buffers.

use super::shape::arg::{ALLOC_SIZE, ANY, END_RECORD, FUNC, MAP, MEM_IN, NEW_RECORD, RECORD, SIZE0, STACK};
use super::shape::{HelperRow, Needs, Proto, Ret};
use super::shared::DRAIN;
use crate::MapType;
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 130,
        name: "bpf_ringbuf_output",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, MEM_IN, SIZE0, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Ringbuf]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 131,
        name: "bpf_ringbuf_reserve",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::ALL, ret: Ret::RingbufMemOrNull, args: &[MAP, ALLOC_SIZE, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Ringbuf]),
        acquires: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 132,
        name: "bpf_ringbuf_submit",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::ALL, ret: Ret::Void, args: &[RECORD.released(), ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 133,
        name: "bpf_ringbuf_discard",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::ALL, ret: Ret::Void, args: &[RECORD.released(), ANY], ..Proto::BASE }],
        ..HelperRow::BASE
    },
    HelperRow {
        id: 134,
        name: "bpf_ringbuf_query",
        since: Release::new(5, 8),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Ringbuf]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 198,
        name: "bpf_ringbuf_reserve_dynptr",
        since: Release::new(5, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, ANY, ANY, NEW_RECORD], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Ringbuf]),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 199,
        name: "bpf_ringbuf_submit_dynptr",
        since: Release::new(5, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::Void, args: &[END_RECORD, ANY], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 200,
        name: "bpf_ringbuf_discard_dynptr",
        since: Release::new(5, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::Void, args: &[END_RECORD, ANY], ..Proto::BASE }],
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 209,
        name: "bpf_user_ringbuf_drain",
        since: Release::new(6, 1),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, FUNC, STACK.or_null(), ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::UserRingbuf]),
        callback: Some(DRAIN),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
];
