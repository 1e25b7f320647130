// SPDX-License-Identifier: MIT OR Apache-2.0
// Spin locks: in the value of a map and beside a global variable. A token bucket that many CPUs take from.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct bucket {
	struct bpf_spin_lock lock;
	__u32 tokens;
	__u64 taken;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

SEC(".data.shared") struct bpf_spin_lock shared_lock;
SEC(".data.shared") __u32 shared_packets = 0;
SEC(".data.shared") __u64 shared_bytes = 0;

/* Takes as many tokens as the packet is long from the bucket of its mark. */
SEC("tc")
int police(struct __sk_buff *skb)
{
	__u32 mark = skb->mark, length = skb->len;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &mark);
	int action = TC_ACT_SHOT;

	if (!bucket) {
		/* The lock of a new value is free, whatever the bytes say. */
		struct bucket fresh = { .tokens = 100 };

		if (bpf_map_update_elem(&buckets, &mark, &fresh, BPF_NOEXIST))
			return TC_ACT_SHOT;
		bucket = bpf_map_lookup_elem(&buckets, &mark);
		if (!bucket)
			return TC_ACT_SHOT;
	}
	bpf_spin_lock(&bucket->lock);
	if (bucket->tokens >= length) {
		bucket->tokens -= length;
		bucket->taken += length;
		action = TC_ACT_OK;
	}
	bpf_spin_unlock(&bucket->lock);

	bpf_spin_lock(&shared_lock);
	shared_packets++;
	shared_bytes += length;
	bpf_spin_unlock(&shared_lock);
	return action;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
