/* Locks in objects and in maps in maps. */
#include "kernel.h"
struct plain {
	long key;
	struct bpf_list_node l;
	long v;
};

struct owner {
	long x;
	struct bpf_spin_lock lock;
	struct bpf_list_head h __contains(plain, l);
};

struct rowner {
	long x;
	struct bpf_res_spin_lock lock;
	long y;
};

struct kp {
	struct owner __kptr *o;
	struct bpf_spin_lock l;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct kp);
	__uint(max_entries, 1);
} kps SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct plainlock { int a; struct bpf_spin_lock l; struct bpf_list_head h __contains(plain, l); });
} in1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__array(values, struct inner);
}
outer SEC(".maps") = { .values = { &in1 } };

SEC("tc") int obj(void *ctx) {
	struct owner *o = bpf_obj_new(typeof(*o));
	if (!o) return 0;
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) {
		bpf_obj_drop(o);
		return 0;
	}
	bpf_spin_lock(&o->lock);
	bpf_list_push_front(&o->h, &p->l);
	bpf_spin_unlock(&o->lock);
	bpf_obj_drop(o);
	return 0;
}

SEC("tc") int obj_other(void *ctx) {
	struct owner *o = bpf_obj_new(typeof(*o)), *q;
	if (!o) return 0;
	q = bpf_obj_new(typeof(*q));
	if (!q) {
		bpf_obj_drop(o);
		return 0;
	}
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) {
		bpf_obj_drop(o);
		bpf_obj_drop(q);
		return 0;
	}
	bpf_spin_lock(&o->lock);
	bpf_list_push_front(&q->h, &p->l);
	bpf_spin_unlock(&o->lock);
	bpf_obj_drop(o);
	bpf_obj_drop(q);
	return 0;
}

SEC("tc") int obj_unlock_other(void *ctx) {
	struct owner *o = bpf_obj_new(typeof(*o)), *q;
	if (!o) return 0;
	q = bpf_obj_new(typeof(*q));
	if (!q) {
		bpf_obj_drop(o);
		return 0;
	}
	bpf_spin_lock(&o->lock);
	bpf_spin_unlock(&q->lock);
	bpf_obj_drop(o);
	bpf_obj_drop(q);
	return 0;
}

SEC("tc") int obj_lock_off(void *ctx) {
	struct owner *o = bpf_obj_new(typeof(*o));
	if (!o) return 0;
	bpf_spin_lock((void *)o);
	bpf_obj_drop(o);
	return 0;
}

SEC("tc") int obj_res(void *ctx) {
	struct rowner *o = bpf_obj_new(typeof(*o));
	if (!o) return 0;
	if (!bpf_res_spin_lock(&o->lock)) bpf_res_spin_unlock(&o->lock);
	bpf_obj_drop(o);
	return 0;
}

SEC("tc") int obj_drop_locked(void *ctx) {
	struct owner *o = bpf_obj_new(typeof(*o));
	if (!o) return 0;
	bpf_spin_lock(&o->lock);
	bpf_obj_drop(o);
	return 0;
}

SEC("tc") int obj_nolock(void *ctx) {
	struct plain *o = bpf_obj_new(typeof(*o));
	if (!o) return 0;
	bpf_spin_lock((void *)o);
	bpf_obj_drop(o);
	return 0;
}

SEC("tc") int kptr(void *ctx) {
	int k = 0;
	struct kp *v = bpf_map_lookup_elem(&kps, &k);
	struct owner *o;
	if (!v) return 0;
	o = bpf_obj_new(typeof(*o));
	if (!o) return 0;
	o = bpf_kptr_xchg(&v->o, o);
	if (o) {
		bpf_spin_lock(&o->lock);
		bpf_spin_unlock(&o->lock);
		bpf_obj_drop(o);
	}
	return 0;
}

SEC("tc") int kptr_read(void *ctx) {
	int k = 0;
	struct kp *v = bpf_map_lookup_elem(&kps, &k);
	struct owner *o;
	long x = 0;
	if (!v) return 0;
	bpf_rcu_read_lock();
	o = v->o;
	if (o) x = o->x;
	bpf_rcu_read_unlock();
	return x & 1;
}

SEC("tc") int kptr_drop_read(void *ctx) {
	int k = 0;
	struct kp *v = bpf_map_lookup_elem(&kps, &k);
	struct owner *o;
	if (!v) return 0;
	o = v->o;
	if (o) bpf_obj_drop(o);
	return 0;
}

SEC("tc") int inner1(void *ctx) {
	int k = 0;
	struct plainlock *v;
	void *m = bpf_map_lookup_elem(&outer, &k);
	if (!m) return 0;
	v = bpf_map_lookup_elem(m, &k);
	if (!v) return 0;
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&v->l);
	bpf_list_push_front(&v->h, &p->l);
	bpf_spin_unlock(&v->l);
	return 0;
}

SEC("tc") int inner2(void *ctx) {
	int k = 0;
	struct plainlock *v, *w;
	void *m = bpf_map_lookup_elem(&outer, &k);
	if (!m) return 0;
	v = bpf_map_lookup_elem(m, &k);
	if (!v) return 0;
	m = bpf_map_lookup_elem(&outer, &k);
	if (!m) return 0;
	w = bpf_map_lookup_elem(m, &k);
	if (!w) return 0;
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&v->l);
	bpf_list_push_front(&w->h, &p->l);
	bpf_spin_unlock(&v->l);
	return 0;
}

SEC("tc") int loop_pop(void *ctx) {
	int k = 0;
	struct owner *o = bpf_obj_new(typeof(*o));
	struct bpf_iter_num it;
	int *i;
	struct bpf_list_node *n;
	if (!o) return 0;
	bpf_iter_num_new(&it, 0, 10);
	while ((i = bpf_iter_num_next(&it))) {
		bpf_spin_lock(&o->lock);
		n = bpf_list_pop_front(&o->h);
		bpf_spin_unlock(&o->lock);
		if (!n) break;
		bpf_obj_drop(container_of(n, struct plain, l));
	}
	bpf_iter_num_destroy(&it);
	bpf_obj_drop(o);
	return 0;
}

SEC("tc") int iter_under_lock(void *ctx) {
	int k = 0, s = 0;
	struct owner *o = bpf_obj_new(typeof(*o));
	struct bpf_iter_num it;
	int *i;
	if (!o) return 0;
	bpf_spin_lock(&o->lock);
	bpf_iter_num_new(&it, 0, 10);
	while ((i = bpf_iter_num_next(&it))) s += *i;
	bpf_iter_num_destroy(&it);
	bpf_spin_unlock(&o->lock);
	bpf_obj_drop(o);
	return s & 1;
}

static __noinline int sub(struct owner *o) {
	long x;
	bpf_spin_lock(&o->lock);
	x = o->x;
	bpf_spin_unlock(&o->lock);
	return x;
}

SEC("tc") int subcall(void *ctx) {
	struct owner *o = bpf_obj_new(typeof(*o));
	int x;
	if (!o) return 0;
	x = sub(o);
	bpf_obj_drop(o);
	return x & 1;
}

static __noinline int dynsub(struct bpf_dynptr *d, int x) {
	return x ? bpf_dynptr_size(d) : 3;
}

SEC("tc") int dynstatic(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	int i, s = 0;
	bpf_dynptr_from_skb(ctx, 0, &d);
	for (i = 0; i < 10; i++) s += dynsub(&d, ctx->len > i);
	return s & 1;
}
