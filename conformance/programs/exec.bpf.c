// SPDX-License-Identifier: MIT OR Apache-2.0
// A tracepoint that writes one record per program that is started to a ring buffer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* The fields of the event, as the format file of the tracepoint lists them. */
struct sched_process_exec {
	__u64 common;
	__u32 filename_loc; /* offset in the low 16 bits, length in the upper */
	__s32 pid;
	__s32 old_pid;
};

struct event {
	__u64 time_ns;
	__u32 tgid;
	__u32 uid;
	char comm[16];
	char filename[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

/* How often each user started something. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} starts SEC(".maps");

/* Only this user, unless 0xffffffff; set before load. */
const volatile __u32 only_uid = 0xffffffff;

/* Records that found no room. */
__u64 lost = 0;

/* For readers of the ring buffer: its type is found by this name. */
const struct event *unused_event __attribute__((unused));

SEC("tracepoint/sched/sched_process_exec")
int handle_exec(struct sched_process_exec *ctx)
{
	__u32 uid = bpf_get_current_uid_gid();
	__u64 one = 1, *count;
	struct event *event;

	if (only_uid != 0xffffffff && uid != only_uid)
		return 0;
	count = bpf_map_lookup_elem(&starts, &uid);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&starts, &uid, &one, BPF_NOEXIST);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		lost++;
		return 0;
	}
	event->time_ns = bpf_ktime_get_ns();
	event->tgid = bpf_get_current_pid_tgid() >> 32;
	event->uid = uid;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->filename[0] = 0;
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), (void *)ctx + (ctx->filename_loc & 0xffff));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
