// SPDX-License-Identifier: MIT OR Apache-2.0
// Records: to a ring buffer in each of the ways there are, and to a perf event array with a piece of the packet behind them.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u32 length;
	__u8 kind;
	__u8 first[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} samples SEC(".maps");

__u64 in_use;
__u64 size;
_Bool refused;
__s64 too_much, no_cpu;

const struct event *unused_event __attribute__((unused));

/* One record reserved and submitted, one discarded, one copied; then one that is larger than the ring. */
SEC("xdp")
int to_ring(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct event copy = { .length = end - data, .kind = 3 };
	struct event *event;

	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event)
		return XDP_ABORTED;
	__builtin_memset(event, 0, sizeof(*event));
	event->length = end - data;
	event->kind = 1;
	if (data + sizeof(event->first) <= end)
		__builtin_memcpy(event->first, data, sizeof(event->first));
	bpf_ringbuf_submit(event, 0);

	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event)
		return XDP_ABORTED;
	event->kind = 2;
	bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);

	if (bpf_ringbuf_output(&ring, &copy, sizeof(copy), BPF_RB_FORCE_WAKEUP))
		return XDP_ABORTED;
	/* Each record has a header of eight bytes, and ends at a multiple of eight. */
	in_use = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	size = bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);
	event = bpf_ringbuf_reserve(&ring, 1 << 20, 0);
	if (event)
		bpf_ringbuf_discard(event, 0);
	refused = !event;
	return XDP_PASS;
}

/* A record, and as many bytes of the packet as the upper half of the flags says. */
SEC("xdp")
int to_perf(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct event event = { .length = end - data, .kind = 4 };
	__u64 kept = event.length < 20 ? event.length : 20;

	if (bpf_perf_event_output(ctx, &samples, kept << 32 | BPF_F_CURRENT_CPU, &event, sizeof(event)))
		return XDP_ABORTED;
	/* More of the packet than there is. */
	too_much = bpf_perf_event_output(ctx, &samples, (kept + 4096) << 32 | BPF_F_CURRENT_CPU, &event, sizeof(event));
	/* No such CPU. */
	no_cpu = bpf_perf_event_output(ctx, &samples, 1 << 20, &event, sizeof(event));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
