// SPDX-License-Identifier: MIT OR Apache-2.0
// Structs of functions that a kernel takes: read and listed.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock;

/* As much of the kernel's struct as is filled in here. */
struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	void (*init)(struct sock *sk);
	__u32 flags;
	char name[16];
} __attribute__((preserve_access_index));

SEC("struct_ops/ssthresh")
__u32 skep_ssthresh(__u64 *ctx)
{
	return 2;
}

SEC("struct_ops/cong_avoid")
void skep_cong_avoid(__u64 *ctx)
{
}

SEC("struct_ops")
__u32 skep_undo_cwnd(__u64 *ctx)
{
	return 10;
}

SEC("?struct_ops")
void skep_init(__u64 *ctx)
{
}

SEC(".struct_ops")
struct tcp_congestion_ops plain = {
	.ssthresh = (void *)skep_ssthresh,
	.cong_avoid = (void *)skep_cong_avoid,
	.undo_cwnd = (void *)skep_undo_cwnd,
	.flags = 5,
	.name = "skep",
};

SEC(".struct_ops.link")
struct tcp_congestion_ops linked = {
	.ssthresh = (void *)skep_ssthresh,
	.undo_cwnd = (void *)skep_undo_cwnd,
	.name = "skep_link",
};

SEC("?.struct_ops")
struct tcp_congestion_ops optional = {
	.init = (void *)skep_init,
	.undo_cwnd = (void *)skep_undo_cwnd,
	.name = "skep_maybe",
};

char LICENSE[] SEC("license") = "GPL";
