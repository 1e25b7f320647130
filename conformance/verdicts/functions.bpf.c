/* Functions that are verified by themselves, and work for tasks. */
#include "kernel.h"
struct big {
	int a[4];
};

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

struct plain {
	long key;
	struct bpf_list_node l;
	long v;
};

private(B) struct bpf_spin_lock glock2;

private(B) struct bpf_list_head phead __contains(plain, l);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct big);
	__uint(max_entries, 4);
} m SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, struct big);
	__uint(max_entries, 4);
} hm SEC(".maps");

__noinline int g_int(int x) {
	asm volatile("" : "+r"(x));
	return x + 1;
}

__noinline int g_ptr(int *x) {
	if (!x) return 0;
	*x = 3;
	return *x;
}

__noinline int g_nonnull(int *x __arg(nonnull)) {
	return *x;
}

__noinline int g_big(struct big *b) {
	if (!b) return 0;
	return b->a[3];
}

__noinline int g_bigoob(struct big *b) {
	if (!b) return 0;
	return b->a[4];
}

__noinline int g_ctx(struct __sk_buff *c) {
	return c->len;
}

__noinline int g_ctxtag(void *c __arg(ctx)) {
	return ((struct __sk_buff *)c)->len;
}

__noinline int g_task(struct task_struct *t __arg(trusted)) {
	return t->pid;
}

__noinline int g_tasknull(struct task_struct *t __arg(trusted) __arg(nullable)) {
	if (!t) return 0;
	return t->pid;
}

__noinline int g_tasknull_bad(struct task_struct *t __arg(trusted) __arg(nullable)) {
	return t->pid;
}

__noinline int g_untr(struct task_struct *t __arg(untrusted)) {
	return t->pid;
}

__noinline int g_untrmem(int *t __arg(untrusted)) {
	return *t;
}

__noinline int g_dyn(struct bpf_dynptr *d) {
	return bpf_dynptr_size(d);
}

__noinline int g_sleep(int x) {
	char b[4];
	bpf_copy_from_user(b, 4, (void *)(long)x);
	return b[0];
}

__noinline int g_chain(int x) {
	return g_int(x) + 1;
}

__noinline int g_pkt(struct __sk_buff *c) {
	return bpf_skb_pull_data(c, 0);
}

__noinline int g_badret(int x) {
	return x;
}

__noinline long g_long(long x) {
	return x;
}

__noinline int g_many(int a, long b, char c, int *d, struct big *e) {
	if (!d || !e) return a;
	return a + b + c + *d + e->a[1];
}

SEC("tc") int c_int(struct __sk_buff *ctx) {
	return g_int(ctx->len) & 1;
}

SEC("tc") int c_ptr(struct __sk_buff *ctx) {
	int x = 5;
	return g_ptr(&x) + x & 1;
}

SEC("tc") int c_ptr_null(struct __sk_buff *ctx) {
	return g_ptr(0) & 1;
}

SEC("tc") int c_ptr_uninit(struct __sk_buff *ctx) {
	int x;
	return g_ptr(&x) & 1;
}

SEC("tc") int c_ptr_ctx(struct __sk_buff *ctx) {
	return g_ptr((void *)ctx) & 1;
}

SEC("tc") int c_nonnull(struct __sk_buff *ctx) {
	int x = 1;
	return g_nonnull(&x) & 1;
}

SEC("tc") int c_nonnull0(struct __sk_buff *ctx) {
	return g_nonnull(0) & 1;
}

SEC("tc") int c_nonnull_map(struct __sk_buff *ctx) {
	int k = ctx->len;
	return g_nonnull(bpf_map_lookup_elem(&hm, &k)) & 1;
}

SEC("tc") int c_big_map(struct __sk_buff *ctx) {
	int k = ctx->len;
	return g_big(bpf_map_lookup_elem(&hm, &k)) & 1;
}

SEC("tc") int c_big_small(struct __sk_buff *ctx) {
	long k = 1;
	return g_big((void *)&k) & 1;
}

SEC("tc") int c_bigoob(struct __sk_buff *ctx) {
	struct big b = {};
	return g_bigoob(&b) & 1;
}

SEC("tc") int c_big_pkt(struct __sk_buff *ctx) {
	void *d = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	if (d + 16 > e) return 0;
	return g_big(d) & 1;
}

SEC("tc") int c_big_pkt2(struct __sk_buff *ctx) {
	void *d = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	if (d + 8 > e) return 0;
	return g_big(d) & 1;
}

SEC("tc") int c_ctx(struct __sk_buff *ctx) {
	return g_ctx(ctx) & 1;
}

SEC("tc") int c_ctx_bad(struct __sk_buff *ctx) {
	int x = 1;
	return g_ctx((void *)&x) & 1;
}

SEC("tc") int c_ctx_off(struct __sk_buff *ctx) {
	return g_ctx((void *)ctx + 4) & 1;
}

SEC("tc") int c_ctxtag(struct __sk_buff *ctx) {
	return g_ctxtag(ctx) & 1;
}

SEC("xdp") int c_ctxtag_xdp(struct xdp_md *ctx) {
	return g_ctxtag(ctx) & 1;
}

SEC("tc") int c_twice_bad(struct __sk_buff *ctx) {
	int x = 1;
	if (ctx->len > 4) return g_ctx(ctx);
	return g_ctx((void *)&x) & 1;
}

SEC("tc") int c_scalar_ptr(struct __sk_buff *ctx) {
	return g_long((long)ctx) & 1;
}

SEC("syscall") int c_task(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	int r;
	if (!t) return 0;
	r = g_task(t);
	bpf_task_release(t);
	return r & 1;
}

SEC("syscall") int c_task_cur(void *ctx) {
	struct task_struct *t = bpf_get_current_task_btf();
	return g_task(t) & 1;
}

SEC("syscall") int c_task_null(void *ctx) {
	return g_task(0) & 1;
}

SEC("syscall") int c_tasknull(void *ctx) {
	return g_tasknull(0) & 1;
}

SEC("syscall") int c_tasknull2(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	int r = g_tasknull(t);
	if (t) bpf_task_release(t);
	return r & 1;
}

SEC("syscall") int c_tasknull_bad(void *ctx) {
	return g_tasknull_bad(bpf_get_current_task_btf()) & 1;
}

SEC("syscall") int c_task_cg(void *ctx) {
	struct cgroup *t = bpf_cgroup_from_id(1);
	int r;
	if (!t) return 0;
	r = g_task((void *)t);
	bpf_cgroup_release(t);
	return r & 1;
}

SEC("syscall") int c_task_walk(void *ctx) {
	struct task_struct *t = bpf_get_current_task_btf();
	return g_task(t->real_parent) & 1;
}

SEC("syscall") int c_task_untr(void *ctx) {
	struct task_struct *t = bpf_rdonly_cast(ctx, bpf_core_type_id_kernel(struct task_struct));
	return g_task(t) & 1;
}

SEC("syscall") int c_untr(void *ctx) {
	return g_untr((void *)0xffffL) & 1;
}

SEC("syscall") int c_untrmem(void *ctx) {
	return g_untrmem(ctx) & 1;
}

SEC("tc") int c_dyn(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	bpf_dynptr_from_skb(ctx, 0, &d);
	return g_dyn(&d) & 1;
}

SEC("tc") int c_dyn_bad(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	return g_dyn(&d) & 1;
}

SEC("syscall") int c_sleep(void *ctx) {
	return g_sleep(3) & 1;
}

SEC("syscall") int c_sleep_rcu(void *ctx) {
	int r;
	bpf_rcu_read_lock();
	r = g_sleep(3);
	bpf_rcu_read_unlock();
	return r & 1;
}

SEC("syscall") int c_sleep_preempt(void *ctx) {
	int r;
	bpf_preempt_disable();
	r = g_sleep(3);
	bpf_preempt_enable();
	return r & 1;
}

SEC("tc") int c_sleep_tc(void *ctx) {
	return g_sleep(3) & 1;
}

SEC("tc") int c_chain(struct __sk_buff *ctx) {
	return g_chain(ctx->len) & 1;
}

SEC("tc") int c_pkt(struct __sk_buff *ctx) {
	void *d = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	int r;
	if (d + 8 > e) return 0;
	r = g_pkt(ctx);
	return (r + *(int *)d) & 1;
}

SEC("tc") int c_nopkt(struct __sk_buff *ctx) {
	void *d = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	int r;
	if (d + 8 > e) return 0;
	r = g_int(1);
	return (r + *(int *)d) & 1;
}

SEC("tc") int c_lock(struct __sk_buff *ctx) {
	int r;
	struct plain *p = bpf_obj_new(typeof(*p));
	if (p) bpf_obj_drop(p);
	bpf_spin_lock(&glock2);
	r = g_int(1);
	bpf_spin_unlock(&glock2);
	return r & 1;
}

SEC("tc") int c_range(struct __sk_buff *ctx) {
	char a[8] = {};
	int r = g_int(1);
	return a[r & 7] + a[7];
}

SEC("tc") int c_range_bad(struct __sk_buff *ctx) {
	char a[8] = {};
	int r = g_int(1);
	return a[r];
}

SEC("tc") int c_many(struct __sk_buff *ctx) {
	struct big b = {};
	int x = 3;
	return g_many(1, 2, 3, &x, &b) & 1;
}

struct twv {
	int a;
	struct bpf_task_work tw;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, struct twv);
	__uint(max_entries, 4);
} tws SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, struct twv);
	__uint(max_entries, 4);
} tws2 SEC(".maps");
extern int bpf_task_work_schedule_signal_impl(struct task_struct *task, struct bpf_task_work *tw, void *map__map, int (*callback)(struct bpf_map *map, void *key, void *value), void *aux__prog) __ksym;

static int twcb(struct bpf_map *map, void *key, void *value) {
	struct twv *v = value;
	v->a = *(int *)key;
	return 7;
}

static int twcb_sleep(struct bpf_map *map, void *key, void *value) {
	char b[4];
	bpf_copy_from_user(b, 4, key);
	return 7;
}

SEC("tp/syscalls/sys_enter_openat") int tw(void *ctx) {
	int k = 1;
	struct twv *v = bpf_map_lookup_elem(&tws, &k);
	if (!v) return 0;
	bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &v->tw, &tws, twcb, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_openat") int tw_map(void *ctx) {
	int k = 1;
	struct twv *v = bpf_map_lookup_elem(&tws, &k);
	if (!v) return 0;
	bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &v->tw, &tws2, twcb, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_openat") int tw_sleep(void *ctx) {
	int k = 1;
	struct twv *v = bpf_map_lookup_elem(&tws, &k);
	if (!v) return 0;
	bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &v->tw, &tws, twcb_sleep, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_openat") int tw_null(void *ctx) {
	int k = 1;
	struct twv *v = bpf_map_lookup_elem(&tws, &k);
	if (!v) return 0;
	bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &v->tw, 0, twcb, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_openat") int tw_cb(void *ctx) {
	int k = 1;
	struct twv *v = bpf_map_lookup_elem(&tws, &k);
	if (!v) return 0;
	bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &v->tw, &tws, 0, 0);
	return 0;
}
