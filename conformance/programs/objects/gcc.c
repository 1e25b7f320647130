// SPDX-License-Identifier: MIT OR Apache-2.0
// For gcc: another way to name helpers, lines in DWARF alone, other relocations.
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

static void *lookup(void *map, const void *key) __attribute__((kernel_helper(1)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

const volatile __u32 limit = 3;
__u64 seen;
__u64 start = 5;

static __attribute__((noinline)) int twice(int x)
{
	return 2 * x + start;
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 key = ctx->rx_queue_index;
	__u64 *value;

	if (key > limit)
		return twice(key);
	value = lookup(&counts, &key);
	if (value)
		*value += 1;
	seen++;
	return 2;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
