// SPDX-License-Identifier: MIT OR Apache-2.0
// Call stacks, and control groups.
#include "bodies.h"

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 128);
	__uint(key_size, 4);
	__uint(value_size, 8 * 16);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} cgroups SEC(".maps");

char buffer[512];

static __always_inline long sign(long value)
{
	return value < 0 ? value : 0;
}

SEC("raw_tp")
int stack_ids(void *ctx)
{
	keep(sign(bpf_get_stackid(ctx, &stacks, 0)));
	keep(sign(bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP)));
	keep(sign(bpf_get_stackid(ctx, &stacks, BPF_F_REUSE_STACKID)));
	keep(bpf_get_stackid(ctx, &stacks, 200));
	keep(bpf_get_stackid(ctx, &stacks, 1 << 11));
	keep(bpf_get_stackid(ctx, &stacks, 1ull << 40));
	return 0;
}

static __always_inline void stack(void *ctx, __u32 size, __u64 flags)
{
	long len;

	for (int i = 0; i < 512; i += 8)
		*(long *)(buffer + i) = -1;
	len = bpf_get_stack(ctx, buffer, size & 511, flags);
	keep(len < 0 ? len : (len % 8) + (len > 0 ? 100 : 0));
	// What is behind the stack is zeroed, up to the size.
	keep(size >= 8 && len < (long)(size & 511) ? *(long *)(buffer + ((size & 511) / 8 - 1) * 8) : 0);
	keep(*(long *)(buffer + 504));
}

SEC("raw_tp")
int stack_words(void *ctx)
{
	stack(ctx, 400, 0);
	stack(ctx, 8, 0);
	stack(ctx, 0, 0);
	stack(ctx, 12, 0);
	stack(ctx, 400, BPF_F_USER_BUILD_ID);
	stack(ctx, 40, BPF_F_USER_BUILD_ID | BPF_F_USER_STACK);
	stack(ctx, 64, 1 << 12);
	stack(ctx, 64, 1ull << 40);
	stack(ctx, 64, 255);
	return 0;
}

SEC("raw_tp")
int task_stacks(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	long len = bpf_get_task_stack(current, buffer, 256, 0);

	keep(len > 0);
	keep(bpf_get_task_stack(current, buffer, 256, 1ull << 40));
	keep(bpf_get_task_stack(current, buffer, 12, 0));
	return 0;
}

SEC("raw_tp")
int groups(void *ctx)
{
	keep_some(bpf_get_current_cgroup_id());
	keep_some(bpf_get_current_ancestor_cgroup_id(0));
	keep(bpf_get_current_ancestor_cgroup_id(1000));
	keep(bpf_get_current_ancestor_cgroup_id(-1));
	keep(bpf_current_task_under_cgroup(&cgroups, 0));
	keep(bpf_current_task_under_cgroup(&cgroups, 1));
	keep(bpf_current_task_under_cgroup(&cgroups, 2));
	keep(bpf_current_task_under_cgroup(&cgroups, -1));
	return 0;
}
