// SPDX-License-Identifier: MIT OR Apache-2.0
// One program for each kind of map, which does to it what programs do.
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

struct args {
	__u32 key;
	__u32 value;
	__s64 out;
};

/* A packet is the arguments of its program. (Programs of type syscall can sleep, which most kinds of maps do not allow.) */
static __always_inline struct args *args_of(struct xdp_md *ctx)
{
	struct args *args = (void *)(long)ctx->data;

	return (void *)(args + 1) > (void *)(long)ctx->data_end ? 0 : args;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} per_cpu SEC(".maps");

struct prefix {
	__u32 bits;
	__u8 address[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 3);
	__type(value, __u32);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 3);
	__type(value, __u32);
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 64);
	__type(value, __u32);
} seen SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} left SEC(".maps"), right SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct inner);
} sides SEC(".maps") = {
	.values = {
		[0] = &left,
		[2] = &right,
	},
};

/* Updates with each flag: what the map answers, four bits each. */
SEC("xdp")
int use_hash(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	__u32 *found, key, value;

	if (!args)
		return XDP_ABORTED;
	key = args->key;
	value = args->value;
	args->out = -bpf_map_update_elem(&hash, &key, &value, BPF_NOEXIST);
	args->out |= (__s64)-bpf_map_update_elem(&hash, &key, &value, BPF_EXIST) << 16;
	found = bpf_map_lookup_elem(&hash, &key);
	if (!found)
		return -1;
	__sync_fetch_and_add(found, 1);
	key++;
	args->out |= (__s64)-bpf_map_delete_elem(&hash, &key) << 32;
	return *found;
}

SEC("xdp")
int use_recent(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	__u32 *found, key, value, next;

	if (!args)
		return XDP_ABORTED;
	key = args->key;
	value = args->value;
	next = key + 1;
	if (bpf_map_update_elem(&recent, &key, &value, BPF_ANY))
		return -1;
	found = bpf_map_lookup_elem(&recent, &next);
	args->out = found ? *found : -ENOENT;
	return 0;
}

SEC("xdp")
int use_per_cpu(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	__u64 *value, start;
	__u32 key;

	if (!args)
		return XDP_ABORTED;
	start = args->value;
	key = args->key;
	value = bpf_map_lookup_elem(&per_cpu, &key);
	if (!value) {
		args->out = bpf_map_update_elem(&per_cpu, &key, &start, BPF_NOEXIST);
		value = bpf_map_lookup_elem(&per_cpu, &key);
		if (!value)
			return -1;
	}
	*value += 1;
	/* No such CPU. */
	return bpf_map_lookup_percpu_elem(&per_cpu, &key, 1 << 20) ? 1 : 0;
}

/* The route to an address, and one more: a longer one for its last byte. */
SEC("xdp")
int use_routes(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	struct prefix prefix = { .bits = 32 };
	__u32 *route, value;
	__u32 key;

	if (!args)
		return XDP_ABORTED;
	value = args->value;
	key = args->key;
	__builtin_memcpy(prefix.address, &key, sizeof(prefix.address));
	route = bpf_map_lookup_elem(&routes, &prefix);
	args->out = route ? *route : -ENOENT;
	prefix.bits = 31;
	if (bpf_map_update_elem(&routes, &prefix, &value, BPF_ANY))
		return -1;
	prefix.bits = 32;
	route = bpf_map_lookup_elem(&routes, &prefix);
	return route ? *route : 0;
}

/* Pushes twice, looks, takes one out. Without a flag a full queue refuses. */
SEC("xdp")
int use_queue(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	__u32 first, second, value = 0;

	if (!args)
		return XDP_ABORTED;
	first = args->key;
	second = args->value;
	args->out = bpf_map_push_elem(&queue, &first, 0);
	args->out += 1000 * bpf_map_push_elem(&queue, &second, BPF_EXIST);
	if (bpf_map_peek_elem(&queue, &value))
		return -1;
	return bpf_map_pop_elem(&queue, &value) ?: (int)value;
}

SEC("xdp")
int use_stack(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	__u32 first, second, value = 0;

	if (!args)
		return XDP_ABORTED;
	first = args->key;
	second = args->value;
	args->out = bpf_map_push_elem(&stack, &first, 0);
	args->out += 1000 * bpf_map_push_elem(&stack, &second, BPF_EXIST);
	if (bpf_map_peek_elem(&stack, &value))
		return -1;
	return bpf_map_pop_elem(&stack, &value) ?: (int)value;
}

SEC("xdp")
int use_seen(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	__u32 key;
	int before;

	if (!args)
		return XDP_ABORTED;
	key = args->key;
	before = bpf_map_peek_elem(&seen, &key);
	if (bpf_map_push_elem(&seen, &key, BPF_ANY))
		return -1;
	args->out = before;
	return bpf_map_peek_elem(&seen, &key);
}

SEC("xdp")
int use_sides(struct xdp_md *ctx)
{
	struct args *args = args_of(ctx);
	__u32 key, one = 1, *value;
	void *side;

	if (!args)
		return XDP_ABORTED;
	key = args->key;
	side = bpf_map_lookup_elem(&sides, &key);
	if (!side)
		return -ENOENT;
	value = bpf_map_lookup_elem(side, &one);
	if (!value)
		return -1;
	*value += args->value;
	args->out = *value;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
