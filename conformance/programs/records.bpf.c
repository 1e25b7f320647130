// SPDX-License-Identifier: MIT OR Apache-2.0
// The records that some tools of libbpf-tools emit, for `skep run --types`: their own objects do not name the types.
// The layouts are what the objects write; the names of the fields are those of the tools' columns.
#include <linux/types.h>

/* opensnoop: a file was opened, or not. */
struct opensnoop_event {
	__u64 reserved;
	__u32 pid;
	__u32 uid;
	__s32 ret;
	__u32 flags;
	__u32 mode;
	__u64 callers[2];
	char comm[16];
	char fname[8160]; /* the name; with whole paths, up to 32 parts of 255 bytes each */
	__u32 path_depth;
};

/* tcplife: a connection ended. */
struct tcplife_event {
	__u8 saddr[16]; /* of IPv4, the first four */
	__u8 daddr[16];
	__u64 ts_us;
	__u64 span_us;
	__u64 rx_b;
	__u64 tx_b;
	__u32 pid;
	__u16 sport;
	__u16 dport;
	__u16 family;
	char comm[16];
};

/* biosnoop: a block device finished a request. */
struct biosnoop_event {
	char comm[16];
	__u64 delta;
	__u64 qdelta;
	__u64 ts;
	__u64 sector;
	__u32 len;
	__u32 pid;
	__u32 cmd_flags;
	__u32 dev;
};

_Static_assert(sizeof(struct opensnoop_event) == 8232, "as long as the record");
_Static_assert(sizeof(struct tcplife_event) == 96, "as long as the record");
_Static_assert(sizeof(struct biosnoop_event) == 64, "as long as the record");

/* Types that nothing uses are not in BTF. */
struct opensnoop_event *opensnoop;
struct tcplife_event *tcplife;
struct biosnoop_event *biosnoop;
