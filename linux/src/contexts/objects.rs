//! Structs that programs reach through pointers that the kernel guards: `bpf_sock` (in full, or its `sock_common` part),
//! `bpf_tcp_sock`, `bpf_xdp_sock`, `bpf_flow_keys`.

use super::shape::{Field, Object, Width, in_order};
use crate::sets::Users;
use crate::target::Release;

const V4_20: Release = Release::new(4, 20);
const V5_1: Release = Release::new(5, 1);
const START: Width = Width::start(4);

/// The part of a socket that every kind has.
const fn common(name: &'static str, offset: i32, size: u32) -> Field {
    Field::new(name, offset, size, V4_20)
}

const PORT: Field = common("dst_port", 48, 2).read(Users::ALL, Width { min: 1, max: 2, at_start: false, also: 4 });

const SOCK_COMMON_FIELDS: &[Field] = &[
    common("bound_dev_if", 0, 4).words(),
    common("family", 4, 4).read(Users::ALL, START),
    common("src_ip4", 24, 4).narrow(),
    common("src_ip6", 28, 16).narrow(),
    common("src_port", 44, 4).read(Users::ALL, START),
    PORT,
    common("dst_ip4", 52, 4).narrow(),
    common("dst_ip6", 56, 16).narrow(),
    common("state", 72, 4).read(Users::ALL, START),
    common("rx_queue_mapping", 76, 4).read(Users::ALL, START),
];

/// `struct bpf_sock` behind a pointer that may be to a request or time-wait socket.
pub const SOCK_COMMON: Object =
    Object { name: "bpf_sock", pointer: "sock_common", size: 80, aligned: true, fields: SOCK_COMMON_FIELDS };

const SOCK_FIELDS: &[Field] = &[
    SOCK_COMMON_FIELDS[0],
    SOCK_COMMON_FIELDS[1],
    common("type", 8, 4).read(Users::ALL, START),
    common("protocol", 12, 4).read(Users::ALL, START),
    common("mark", 16, 4).words(),
    common("priority", 20, 4).words(),
    SOCK_COMMON_FIELDS[2],
    SOCK_COMMON_FIELDS[3],
    SOCK_COMMON_FIELDS[4],
    SOCK_COMMON_FIELDS[5],
    SOCK_COMMON_FIELDS[6],
    SOCK_COMMON_FIELDS[7],
    SOCK_COMMON_FIELDS[8],
    SOCK_COMMON_FIELDS[9],
];

/// `struct bpf_sock` behind a pointer to a full socket.
pub const SOCK: Object = Object { name: "bpf_sock", pointer: "sock", size: 80, aligned: true, fields: SOCK_FIELDS };

/// A field of `bpf_tcp_sock`.
const fn tcp(name: &'static str, offset: i32, size: u32) -> Field {
    Field::new(name, offset, size, V5_1).whole()
}

const TCP_SOCK_FIELDS: &[Field] = &[
    tcp("snd_cwnd", 0, 4),
    tcp("srtt_us", 4, 4),
    tcp("rtt_min", 8, 4),
    tcp("snd_ssthresh", 12, 4),
    tcp("rcv_nxt", 16, 4),
    tcp("snd_nxt", 20, 4),
    tcp("snd_una", 24, 4),
    tcp("mss_cache", 28, 4),
    tcp("ecn_flags", 32, 4),
    tcp("rate_delivered", 36, 4),
    tcp("rate_interval_us", 40, 4),
    tcp("packets_out", 44, 4),
    tcp("retrans_out", 48, 4),
    tcp("total_retrans", 52, 4),
    tcp("segs_in", 56, 4),
    tcp("data_segs_in", 60, 4),
    tcp("segs_out", 64, 4),
    tcp("data_segs_out", 68, 4),
    tcp("lost_out", 72, 4),
    tcp("sacked_out", 76, 4),
    tcp("bytes_received", 80, 8),
    tcp("bytes_acked", 88, 8),
    tcp("dsack_dups", 96, 4),
    tcp("delivered", 100, 4),
    tcp("delivered_ce", 104, 4),
    tcp("icsk_retransmits", 108, 4),
];

/// `struct bpf_tcp_sock`.
pub const TCP_SOCK: Object =
    Object { name: "bpf_tcp_sock", pointer: "tcp_sock", size: 112, aligned: true, fields: TCP_SOCK_FIELDS };

/// `struct bpf_xdp_sock`.
pub const XDP_SOCK: Object = Object {
    name: "bpf_xdp_sock",
    pointer: "xdp_sock",
    size: 4,
    aligned: true,
    fields: &[Field::new("queue_id", 0, 4, Release::new(5, 3)).whole()],
};

/// `struct bpf_flow_keys`: plain memory of 56 bytes, whose accesses need not be aligned.
pub const FLOW_KEYS: Object =
    Object { name: "bpf_flow_keys", pointer: "flow_keys", size: 56, aligned: false, fields: FLOW_FIELDS };

const FLOW_FIELDS: &[Field] =
    &[Field::new("keys", 0, 56, V4_20).read(Users::ALL, Width::up_to(8)).write(Users::ALL, Width::up_to(8))];

const _: () = in_order(SOCK_COMMON_FIELDS, SOCK_COMMON.size);
const _: () = in_order(SOCK_FIELDS, SOCK.size);
const _: () = in_order(TCP_SOCK_FIELDS, TCP_SOCK.size);
