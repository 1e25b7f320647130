// SPDX-License-Identifier: MIT OR Apache-2.0
// Who started what: walks from a task to its parents, by pointers that BTF types and by probe reads, and sends a record to each CPU's buffer.
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
	int tgid;
	char comm[16];
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

struct linux_binprm {
	const char *filename;
} __attribute__((preserve_access_index));

struct start {
	__s32 tgid;
	__s32 parent;
	__s32 grandparent;
	char parent_comm[16];
	char filename[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} starts SEC(".maps");

/* For readers of the records: their type is found by this name. */
const struct start *unused_start __attribute__((unused));

SEC("tp_btf/sched_process_exec")
int BPF_PROG(started, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	struct start start = {};

	start.tgid = task->tgid;
	start.parent = task->real_parent->tgid;
	start.grandparent = BPF_CORE_READ(task, real_parent, real_parent, tgid);
	BPF_CORE_READ_STR_INTO(&start.parent_comm, task, real_parent, comm);
	bpf_probe_read_kernel_str(start.filename, sizeof(start.filename), binary->filename);
	bpf_perf_event_output(ctx, &starts, BPF_F_CURRENT_CPU, &start, sizeof(start));
	bpf_printk("%s starts %s", start.parent_comm, start.filename);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
