/* Bounds of numbers: of results, of halves, and after comparisons. */
#include "cve.h"

/* A constant moved to a half was extended with its sign: the way that runs was taken for dead. */
CVE("socket", cve_2017_16995_mov32, "w7 = -1; if r7 != -1 goto 2f;" OUT "2: r7 <<= 1;" REACH)
CVE("socket", cve_2017_16995_mov32_ok, "r7 = -1; if r7 != -1 goto 2f;" OUT "2: r7 <<= 1;" REACH)

/* A sum of halves kept its carry. */
CVE("socket", cve_2017_16996_carry, "r6 = 0xffffffff ll; w6 += 1; r6 >>= 32; r7 = 1; r7 -= r6; r7 <<= 6;" REACH)
CVE("socket", cve_2017_16996_carry_ok, "r6 = 0xffffffff ll; r6 += 1; r6 >>= 32; r7 = 1; r7 -= r6; r7 <<= 6;" REACH)

/* The upper half of an operand took part in an operation of halves. */
CVE("socket", cve_2017_17852_upper, "r6 = 0x100000000 ll; w6 >>= 1; r6 >>= 31; r7 = 1; r7 -= r6; r7 <<= 6;" REACH)
CVE("socket", cve_2017_17852_upper_ok, "r6 = 0x100000000 ll; r6 >>= 1; r6 >>= 31; r7 = 1; r7 -= r6; r7 <<= 6;" REACH)

/* What may be negative kept its sign when it was moved right without it. */
CVE("socket", cve_2017_17853_sign, UNKNOWN "r7 = r6; r7 &= 31; r7 -= 1; r7 >>= 1; if r7 s< 0 goto 1f; r7 >>= 1;" REACH OUT)
CVE("socket", cve_2017_17853_sign_ok, UNKNOWN "r7 = r6; r7 &= 31; r7 -= 1; r7 s>>= 1; if r7 s< 0 goto 1f; r7 >>= 1;" REACH OUT)

/* The offset of a pointer wrapped in 32 bits: eight steps of 2^29 - 1 are one of -8. */
#define STEP "r1 += 0x1fffffff;"
CVE("socket", cve_2017_17854_wrap, "r1 = %[vals] ll;" STEP STEP STEP STEP STEP STEP STEP STEP "r0 = *(u8 *)(r1 + 8); exit;")
CVE("socket", cve_2017_17854_wrap_ok, "r1 = %[vals] ll;" STEP "r1 += -0x1fffffff; r0 = *(u8 *)(r1 + 8); exit;")

/* The bounds before a move to the right were those of all 64 bits. */
CVE("socket", cve_2018_18445_rsh32, "r6 = 2; r6 <<= 31; w6 >>= 31; r7 = 2; r7 -= r6; r7 <<= 3;" REACH)
CVE("socket", cve_2018_18445_rsh32_ok, "r6 = 2; r6 <<= 31; r6 >>= 31; r7 = 2; r7 -= r6; r7 <<= 3;" REACH)

/* A comparison of halves was cut from bounds of the whole: in 1 to 2^32 + 1, the half was taken to be 1. */
#define JMP32(max) UNKNOWN "if r6 == 0 goto 1f; r2 = " max " ll; if r6 > r2 goto 1f; if w6 > 5 goto 1f; r6 &= 2; r6 <<= 5; r7 = r6;" REACH OUT
CVE("socket", cve_2020_8835_jmp32, JMP32("0x100000001"))
CVE("socket", cve_2020_8835_jmp32_ok, JMP32("1"))

/* "Or" of halves read the bounds of the whole, cut: 1 to 6 * 2^32 + 2 was 1 to 2. */
#define OR32(max) UNKNOWN "r2 = " max " ll; if r6 > r2 goto 1f; if r6 == 0 goto 1f; r6 |= 0; w7 = w6; r7 >>= 1;" REACH OUT
CVE("socket", cve_2020_27194_or32, OR32("0x600000002"))
CVE("socket", cve_2020_27194_or32_ok, OR32("2"))

/* Where both halves were constants, bitwise operations left the bounds of the half as they were: 1 to 0. The sum with 0 to 1 was then 1. */
#define BITS(half, op, scale) \
	UNKNOWN "r8 = r6; r8 <<= 32; r8 += " half "; r2 = 0x100000002 ll; r8 " op " r2; call 7; w7 = w0; if w7 > 1 goto 1f; w7 += w8;" scale REACH OUT
CVE("socket", cve_2021_3490_and, BITS("1", "&=", "r1 = 1; r1 -= r7; r7 = r1; r7 <<= 6;"))
CVE("socket", cve_2021_3490_and_ok, BITS("1", "&=", "r1 = 1; r1 -= r7; r7 = r1;"))
CVE("socket", cve_2021_3490_or, BITS("1", "|=", "r7 -= 3; r7 <<= 6;"))
CVE("socket", cve_2021_3490_or_ok, BITS("1", "|=", "r7 -= 3;"))
CVE("socket", cve_2021_3490_xor, BITS("3", "^=", "r7 -= 1; r7 <<= 6;"))
CVE("socket", cve_2021_3490_xor_ok, BITS("3", "^=", "r7 -= 1;"))

/* A lower bound of the whole became one of the half, though the upper one did not fit: 2^32 is at least 1, its half is not. */
#define COMBINE(scale) UNKNOWN "if r6 < 1 goto 1f; if w6 > 1 goto 1f; w7 = w6; r1 = 1; r1 -= r7; r7 = r1;" scale REACH OUT
CVE("socket", cve_2021_31440_lower, COMBINE("r7 <<= 6;"))
CVE("socket", cve_2021_31440_lower_ok, COMBINE(""))

/* After a move of halves, signed bounds around 0 were kept: -1 to 1 was 0 to 1, and is up to 2^32 - 1. */
#define MOV32(more) UNKNOWN "if w6 s> 1 goto 1f; if w6 s< -1 goto 1f; " more "w7 = w6;" REACH OUT
CVE("socket", cve_2021_45402_mov32, MOV32(""))
CVE("socket", cve_2021_45402_mov32_ok, MOV32("if w6 s< 0 goto 1f;"))

/* A constant on the right of a comparison was one value for both ways: where it cannot be equal (5 or 7, and 6), one way made it 7, and the
 * other learned that 7 cannot be. */
#define CONSTANT(scale) "call 7; r7 = r0; r7 &= 2; r7 |= 5; if r7 != 6 goto 2f;" OUT "2: r7 -= 5;" scale REACH
CVE("socket", cve_2024_41003_constant, CONSTANT("r7 <<= 6;"))
CVE("socket", cve_2024_41003_constant_ok, CONSTANT(""))

/* "Or" on a sign follows 0 and -1 apart: on the way of 0, the result stayed 0. */
CVE("socket", cve_2026_31413_or, "call 7; r6 = r0; r6 <<= 32; r6 s>>= 63; r6 |= 64; r7 = r6; r7 += 8;" REACH)
CVE("socket", cve_2026_31413_or_ok, "call 7; r6 = r0; r6 <<= 32; r6 s>>= 63; r6 |= 4; r7 = r6; r7 += 8;" REACH)
