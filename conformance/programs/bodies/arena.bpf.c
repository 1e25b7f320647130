// SPDX-License-Identifier: MIT OR Apache-2.0
// Pages of an arena, and text for the program's own streams.
#include "bodies.h"

#define __ulong(name, val) enum { name##_value = val } name

struct {
	__uint(type, 33 /* BPF_MAP_TYPE_ARENA */);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
	__ulong(map_extra, 0x1ull << 44);
} arena SEC(".maps");

extern void *bpf_arena_alloc_pages(void *map, void *addr, __u32 count, int node, __u64 flags) __ksym;
extern void bpf_arena_free_pages(void *map, void *addr, __u32 count) __ksym;
extern int bpf_arena_reserve_pages(void *map, void *addr, __u32 count) __ksym;
extern int bpf_stream_vprintk_impl(int stream_id, const char *format, const void *args, __u32 len, void *aux) __ksym;

#define page(n) ((void *)(0x1ull << 44) + (n) * 4096)

/* The page that an address names; -1 for none. */
static __always_inline long number(void *addr)
{
	__u64 at = (__u64)addr;

	return at ? (long)((at - (0x1ull << 44)) >> 12) : -1;
}

SEC("syscall")
int pages(void *ctx)
{
	keep(number(bpf_arena_alloc_pages(&arena, page(2), 1, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, page(2), 1, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, page(9), 2, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, page(10), 1, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, page(3) + 8, 1, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, 0, 0, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, 0, 11, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, 0, 1, -1, 1)));
	keep(number(bpf_arena_alloc_pages(&arena, 0, 1, 1000, 0)));
	keep_int(bpf_arena_reserve_pages(&arena, page(4), 2));
	keep_int(bpf_arena_reserve_pages(&arena, page(4), 1));
	keep_int(bpf_arena_reserve_pages(&arena, page(2), 1));
	keep_int(bpf_arena_reserve_pages(&arena, page(9), 2));
	keep_int(bpf_arena_reserve_pages(&arena, page(20), 1));
	keep_int(bpf_arena_reserve_pages(&arena, page(9), 0));
	keep(number(bpf_arena_alloc_pages(&arena, page(4), 1, -1, 0)));
	bpf_arena_free_pages(&arena, page(4), 1);
	keep(number(bpf_arena_alloc_pages(&arena, page(4), 1, -1, 0)));
	bpf_arena_free_pages(&arena, page(4), 100);
	keep(number(bpf_arena_alloc_pages(&arena, page(4), 6, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, 0, 3, -1, 0)));
	keep(number(bpf_arena_alloc_pages(&arena, 0, 2, -1, 0)));
	bpf_arena_free_pages(&arena, 0, 10);
	keep(number(bpf_arena_alloc_pages(&arena, 0, 1, -1, 0)));
	return 0;
}

const char format[] = "%d and %s\n";

SEC("syscall")
int streams(void *ctx)
{
	__u64 args[] = { 5, (__u64)format };

	keep_int(bpf_stream_vprintk_impl(0, format, args, sizeof(args), 0));
	keep_int(bpf_stream_vprintk_impl(3, format, args, sizeof(args), 0));
	keep_int(bpf_stream_vprintk_impl(1, format, args, 12, 0));
	keep_int(bpf_stream_vprintk_impl(1, format, args, 8, 0));
	return 0;
}
