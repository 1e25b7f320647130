// SPDX-License-Identifier: MIT OR Apache-2.0
// A timer in a map of which the kernel does not know that it has one.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* A map without types, and a value that has a timer. */
struct timed {
	struct bpf_timer timer;
	__u64 turns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct timed));
} timers SEC(".maps");

/* Without types, the kernel does not know of the timer. */
SEC("tc")
int timer_without_types(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct timed *timed = bpf_map_lookup_elem(&timers, &key);

	if (timed)
		bpf_timer_init(&timed->timer, &timers, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
