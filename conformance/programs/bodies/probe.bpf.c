// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading memory that may not be there.
#include "bodies.h"

char into[64];
char from[16] = "here";

static __always_inline void read(__u64 addr, __u32 size)
{
	void *at = (void *)addr;

	into[0] = 1;
	keep(bpf_probe_read_kernel(into, size & 63, at));
	keep(into[0]);
	into[0] = 2;
	keep(bpf_probe_read_user(into, size & 63, at));
	keep(into[0]);
	into[0] = 3;
	keep(bpf_probe_read(into, size & 63, at));
	keep(into[0]);
	into[0] = 4;
	keep(bpf_probe_read_kernel_str(into, size & 63, at));
	keep(into[0]);
	into[0] = 5;
	keep(bpf_probe_read_user_str(into, size & 63, at));
	keep(into[0]);
	into[0] = 6;
	keep(bpf_probe_read_str(into, size & 63, at));
	keep(into[0]);
}

SEC("raw_tp")
int probe_nowhere(void *ctx)
{
	read(0, 8);
	read(8, 8);
	read(8, 0);
	read(0x7ffffffff000, 8);
	read(0x800000000000, 8);
	read(0x900000000000, 8);
	read(0xffff800000000000, 8);
	read(0xfffffffffffffff8, 8);
	read(0xffffffffffffffff, 8);
	read(0x100000000000000, 8);
	return 0;
}

SEC("raw_tp")
int probe_here(void *ctx)
{
	char stack[16] = "stack";

	into[0] = 'x';
	into[7] = 'y';
	keep(bpf_probe_read_kernel(into, 16, from));
	keep(*(long *)into);
	keep(bpf_probe_read_kernel_str(into + 16, 16, from));
	keep(*(long *)(into + 16));
	keep(bpf_probe_read_kernel_str(into + 16, 3, from));
	keep(*(long *)(into + 16));
	keep(bpf_probe_read_kernel_str(into + 16, 1, from));
	keep(*(long *)(into + 16));
	keep(bpf_probe_read_kernel_str(into + 32, 16, stack));
	keep(*(long *)(into + 32));
	keep(bpf_probe_read_kernel_str(into + 32, 0, stack));
	return 0;
}
