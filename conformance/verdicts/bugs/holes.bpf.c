// SPDX-License-Identifier: MIT OR Apache-2.0
/* Programs that Linux accepts though they break what its verifier stands for. They are loaded, and run in skep, but never run in a kernel. */
#include "kernel.h"

struct locked {
	struct bpf_res_spin_lock lock;
	int y;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct locked);
} locks SEC(".maps");

/* The error of the lock is held to be a negative number of 64 bits. It is an `int`: the high half is 0. */
SEC("tc") int high_half(void *ctx)
{
	long (*lock)(struct bpf_res_spin_lock *) = (void *)bpf_res_spin_lock;
	struct locked *first, *again;
	int key = 0;
	long error;

	first = bpf_map_lookup_elem(&locks, &key);
	if (!first)
		return 0;
	again = bpf_map_lookup_elem(&locks, &key);
	if (!again)
		return 0;
	if (bpf_res_spin_lock(&first->lock))
		return 1;
	error = lock(&again->lock);
	if (!error) {
		bpf_res_spin_unlock(&again->lock);
		bpf_res_spin_unlock(&first->lock);
		return 2;
	}
	bpf_res_spin_unlock(&first->lock);
	return (unsigned long)error >> 32 != 0;
}

/* Iterators of eight bytes are looked for in the slot of the byte before their address: at the frame pointer itself, in the slot below. */
SEC("tc") int destroyed_above(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	asm volatile("r1 = r10; call bpf_iter_num_destroy" ::: "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return 0;
}

/* The same, but for where it is destroyed. */
SEC("tc") int destroyed(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	bpf_iter_num_destroy(&it);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
