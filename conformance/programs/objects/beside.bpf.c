// SPDX-License-Identifier: MIT OR Apache-2.0
// A static function beside the programs that call it, which libbpf refuses.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
static __attribute__((noinline)) int beside(int x)
{
	return x * 3 + 1;
}

SEC("tc")
int program(struct __sk_buff *skb)
{
	return beside(skb->len) + beside(skb->mark);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
