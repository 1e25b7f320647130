// SPDX-License-Identifier: MIT OR Apache-2.0
// Programs with the mistakes that people make most often, one each: what `skep check` says of them is kept beside.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct counter {
	__u64 packets;
	__u64 bytes;
	__u32 sizes[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* The value of a map may not be there. */
SEC("xdp")
int no_null_check(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	counter->packets++;
	return XDP_PASS;
}

/* The packet may end before the header. */
SEC("xdp")
int no_packet_check(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (eth->h_proto != 8)
		return XDP_PASS;
	return ip->protocol == 6 ? XDP_PASS : XDP_DROP;
}

/* The index comes from the packet. */
SEC("xdp")
int no_index_check(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct counter *counter;
	__u32 key = 0;

	if (data + 1 > end)
		return XDP_DROP;
	counter = bpf_map_lookup_elem(&counters, &key);
	if (!counter)
		return XDP_PASS;
	counter->sizes[*data]++;
	return XDP_PASS;
}

/* The length has no upper bound. */
SEC("tc")
int no_length_check(struct __sk_buff *skb)
{
	char buffer[64] = {};
	__u32 length = skb->len;

	return bpf_skb_load_bytes(skb, 0, buffer, length);
}

/* Not every path gives a result. */
SEC("socket")
__attribute__((naked)) int no_result(void)
{
	asm volatile("r2 = *(u32 *)(r1 + 0);"
		     "if r2 > 64 goto 1f;"
		     "r0 = 0;"
		     "1: exit;"
		     :
		     :
		     : "memory");
}

/* Arguments are gone after a call. */
SEC("socket")
__attribute__((naked)) int after_call(void)
{
	asm volatile("call 7;"
		     "r0 = *(u32 *)(r1 + 0);"
		     "exit;"
		     :
		     :
		     : "memory");
}

/* Kernel memory is not read like memory of one's own. */
SEC("kprobe/do_nanosleep")
int kernel_memory(struct pt_regs *ctx)
{
	__u64 *argument = (void *)ctx->rdi;

	return *argument == 5;
}

/* A record that is kept on one path. */
SEC("xdp")
int record_kept(struct xdp_md *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&events, 8, 0);

	if (!record)
		return XDP_PASS;
	if (ctx->rx_queue_index == 3)
		return XDP_DROP;
	*record = 1;
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

/* A helper for other programs. */
SEC("xdp")
int wrong_helper(struct xdp_md *ctx)
{
	return bpf_get_current_uid_gid() ? bpf_skb_change_type((void *)ctx, 0) : XDP_PASS;
}

/* A field that socket filters may not read. */
SEC("socket")
int wrong_field(struct __sk_buff *skb)
{
	return skb->tstamp != 0;
}

/* Through a pointer that was moved first. */
SEC("tc")
__attribute__((naked)) int moved_context(void)
{
	asm volatile("r1 += 8;"
		     "r0 = *(u32 *)(r1 + 0);"
		     "exit;"
		     :
		     :
		     : "memory");
}

/* Waits for something that no one does. */
SEC("xdp")
int endless(struct xdp_md *ctx)
{
	while (ctx->rx_queue_index < 8)
		;
	return XDP_PASS;
}

/* More turns than the verifier follows. */
SEC("xdp")
int long_loop(struct xdp_md *ctx)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 1000000; i++) {
		sum += i ^ ctx->rx_queue_index;
		if (sum % 3 == 1)
			sum += 7;
	}
	return sum & 1;
}

/* A field that this kernel does not have, and nobody asks whether it does. */
struct task_struct___other {
	int no_such_field;
} __attribute__((preserve_access_index));

SEC("kprobe/do_nanosleep")
int absent_field(struct pt_regs *ctx)
{
	struct task_struct___other *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, no_such_field);
}

/* A value that the hook does not know. */
SEC("cgroup/connect4")
int wrong_result(struct bpf_sock_addr *ctx)
{
	return ctx->user_port;
}

/* A helper that no kernel has. */
static long (*const nothing)(void) = (void *)999;

SEC("xdp")
int unknown_helper(struct xdp_md *ctx)
{
	return ctx->rx_queue_index ? nothing() : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
