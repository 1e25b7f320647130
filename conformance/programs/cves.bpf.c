// SPDX-License-Identifier: MIT OR Apache-2.0
// Bugs of Linux that show when a program runs: the verifier was right, and what it relied on was not so. docs/cves.md lists them.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 5);
	__type(key, int);
	__type(value, int);
} jumps SEC(".maps");

/* One instruction that the assembler does not know. */
#define RAW(code, dst, src, off, imm) ((__u64)(__u32)(imm) << 32 | (__u64)(__u16)(off) << 16 | (src) << 12 | (dst) << 8 | (code))
#define ASM(name, text, ...) \
	SEC("tc") __attribute__((naked)) int name(void) { asm volatile(text ::[raw] "i"(__VA_ARGS__) : "memory"); }

/* A half that is divided by 0 keeps the rest, and is a half: the upper one is 0. */
ASM(cve_2021_3444_rest, "r1 = 0x100000005 ll; w2 = 0; w1 %%= w2; r1 >>= 32; r0 = r1; exit;", 0)

/* Whether a half is divided by 0 was decided by all 64 bits. */
ASM(cve_2021_3600_quotient, "r1 = 100; r2 = 0x100000000 ll; w1 /= w2; r0 = r1; exit;", 0)
ASM(cve_2021_3600_rest, "r1 = 100; r2 = 0x100000000 ll; w1 %%= w2; r0 = r1; exit;", 0)

/* The smallest half has no absolute value. */
ASM(cve_2026_31525_quotient, "w0 = -0x80000000; .8byte %[raw]; exit;", RAW(0x34, 0, 0, 1, 2))
ASM(cve_2026_31525_rest, "w0 = -0x80000000; .8byte %[raw]; exit;", RAW(0x94, 0, 0, 1, 3))
ASM(cve_2026_31525_by_itself, "w0 = -0x80000000; w1 = w0; .8byte %[raw]; exit;", RAW(0x3c, 0, 1, 1, 0))
ASM(cve_2026_31525_minus, "w0 = -0x80000000; w1 = -1; .8byte %[raw]; exit;", RAW(0x3c, 0, 1, 1, 0))

/* What was learned of one half made the other forget that its upper half has to be cleared. */
ASM(cve_2024_53125_upper, "call 7; r6 = r0; r6 <<= 1; r6 |= 1; r6 <<= 31; w7 = w6; r8 = r7; if r8 < 10 goto 1f; r7 >>= 32; r0 = r7; exit; 1: r7 >>= 32; r0 = r7; exit;", 0)

/* An index of a tail call that is beyond the map, within a power of two. */
SEC("tc") int cve_2022_2905_index(struct __sk_buff *ctx)
{
	bpf_tail_call_static(ctx, &jumps, 6);
	return 1;
}

/* More than the ring has. */
SEC("tc") int cve_2021_3489_reserve(struct __sk_buff *ctx)
{
	char *p = bpf_ringbuf_reserve(&ring, 8192, 0);

	if (!p)
		return 1;
	p[8191] = 1;
	bpf_ringbuf_submit(p, 0);
	return 2;
}

/* Where a loop ends some time, and goes back. */
ASM(cve_2024_42072_runs_back, "goto 3f; 2: r0 = 7; exit; 3: .8byte %[raw]; goto 3b;", RAW(0xe5, 0, 0, -3, 0))

/* More words than an iterator of bits may have. */
struct bpf_iter_bits {
	__u64 opaque[2];
};
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *unsafe_ptr__ign, __u32 nr_words) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;

SEC("tc") int cve_2024_50253_words(struct __sk_buff *ctx)
{
	struct bpf_iter_bits it;
	__u64 word = 7;
	int n = 0;

	if (bpf_iter_bits_new(&it, &word, 0x4000001))
		n = 100;
	while (bpf_iter_bits_next(&it))
		n++;
	bpf_iter_bits_destroy(&it);
	return n;
}

char _license[] SEC("license") = "GPL";
