// SPDX-License-Identifier: MIT OR Apache-2.0
// Timers: a flow that was not seen for a while is forgotten; a timer that starts itself again counts its turns.
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#define CLOCK_MONOTONIC 1
#define SECOND 1000000000ULL

struct flow {
	struct bpf_timer timer;
	__u64 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

struct tick {
	struct bpf_timer timer;
	__u32 turns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tick);
} ticks SEC(".maps");

__u64 forgotten;
__s64 twice;

static int forget(void *map, __u32 *key, struct flow *flow)
{
	forgotten += flow->packets;
	bpf_map_delete_elem(map, key);
	return 0;
}

/* Each packet gives its flow, which the first four bytes name, a minute more. */
SEC("xdp")
int refresh(struct xdp_md *ctx)
{
	__u32 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct flow *flow, fresh = {};
	__u32 key;

	if (data + 1 > end)
		return XDP_ABORTED;
	key = *data;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow) {
		bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST);
		flow = bpf_map_lookup_elem(&flows, &key);
		if (!flow)
			return XDP_ABORTED;
		if (bpf_timer_init(&flow->timer, &flows, CLOCK_MONOTONIC))
			return XDP_ABORTED;
		twice = bpf_timer_init(&flow->timer, &flows, CLOCK_MONOTONIC);
		bpf_timer_set_callback(&flow->timer, forget);
	}
	flow->packets++;
	if (bpf_timer_start(&flow->timer, 60 * SECOND, 0))
		return XDP_ABORTED;
	return XDP_PASS;
}

/* Stops the timer of a flow: 1 if it ran. */
SEC("xdp")
int stop(struct xdp_md *ctx)
{
	__u32 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct flow *flow;
	__u32 key;

	if (data + 1 > end)
		return XDP_ABORTED;
	key = *data;
	flow = bpf_map_lookup_elem(&flows, &key);
	return flow ? bpf_timer_cancel(&flow->timer) : -ENOENT;
}

static int turn(void *map, __u32 *key, struct tick *tick)
{
	if (++tick->turns < 5)
		bpf_timer_start(&tick->timer, SECOND, 0);
	return 0;
}

SEC("xdp")
int start_ticks(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct tick *tick = bpf_map_lookup_elem(&ticks, &zero);

	if (!tick)
		return XDP_ABORTED;
	bpf_timer_init(&tick->timer, &ticks, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&tick->timer, turn);
	return bpf_timer_start(&tick->timer, SECOND, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
