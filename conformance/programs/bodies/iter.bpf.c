// SPDX-License-Identifier: MIT OR Apache-2.0
// Open-coded iterators.
#include "bodies.h"

struct bpf_iter_bits {
	__u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *bits, __u32 words) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;

static __always_inline void numbers(int start, int end)
{
	struct bpf_iter_num it;
	int *n, seen = 0;

	keep_int(bpf_iter_num_new(&it, start, end));
	while ((n = bpf_iter_num_next(&it))) {
		if (seen++ < 5)
			keep(*n);
		if (seen == 7)
			break;
	}
	keep(seen);
	bpf_iter_num_destroy(&it);
}

SEC("syscall")
int iter_num(void *ctx)
{
	numbers(0, 3);
	numbers(-2, 2);
	numbers(5, 5);
	numbers(5, 4);
	numbers(0, 8 * 1024 * 1024);
	numbers(0, 8 * 1024 * 1024 + 1);
	numbers(-2147483647 - 1, 2147483647);
	numbers(2147483640, 2147483647);
	numbers(-2147483647 - 1, -2147483647);
	return 0;
}

__u64 words[600];

static __always_inline void bits(const __u64 *from, __u32 count)
{
	struct bpf_iter_bits it;
	int *n, seen = 0;

	keep_int(bpf_iter_bits_new(&it, from, count));
	while ((n = bpf_iter_bits_next(&it))) {
		if (seen++ < 8)
			keep(*n);
		if (seen == 20)
			break;
	}
	keep(seen);
	bpf_iter_bits_destroy(&it);
}

SEC("syscall")
int iter_bits(void *ctx)
{
	__u64 one = 0x8000000000000105;

	words[0] = 3;
	words[1] = 1ull << 63;
	words[510] = 1ull << 40;
	bits(&one, 1);
	bits(words, 1);
	bits(words, 2);
	bits(words, 511);
	bits(words, 512);
	bits(words, 0);
	bits(words + 100, 5);
	bits((void *)0, 1);
	bits((void *)8, 1);
	bits((void *)8, 2);
	return 0;
}
