//! Rows: tail calls and loops.

use super::shape::arg::{ANY, CTX, FUNC, MAP, STACK};
use super::shape::{HelperRow, Leave, MapUse, Needs, Proto, Ret};
use super::shared::{EACH, LOOP, PLAIN};
use crate::MapType;
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 12,
        name: "bpf_tail_call",
        since: Release::new(4, 2),
        protos: &[Proto { users: Users::ALL, ret: Ret::Void, args: &[CTX, MAP, ANY], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::ProgArray]),
        map_use: MapUse::Read,
        leave: Leave::TailCall,
        changes_packet: true,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 164,
        name: "bpf_for_each_map_elem",
        since: Release::new(5, 13),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, FUNC, STACK.or_null(), ANY], ..Proto::BASE }],
        maps: PLAIN,
        map_use: MapUse::Read,
        callback: Some(EACH),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 181,
        name: "bpf_loop",
        since: Release::new(5, 17),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[ANY, FUNC, STACK.or_null(), ANY], ..Proto::BASE }],
        callback: Some(LOOP),
        needs: Needs::Bpf,
        ..HelperRow::BASE
    },
];
