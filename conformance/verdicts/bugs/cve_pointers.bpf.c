/* Pointers: what may be added to them, how far they reach, what is left of them on the stack. */
#include "cve.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

#define CVE_RING(section, name, text) CVE(section, name, text, [ring] "i"(&ring))
/* Reserves 8 bytes: r0 is where, or NULL. */
#define RESERVE "r1 = %[ring] ll; r2 = 8; r3 = 0; call 131;"
#define SUBMIT "r1 = r6; r2 = 0; call 132; r0 = 0; exit;"
/* r0 is the value of a key, or NULL. */
#define LOOKUP "r1 = 0; *(u32 *)(r10 - 4) = r1; r2 = r10; r2 += -4; r1 = %[hash] ll; call 1;"

/* A pointer took the place of a number where the other operand was checked. */
CVE("socket", cve_2017_17855_scalar, "r6 = r10; r6 += -8; r7 = %[vals] ll; r7 += r6; r0 = *(u8 *)(r7 + 0); exit;")
CVE("socket", cve_2017_17855_scalar_ok, "r6 = 8; r7 = %[vals] ll; r7 += r6; r0 = *(u8 *)(r7 + 0); exit;")

/* Spills to places of the stack that are not aligned. */
CVE("socket", cve_2017_17856_align, "*(u64 *)(r10 - 12) = r1; r0 = 0; exit;")
CVE("socket", cve_2017_17856_align_ok, "*(u64 *)(r10 - 16) = r1; r0 = 0; exit;")

/* Helpers were given places of the stack of which the offset is not known. */
#define STACK(mask) UNKNOWN "*(u64 *)(r10 - 8) = r6; *(u64 *)(r10 - 16) = r6; r6 &= " mask "; r2 = r10; r2 += -16; r2 += r6; r1 = %[hash] ll; call 1; r0 = 0; exit;"
CVE("socket", cve_2017_17857_range, STACK("15"))
CVE("socket", cve_2017_17857_range_ok, STACK("12"))

/* A pointer to the stack wrapped: twice the largest step is two bytes below. */
CVE("socket", cve_2017_17863_wrap, "r2 = r10; r2 += 0x7fffffff; r2 += 0x7fffffff; *(u8 *)(r2 - 8) = r2; r0 = 0; exit;")
CVE("socket", cve_2017_17863_wrap_ok, "r2 = r10; r2 += 6; r2 += -8; r1 = 0; *(u8 *)(r2 - 8) = r1; r0 = 0; exit;")

/* A way on which the register was a number of which nothing is known was taken for one on which it is a pointer, and let it be read. */
#define KINDS(read) \
	"r6 = r1; call 7; r7 = r0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; if r0 == 0 goto 3f; r7 = r6; goto +0; 3:" read "r0 = 0; exit;"
CVE("socket", cve_2017_17864_kind, KINDS("r1 = *(u32 *)(r7 + 0);"))
CVE("socket", cve_2017_17864_kind_ok, KINDS("r1 = r7;"))

/* Numbers were added to a pointer that may be NULL: once one copy is known to be NULL, the other is no 0. */
CVE_RING("socket", cve_2022_23222_null, RESERVE "r6 = r0; r7 = r0; r7 += 1; if r6 != 0 goto 3f; r7 <<= 6;" REACH "3:" SUBMIT)
CVE_RING("socket", cve_2022_23222_null_ok, RESERVE "r6 = r0; if r6 != 0 goto 3f; r7 = 1;" REACH "3: r7 = r6; r7 += 1; r1 = 0; *(u8 *)(r7 + 0) = r1;" SUBMIT)
CVE("socket", cve_2022_23222_value, LOOKUP "r7 = r0; r7 += 1; if r0 == 0 goto 1f;" OUT)
CVE("socket", cve_2022_23222_value_ok, LOOKUP "if r0 == 0 goto 1f; r7 = r0; r7 += 1;" OUT)

/* The lowest byte of an access to the stack was reckoned in 32 bits. */
CVE("socket", cve_2023_52676_wrap, "r2 = r10; r2 += -0x1fffffff; r1 = *(u8 *)(r2 - 32768); r0 = 0; exit;")
CVE("socket", cve_2023_52676_wrap_ok, "r1 = 0; *(u8 *)(r10 - 512) = r1; r2 = r10; r2 += -500; r1 = *(u8 *)(r2 - 12); r0 = 0; exit;")

/* A read at an offset that is not known did not count for the depth of the stack. */
#define DEPTH(low) UNKNOWN "r6 &= 7; r2 = r10; r2 += " low "; r2 += r6; r0 = *(u8 *)(r2 + 0); r0 = 0; exit;"
CVE("socket", cve_2023_52452_depth, DEPTH("-513"))
CVE("socket", cve_2023_52452_depth_ok, DEPTH("-512"))

/* A size as large as an int made the end of an access to the stack negative. */
#define SIZE(size) "r1 = r10; r1 += -8; r2 = " size "; r3 = 0; call 113; r0 = 0; exit;"
CVE("socket", cve_2024_35905_size, SIZE("0x7fffffff"))
CVE("socket", cve_2024_35905_size_ok, SIZE("8"))

/* A number that is not known was added to a pointer to flow keys. */
CVE("flow_dissector", cve_2024_26589_flow, "r7 = *(u64 *)(r1 + 144); call 7; r0 &= 7; r7 += r0; r0 = *(u8 *)(r7 + 0); r0 = 0; exit;")
CVE("flow_dissector", cve_2024_26589_flow_ok, "r7 = *(u64 *)(r1 + 144); call 7; r0 &= 7; r7 += 7; r0 = *(u8 *)(r7 + 0); r0 = 0; exit;")

/* Where the packet is was loaded with its sign: half a pointer, and a number. */
#define SIGNED(name, offset) CVE("xdp", name, "r0 = 0; .8byte %[load]; exit;", [load] "i"(RAW(0x81, 2, 1, offset, 0)))
SIGNED(cve_2024_47702_data, 0)
SIGNED(cve_2024_47702_end, 4)
SIGNED(cve_2024_47702_meta, 8)
SIGNED(cve_2024_47702_data_ok, 12)

/* Of a pointer on the stack only one half is read later: what was left of it was a number. */
#define HALF(read) \
	"*(u64 *)(r10 - 8) = r1; call 7; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; r5 = 0; if r0 == 0 goto 3f; goto +0; 3:" read "r0 = 0; exit;"
CVE("socket", cve_2026_72426_half, HALF("r1 = *(u32 *)(r10 - 4);"))
CVE("socket", cve_2026_72426_low, HALF("r1 = *(u32 *)(r10 - 8);"))
CVE("socket", cve_2026_72426_half_ok, HALF("r1 = *(u64 *)(r10 - 8);"))

/* A number to which a pointer was added forgot whose stack the pointer is to: 64 in the frame between was read as the 0 in the first.
 * Linux 6.18.44 takes the program still. */
SUB(added, "r3 = 0; r3 += r1; r0 = *(u64 *)(r3 + 0); exit;")
SUB(between, "r2 = 64; *(u64 *)(r10 - 8) = r2; r1 = r10; r1 += -8; call added; exit;")
SUB(between_low, "r2 = 8; *(u64 *)(r10 - 8) = r2; r1 = r10; r1 += -8; call added; exit;")
CVE("socket", cve_2026_74720_frame_still, "r2 = 0; *(u64 *)(r10 - 8) = r2; call between; r7 = r0;" REACH)
CVE("socket", cve_2026_74720_frame_ok, "r2 = 0; *(u64 *)(r10 - 8) = r2; call between_low; r7 = r0;" REACH)

/* A negative offset into what a tracepoint hands out was not seen where it was kept as a number. */
CVE("raw_tp.w", cve_2026_68462_before, "r6 = *(u64 *)(r1 + 0); r6 += -8; r0 = *(u64 *)(r6 + 0); r0 = 0; exit;")
CVE("raw_tp.w", cve_2026_68462_before_ok, "r6 = *(u64 *)(r1 + 0); r6 += -8; r0 = *(u64 *)(r6 + 8); r0 = 0; exit;")

/* A member of the context was loaded into the register that held the context: on one way of the rewritten load it stayed there. */
CVE("sockops", cve_2026_53078_context, "r1 = *(u32 *)(r1 + 116); r0 = *(u32 *)(r1 + 0); r0 = 0; exit;")
CVE("sockops", cve_2026_53078_context_ok, "r1 = *(u32 *)(r1 + 116); r0 = 0; exit;")

/* An atomic operation handed out a pointer that lies on the stack as a number. */
CVE("socket", cve_2022_0264_fetch, "*(u64 *)(r10 - 8) = r1; r2 = 0; r2 = atomic_fetch_add((u64 *)(r10 - 8), r2); r0 = *(u64 *)(r2 + 0); r0 = 0; exit;")
CVE("socket", cve_2022_0264_fetch_ok, "r1 = 0; *(u64 *)(r10 - 8) = r1; r2 = 0; r2 = atomic_fetch_add((u64 *)(r10 - 8), r2); r0 = 0; exit;")

/* A reference was given back, and a pointer that had become another kind was left. */
#define SOCKET(use) \
	"r2 = 0; *(u64 *)(r10 - 8) = r2; *(u64 *)(r10 - 16) = r2; r2 = r10; r2 += -16; r3 = 12; r4 = -1; r5 = 0; call 84;" \
	"if r0 == 0 goto 1f; r6 = r0; r7 = r0;" use "r1 = r6; call 86;"
CVE("tc", cve_2022_49873_release, SOCKET("") "r0 = *(u32 *)(r7 + 0);" OUT)
CVE("tc", cve_2022_49873_release_ok, SOCKET("r0 = *(u32 *)(r7 + 0);") OUT)
