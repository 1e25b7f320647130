// SPDX-License-Identifier: MIT OR Apache-2.0
// Maps as structs of numbers, as before types.
#include <linux/bpf.h>
#include <linux/version.h>

#define SEC(name) __attribute__((section(name), used))

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;

struct bpf_map_def {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def SEC("maps") counts = {
	.type = BPF_MAP_TYPE_HASH,
	.key_size = 4,
	.value_size = 8,
	.max_entries = 1024,
	.map_flags = BPF_F_NO_PREALLOC,
};

struct bpf_map_def SEC("maps") events = {
	.type = BPF_MAP_TYPE_PERF_EVENT_ARRAY,
	.key_size = 4,
	.value_size = 4,
	.max_entries = 64,
};

SEC("kprobe/do_nanosleep")
int count(void *ctx)
{
	__u32 key = 3;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);

	return value ? *value : bpf_map_lookup_elem(&events, &key) != 0;
}

char LICENSE[] SEC("license") = "GPL";
__u32 kernel_version SEC("version") = KERNEL_VERSION(5, 4, 3);
