//! `struct __sk_buff`.

use super::shape::{Access, ContextRow, Field, Shape, Width, Yields, in_order};
use crate::ProgType::{CgroupSkb, FlowDissector, LwtIn, LwtOut, LwtSeg6local, LwtXmit, SchedAct, SchedCls, SkSkb, SocketFilter};
use crate::sets::Users;
use crate::target::Release;

const V4_1: Release = Release::new(4, 1);
const V4_14: Release = Release::new(4, 14);

/// All that see a socket buffer as a packet, that is, all but the flow dissector.
const ALL: Users = Users::of(&[SocketFilter, SchedCls, SchedAct, CgroupSkb, LwtIn, LwtOut, LwtXmit, LwtSeg6local, SkSkb]);
const NOT_SK_SKB: Users = Users::of(&[SocketFilter, SchedCls, SchedAct, CgroupSkb, LwtIn, LwtOut, LwtXmit, LwtSeg6local]);
const MARKERS: Users = Users::of(&[SchedCls, SchedAct, CgroupSkb, LwtIn, LwtOut, LwtXmit, LwtSeg6local]);
const PRIORITY: Users = Users::of(&[SchedCls, SchedAct, CgroupSkb, LwtIn, LwtOut, LwtXmit, LwtSeg6local, SkSkb]);
const PACKET: Users = Users::of(&[SchedCls, SchedAct, CgroupSkb, LwtIn, LwtOut, LwtXmit, LwtSeg6local, SkSkb, FlowDissector]);
const TC: Users = Users::of(&[SchedCls, SchedAct]);
const TC_SK_SKB: Users = Users::of(&[SchedCls, SchedAct, SkSkb]);
const TC_CGROUP: Users = Users::of(&[SchedCls, SchedAct, CgroupSkb]);
const SOCKET: Users = Users::of(&[CgroupSkb, SkSkb]);
const DISSECTOR: Users = Users::of(&[FlowDissector]);

const NARROW: Width = Width::up_to(4);
const WORD: Width = Width::exactly(4);

const FIELDS: &[Field] = &[
    Field::new("len", 0, 4, V4_1).read(ALL, NARROW),
    Field::new("pkt_type", 4, 4, V4_1).read(ALL, NARROW),
    Field::new("mark", 8, 4, V4_1).read(NOT_SK_SKB, NARROW).write(MARKERS, WORD),
    Field::new("queue_mapping", 12, 4, V4_1).read(ALL, NARROW).write(TC, WORD),
    Field::new("protocol", 16, 4, V4_1).read(ALL, NARROW),
    Field::new("vlan_present", 20, 4, V4_1).read(ALL, NARROW),
    Field::new("vlan_tci", 24, 4, V4_1).read(ALL, NARROW),
    Field::new("vlan_proto", 28, 4, V4_1).read(ALL, NARROW),
    Field::new("priority", 32, 4, V4_1).read(ALL, NARROW).write(PRIORITY, WORD),
    Field::new("ingress_ifindex", 36, 4, Release::new(4, 2)).read(ALL, NARROW),
    Field::new("ifindex", 40, 4, Release::new(4, 2)).read(ALL, NARROW),
    Field::new("tc_index", 44, 4, Release::new(4, 2)).read(ALL, NARROW).write(TC_SK_SKB, WORD),
    Field::new("cb", 48, 20, Release::new(4, 2)).read(ALL, Width::up_to(8)).write(NOT_SK_SKB, Width::up_to(8)),
    Field::new("hash", 68, 4, Release::new(4, 3)).read(ALL, NARROW),
    Field::new("tc_classid", 72, 4, Release::new(4, 4)).read(TC, NARROW).write(TC, WORD),
    Field::new("data", 76, 4, Release::new(4, 7))
        .read(PACKET, WORD)
        .yields(Yields::PacketStart)
        .needs_bpf(&[(Access::Read, CgroupSkb)]),
    Field::new("data_end", 80, 4, Release::new(4, 7))
        .read(PACKET, WORD)
        .yields(Yields::PacketEnd)
        .needs_bpf(&[(Access::Read, CgroupSkb)]),
    Field::new("napi_id", 84, 4, Release::new(4, 12)).read(ALL, NARROW),
    Field::new("family", 88, 4, V4_14).read(SOCKET, NARROW),
    Field::new("remote_ip4", 92, 4, V4_14).read(SOCKET, WORD),
    Field::new("local_ip4", 96, 4, V4_14).read(SOCKET, WORD),
    Field::new("remote_ip6", 100, 16, V4_14).read(SOCKET, WORD),
    Field::new("local_ip6", 116, 16, V4_14).read(SOCKET, WORD),
    Field::new("remote_port", 132, 4, V4_14).read(SOCKET, NARROW),
    Field::new("local_port", 136, 4, V4_14).read(SOCKET, NARROW),
    Field::new("data_meta", 140, 4, Release::new(4, 15)).read(TC, WORD).yields(Yields::PacketMeta),
    Field::new("flow_keys", 144, 8, Release::new(4, 20)).read(DISSECTOR, Width::exactly(8)).yields(Yields::FlowKeys),
    Field::new("tstamp", 152, 8, Release::new(5, 0))
        .read(TC_CGROUP, Width::exactly(8))
        .write(TC_CGROUP, Width::exactly(8))
        .needs_bpf(&[(Access::Write, CgroupSkb)]),
    Field::new("wire_len", 160, 4, Release::new(5, 0)).read(TC, NARROW),
    Field::new("gso_segs", 164, 4, Release::new(5, 1)).read(ALL, NARROW),
    Field::new("sk", 168, 8, Release::new(5, 1)).read(ALL, Width::exactly(8)).yields(Yields::SockCommonOrNull),
    Field::new("gso_size", 176, 4, Release::new(5, 7)).read(ALL, NARROW),
    Field::new("tstamp_type", 180, 1, Release::new(5, 18)).read(TC, Width::exactly(1)),
    Field::new("hwtstamp", 184, 8, Release::new(5, 16)).read(TC_CGROUP, Width::exactly(8)),
];

pub(super) const SK_BUFF: ContextRow =
    ContextRow { name: "__sk_buff", size: 192, shape: Shape::Struct, translated: true, fields: FIELDS };

const _: () = in_order(FIELDS, SK_BUFF.size);
