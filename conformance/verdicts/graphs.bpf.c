/* Lists and trees of objects, references that are counted, resilient locks, work queues. */
#include "kernel.h"
struct gnode {
	long key;
	struct bpf_list_node l;
	struct bpf_rb_node r;
	struct bpf_refcount ref;
	long v;
};

struct plain {
	long key;
	struct bpf_list_node l;
	long v;
};

struct tree {
	long key;
	struct bpf_rb_node r;
};

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

private(A) struct bpf_spin_lock glock;

private(A) struct bpf_list_head head __contains(gnode, l);

private(A) struct bpf_rb_root root __contains(gnode, r);

private(B) struct bpf_spin_lock glock2;

private(B) struct bpf_list_head phead __contains(plain, l);

private(B) struct bpf_rb_root troot __contains(tree, r);

struct val {
	int x;
	struct bpf_spin_lock lock;
	struct bpf_list_head h __contains(plain, l);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct val);
	__uint(max_entries, 4);
} vals SEC(".maps");

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

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
	return container_of(a, struct gnode, r)->key < container_of(b, struct gnode, r)->key;
}

static bool tless(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
	return container_of(a, struct tree, r)->key < container_of(b, struct tree, r)->key;
}

SEC("tc") int new_drop(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	p->key = 1;
	bpf_obj_drop(p);
	return 0;
}

SEC("tc") int new_leak(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	return 0;
}

SEC("tc") int new_null(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	p->key = 1;
	bpf_obj_drop(p);
	return 0;
}

SEC("tc") int new_use(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_obj_drop(p);
	return p->key;
}

SEC("tc") int new_field(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	*(volatile long *)&p->l = 1;
	bpf_obj_drop(p);
	return 0;
}

SEC("tc") int push(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_list_push_front(&phead, &p->l);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int push_use(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	int k;
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_list_push_front(&phead, &p->l);
	k = p->key;
	bpf_spin_unlock(&glock2);
	return k & 1;
}

SEC("tc") int push_after(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	int k;
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_list_push_front(&phead, &p->l);
	bpf_spin_unlock(&glock2);
	k = p->key;
	return k & 1;
}

SEC("tc") int push_nolock(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_list_push_front(&phead, &p->l);
	return 0;
}

SEC("tc") int push_otherlock(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&glock);
	bpf_list_push_front(&phead, &p->l);
	bpf_spin_unlock(&glock);
	return 0;
}

SEC("tc") int push_wrong(void *ctx) {
	struct gnode *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_list_push_front(&phead, &p->l);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int push_off(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_list_push_front(&phead, (void *)p);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int push_twice(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_list_push_front(&phead, &p->l);
	bpf_list_push_front(&phead, &p->l);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int pop(void *ctx) {
	struct bpf_list_node *n;
	bpf_spin_lock(&glock2);
	n = bpf_list_pop_front(&phead);
	bpf_spin_unlock(&glock2);
	if (!n) return 0;
	bpf_obj_drop(container_of(n, struct plain, l));
	return 0;
}

SEC("tc") int pop_leak(void *ctx) {
	struct bpf_list_node *n;
	bpf_spin_lock(&glock2);
	n = bpf_list_pop_front(&phead);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int peek(void *ctx) {
	struct bpf_list_node *n;
	int k = 0;
	bpf_spin_lock(&glock2);
	n = bpf_list_front(&phead);
	if (n) k = container_of(n, struct plain, l)->key;
	bpf_spin_unlock(&glock2);
	return k & 1;
}

SEC("tc") int peek_after(void *ctx) {
	struct bpf_list_node *n;
	int k = 0;
	bpf_spin_lock(&glock2);
	n = bpf_list_front(&phead);
	bpf_spin_unlock(&glock2);
	if (n) k = container_of(n, struct plain, l)->key;
	return k & 1;
}

SEC("tc") int unlock_missing(void *ctx) {
	bpf_spin_lock(&glock2);
	return 0;
}

SEC("tc") int mapval(void *ctx) {
	int k = 0;
	struct val *v = bpf_map_lookup_elem(&vals, &k);
	struct plain *p;
	if (!v) return 0;
	p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&v->lock);
	bpf_list_push_back(&v->h, &p->l);
	bpf_spin_unlock(&v->lock);
	return 0;
}

SEC("tc") int mapval2(void *ctx) {
	int k = 0, j = 1;
	struct val *v = bpf_map_lookup_elem(&vals, &k), *w;
	struct plain *p;
	if (!v) return 0;
	w = bpf_map_lookup_elem(&vals, &j);
	if (!w) return 0;
	p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&w->lock);
	bpf_list_push_back(&v->h, &p->l);
	bpf_spin_unlock(&w->lock);
	return 0;
}

SEC("tc") int rb(void *ctx) {
	struct tree *p = bpf_obj_new(typeof(*p));
	struct bpf_rb_node *n;
	if (!p) return 0;
	p->key = 5;
	bpf_spin_lock(&glock2);
	bpf_rbtree_add(&troot, &p->r, tless);
	n = bpf_rbtree_first(&troot);
	if (!n) {
		bpf_spin_unlock(&glock2);
		return 0;
	}
	n = bpf_rbtree_remove(&troot, n);
	bpf_spin_unlock(&glock2);
	if (n) bpf_obj_drop(container_of(n, struct tree, r));
	return 0;
}

SEC("tc") int rb_left(void *ctx) {
	struct bpf_rb_node *n, *m;
	int k = 0;
	bpf_spin_lock(&glock2);
	n = bpf_rbtree_root(&troot);
	if (n) {
		m = bpf_rbtree_left(&troot, n);
		if (m) k = container_of(m, struct tree, r)->key;
	}
	bpf_spin_unlock(&glock2);
	return k & 1;
}

SEC("tc") int rb_remove_leak(void *ctx) {
	struct bpf_rb_node *n;
	bpf_spin_lock(&glock2);
	n = bpf_rbtree_first(&troot);
	if (!n) {
		bpf_spin_unlock(&glock2);
		return 0;
	}
	n = bpf_rbtree_remove(&troot, n);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int rb_nullable(void *ctx) {
	struct bpf_rb_node *n;
	bpf_spin_lock(&glock2);
	n = bpf_rbtree_first(&troot);
	n = bpf_rbtree_remove(&troot, n);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int rb_owning(void *ctx) {
	struct tree *p = bpf_obj_new(typeof(*p));
	struct bpf_rb_node *n;
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	n = bpf_rbtree_remove(&troot, &p->r);
	bpf_spin_unlock(&glock2);
	return 0;
}

static bool badless(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int rb_badcb(void *ctx) {
	struct tree *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_rbtree_add(&troot, &p->r, badless);
	bpf_spin_unlock(&glock2);
	return 0;
}

static bool firstless(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
	bpf_rbtree_remove(&troot, a);
	return 0;
}

SEC("tc") int rb_badcb2(void *ctx) {
	struct tree *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_spin_lock(&glock2);
	bpf_rbtree_add(&troot, &p->r, firstless);
	bpf_spin_unlock(&glock2);
	return 0;
}

SEC("tc") int refcount(void *ctx) {
	struct gnode *p = bpf_obj_new(typeof(*p)), *q;
	int k;
	if (!p) return 0;
	q = bpf_refcount_acquire(p);
	bpf_spin_lock(&glock);
	bpf_rbtree_add(&root, &p->r, less);
	bpf_list_push_front(&head, &q->l);
	k = q->key + p->key;
	bpf_spin_unlock(&glock);
	return k & 1;
}

SEC("tc") int refcount_drop(void *ctx) {
	struct gnode *p = bpf_obj_new(typeof(*p)), *q;
	if (!p) return 0;
	q = bpf_refcount_acquire(p);
	bpf_obj_drop(p);
	q->key = 4;
	bpf_obj_drop(q);
	return 0;
}

SEC("tc") int refcount_leak(void *ctx) {
	struct gnode *p = bpf_obj_new(typeof(*p)), *q;
	if (!p) return 0;
	q = bpf_refcount_acquire(p);
	bpf_obj_drop(p);
	return 0;
}

SEC("tc") int refcount_after(void *ctx) {
	struct gnode *p = bpf_obj_new(typeof(*p)), *q;
	int k;
	if (!p) return 0;
	bpf_spin_lock(&glock);
	bpf_list_push_front(&head, &p->l);
	q = bpf_refcount_acquire(p);
	bpf_spin_unlock(&glock);
	if (!q) return 0;
	k = q->key;
	bpf_obj_drop(q);
	return k & 1;
}

SEC("tc") int refcount_none(void *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p)), *q;
	if (!p) return 0;
	q = bpf_refcount_acquire(p);
	bpf_obj_drop(p);
	if (q) bpf_obj_drop(q);
	return 0;
}

struct nometa {
	long a, b;
};

SEC("tc") int refcount_nometa(void *ctx) {
	struct nometa *p = bpf_obj_new(typeof(*p)), *q;
	if (!p) return 0;
	q = bpf_refcount_acquire(p);
	bpf_obj_drop(p);
	if (q) bpf_obj_drop(q);
	return 0;
}

SEC("tc") int percpu(void *ctx) {
	struct nometa *p = bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct nometa), NULL);
	if (!p) return 0;
	bpf_percpu_obj_drop_impl(p, NULL);
	return 0;
}

SEC("tc") int percpu_bad(void *ctx) {
	struct nometa *p = bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct plain), NULL);
	if (!p) return 0;
	bpf_percpu_obj_drop_impl(p, NULL);
	return 0;
}

SEC("tc") int percpu_mix(void *ctx) {
	struct nometa *p = bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct nometa), NULL);
	if (!p) return 0;
	bpf_obj_drop(p);
	return 0;
}

struct big {
	char x[600];
};

SEC("tc") int percpu_big(void *ctx) {
	struct big *p = bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct big), NULL);
	if (!p) return 0;
	bpf_percpu_obj_drop_impl(p, NULL);
	return 0;
}

SEC("tc") int obj_int(void *ctx) {
	int *p = bpf_obj_new_impl(bpf_core_type_id_local(int), NULL);
	return 0;
}

SEC("tc") int res(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	if (bpf_res_spin_lock(&v->rl)) return 0;
	v->y++;
	bpf_res_spin_unlock(&v->rl);
	return 0;
}

SEC("tc") int res_leak(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	if (bpf_res_spin_lock(&v->rl)) return 0;
	v->y++;
	return 0;
}

SEC("tc") int res_nocheck(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	bpf_res_spin_lock(&v->rl);
	v->y++;
	bpf_res_spin_unlock(&v->rl);
	return 0;
}

SEC("tc") int res_aa(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	if (bpf_res_spin_lock(&v->rl)) return 0;
	if (!bpf_res_spin_lock(&v->rl)) bpf_res_spin_unlock(&v->rl);
	bpf_res_spin_unlock(&v->rl);
	return 0;
}

SEC("tc") int res_two(void *ctx) {
	int k = 0, j = 1;
	struct resv *v = bpf_map_lookup_elem(&resm, &k), *w;
	if (!v) return 0;
	w = bpf_map_lookup_elem(&resm, &j);
	if (!w) return 0;
	if (bpf_res_spin_lock(&v->rl)) return 0;
	if (bpf_res_spin_lock(&w->rl)) {
		bpf_res_spin_unlock(&v->rl);
		return 0;
	}
	bpf_res_spin_unlock(&w->rl);
	bpf_res_spin_unlock(&v->rl);
	return 0;
}

SEC("tc") int res_ooo(void *ctx) {
	int k = 0, j = 1;
	struct resv *v = bpf_map_lookup_elem(&resm, &k), *w;
	if (!v) return 0;
	w = bpf_map_lookup_elem(&resm, &j);
	if (!w) return 0;
	if (bpf_res_spin_lock(&v->rl)) return 0;
	if (bpf_res_spin_lock(&w->rl)) {
		bpf_res_spin_unlock(&v->rl);
		return 0;
	}
	bpf_res_spin_unlock(&v->rl);
	bpf_res_spin_unlock(&w->rl);
	return 0;
}

SEC("tc") int res_irq(void *ctx) {
	int k = 0;
	unsigned long f;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	if (bpf_res_spin_lock_irqsave(&v->rl, &f)) return 0;
	v->y++;
	bpf_res_spin_unlock_irqrestore(&v->rl, &f);
	return 0;
}

SEC("tc") int res_irq_mix(void *ctx) {
	int k = 0;
	unsigned long f;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	if (bpf_res_spin_lock_irqsave(&v->rl, &f)) return 0;
	v->y++;
	bpf_res_spin_unlock(&v->rl);
	return 0;
}

SEC("tc") int res_irq_native(void *ctx) {
	int k = 0;
	unsigned long f;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	bpf_local_irq_save(&f);
	bpf_res_spin_unlock_irqrestore(&v->rl, &f);
	return 0;
}

SEC("tc") int res_off(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	bpf_res_spin_lock((void *)v + 4);
	return 0;
}

SEC("tc") int res_unlock_only(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	bpf_res_spin_unlock(&v->rl);
	return 0;
}

SEC("tc") int res_call(void *ctx) {
	int k = 0;
	struct resv *v = bpf_map_lookup_elem(&resm, &k);
	if (!v) return 0;
	if (bpf_res_spin_lock(&v->rl)) return 0;
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_res_spin_unlock(&v->rl);
	return 0;
}

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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, struct wqv);
	__uint(max_entries, 4);
} wqs2 SEC(".maps");

static int cb(void *map, int *key, void *value) {
	struct wqv *v = value;
	v->a += *key;
	return 0;
}

static int cb1(void *map, int *key, void *value) {
	return 1;
}

static int cb_oob(void *map, int *key, void *value) {
	return *(int *)(value + 20) & 0;
}

static int cb_oob2(void *map, int *key, void *value) {
	return *(int *)(value + 24) & 0;
}

SEC("tc") int wq(void *ctx) {
	int k = 0;
	struct wqv *v = bpf_map_lookup_elem(&wqs, &k);
	if (!v) return 0;
	bpf_wq_init(&v->wq, &wqs, 0);
	bpf_wq_set_callback(&v->wq, cb, 0);
	bpf_wq_start(&v->wq, 0);
	return 0;
}

SEC("tc") int wq_ret(void *ctx) {
	int k = 0;
	struct wqv *v = bpf_map_lookup_elem(&wqs, &k);
	if (!v) return 0;
	bpf_wq_set_callback(&v->wq, cb1, 0);
	return 0;
}

SEC("tc") int wq_oob(void *ctx) {
	int k = 0;
	struct wqv *v = bpf_map_lookup_elem(&wqs, &k);
	if (!v) return 0;
	bpf_wq_set_callback(&v->wq, cb_oob, 0);
	return 0;
}

SEC("tc") int wq_oob2(void *ctx) {
	int k = 0;
	struct wqv *v = bpf_map_lookup_elem(&wqs, &k);
	if (!v) return 0;
	bpf_wq_set_callback(&v->wq, cb_oob2, 0);
	return 0;
}

SEC("tc") int wq_map(void *ctx) {
	int k = 0;
	struct wqv *v = bpf_map_lookup_elem(&wqs, &k);
	if (!v) return 0;
	bpf_wq_init(&v->wq, &wqs2, 0);
	return 0;
}

SEC("tc") int wq_off(void *ctx) {
	int k = 0;
	struct wqv *v = bpf_map_lookup_elem(&wqs, &k);
	if (!v) return 0;
	bpf_wq_start((void *)v, 0);
	return 0;
}

SEC("tc") int wq_stack(void *ctx) {
	struct bpf_wq w;
	bpf_wq_start(&w, 0);
	return 0;
}

SEC("tc") int throw(void *ctx) {
	bpf_throw(0);
	return 1;
}

SEC("tc") int throw_if(struct __sk_buff *ctx) {
	if (ctx->len > 10) bpf_throw(3);
	return 1;
}

SEC("tc") int throw_ref(struct __sk_buff *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	if (!p) return 0;
	bpf_throw(0);
	bpf_obj_drop(p);
	return 1;
}

static __noinline int thrower(struct __sk_buff *ctx) {
	if (ctx->len > 10) bpf_throw(0);
	return ctx->len;
}

SEC("tc") int throw_sub(struct __sk_buff *ctx) {
	return thrower(ctx) & 1;
}

SEC("tc") int throw_sub_ref(struct __sk_buff *ctx) {
	struct plain *p = bpf_obj_new(typeof(*p));
	int r;
	if (!p) return 0;
	r = thrower(ctx);
	bpf_obj_drop(p);
	return r & 1;
}
