//! Contexts of programs on sockets: `bpf_sock`, `bpf_sock_addr`, `bpf_sock_ops`, `sk_msg_md`, `sk_reuseport_md`, `bpf_sk_lookup`.

use super::shape::{ContextRow, Field, Shape, Width, Yields, in_order};
use crate::AttachType::{
    CgroupInet4Bind, CgroupInet4Connect, CgroupInet4Getpeername, CgroupInet4Getsockname, CgroupInet4PostBind, CgroupInet6Bind,
    CgroupInet6Connect, CgroupInet6Getpeername, CgroupInet6Getsockname, CgroupInet6PostBind, CgroupInetSockCreate,
    CgroupInetSockRelease, CgroupUdp4Recvmsg, CgroupUdp4Sendmsg, CgroupUdp6Recvmsg, CgroupUdp6Sendmsg,
};
use crate::ProgType::{CgroupSock, CgroupSockAddr};
use crate::sets::Users;
use crate::target::Release;

const NARROW: Width = Width::up_to(4);
const WORD: Width = Width::exactly(4);
/// One field of a socket that the kernel copies: narrower loads at its start only.
const START: Width = Width::start(4);

const V4_10: Release = Release::new(4, 10);
const V4_14: Release = Release::new(4, 14);
const V4_17: Release = Release::new(4, 17);
const V4_18: Release = Release::new(4, 18);
const V5_1: Release = Release::new(5, 1);

const CREATE: Users = Users::of(&[CgroupSock]).when(&[(CgroupSock, &[CgroupInetSockCreate, CgroupInetSockRelease])]);
const POST_BIND4: Users = Users::of(&[CgroupSock]).when(&[(CgroupSock, &[CgroupInet4PostBind])]);
const POST_BIND6: Users = Users::of(&[CgroupSock]).when(&[(CgroupSock, &[CgroupInet6PostBind])]);
const POST_BIND: Users = Users::of(&[CgroupSock]).when(&[(CgroupSock, &[CgroupInet4PostBind, CgroupInet6PostBind])]);

const SOCK_FIELDS: &[Field] = &[
    Field::new("bound_dev_if", 0, 4, V4_10).read(CREATE, WORD).write(CREATE, WORD),
    Field::new("family", 4, 4, V4_10).read(Users::ALL, START),
    Field::new("type", 8, 4, V4_10).read(Users::ALL, START),
    Field::new("protocol", 12, 4, V4_10).read(Users::ALL, START),
    Field::new("mark", 16, 4, V4_14).read(CREATE, WORD).write(CREATE, WORD),
    Field::new("priority", 20, 4, V4_14).read(CREATE, WORD).write(CREATE, WORD),
    Field::new("src_ip4", 24, 4, V4_17).read(POST_BIND4, NARROW),
    Field::new("src_ip6", 28, 16, V4_17).read(POST_BIND6, NARROW),
    Field::new("src_port", 44, 4, V4_17).read(POST_BIND, START),
    Field::new("dst_port", 48, 2, V5_1).read(Users::ALL, Width { min: 1, max: 2, at_start: false, also: 4 }),
    Field::new("dst_ip4", 52, 4, V5_1).narrow(),
    Field::new("dst_ip6", 56, 16, V5_1).narrow(),
    Field::new("state", 72, 4, V5_1).read(Users::ALL, START),
    Field::new("rx_queue_mapping", 76, 4, Release::new(5, 8)).read(Users::ALL, START),
];

pub(super) const BPF_SOCK: ContextRow =
    ContextRow { name: "bpf_sock", size: 80, shape: Shape::Struct, translated: true, fields: SOCK_FIELDS };

/// Programs that see an IPv4 address.
const ADDR4: Users = Users::of(&[CgroupSockAddr]).when(&[(
    CgroupSockAddr,
    &[CgroupInet4Bind, CgroupInet4Connect, CgroupInet4Getpeername, CgroupInet4Getsockname, CgroupUdp4Sendmsg, CgroupUdp4Recvmsg],
)]);
/// Programs that see an IPv6 address.
const ADDR6: Users = Users::of(&[CgroupSockAddr]).when(&[(
    CgroupSockAddr,
    &[CgroupInet6Bind, CgroupInet6Connect, CgroupInet6Getpeername, CgroupInet6Getsockname, CgroupUdp6Sendmsg, CgroupUdp6Recvmsg],
)]);
const SENDMSG4: Users = Users::of(&[CgroupSockAddr]).when(&[(CgroupSockAddr, &[CgroupUdp4Sendmsg])]);
const SENDMSG6: Users = Users::of(&[CgroupSockAddr]).when(&[(CgroupSockAddr, &[CgroupUdp6Sendmsg])]);
const WORD_OR_TWO: Width = Width { min: 4, max: 8, at_start: false, also: 0 };

const SOCK_ADDR_FIELDS: &[Field] = &[
    Field::new("user_family", 0, 4, V4_17).words(),
    Field::new("user_ip4", 4, 4, V4_17).read(ADDR4, NARROW).write(ADDR4, WORD),
    Field::new("user_ip6", 8, 16, V4_17).read(ADDR6, Width::up_to(8)).write(ADDR6, WORD_OR_TWO),
    Field::new("user_port", 24, 4, V4_17).narrow().store(),
    Field::new("family", 28, 4, V4_17).words(),
    Field::new("type", 32, 4, V4_17).words(),
    Field::new("protocol", 36, 4, V4_17).words(),
    Field::new("msg_src_ip4", 40, 4, V4_18).read(SENDMSG4, NARROW).write(SENDMSG4, WORD),
    Field::new("msg_src_ip6", 44, 16, V4_18).read(SENDMSG6, Width::up_to(8)).write(SENDMSG6, WORD_OR_TWO),
    Field::new("sk", 64, 8, Release::new(5, 3)).whole().yields(Yields::Sock),
];

pub(super) const BPF_SOCK_ADDR: ContextRow =
    ContextRow { name: "bpf_sock_addr", size: 72, shape: Shape::Struct, translated: true, fields: SOCK_ADDR_FIELDS };

const V4_13: Release = Release::new(4, 13);
const V4_16: Release = Release::new(4, 16);
const V5_10: Release = Release::new(5, 10);

const SOCK_OPS_FIELDS: &[Field] = &[
    Field::new("op", 0, 4, V4_13).words(),
    Field::new("reply", 4, 4, V4_13).words().store(),
    Field::new("args", 8, 12, V4_16).words(),
    Field::new("family", 20, 4, V4_13).words(),
    Field::new("remote_ip4", 24, 4, V4_13).words(),
    Field::new("local_ip4", 28, 4, V4_13).words(),
    Field::new("remote_ip6", 32, 16, V4_13).words(),
    Field::new("local_ip6", 48, 16, V4_13).words(),
    Field::new("remote_port", 64, 4, V4_13).words(),
    Field::new("local_port", 68, 4, V4_13).words(),
    Field::new("is_fullsock", 72, 4, V4_16).words(),
    Field::new("snd_cwnd", 76, 4, V4_16).words(),
    Field::new("srtt_us", 80, 4, V4_16).words(),
    Field::new("bpf_sock_ops_cb_flags", 84, 4, V4_16).words(),
    Field::new("state", 88, 4, V4_16).words(),
    Field::new("rtt_min", 92, 4, V4_16).words(),
    Field::new("snd_ssthresh", 96, 4, V4_16).words(),
    Field::new("rcv_nxt", 100, 4, V4_16).words(),
    Field::new("snd_nxt", 104, 4, V4_16).words(),
    Field::new("snd_una", 108, 4, V4_16).words(),
    Field::new("mss_cache", 112, 4, V4_16).words(),
    Field::new("ecn_flags", 116, 4, V4_16).words(),
    Field::new("rate_delivered", 120, 4, V4_16).words(),
    Field::new("rate_interval_us", 124, 4, V4_16).words(),
    Field::new("packets_out", 128, 4, V4_16).words(),
    Field::new("retrans_out", 132, 4, V4_16).words(),
    Field::new("total_retrans", 136, 4, V4_16).words(),
    Field::new("segs_in", 140, 4, V4_16).words(),
    Field::new("data_segs_in", 144, 4, V4_16).words(),
    Field::new("segs_out", 148, 4, V4_16).words(),
    Field::new("data_segs_out", 152, 4, V4_16).words(),
    Field::new("lost_out", 156, 4, V4_16).words(),
    Field::new("sacked_out", 160, 4, V4_16).words(),
    Field::new("sk_txhash", 164, 4, V4_16).words().store(),
    Field::new("bytes_received", 168, 8, V4_16).whole(),
    Field::new("bytes_acked", 176, 8, V4_16).whole(),
    Field::new("sk", 184, 8, Release::new(5, 3)).whole().yields(Yields::SockOrNull),
    Field::new("skb_data", 192, 8, V5_10).whole().yields(Yields::PacketStart),
    Field::new("skb_data_end", 200, 8, V5_10).whole().yields(Yields::PacketEnd),
    Field::new("skb_len", 208, 4, V5_10).words(),
    Field::new("skb_tcp_flags", 212, 4, V5_10).read(Users::ALL, START),
    Field::new("skb_hwtstamp", 216, 8, Release::new(6, 2)).whole(),
];

pub(super) const BPF_SOCK_OPS: ContextRow =
    ContextRow { name: "bpf_sock_ops", size: 224, shape: Shape::Struct, translated: true, fields: SOCK_OPS_FIELDS };

const SK_MSG_FIELDS: &[Field] = &[
    Field::new("data", 0, 8, V4_17).whole().yields(Yields::PacketStart),
    Field::new("data_end", 8, 8, V4_17).whole().yields(Yields::PacketEnd),
    Field::new("family", 16, 4, V4_18).words(),
    Field::new("remote_ip4", 20, 4, V4_18).words(),
    Field::new("local_ip4", 24, 4, V4_18).words(),
    Field::new("remote_ip6", 28, 16, V4_18).words(),
    Field::new("local_ip6", 44, 16, V4_18).words(),
    Field::new("remote_port", 60, 4, V4_18).words(),
    Field::new("local_port", 64, 4, V4_18).words(),
    Field::new("size", 68, 4, Release::new(5, 0)).words(),
    Field::new("sk", 72, 8, Release::new(5, 8)).whole().yields(Yields::Sock),
];

pub(super) const SK_MSG_MD: ContextRow =
    ContextRow { name: "sk_msg_md", size: 80, shape: Shape::Struct, translated: true, fields: SK_MSG_FIELDS };

const V4_19: Release = Release::new(4, 19);
const V5_14: Release = Release::new(5, 14);

const SK_REUSEPORT_FIELDS: &[Field] = &[
    Field::new("data", 0, 8, V4_19).whole().yields(Yields::PacketStart),
    Field::new("data_end", 8, 8, V4_19).whole().yields(Yields::PacketEnd),
    Field::new("len", 16, 4, V4_19).narrow(),
    Field::new("eth_protocol", 20, 4, V4_19).read(Users::ALL, Width { min: 2, max: 4, at_start: false, also: 0 }),
    Field::new("ip_protocol", 24, 4, V4_19).narrow(),
    Field::new("bind_inany", 28, 4, V4_19).narrow(),
    Field::new("hash", 32, 4, V4_19).words(),
    Field::new("sk", 40, 8, V5_14).whole().yields(Yields::Sock),
    Field::new("migrating_sk", 48, 8, V5_14).whole().yields(Yields::SockCommonOrNull),
];

pub(super) const SK_REUSEPORT_MD: ContextRow =
    ContextRow { name: "sk_reuseport_md", size: 56, shape: Shape::Struct, translated: true, fields: SK_REUSEPORT_FIELDS };

const V5_9: Release = Release::new(5, 9);

const SK_LOOKUP_FIELDS: &[Field] = &[
    Field::new("sk", 0, 8, V5_9).whole().yields(Yields::SockOrNull),
    Field::new("family", 8, 4, V5_9).narrow(),
    Field::new("protocol", 12, 4, V5_9).narrow(),
    Field::new("remote_ip4", 16, 4, V5_9).narrow(),
    Field::new("remote_ip6", 20, 16, V5_9).narrow(),
    // The port in network byte order in the first two bytes, and two bytes of zero.
    Field::new("remote_port", 36, 4, V5_9).narrow(),
    Field::new("local_ip4", 40, 4, V5_9).narrow(),
    Field::new("local_ip6", 44, 16, V5_9).narrow(),
    Field::new("local_port", 60, 4, V5_9).narrow(),
    Field::new("ingress_ifindex", 64, 4, Release::new(5, 17)).narrow(),
];

pub(super) const BPF_SK_LOOKUP: ContextRow =
    ContextRow { name: "bpf_sk_lookup", size: 72, shape: Shape::Struct, translated: true, fields: SK_LOOKUP_FIELDS };

const _: () = in_order(SOCK_FIELDS, BPF_SOCK.size);
const _: () = in_order(SOCK_ADDR_FIELDS, BPF_SOCK_ADDR.size);
const _: () = in_order(SOCK_OPS_FIELDS, BPF_SOCK_OPS.size);
const _: () = in_order(SK_MSG_FIELDS, SK_MSG_MD.size);
const _: () = in_order(SK_REUSEPORT_FIELDS, SK_REUSEPORT_MD.size);
const _: () = in_order(SK_LOOKUP_FIELDS, BPF_SK_LOOKUP.size);
