// SPDX-License-Identifier: MIT OR Apache-2.0
// Subprograms, static and global, and callbacks of bpf_loop and bpf_for_each_map_elem.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} ages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

struct args {
	__u32 n;
	__u32 limit;
	__u64 out;
};

struct state {
	__u64 previous;
	__u64 current;
	__u64 limit;
};

static long step(__u32 index, void *data)
{
	struct state *state = data;
	__u64 sum = state->previous + state->current;

	if (sum > state->limit)
		return 1; /* ends the loop */
	state->previous = state->current;
	state->current = sum;
	return 0;
}

/* The largest Fibonacci number that is not larger than the limit; r0 is the number of turns. */
SEC("syscall")
int fibonacci(struct args *args)
{
	struct state state = { .previous = 0, .current = 1, .limit = args->limit };
	long turns = bpf_loop(args->n, step, &state, 0);

	args->out = state.current;
	return turns;
}

static long young(struct bpf_map *map, __u32 *key, __u64 *age, struct args *args)
{
	if (*age < args->limit) {
		args->out += *key;
		args->n++;
		return 0;
	}
	if (*age == 0xdead)
		bpf_map_delete_elem(map, key);
	return 0;
}

/* Counts and sums the keys of young entries, and removes dead ones. r0 is the number of entries that were seen. */
SEC("syscall")
int sweep(struct args *args)
{
	struct args found = { .limit = args->limit };
	long seen = bpf_for_each_map_elem(&ages, young, &found, 0);

	args->n = found.n;
	args->out = found.out;
	return seen;
}

static long until_zero(struct bpf_map *map, __u32 *key, __u32 *value, __u64 *product)
{
	if (!*value)
		return 1;
	*product *= *value;
	*value = 0;
	return 0;
}

/* The product of the numbers up to the first 0; r0 is the number of elements that were seen. */
SEC("syscall")
int product(struct args *args)
{
	__u64 product = 1;
	long seen = bpf_for_each_map_elem(&numbers, until_zero, &product, 0);

	args->out = product;
	return seen;
}

static __noinline __u64 power(__u64 base, __u32 exponent);

static __noinline __u64 square(__u64 x)
{
	return x * x;
}

static __noinline __u64 power(__u64 base, __u32 exponent)
{
	__u64 result = 1;

	for (int i = 0; i < 32 && exponent; i++) {
		if (exponent & 1)
			result *= base;
		base = square(base);
		exponent >>= 1;
	}
	return result;
}

/* A global function is verified by itself: what it is handed is not known. */
__noinline int record(__u32 slot, __u64 *value)
{
	__u64 *hit;

	if (!value)
		return -1;
	hit = bpf_map_lookup_elem(&hits, &slot);
	if (!hit)
		return -2;
	*hit += *value;
	return 0;
}

/* n to the power of the limit, through three frames. */
SEC("syscall")
int subprograms(struct args *args)
{
	__u64 value = power(args->n, args->limit);
	int error = record(args->n & 3, &value);

	args->out = value;
	return error;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
