// SPDX-License-Identifier: MIT OR Apache-2.0
// Maps with every attribute that a definition may have.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key {
	__u32 prefix;
	__u8 address[4];
};

struct value {
	struct bpf_spin_lock lock;
	__u32 hits;
	__u64 bytes;
};

/* Sizes by types. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, struct key);
	__type(value, struct value);
} typed SEC(".maps");

/* Sizes as numbers, flags, a node. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(key_size, 12);
	__uint(value_size, 20);
	__uint(max_entries, 7);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE);
	__uint(numa_node, 0);
} sized SEC(".maps");

/* Found by its name under the folder of pinned maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pinned SEC(".maps");

/* The number of hash functions. */
struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 64);
	__type(value, __u64);
	__uint(map_extra, 5);
} bloom SEC(".maps");

/* Rounded up to a power of two of pages. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} ring SEC(".maps");

/* Neither key nor entries. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct value);
} storage SEC(".maps");

/* A map of maps whose inner map is one of the object. */
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [0] = &inner_a, [3] = &inner_b },
};

/* One whose inner map is described where it stands, and which starts empty. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_HASH);
		__uint(max_entries, 16);
		__uint(map_flags, BPF_F_NO_PREALLOC);
		__type(key, struct key);
		__type(value, __u32);
	});
} by_tenant SEC(".maps");

int on_even(struct __sk_buff *skb);
int on_odd(struct __sk_buff *skb);

/* A prog array that starts with programs of the object. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__array(values, int (void *));
} next SEC(".maps") = {
	.values = { [0] = (void *)&on_even, [2] = (void *)&on_odd },
};

SEC("tc")
int on_even(struct __sk_buff *skb)
{
	return 2;
}

SEC("tc")
int on_odd(struct __sk_buff *skb)
{
	return 3;
}

SEC("tc")
int entry(struct __sk_buff *skb)
{
	__u32 which = skb->len & 1, slot = which * 3;
	void *map = bpf_map_lookup_elem(&outer, &slot);

	if (map) {
		__u64 *count = bpf_map_lookup_elem(map, &which);

		if (count)
			__sync_fetch_and_add(count, 1);
	}
	bpf_tail_call(skb, &next, which * 2);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
