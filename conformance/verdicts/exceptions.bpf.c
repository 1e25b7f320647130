/* Exceptions, and NULL where kernel functions take none. */
#include "kernel.h"
struct tree {
	long key;
	struct bpf_rb_node r;
};

struct plain {
	long key;
	struct bpf_list_node l;
	long v;
};

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(B) struct bpf_spin_lock glock2;

private(B) struct bpf_rb_root troot __contains(tree, r);

private(B) struct bpf_list_head phead __contains(plain, l);

struct wqv {
	int a;
	struct bpf_wq wq;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct wqv);
	__uint(max_entries, 4);
} wqs SEC(".maps");

struct resv {
	struct bpf_res_spin_lock rl;
	int y;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct resv);
	__uint(max_entries, 4);
} resm SEC(".maps");

SEC("tc") int rb_left_null(void *ctx) {
	struct bpf_rb_node *n, *m;
	bpf_spin_lock(&glock2);
	n = bpf_rbtree_root(&troot);
	m = bpf_rbtree_left(&troot, n);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int wq_null(void *ctx) {
	int k = 0;
	struct wqv *v = bpf_map_lookup_elem(&wqs, &k);
	bpf_wq_start(&v->wq, 0);
	return 0;
}

SEC("tc") int wq_null0(void *ctx) {
	int k = 0;
	void *v = bpf_map_lookup_elem(&wqs, &k);
	bpf_wq_start(v, 0);
	return 0;
}

SEC("tc") int wq_zero(void *ctx) {
	bpf_wq_start(0, 0);
	return 0;
}

SEC("tc") int res_null(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	bpf_res_spin_lock(&v->rl);
	return 0;
}

SEC("tc") int push_null(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	bpf_spin_lock(&glock2);
	bpf_list_push_front(&phead, (void *)p);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int iter_null(void *ctx) {
	bpf_iter_num_new(0, 1, 2);
	return 0;
}

SEC("tc") int rb_first_null(void *ctx) {
	bpf_rbtree_first(0);
	return 0;
}

SEC("tc") int dyn_null(void *ctx) {
	bpf_dynptr_size(0);
	return 0;
}

SEC("tc") int dyn_slice_null(void *ctx) {
	char b[4];
	bpf_dynptr_slice(0, 0, b, 4);
	return 0;
}

SEC("tc") int from_skb_null(void *ctx) {
	struct bpf_dynptr d;
	bpf_dynptr_from_skb(0, 0, &d);
	return 0;
}

static __noinline int thrower(struct __sk_buff *ctx) {
	if (ctx->len > 10) bpf_throw(0);
	return ctx->len;
}

SEC("tc") int throw_rcu_sub(struct __sk_buff *ctx) {
	int r;
	bpf_rcu_read_lock();
	r = thrower(ctx);
	bpf_rcu_read_unlock();
	return r & 1;
}

SEC("tc") int throw_rcu(struct __sk_buff *ctx) {
	bpf_rcu_read_lock();
	bpf_throw(0);
	bpf_rcu_read_unlock();
	return 1;
}

SEC("tc") int throw_preempt_sub(struct __sk_buff *ctx) {
	int r;
	bpf_preempt_disable();
	r = thrower(ctx);
	bpf_preempt_enable();
	return r & 1;
}

SEC("tc") int throw_irq_sub(struct __sk_buff *ctx) {
	int r;
	unsigned long f;
	bpf_local_irq_save(&f);
	r = thrower(ctx);
	bpf_local_irq_restore(&f);
	return r & 1;
}

SEC("tc") int throw_lock_sub(struct __sk_buff *ctx) {
	int r;
	bpf_spin_lock(&glock2);
	r = thrower(ctx);
	bpf_spin_unlock(&glock2);
	return r & 1;
}

static int loopcb(u32 i, void *c) {
	if (i > 3) bpf_throw(0);
	return 0;
}

SEC("tc") int throw_cb(struct __sk_buff *ctx) {
	bpf_loop(5, loopcb, 0, 0);
	return 0;
}

static int loopcb2(u32 i, void *c) {
	bpf_rcu_read_lock();
	if (i > 3) bpf_throw(0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tc") int throw_cb_rcu(struct __sk_buff *ctx) {
	bpf_loop(5, loopcb2, 0, 0);
	return 0;
}

SEC("xdp") int throw_ret(struct xdp_md *ctx) {
	bpf_throw(77);
	return 0;
}

SEC("cgroup_skb/egress") int throw_range(struct __sk_buff *ctx) {
	bpf_throw(7);
	return 0;
}

SEC("cgroup_skb/egress") int throw_unknown(struct __sk_buff *ctx) {
	bpf_throw(ctx->len);
	return 0;
}

SEC("tc") int throw_ptr(struct __sk_buff *ctx) {
	bpf_throw((u64)ctx);
	return 0;
}
