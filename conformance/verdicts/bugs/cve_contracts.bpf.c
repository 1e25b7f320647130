/* What helpers, kernel functions and hooks ask of their arguments, and promise of what they give. */
#include "cve.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 5);
	__type(key, int);
	__type(value, int);
} jumps SEC(".maps");

const volatile long fixed = 8;
long changing = 8;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sock_common {
	unsigned short skc_family;
};
struct sock {
	struct sock_common __sk_common;
};
#pragma clang attribute pop

/* More was reserved than the ring is large: NULL it is at run time. */
SEC("socket") int cve_2021_3489_reserve_ok(void *ctx) {
	char *p = bpf_ringbuf_reserve(&ring, 8192, 0);
	if (!p) return 1;
	p[8191] = 1;
	bpf_ringbuf_submit(p, 0);
	return 0;
}

/* Not the start of a record was submitted. */
SEC("socket") int cve_2021_4204_submit(void *ctx) {
	char *p = bpf_ringbuf_reserve(&ring, 64, 0);
	if (!p) return 1;
	bpf_ringbuf_submit(p + 8, 0);
	return 0;
}

SEC("socket") int cve_2021_4204_submit_ok(void *ctx) {
	char *p = bpf_ringbuf_reserve(&ring, 64, 0);
	if (!p) return 1;
	p[8] = 1;
	bpf_ringbuf_submit(p, 0);
	return 0;
}

/* Helpers of rings took other maps, and the other way round. */
SEC("socket") int cve_2021_34866_output(void *ctx) {
	long x = 1;
	return bpf_ringbuf_output(&hash, &x, sizeof(x), 0);
}

SEC("socket") int cve_2021_34866_lookup(void *ctx) {
	int key = 0;
	return bpf_map_lookup_elem(&ring, &key) != 0;
}

SEC("socket") int cve_2021_34866_output_ok(void *ctx) {
	long x = 1;
	return bpf_ringbuf_output(&ring, &x, sizeof(x), 0);
}

/* A number in memory that others may still write was taken for constant. */
#define CONSTANT(number) "r7 = %[number] ll; r7 = *(u64 *)(r7 + 0);" REACH
CVE("socket", cve_2021_4001_constant, CONSTANT(""), [number] "i"(&changing))
CVE("socket", cve_2021_4001_constant_ok, CONSTANT(""), [number] "i"(&fixed))

/* Memory that is only for reading was written, by the program or by a helper. */
SEC("cgroup_skb/egress") int cve_2022_0500_write(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char room[16], *p;
	bpf_dynptr_from_skb(ctx, 0, &d);
	p = bpf_dynptr_slice(&d, 0, room, sizeof(room));
	if (p) *p = 1;
	return 0;
}

SEC("cgroup_skb/egress") int cve_2022_0500_helper(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char room[16], *p;
	bpf_dynptr_from_skb(ctx, 0, &d);
	p = bpf_dynptr_slice(&d, 0, room, sizeof(room));
	if (p) bpf_skb_load_bytes(ctx, 0, p, 8);
	return 0;
}

SEC("cgroup_skb/egress") int cve_2022_0500_write_ok(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char room[16], *p;
	bpf_dynptr_from_skb(ctx, 0, &d);
	p = bpf_dynptr_slice(&d, 0, room, sizeof(room));
	return p ? *p & 1 : 0;
}

/* An index of a tail call that looks like one of the map's bits, but is no index of the map, was compiled in. */
SEC("tc") int cve_2022_2905_index_ok(struct __sk_buff *ctx) {
	bpf_tail_call_static(ctx, &jumps, 6);
	return 1;
}

/* Dynptrs of which a part was overwritten, or that were never made. */
SEC("tc") int cve_2023_39191_overwritten(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char to[8];
	bpf_dynptr_from_mem(vals, sizeof(vals), 0, &d);
	*(volatile char *)((char *)&d + 8) = 1;
	bpf_dynptr_read(to, sizeof(to), &d, 0, 0);
	return 0;
}

SEC("tc") int cve_2023_39191_never(struct __sk_buff *ctx) {
	struct bpf_dynptr d = {};
	char to[8];
	asm volatile("" ::"r"(&d) : "memory");
	bpf_dynptr_read(to, sizeof(to), &d, 0, 0);
	return 0;
}

SEC("tc") int cve_2023_39191_overwritten_ok(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char to[8];
	bpf_dynptr_from_mem(vals, sizeof(vals), 0, &d);
	bpf_dynptr_read(to, sizeof(to), &d, 0, 0);
	return 0;
}

/* A dynptr that was handed to a function was moved before a helper got it. */
static long moved(struct bpf_dynptr *d, void *context) {
	char to[8];
	asm volatile("%0 += 8" : "+r"(d));
	bpf_dynptr_read(to, sizeof(to), d, 0, 0);
	return 0;
}

static long not_moved(struct bpf_dynptr *d, void *context) {
	char to[8];
	bpf_dynptr_read(to, sizeof(to), d, 0, 0);
	return 0;
}

__noinline int global_moved(struct bpf_dynptr *d) {
	char to[8];
	asm volatile("%0 += 8" : "+r"(d));
	return bpf_dynptr_read(to, sizeof(to), d, 0, 0);
}

SEC("tc") int cve_2024_43910_moved(struct __sk_buff *ctx) {
	bpf_user_ringbuf_drain(&user_ring, moved, NULL, 0);
	return 0;
}

SEC("tc") int cve_2024_43910_global(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	bpf_dynptr_from_skb(ctx, 0, &d);
	return global_moved(&d);
}

SEC("tc") int cve_2024_43910_moved_ok(struct __sk_buff *ctx) {
	bpf_user_ringbuf_drain(&user_ring, not_moved, NULL, 0);
	return 0;
}

/* Helpers wrote what programs may only read. */
SEC("socket") int cve_2024_49861_number(void *ctx) {
	char text[2] = "1";
	return bpf_strtol(text, sizeof(text), 0, (long *)&fixed);
}

SEC("socket") int cve_2024_49861_number_ok(void *ctx) {
	char text[2] = "1";
	return bpf_strtol(text, sizeof(text), 0, &changing);
}

/* "Need not be written before" was taken for "is written", and the other way round. */
SEC("tc") int cve_2024_50164_bytes(struct __sk_buff *ctx) {
	return bpf_skb_load_bytes(ctx, 0, (void *)&fixed, sizeof(fixed));
}

SEC("tc") int cve_2024_50164_mtu(struct __sk_buff *ctx) {
	return bpf_check_mtu(ctx, 0, (__u32 *)&fixed, 0, 0);
}

SEC("tc") int cve_2024_50164_bytes_ok(struct __sk_buff *ctx) {
	long to;
	return bpf_skb_load_bytes(ctx, 0, &to, sizeof(to));
}

/* Arguments of tracepoints that may be NULL were taken for pointers. */
SEC("tp_btf/sched_pi_setprio") int cve_2024_56702_null(u64 *ctx) {
	struct task_struct *to = (void *)ctx[1];
	return to->pid;
}

SEC("tp_btf/sched_pi_setprio") int cve_2024_56702_null_ok(u64 *ctx) {
	struct task_struct *to = (void *)ctx[1];
	return to ? to->pid : 0;
}

SEC("tp_btf/kfree_skb") int cve_2025_21852_null(u64 *ctx) {
	struct sock *sk = (void *)ctx[3];
	return sk->__sk_common.skc_family;
}

SEC("tp_btf/kfree_skb") int cve_2025_21852_null_ok(u64 *ctx) {
	struct sock *sk = (void *)ctx[3];
	return sk ? sk->__sk_common.skc_family : 0;
}

/* What a function that is called back holds was not counted: references were kept, or given back twice. */
static long keeps(__u32 i, void *context) {
	return bpf_ringbuf_reserve(&ring, 8, 0) != 0;
}

static long gives_back(__u32 i, void *context) {
	void *p = bpf_ringbuf_reserve(&ring, 8, 0);
	if (p) bpf_ringbuf_discard(p, 0);
	return 0;
}

static long gives_away(__u32 i, void **context) {
	bpf_ringbuf_discard(*context, 0);
	return 0;
}

SEC("tc") int cve_2022_50650_kept(struct __sk_buff *ctx) {
	bpf_loop(4, keeps, NULL, 0);
	return 0;
}

SEC("tc") int cve_2022_50650_given_away(struct __sk_buff *ctx) {
	void *p = bpf_ringbuf_reserve(&ring, 8, 0);
	if (p) bpf_loop(4, gives_away, &p, 0);
	return 0;
}

SEC("tc") int cve_2022_50650_kept_ok(struct __sk_buff *ctx) {
	bpf_loop(4, gives_back, NULL, 0);
	return 0;
}

/* More words than an iterator of bits can hold came to few where they were counted in bytes: it is an error at run time. */
struct bpf_iter_bits {
	__u64 opaque[2];
};
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *unsafe_ptr__ign, u32 nr_words) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;

SEC("tc") int cve_2024_50253_words_ok(struct __sk_buff *ctx) {
	struct bpf_iter_bits it;
	u64 word = 1;
	int n = 0;
	bpf_iter_bits_new(&it, &word, 0x80000001);
	while (bpf_iter_bits_next(&it)) n++;
	bpf_iter_bits_destroy(&it);
	return n;
}
