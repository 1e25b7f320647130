// SPDX-License-Identifier: MIT OR Apache-2.0
// Raw tracepoints, with types and without: who switches to whom. One reads fields of the kernel's structs like those of its own.
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
	int pid;
	int prio;
	char comm[16];
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));

struct pair {
	__s32 from;
	__s32 to;
};

struct seen {
	__u64 count;
	char comm[16];
	__s32 leader;
	__s32 prio;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct pair);
	__type(value, struct seen);
} switches SEC(".maps");

__u64 preempted;

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct pair pair = { .from = prev->pid, .to = next->pid };
	struct seen *seen, fresh = {};

	if (preempt)
		__sync_fetch_and_add(&preempted, 1);
	seen = bpf_map_lookup_elem(&switches, &pair);
	if (seen) {
		__sync_fetch_and_add(&seen->count, 1);
		return 0;
	}
	fresh.count = 1;
	fresh.leader = next->group_leader->pid;
	fresh.prio = next->prio;
	bpf_probe_read_kernel_str(fresh.comm, sizeof(fresh.comm), next->comm);
	bpf_map_update_elem(&switches, &pair, &fresh, BPF_NOEXIST);
	return 0;
}

struct sum {
	__u64 calls;
	__u64 bytes;
	__s64 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sum);
} sums SEC(".maps");

/* Arguments as they are: three numbers. Their sum is what a test run hands back. */
SEC("raw_tp/sys_exit")
int on_event(struct bpf_raw_tracepoint_args *ctx)
{
	struct sum *sum;
	__u32 zero = 0;

	sum = bpf_map_lookup_elem(&sums, &zero);
	if (!sum)
		return -1;
	sum->calls++;
	sum->bytes += ctx->args[1];
	sum->last = ctx->args[2];
	return ctx->args[0] + ctx->args[1] + ctx->args[2];
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
