// SPDX-License-Identifier: MIT OR Apache-2.0
// An arena, an attribute of 64 bits, and variables in its pages.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Newer than some headers. */
#define MAP_TYPE_ARENA 33
#ifndef __ulong
#define __ulong_name(counter) __ulong_name_(counter)
#define __ulong_name_(counter) unique_value_##counter
#define __ulong(name, val) enum { __ulong_name(__COUNTER__) = val } name
#endif

/* 64 bits of extra: where user space sees the pages. */
struct {
	__uint(type, MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__ulong(map_extra, 0x100000000000ull);
} pages SEC(".maps");

#define arena_variable __attribute__((address_space(1), section(".addr_space.1")))

int arena_variable first = 7;
__u64 arena_variable second = 0x1122334455667788;

SEC("syscall")
int sum(void *ctx)
{
	(void)&pages;
	return first + second;
}

char LICENSE[] SEC("license") = "GPL";
