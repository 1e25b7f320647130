// SPDX-License-Identifier: MIT OR Apache-2.0
// Probes of kernel functions: arguments out of registers, fields of kernel structs by CO-RE, and the time between call and return.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* As much of the kernel's types as is read here; where the fields lie is found when the program is loaded. */
struct filename {
	const char *name;
} __attribute__((preserve_access_index));

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
	char comm[16];
} __attribute__((preserve_access_index));

struct event {
	__u32 tgid;
	__u32 parent;
	__s32 directory;
	__s32 result;
	__u64 took;
	char parent_comm[16];
	char name[32];
};

struct start {
	__u64 time;
	const char *name;
	__s32 directory;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u64);
	__type(value, struct start);
} started SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} events SEC(".maps");

const struct event *unused_event __attribute__((unused));

SEC("kprobe/do_unlinkat")
int BPF_KPROBE(unlink_entry, int directory, struct filename *name)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct start start = { .time = bpf_ktime_get_ns(), .directory = directory };

	start.name = BPF_CORE_READ(name, name);
	bpf_map_update_elem(&started, &id, &start, BPF_ANY);
	return 0;
}

SEC("kretprobe/do_unlinkat")
int BPF_KRETPROBE(unlink_return, int result)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid();
	struct start *start = bpf_map_lookup_elem(&started, &id);
	struct event event = {};

	if (!start)
		return 0;
	event.tgid = id >> 32;
	event.parent = BPF_CORE_READ(task, real_parent, tgid);
	event.directory = start->directory;
	event.result = result;
	event.took = bpf_ktime_get_ns() - start->time;
	BPF_CORE_READ_STR_INTO(&event.parent_comm, task, real_parent, comm);
	bpf_probe_read_kernel_str(event.name, sizeof(event.name), start->name);
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	bpf_map_delete_elem(&started, &id);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
