// SPDX-License-Identifier: MIT OR Apache-2.0
// Variables: constants, initial values, zeros, sections of their own; read and written by address.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum mode { QUIET, LOUD = 7, MINUS = -1 };

struct config {
	__u16 ports[4];
	char name[8];
	enum mode mode;
	unsigned int small : 3, wide : 29;
	struct {
		_Bool on;
		__s64 limit;
	} inner;
};

const volatile struct config config = { .ports = { 80, 443 }, .name = "skep", .mode = LOUD, .small = 5 };
const volatile int level = -3;
static const volatile char text[] = "constant text";

int initial = 42;
static volatile __u64 hidden = 5;
struct config table[2] = { [1] = { .mode = MINUS } };

__u64 zero;
static volatile int zeros[8];

int aside SEC(".data.aside") = 9;
const volatile __u8 other SEC(".rodata.other") = 200;
int cleared SEC(".bss.cleared");

/* The address of a variable in another one is no relocation that a loader can do; an index is. */
SEC("socket")
int read_all(struct __sk_buff *skb)
{
	__u32 i = skb->len & 7;

	zeros[i]++;
	zero += hidden;
	initial += level + text[i] + config.ports[i & 3] + config.inner.on;
	table[i & 1].inner.limit = config.small;
	cleared += aside + other;
	return initial + table[1].mode;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
