// SPDX-License-Identifier: MIT OR Apache-2.0
// Programs of many types that show what they were given, for the command line.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* What programs saw, by a number that each chooses. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct rule {
	__u32 mark;
	__u16 port;
	__u8 action;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct rule);
	__type(value, struct rule);
} rules SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
};

struct inner first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} per_cpu SEC(".maps");

/* A map whose keys and values have sizes, and no types. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 6);
} untyped SEC(".maps");

static __always_inline void saw(__u32 what, __u64 value)
{
	bpf_map_update_elem(&seen, &what, &value, BPF_ANY);
}

/* Swaps the addresses of a frame, and marks it. */
SEC("tc")
int rewrite(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	__u8 swap[ETH_ALEN];

	if ((void *)(eth + 1) > end)
		return TC_ACT_SHOT;
	__builtin_memcpy(swap, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, swap, ETH_ALEN);
	bpf_printk("mark %u, priority %u", skb->mark, skb->priority);
	skb->mark += 1;
	skb->cb[1] = 9;
	return TC_ACT_PIPE;
}

/* Sends a frame to the receive side of a device. */
SEC("tc")
int forward(struct __sk_buff *skb)
{
	return bpf_redirect(skb->mark, BPF_F_INGRESS);
}

/* Puts four bytes before the frame. */
SEC("xdp")
int grow(struct xdp_md *ctx)
{
	void *data, *end;

	if (bpf_xdp_adjust_head(ctx, -4))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + 4 > end)
		return XDP_ABORTED;
	*(__u32 *)data = bpf_htonl(0x01020304);
	return XDP_TX;
}

SEC("cgroup/connect4")
int connect(struct bpf_sock_addr *ctx)
{
	saw(1, ctx->user_ip4);
	saw(2, ctx->user_port);
	return bpf_ntohs(ctx->user_port) != 25;
}

SEC("sk_lookup")
int by_port(struct bpf_sk_lookup *ctx)
{
	return ctx->local_port == 80 ? SK_PASS : SK_DROP;
}

/* The text that the second argument of the probed function points to. */
SEC("kprobe/do_something")
int probed(void *ctx)
{
	char text[16] = {};
	void *from = 0;

	bpf_probe_read_kernel(&from, sizeof(from), ctx + 13 * 8);
	saw(3, bpf_probe_read_kernel_str(text, sizeof(text), from));
	saw(4, *(__u64 *)text);
	saw(5, bpf_probe_read_user_str(text, sizeof(text), from));
	return 0;
}

struct request {
	__u32 first;
	__u64 second;
};

SEC("syscall")
int asked(struct request *ctx)
{
	ctx->second += ctx->first;
	return 0;
}

SEC("raw_tp/something")
int raw(struct bpf_raw_tracepoint_args *ctx)
{
	saw(6, ctx->args[0]);
	saw(7, ctx->args[1]);
	return 0;
}

SEC("socket")
int inside(struct __sk_buff *skb)
{
	__u32 key = 2;
	void *map = bpf_map_lookup_elem(&outer, &key);
	__u64 *value;

	key = 1;
	value = map ? bpf_map_lookup_elem(map, &key) : 0;
	if (value)
		return *value;
	bpf_tail_call(skb, &calls, 3);
	return 7;
}

SEC("socket")
int called(struct __sk_buff *skb)
{
	return 100 + skb->len;
}

/* Where the kernel would send a packet to 10.1.2.3. */
SEC("tc")
int routed(struct __sk_buff *skb)
{
	struct bpf_fib_lookup fib = { .family = 2 /* AF_INET */, .ifindex = skb->ifindex };
	__u64 mac = 0;

	fib.ipv4_dst = bpf_htonl(0x0a010203);
	saw(20, bpf_fib_lookup(skb, &fib, sizeof(fib), 0));
	saw(21, fib.ifindex);
	__builtin_memcpy(&mac, fib.dmac, sizeof(fib.dmac));
	saw(22, mac);
	return TC_ACT_OK;
}

/* Where the current task is in the tree of cgroups. */
SEC("tracepoint/something/else")
int grouped(void *ctx)
{
	saw(23, bpf_get_current_cgroup_id());
	saw(24, bpf_get_current_ancestor_cgroup_id(1));
	return ctx == 0;
}

/* What the world says. */
SEC("tc")
int world(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 *mine = bpf_map_lookup_elem(&per_cpu, &key);

	saw(10, bpf_ktime_get_ns());
	saw(11, bpf_get_smp_processor_id());
	saw(12, bpf_get_prandom_u32());
	saw(13, mine ? *mine : 0);
	saw(14, skb->len);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
