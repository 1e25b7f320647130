// SPDX-License-Identifier: MIT OR Apache-2.0
// Maps as iproute2 defines them: inner maps and slots by id.
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;

struct bpf_elf_map {
	__u32 type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx;
};

struct bpf_elf_map SEC("maps") inner = {
	.type = BPF_MAP_TYPE_ARRAY,
	.size_key = 4,
	.size_value = 8,
	.max_elem = 1,
	.id = 7,
	.inner_idx = 2,
};

struct bpf_elf_map SEC("maps") outer = {
	.type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
	.size_key = 4,
	.size_value = 4,
	.max_elem = 3,
	.inner_id = 7,
	.pinning = 2,
};

SEC("classifier")
int classify(struct __sk_buff *skb)
{
	__u32 slot = 2, zero = 0;
	void *map = bpf_map_lookup_elem(&outer, &slot);
	__u64 *value = map ? bpf_map_lookup_elem(map, &zero) : 0;

	return value ? 0 : 2;
}

char LICENSE[] SEC("license") = "GPL";
