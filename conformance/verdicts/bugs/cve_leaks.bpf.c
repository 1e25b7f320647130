/* What somebody without CAP_PERFMON may not learn: where things are in the kernel, and what a processor reads on ways that are never taken. These
 * are loaded with CAP_BPF and CAP_NET_ADMIN alone. */
#include "cve.h"

/* Half a pointer was copied as a number. */
CVE("socket", cve_2021_45402_half, "w7 = w1; r0 = 0; exit;")
CVE("socket", cve_2021_45402_half_ok, "r7 = r1; r0 = 0; exit;")

/* Atomic operations handed out, or wrote, pointers. */
CVE("socket", cve_2022_0264_leak, "*(u64 *)(r10 - 8) = r10; r2 = 0; r2 = atomic_fetch_add((u64 *)(r10 - 8), r2); r1 = %[vals] ll; *(u64 *)(r1 + 0) = r2; r0 = 0; exit;")
CVE("socket", cve_2022_0264_compared, "*(u64 *)(r10 - 8) = r10; r0 = 0; r0 = cmpxchg_64(r10 - 8, r0, r0); r1 = %[vals] ll; *(u64 *)(r1 + 0) = r0; r0 = 0; exit;")
CVE("socket", cve_2022_0264_stored, "r2 = 0; *(u64 *)(r10 - 8) = r2; lock *(u64 *)(r10 - 8) += r10; r0 = 0; exit;")
CVE("socket", cve_2022_0264_leak_ok, "r2 = 5; *(u64 *)(r10 - 8) = r2; r2 = 0; r2 = atomic_fetch_add((u64 *)(r10 - 8), r2); r1 = %[vals] ll; *(u64 *)(r1 + 0) = r2; r0 = 0; exit;")

/* Parts of a pointer on the stack were overwritten, so that the rest could be read. */
CVE("socket", cve_2023_52462_corrupt, "*(u64 *)(r10 - 8) = r1; r2 = 0; *(u8 *)(r10 - 8) = r2; r0 = 0; exit;")
CVE("socket", cve_2023_52462_corrupt_ok, "r2 = 5; *(u32 *)(r10 - 8) = r2; *(u8 *)(r10 - 8) = r2; r0 = 0; exit;")

/* What was left of a pointer after one half of its place was written. */
CVE("socket", cve_2026_72426_rest, "*(u64 *)(r10 - 8) = r1; r0 = *(u32 *)(r10 - 4); exit;")
CVE("socket", cve_2026_72426_rest_ok, "r2 = 5; *(u64 *)(r10 - 8) = r2; r0 = *(u32 *)(r10 - 4); exit;")

/* Sums with pointers, on ways that a processor only guesses: the number is masked, so that it stays in what the pointer is to. */
#define SUM(low, op) UNKNOWN "r6 &= 7; r7 = r6; r1 = %[vals] ll;" low "r1 " op " r7; r0 = *(u8 *)(r1 + 0); r0 = 0; exit;"
CVE("socket", cve_2019_7308_sum_ok, SUM("", "+="))
CVE("socket", cve_2020_27170_context, UNKNOWN "r6 &= 0; r7 = r1; r7 += r6; r0 = 0; exit;")
CVE("socket", cve_2020_27171_limit_ok, SUM("r1 += 8;", "+="))
CVE("socket", cve_2021_29155_difference, SUM("r1 += 8;", "-="))
CVE("socket", cve_2021_33200_known_ok, "r6 = 7; r1 = %[vals] ll; r1 += r6; r0 = *(u8 *)(r1 + 0); r0 = 0; exit;")
CVE("socket", cve_2021_31829_stack_ok, "r2 = 0; *(u64 *)(r10 - 8) = r2; r6 = -8; r7 = r10; r7 += r6; r0 = *(u8 *)(r7 + 0); r0 = 0; exit;")

/* Ways that are never taken were not looked at, though processors guess them. */
CVE("socket", cve_2021_33624_way_ok, UNKNOWN "r0 = 0; if r6 != 0 goto 2f; r6 = 1; 2: exit;")

/* What a slot of the stack held before could be read by guess, before it was written: the store waits, and the verdict is the same. */
CVE("socket", cve_2021_34556_store_ok, "r2 = 0; *(u64 *)(r10 - 8) = r2; r0 = *(u64 *)(r10 - 8); exit;")
CVE("socket", cve_2021_34556_never, "r0 = *(u64 *)(r10 - 8); exit;")
