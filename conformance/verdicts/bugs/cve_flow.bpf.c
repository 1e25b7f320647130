/* Which ways there are, and what a program may do as a whole. */
#include "cve.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} jumps SEC(".maps");

#define INT_SUB(name, text) \
	static __attribute__((naked, noinline, used)) int name(void) { asm volatile(text ::: "memory"); }

/* Instructions that no way reaches were let by, and compiled all the same. */
CVE("socket", cve_2017_17862_unreached, "r0 = 0; exit; r0 = *(u64 *)(r9 + 0); exit;")
CVE("socket", cve_2017_17862_unreached_ok, "r0 = 0; if r0 == 0 goto 2f; r0 = *(u64 *)(r9 + 0); 2: exit;")

/* A loop that ends some time, with an offset back: the offset was that of a way ahead. */
#define MAY_GOTO(offset) [may_goto] "i"(RAW(0xe5, 0, 0, offset, 0))
CVE("socket", cve_2024_42072_back, "goto 3f; 2: r0 = *(u64 *)(r9 + 0); exit; 3: r0 = 0; .8byte %[may_goto]; exit;", MAY_GOTO(-4))
CVE("socket", cve_2024_42072_back_ok, "goto 3f; 2: r0 = 0; exit; 3: r0 = 0; .8byte %[may_goto]; exit;", MAY_GOTO(-4))

/* With all of the stack used, there is no room for the counter of such a loop. */
CVE("socket", cve_2025_22087_depth, "r0 = 0; *(u64 *)(r10 - 512) = r0; 2: .8byte %[may_goto]; goto 2b; r0 = *(u64 *)(r10 - 520); exit;", MAY_GOTO(1))
CVE("socket", cve_2025_22087_depth_ok, "r0 = 0; *(u64 *)(r10 - 512) = r0; 2: .8byte %[may_goto]; goto 2b; exit;", MAY_GOTO(1))

/* A global function moves the packet: pointers of before are of before. */
__noinline int moves(struct __sk_buff *ctx) {
	return bpf_skb_pull_data(ctx, 0);
}

__noinline int calls_what_moves(struct __sk_buff *ctx) {
	return moves(ctx);
}

__noinline int jumps_away(struct __sk_buff *ctx) {
	int ret = 0;
	asm volatile("" : "+r"(ret));
	bpf_tail_call_static(ctx, &jumps, 0);
	return ret;
}

__noinline int stays(struct __sk_buff *ctx) {
	return ctx->len;
}

#define PACKET(name, function) \
	SEC("tc") int name(struct __sk_buff *ctx) { \
		char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end; \
		if (data + 8 > end) return 0; \
		function(ctx); \
		return data[7]; \
	}
PACKET(cve_2024_58098_global, moves)
PACKET(cve_2024_58098_nested, calls_what_moves)
PACKET(cve_2024_58098_global_ok, stays)
PACKET(cve_2024_58237_tail, jumps_away)

/* Negative numbers in the field that tells variants of an instruction apart. */
CVE("socket", cve_2025_40169_movsx, "r0 = 0; .8byte %[insn]; exit;", [insn] "i"(RAW(0xbf, 0, 0, -8, 0)))
CVE("socket", cve_2025_40169_sdiv, "r0 = 0; .8byte %[insn]; exit;", [insn] "i"(RAW(0x37, 0, 0, -1, 2)))
CVE("socket", cve_2025_40169_movsx_ok, "r0 = 0; .8byte %[insn]; exit;", [insn] "i"(RAW(0xbf, 0, 0, 8, 0)))
CVE("socket", cve_2025_40169_sdiv_ok, "r0 = 0; .8byte %[insn]; exit;", [insn] "i"(RAW(0x37, 0, 0, 1, 2)))

/* A pointer was negated as if it were a number of which the bounds are known: nothing is known of the result. */
CVE("socket", cve_2025_40050_neg, "r7 = r10; r7 = -r7;" REACH)
CVE("socket", cve_2025_40050_pointer, "r1 = 0; *(u64 *)(r10 - 8) = r1; r7 = r10; r7 = -r7; r0 = *(u64 *)(r7 - 8); r0 = 0; exit;")
CVE("socket", cve_2025_40050_neg_ok, "r7 = r10; r7 = -r7; r7 = -8; r7 = -r7;" REACH)

/* Bytes of a context between its members were read. */
CVE("cgroup/connect4", cve_2025_40078_hole, "r0 = *(u32 *)(r1 + 60); r0 = 1; exit;")
CVE("cgroup/connect4", cve_2025_40078_hole_ok, "r0 = *(u32 *)(r1 + 36); r0 = 1; exit;")

/* A load of packet bytes that are not there ends its function, and not the program: the caller goes on with 0. */
INT_SUB(absent, "r6 = r1; r0 = *(u8 *)skb[0]; r0 = 1; exit;")
#define ABSENT(index) "call absent;" index REACH
CVE("tc", cve_2026_53090_result, ABSENT("r7 = 1; r7 -= r0; r7 <<= 6;"))
CVE("tc", cve_2026_53090_result_ok, ABSENT("r7 = r0; if r7 > 15 goto 1f;") OUT)
