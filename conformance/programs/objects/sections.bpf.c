// SPDX-License-Identifier: MIT OR Apache-2.0
// Where code may lie: several programs in a section, functions in .text and beside programs, static, global, hidden and weak ones,
// functions as callbacks and as values, programs that are not loaded by default.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

int counter;

/* Static, in .text, called from two sections. */
static noinline int twice(int x)
{
	return x * 2 + counter;
}

/* Global, in .text; it calls another function of .text. */
noinline int quadruple(int x)
{
	return twice(twice(x));
}

/* Global functions that are hidden are verified with their callers. */
__attribute__((visibility("hidden"))) noinline int hidden_add(int x)
{
	return x + counter;
}

/* A global function of .text that nothing calls belongs to no program. */
noinline int unused(int x)
{
	return x - counter;
}

__weak noinline int overridable(int x)
{
	return x ^ counter;
}

static long add_index(__u32 index, void *sum)
{
	*(__u64 *)sum += index;
	return 0;
}

static long count_twice(__u32 index, void *sum)
{
	*(__u64 *)sum += twice(index);
	return 0;
}

SEC("tc")
int first(struct __sk_buff *skb)
{
	return quadruple(skb->len) + skb->mark;
}

SEC("tc")
int second(struct __sk_buff *skb)
{
	return twice(skb->len) + hidden_add(1) + overridable(2);
}

/* Another section, with calls into .text; both callbacks are there as addresses. */
SEC("xdp")
int callbacks(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_loop(10, ctx->rx_queue_index ? count_twice : add_index, &sum, 0);
	bpf_loop(5, add_index, &sum, 0);
	return sum;
}

/* Not loaded unless it is asked for. */
SEC("?socket")
int on_request(struct __sk_buff *skb)
{
	return skb->len;
}

/* Loads of one section name from two places of the file go to one section. */
SEC("xdp")
int last(struct xdp_md *ctx)
{
	return twice(ctx->ingress_ifindex);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
