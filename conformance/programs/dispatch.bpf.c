// SPDX-License-Identifier: MIT OR Apache-2.0
// Tail calls: a program hands packets on to others by the first byte of the payload; one calls itself until there is nothing left.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define OFFSET 14

int count_down(struct xdp_md *ctx);
int swap(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} next SEC(".maps") = {
	.values = {
		[1] = (void *)&count_down,
		[2] = (void *)&swap,
	},
};

__u32 visits[4];

/* Its value is kept by the caller's frame while the callee is called. */
static __noinline __u32 note(__u32 which)
{
	if (which < 4)
		visits[which]++;
	return which;
}

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + OFFSET + 1 > end)
		return XDP_ABORTED;
	note(0);
	bpf_tail_call(ctx, &next, data[OFFSET]);
	/* Nothing in that slot, or no such slot. */
	note(3);
	return XDP_PASS;
}

/* Counts the second byte down and starts anew; the kernel ends such a chain after 33 calls. */
SEC("xdp")
int count_down(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	note(1);
	if (data + OFFSET + 2 > end)
		return XDP_ABORTED;
	if (!data[OFFSET + 1])
		return XDP_TX;
	data[OFFSET + 1]--;
	bpf_tail_call_static(ctx, &next, 1);
	return XDP_DROP;
}

/* Swaps the hardware addresses. */
SEC("xdp")
int swap(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	note(2);
	if (data + 12 > end)
		return XDP_ABORTED;
	for (int i = 0; i < 6; i++) {
		__u8 byte = data[i];

		data[i] = data[i + 6];
		data[i + 6] = byte;
	}
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
