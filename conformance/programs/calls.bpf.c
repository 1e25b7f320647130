// SPDX-License-Identifier: MIT OR Apache-2.0
// Ways to call and to come back: tail calls from functions, callbacks, exceptions, loops that the kernel counts. Run on both sides.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int below(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(max_entries, 2);
	__array(values, int(struct __sk_buff *));
} progs SEC(".maps") = {
	.values = { [0] = &below },
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

__u64 count = 0;

static __noinline int down(struct __sk_buff *skb)
{
	count++;
	bpf_tail_call(skb, &progs, 0);
	return count;
}

/* Each program adds 100 to what the function gives, and the function gives what the program below returns. */
SEC("socket")
int below(struct __sk_buff *skb)
{
	return down(skb) + 100;
}

static long add_round(__u32 round, __u64 *sum)
{
	*sum += round;
	return round == 5;
}

/* A callback that changes the stack of its caller and ends the loop. */
SEC("socket")
int rounds(struct __sk_buff *skb)
{
	__u64 sum = 3;
	long ran = bpf_loop(10, add_round, &sum, 0);

	return sum * 1000 + ran;
}

static long inner(__u32 round, __u64 *sum)
{
	*sum += round + 1;
	return 0;
}

static long outer(__u32 round, __u64 *sum)
{
	bpf_loop(round, inner, sum, 0);
	return 0;
}

/* A loop in a loop. */
SEC("socket")
int nested(struct __sk_buff *skb)
{
	__u64 sum = 0;

	bpf_loop(6, outer, &sum, 0);
	return sum;
}

struct bpf_map;

static long each(struct bpf_map *map, __u32 *key, __u64 *value, __u64 *sum)
{
	*value += *key;
	*sum += *value;
	return *key == 4;
}

/* A walk over a map, which changes it. */
SEC("socket")
int elements(struct __sk_buff *skb)
{
	__u64 sum = 0;
	long seen = bpf_for_each_map_elem(&numbers, each, &sum, 0);

	return sum * 100 + seen;
}

extern void bpf_throw(__u64 cookie) __ksym;

static __noinline int throws(__u32 len)
{
	if (len > 3)
		bpf_throw(len + 40);
	return 1;
}

/* What is thrown is what the program returns. */
SEC("tc")
int thrown(struct __sk_buff *skb)
{
	return throws(skb->len) + 7;
}

static __noinline int caught(__u64 cookie)
{
	return cookie * 2;
}

/* A function of the program says what is returned. */
SEC("tc")
__attribute__((btf_decl_tag("exception_callback:catcher")))
int thrown_and_caught(struct __sk_buff *skb)
{
	return throws(skb->len) + 7;
}

__noinline int catcher(__u64 cookie)
{
	return caught(cookie) + 1;
}

char LICENSE[] SEC("license") = "GPL";
