//! Rows: maps.

use super::shape::arg::{ANY, KEY, MAP, VALUE, VALUE_OUT};
use super::shape::{HelperRow, MapUse, Proto, Ret};
use super::shared::{LOOKUP, PLAIN, SOCK_DELETE, SOCK_UPDATE};
use crate::MapType;
use crate::sets::{MapSet, Users};
use crate::target::Release;

pub(super) const ROWS: &[HelperRow] = &[
    HelperRow {
        id: 1,
        name: "bpf_map_lookup_elem",
        since: Release::new(3, 19),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::MapValue { nullable: true },
            args: &[MAP, KEY],
            takes_packet: true,
            ..Proto::BASE
        }],
        maps: LOOKUP,
        map_use: MapUse::Read,
        acquires_from: MapSet::of(&[MapType::Sockmap, MapType::Sockhash]),
        known_key: MapSet::of(&[MapType::Array, MapType::PercpuArray]),
        ..HelperRow::BASE
    },
    HelperRow {
        id: 2,
        name: "bpf_map_update_elem",
        since: Release::new(3, 19),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::Integer,
            args: &[MAP, KEY, VALUE, ANY],
            takes_packet: true,
            ..Proto::BASE
        }],
        maps: PLAIN,
        map_use: MapUse::Write,
        maps_for: SOCK_UPDATE,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 3,
        name: "bpf_map_delete_elem",
        since: Release::new(3, 19),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, KEY], takes_packet: true, ..Proto::BASE }],
        maps: PLAIN,
        map_use: MapUse::Write,
        maps_for: SOCK_DELETE,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 87,
        name: "bpf_map_push_elem",
        since: Release::new(4, 20),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, VALUE, ANY], takes_packet: true, ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Queue, MapType::Stack, MapType::BloomFilter]),
        map_use: MapUse::Write,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 88,
        name: "bpf_map_pop_elem",
        since: Release::new(4, 20),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, VALUE_OUT], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Queue, MapType::Stack]),
        map_use: MapUse::Write,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 89,
        name: "bpf_map_peek_elem",
        since: Release::new(4, 20),
        protos: &[Proto { users: Users::ALL, ret: Ret::Integer, args: &[MAP, VALUE_OUT], ..Proto::BASE }],
        maps: MapSet::of(&[MapType::Queue, MapType::Stack, MapType::BloomFilter]),
        map_use: MapUse::Read,
        ..HelperRow::BASE
    },
    HelperRow {
        id: 195,
        name: "bpf_map_lookup_percpu_elem",
        since: Release::new(5, 19),
        protos: &[Proto {
            users: Users::ALL,
            ret: Ret::MapValue { nullable: true },
            args: &[MAP, KEY, ANY],
            takes_packet: true,
            ..Proto::BASE
        }],
        maps: MapSet::of(&[MapType::PercpuArray, MapType::PercpuHash, MapType::LruPercpuHash]),
        map_use: MapUse::Read,
        ..HelperRow::BASE
    },
];
