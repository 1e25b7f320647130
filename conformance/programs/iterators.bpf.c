// SPDX-License-Identifier: MIT OR Apache-2.0
// Open-coded iterators: loops whose end the verifier need not know.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* The kernel's; older headers do not have them. */
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

struct bpf_iter_bits {
	__u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *words, __u32 count) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;

struct args {
	__s32 start;
	__s32 end;
	__u64 out;
	__u64 words[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} squares SEC(".maps");

/* Sums the numbers of a range; r0 is what beginning it gave. */
SEC("syscall")
int sum(struct args *args)
{
	struct bpf_iter_num it;
	int error = bpf_iter_num_new(&it, args->start, args->end);
	int *number;

	while ((number = bpf_iter_num_next(&it)))
		args->out += *number;
	bpf_iter_num_destroy(&it);
	return error;
}

/* Two loops, one in the other: products below 16 into a map, by their place. */
SEC("syscall")
int table(struct args *args)
{
	struct bpf_iter_num rows, columns;
	int *row, *column, turns = 0;

	bpf_iter_num_new(&rows, 0, 4);
	while ((row = bpf_iter_num_next(&rows))) {
		bpf_iter_num_new(&columns, 0, args->end);
		while ((column = bpf_iter_num_next(&columns))) {
			__u32 place = *row * 4 + *column, *square;

			turns++;
			if (*column >= 4)
				break;
			square = bpf_map_lookup_elem(&squares, &place);
			if (square)
				*square = *row * *column;
		}
		bpf_iter_num_destroy(&columns);
	}
	bpf_iter_num_destroy(&rows);
	return turns;
}

/* Sums the places of the bits that are set in two words. */
SEC("syscall")
int bits(struct args *args)
{
	__u64 words[2] = { args->words[0], args->words[1] };
	struct bpf_iter_bits it;
	int *bit, count = 0;

	bpf_iter_bits_new(&it, words, 2);
	while ((bit = bpf_iter_bits_next(&it))) {
		args->out += *bit;
		count++;
	}
	bpf_iter_bits_destroy(&it);
	return count;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
