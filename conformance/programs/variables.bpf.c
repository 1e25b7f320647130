// SPDX-License-Identifier: MIT OR Apache-2.0
// Global variables: initialised, zero, read-only, in sections of their own, and configuration of the kernel.
#include <linux/bpf.h>
#include <linux/version.h>
#include <bpf/bpf_helpers.h>

enum mode {
	MODE_SUM,
	MODE_XOR = 5,
};

struct point {
	__s16 x, y;
};

/* Set before load. */
const volatile enum mode mode = MODE_SUM;
const volatile struct point origin = { .x = 3, .y = -4 };
const volatile char greeting[16] = "hello";
const volatile _Bool traced = 1;

/* Set before load or between runs. */
__u32 table[4] = { 1, 2, 3, 0xffffffff };
__s64 balance = -5;
static __u8 turns = 250;

__u64 total;
__u32 lengths[2];
struct point last;

SEC(".data.tuning") __u32 step = 7;
SEC(".rodata.names") const char name[8] = "names";

extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_SKEP_NEVER_HEARD_OF __kconfig __weak;
extern const int skep_never_heard_of_symbol __ksym __weak;

_Bool has_kernel;
_Bool has_option;
_Bool has_symbol;

SEC("syscall")
int update(void *ctx)
{
	__u32 i;

	for (i = 0; i < 4; i++) {
		if (mode == MODE_XOR)
			total ^= table[i];
		else
			total += table[i];
		table[i] *= 2;
	}
	for (i = 0; i < sizeof(greeting) && greeting[i]; i++)
		;
	lengths[0] = i;
	for (i = 0; i < sizeof(name) && name[i]; i++)
		;
	lengths[1] = i;
	last.x = origin.x + 1;
	last.y = origin.y * 2;
	balance += step;
	step++;
	turns++;
	has_kernel = LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 0, 0);
	has_option = CONFIG_SKEP_NEVER_HEARD_OF;
	has_symbol = &skep_never_heard_of_symbol != 0;
	return traced ? turns : -1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
