/* What is learned of one number and holds of others, and when a path need not be followed again: precision, ids, ranges of packets. */
#include "cve.h"

/* A state is kept only after eight instructions and two jumps: enough of them for one to be kept at 3. */
#define FILL "r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0;"
/* The first way comes to 3 after `safe`, the second after `other`. */
#define WAYS(other, safe) "call 7;" FILL other "if r0 == 0 goto 3f;" safe "goto +0; 3:"

/* A comparison with a register relied on both, and only one was marked: the way with the other limit was taken for the same. */
#define LIMIT(other) UNKNOWN WAYS("r7 = " other ";", "r7 = 8;") "if r6 > r7 goto 1f; r7 = r6;" REACH OUT
CVE("socket", cve_2023_2163_limit, LIMIT("1000"))
CVE("socket", cve_2023_2163_limit_ok, LIMIT("12"))

/* Numbers spilled through a pointer other than r10 were lost on the way back. */
#define SLOT(other) \
	UNKNOWN "r8 = r10; r8 += -8;" WAYS("r7 = " other "; *(u64 *)(r8 + 0) = r7;", "r7 = 8; *(u64 *)(r8 + 0) = r7;") \
	"r7 = *(u64 *)(r8 + 0); if r6 > r7 goto 1f; r7 = r6;" REACH OUT
CVE("socket", cve_2023_52920_slot, SLOT("1000"))
CVE("socket", cve_2023_52920_slot_ok, SLOT("12"))

/* A stack pointer that was compared with a number became part of what the way back looks for, which ends at r10 with a warning. */
CVE("socket", cve_2025_38279_stack_ok, "r7 = 8; r2 = r10; r2 += -8; if r7 == r2 goto 1f;" REACH OUT)

/* What an atomic operation fetches from a slot of the stack is taken, on the way back, for a number that it stores: the slot is not marked.
 * Linux 6.18.44 takes the program still. */
#define FETCH(other) \
	WAYS("r7 = " other "; *(u64 *)(r10 - 8) = r7;", "r7 = 8; *(u64 *)(r10 - 8) = r7;") \
	"r7 = 0; r7 = atomic_fetch_add((u64 *)(r10 - 8), r7);" REACH
CVE("socket", cve_2026_43009_fetch_still, FETCH("1000"))
CVE("socket", cve_2026_43009_fetch_ok, FETCH("8"))

/* A pointer that is beyond the end of the packet was compared by its negative mark, as if it had less range than one within. */
#define PACKET(inside) \
	"r6 = *(u32 *)(r1 + 0); r7 = *(u32 *)(r1 + 4); r8 = r6; r8 += 8;" FILL "if r8 <= r7 goto 3f; goto +0;" \
	"3: if r8 <= r7 goto 4f;" OUT "4: r0 = *(u8 *)(" inside "); r0 = 0; exit;"
CVE("xdp", cve_2026_43030_beyond, PACKET("r8 + 8"))
CVE("xdp", cve_2026_43030_beyond_ok, PACKET("r6 + 7"))

/* A number that learned from its own sum was taken for a sum itself: the next copy cut the link, and a way that cannot be was followed. */
CVE("socket", cve_2026_45933_sum_ok,
	"call 7; r0 &= 255; r7 = r0; r7 += 4; if r7 < 10 goto 1f; r8 = r0; if r7 < 14 goto 1f; if r0 >= 10 goto 1f; r7 = 100;" REACH OUT)

/* "A number and 5 more" was the same of which number so ever: the other way links it to one that is not compared. */
#define BASE(other) \
	UNKNOWN "r1 = %[vals] ll; r9 = *(u64 *)(r1 + 8);" WAYS("r7 = " other "; r7 += 5;", "r7 = r6; r7 += 5;") "if r6 > 8 goto 1f;" REACH OUT
CVE("socket", cve_2026_53081_base, BASE("r9"))
CVE("socket", cve_2026_53081_base_ok, BASE("r6"))

/* A number added to itself was read for the constant after it had changed: 8 is 4 more than 4, and was taken for 8 more than 0. */
#define TWICE(index) UNKNOWN "r7 = r6; if r6 != 4 goto 1f; r7 += r7; r8 = r7; call 7; if r7 > r0 goto 1f; r7 = r6;" index REACH OUT
CVE("socket", cve_2026_53092_twice, TWICE("r7 <<= 4;"))
CVE("socket", cve_2026_53092_twice_ok, TWICE(""))

/* Bytes were swapped, and the number was still one with that which it was copied from. */
#define SWAPPED(index) UNKNOWN "r7 = r6; r7 = be64 r7; if r7 > 8 goto 1f;" index REACH OUT
CVE("socket", cve_2026_43070_swap, SWAPPED("r7 = r6;"))
CVE("socket", cve_2026_43070_swap_ok, SWAPPED(""))

/* A jump to where a register says, which came after Linux 6.18: the register was not marked as read. */
CVE("socket", cve_2026_43321_gotox, "r0 = 0; r7 = 0; .8byte %[gotox]; exit;", [gotox] "i"(RAW(0x0d, 7, 0, 0, 0)))
CVE("socket", cve_2026_43321_gotox_ok, "r0 = 0; r7 = 0; .8byte %[next]; exit;", [next] "i"(RAW(0x05, 0, 0, 0, 0)))

/* A loop in a function that has less of the stack than at its call before: numbers of slots that are not there were widened. */
static __noinline int deep(int i) {
	struct bpf_iter_num it;
	int sum = 0;
	if (i == 1) {
		volatile char more[128];
		more[0] = 1;
		more[127] = more[0];
	}
	bpf_iter_num_new(&it, 0, 10);
	while (bpf_iter_num_next(&it)) sum += i;
	bpf_iter_num_destroy(&it);
	return sum;
}

SEC("socket") int cve_2025_68208_widen_ok(void *ctx) {
	int i, sum = 0;
	for (i = 1; i <= 2; i++) {
		asm volatile("" : "+r"(i));
		sum += deep(i);
	}
	return sum;
}
