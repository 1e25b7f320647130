// SPDX-License-Identifier: MIT OR Apache-2.0
// CPU masks.
#include "bodies.h"

typedef struct cpumask {
	unsigned long bits[1];
} cpumask_t;

struct bpf_cpumask {
	cpumask_t cpumask;
	unsigned int usage;
};

extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern struct bpf_cpumask *bpf_cpumask_acquire(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern __u32 bpf_cpumask_first(const struct cpumask *mask) __ksym;
extern __u32 bpf_cpumask_first_zero(const struct cpumask *mask) __ksym;
extern __u32 bpf_cpumask_first_and(const struct cpumask *a, const struct cpumask *b) __ksym;
extern void bpf_cpumask_set_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_clear_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_test_cpu(__u32 cpu, const struct cpumask *mask) __ksym;
extern bool bpf_cpumask_test_and_set_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_test_and_clear_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_setall(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_clear(struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_and(struct bpf_cpumask *dst, const struct cpumask *a, const struct cpumask *b) __ksym;
extern void bpf_cpumask_or(struct bpf_cpumask *dst, const struct cpumask *a, const struct cpumask *b) __ksym;
extern void bpf_cpumask_xor(struct bpf_cpumask *dst, const struct cpumask *a, const struct cpumask *b) __ksym;
extern bool bpf_cpumask_equal(const struct cpumask *a, const struct cpumask *b) __ksym;
extern bool bpf_cpumask_intersects(const struct cpumask *a, const struct cpumask *b) __ksym;
extern bool bpf_cpumask_subset(const struct cpumask *a, const struct cpumask *b) __ksym;
extern bool bpf_cpumask_empty(const struct cpumask *mask) __ksym;
extern bool bpf_cpumask_full(const struct cpumask *mask) __ksym;
extern void bpf_cpumask_copy(struct bpf_cpumask *dst, const struct cpumask *src) __ksym;
extern __u32 bpf_cpumask_any_distribute(const struct cpumask *mask) __ksym;
extern __u32 bpf_cpumask_weight(const struct cpumask *mask) __ksym;
extern int bpf_cpumask_populate(struct cpumask *mask, void *src, unsigned long src_size) __ksym;

#define bits(mask) ((const struct cpumask *)(mask))

static __always_inline void look(struct bpf_cpumask *mask)
{
	keep_int(bpf_cpumask_first(bits(mask)));
	keep_int(bpf_cpumask_first_zero(bits(mask)));
	keep(bpf_cpumask_empty(bits(mask)));
	keep(bpf_cpumask_full(bits(mask)));
	keep_int(bpf_cpumask_weight(bits(mask)));
}

__u64 source[8] = { 3 };

SEC("syscall")
int cpumasks(void *ctx)
{
	struct bpf_cpumask *a = bpf_cpumask_create(), *b, *c, *again;

	keep_some(a);
	if (!a)
		return 1;
	b = bpf_cpumask_create();
	if (!b) {
		bpf_cpumask_release(a);
		return 2;
	}
	c = bpf_cpumask_create();
	if (!c) {
		bpf_cpumask_release(a);
		bpf_cpumask_release(b);
		return 3;
	}
	look(a);
	bpf_cpumask_set_cpu(0, a);
	bpf_cpumask_set_cpu(1000000, a);
	bpf_cpumask_set_cpu(-1, a);
	look(a);
	keep(bpf_cpumask_test_cpu(0, bits(a)));
	keep(bpf_cpumask_test_cpu(1, bits(a)));
	keep(bpf_cpumask_test_cpu(1000000, bits(a)));
	keep(bpf_cpumask_test_and_set_cpu(1, a));
	keep(bpf_cpumask_test_and_set_cpu(1, a));
	keep(bpf_cpumask_test_and_set_cpu(1000000, a));
	look(a);
	keep(bpf_cpumask_test_and_clear_cpu(0, a));
	keep(bpf_cpumask_test_and_clear_cpu(0, a));
	look(a);
	bpf_cpumask_setall(b);
	look(b);
	bpf_cpumask_clear_cpu(1, b);
	look(b);
	keep(bpf_cpumask_equal(bits(a), bits(b)));
	keep(bpf_cpumask_intersects(bits(a), bits(b)));
	keep(bpf_cpumask_subset(bits(a), bits(b)));
	bpf_cpumask_or(c, bits(a), bits(b));
	look(c);
	keep(bpf_cpumask_subset(bits(a), bits(c)));
	keep(bpf_cpumask_and(c, bits(a), bits(b)));
	look(c);
	bpf_cpumask_xor(c, bits(a), bits(b));
	look(c);
	keep(bpf_cpumask_and(c, bits(a), bits(a)));
	keep_int(bpf_cpumask_first_and(bits(a), bits(b)));
	keep_int(bpf_cpumask_first_and(bits(a), bits(c)));
	bpf_cpumask_copy(c, bits(a));
	keep(bpf_cpumask_equal(bits(a), bits(c)));
	keep_int(bpf_cpumask_any_distribute(bits(a)));
	bpf_cpumask_clear(c);
	look(c);
	keep_int(bpf_cpumask_populate(&c->cpumask, source, 64));
	look(c);
	keep_int(bpf_cpumask_populate(&c->cpumask, source, 4));
	again = bpf_cpumask_acquire(a);
	keep(again == a);
	bpf_cpumask_release(again);
	bpf_cpumask_release(a);
	bpf_cpumask_release(b);
	bpf_cpumask_release(c);
	return 0;
}
