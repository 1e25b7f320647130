/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the programs here share: each calls helpers and kernel functions with good and bad arguments and keeps what they gave. A test
 * runs them in skep and in the kernel and compares what was kept. Addresses and other numbers that differ from run to run are kept as
 * whether they are there. */
#ifndef BODIES_H
#define BODIES_H
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#define KEPT 256
long kept[KEPT];
__u32 count;

static __noinline void keep(long value)
{
	kept[count & (KEPT - 1)] = value;
	count++;
}

static __always_inline void keep_bytes(const void *bytes, __u32 len)
{
	for (__u32 i = 0; i + 8 <= len; i += 8)
		keep(*(const long *)(bytes + i));
}

/* An error number of a function that returns int. */
#define keep_int(value) keep((int)(value))
/* Whether a pointer or number is there. */
#define keep_some(value) keep((value) != 0)

/* Keeps the optimizer from knowing a number. */
#define hidden(value) ({ typeof(value) _v = (value); asm volatile("" : "+r"(_v)); _v; })

struct task_struct {
	int pid;
	int tgid;
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

#endif
