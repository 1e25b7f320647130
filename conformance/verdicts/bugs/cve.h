/* How programs are written that hold a bug of Linux's verifier: in assembler, so that no compiler improves them. `NAME` is what a verifier
 * with the bug takes, `NAME_ok` its neighbour that must be taken. docs/cves.md lists them all. */
#pragma once
#include "kernel.h"

/* Bytes that programs reach into: an index that is believed to be below 16 may be anything at run time. */
char vals[16];

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, char[16]);
	__uint(max_entries, 4);
} hash SEC(".maps");

/* One instruction that the assembler does not know, or would refuse. */
#define RAW(code, dst, src, off, imm) ((__u64)(__u32)(imm) << 32 | (__u64)(__u16)(off) << 16 | (src) << 12 | (dst) << 8 | (code))

#define CVE(section, name, text, ...) \
	SEC(section) __attribute__((naked)) int name(void) { asm volatile(text ::[vals] "i"(&vals), [hash] "i"(&hash), ##__VA_ARGS__ : "memory"); }
/* A function that programs call. */
#define SUB(name, text, ...) \
	static __attribute__((naked, noinline, used)) long name(void) { asm volatile(text ::[vals] "i"(&vals), [hash] "i"(&hash), ##__VA_ARGS__ : "memory"); }

/* r6 becomes a number of which nothing is known. */
#define UNKNOWN "r6 = %[vals] ll; r6 = *(u64 *)(r6 + 0);"
/* Reads the byte at what r7 is believed to be, and ends. */
#define REACH "r1 = %[vals] ll; r1 += r7; r0 = *(u8 *)(r1 + 0); r0 = 0; exit;"
/* The way that ends without harm. */
#define OUT "1: r0 = 0; exit;"
