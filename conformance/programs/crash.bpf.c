// SPDX-License-Identifier: MIT OR Apache-2.0
// Programs that no kernel takes: what an engine says of their faults is tested with them.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __noinline __u64 count_of(__u32 key)
{
	__u64 *count = bpf_map_lookup_elem(&seen, &key);

	return *count + 1; /* nobody asked whether there is one */
}

/* Reads through NULL in a function that it calls. */
SEC("xdp")
int unchecked(struct xdp_md *ctx)
{
	return count_of(ctx->rx_queue_index + 7);
}

/* Reads beyond the packet. */
SEC("xdp")
int beyond(struct xdp_md *ctx)
{
	unsigned char *data = (unsigned char *)(long)ctx->data;

	return data[100];
}

/* Goes on for ever. */
SEC("xdp")
int forever(struct xdp_md *ctx)
{
	while (ctx->rx_queue_index < 8)
		;
	return XDP_PASS;
}

/* Calls a helper that no kernel has. */
static long (*const nothing)(void) = (void *)999;

SEC("?xdp")
int unknown(struct xdp_md *ctx)
{
	return ctx->rx_queue_index ? nothing() : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
