// SPDX-License-Identifier: MIT OR Apache-2.0
// Objects that programs allocate; lists, trees and kernel pointers that hold them; locks.
#include "bodies.h"

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))
#define private(name) SEC(".data." #name) __attribute__((aligned(8)))

struct bpf_list_head {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_node {
	__u64 opaque[3];
} __attribute__((aligned(8)));
struct bpf_rb_root {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_rb_node {
	__u64 opaque[4];
} __attribute__((aligned(8)));
struct bpf_refcount {
	__u32 opaque[1];
} __attribute__((aligned(4)));

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *object, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_back(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *), void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_right(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

#define new(type) ((type *)bpf_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), 0))
#define drop(object) bpf_obj_drop_impl(object, 0)

struct item {
	long key;
	struct bpf_list_node list;
	struct bpf_refcount refs;
	struct bpf_rb_node tree;
};

private(list) struct bpf_spin_lock list_lock;
private(list) struct bpf_list_head head __contains(item, list);
private(tree) struct bpf_spin_lock tree_lock;
private(tree) struct bpf_rb_root root __contains(item, tree);

static __noinline long push(long key, bool front)
{
	struct item *item = new(struct item);
	long ret;

	if (!item)
		return -1000;
	item->key = key;
	bpf_spin_lock(&list_lock);
	ret = front ? bpf_list_push_front_impl(&head, &item->list, 0, 0) : bpf_list_push_back_impl(&head, &item->list, 0, 0);
	bpf_spin_unlock(&list_lock);
	return ret;
}

static __noinline long pop(bool front)
{
	struct bpf_list_node *node;
	struct item *item;
	long key;

	bpf_spin_lock(&list_lock);
	node = front ? bpf_list_pop_front(&head) : bpf_list_pop_back(&head);
	bpf_spin_unlock(&list_lock);
	if (!node)
		return -1;
	item = container_of(node, struct item, list);
	key = item->key;
	drop(item);
	return key;
}

SEC("tc")
int alloc_list(void *ctx)
{
	struct bpf_list_node *node;
	long key;

	keep(pop(true));
	keep(push(1, true));
	keep(push(2, true));
	keep(push(3, false));
	bpf_spin_lock(&list_lock);
	node = bpf_list_front(&head);
	key = node ? container_of(node, struct item, list)->key : -1;
	bpf_spin_unlock(&list_lock);
	keep(key);
	bpf_spin_lock(&list_lock);
	node = bpf_list_back(&head);
	key = node ? container_of(node, struct item, list)->key : -1;
	bpf_spin_unlock(&list_lock);
	keep(key);
	keep(pop(false));
	keep(pop(true));
	keep(pop(true));
	keep(pop(false));
	bpf_spin_lock(&list_lock);
	node = bpf_list_front(&head);
	bpf_spin_unlock(&list_lock);
	keep_some(node);
	return 0;
}

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct item, tree)->key < container_of(b, struct item, tree)->key;
}

static __noinline long plant(long key)
{
	struct item *item = new(struct item);
	long ret;

	if (!item)
		return -1000;
	item->key = key;
	bpf_spin_lock(&tree_lock);
	ret = bpf_rbtree_add_impl(&root, &item->tree, less, 0, 0);
	bpf_spin_unlock(&tree_lock);
	return ret;
}

/* The key at the end of a way down: 1 left, 2 right, from the lowest bits on. */
static __noinline long key_at(__u32 way)
{
	struct bpf_rb_node *node;
	long key = -1;

	bpf_spin_lock(&tree_lock);
	node = bpf_rbtree_root(&root);
	for (int i = 0; i < 4 && node && (way & 3); i++) {
		node = (way & 3) == 1 ? bpf_rbtree_left(&root, node) : bpf_rbtree_right(&root, node);
		way >>= 2;
	}
	if (node)
		key = container_of(node, struct item, tree)->key;
	bpf_spin_unlock(&tree_lock);
	return key;
}

static __noinline void shape(void)
{
	keep(key_at(0));
	keep(key_at(1));
	keep(key_at(2));
	keep(key_at(5));
	keep(key_at(9));
	keep(key_at(6));
	keep(key_at(10));
	keep(key_at(21));
	keep(key_at(37));
	keep(key_at(26));
	keep(key_at(42));
}

/* Takes the node at the end of a way out. */
static __noinline long fell(__u32 way)
{
	struct bpf_rb_node *node;
	struct item *item;
	long key;

	bpf_spin_lock(&tree_lock);
	node = way == 15 ? bpf_rbtree_first(&root) : bpf_rbtree_root(&root);
	if (node && (way & 3) == 1)
		node = bpf_rbtree_left(&root, node);
	else if (node && (way & 3) == 2)
		node = bpf_rbtree_right(&root, node);
	if (!node) {
		bpf_spin_unlock(&tree_lock);
		return -1;
	}
	node = bpf_rbtree_remove(&root, node);
	bpf_spin_unlock(&tree_lock);
	if (!node)
		return -2;
	item = container_of(node, struct item, tree);
	key = item->key;
	drop(item);
	return key;
}

SEC("tc")
int alloc_tree(void *ctx)
{
	keep(fell(15));
	for (int i = 0; i < 12; i++)
		keep(plant((i * 7) % 12));
	shape();
	keep(fell(0));
	shape();
	keep(fell(2));
	shape();
	keep(fell(1));
	shape();
	keep(fell(0));
	shape();
	keep(fell(15));
	keep(fell(15));
	shape();
	for (int i = 0; i < 8; i++)
		keep(fell(15));
	return 0;
}

SEC("tc")
int alloc_shared(void *ctx)
{
	struct item *item = new(struct item), *again;
	struct bpf_rb_node *node;
	int ret;

	if (!item)
		return 1;
	item->key = 41;
	again = bpf_refcount_acquire_impl(item, 0);
	keep_some(again);
	if (!again) {
		drop(item);
		return 2;
	}
	keep(again == item);
	again->key++;
	bpf_spin_lock(&tree_lock);
	ret = bpf_rbtree_add_impl(&root, &item->tree, less, 0, 0);
	bpf_spin_unlock(&tree_lock);
	keep_int(ret);
	keep(again->key);
	/* A node that is in a tree already cannot be put in. */
	bpf_spin_lock(&tree_lock);
	ret = bpf_rbtree_add_impl(&root, &again->tree, less, 0, 0);
	bpf_spin_unlock(&tree_lock);
	keep_int(ret);
	bpf_spin_lock(&tree_lock);
	node = bpf_rbtree_first(&root);
	if (node) {
		item = container_of(node, struct item, tree);
		again = bpf_refcount_acquire_impl(item, 0);
		node = bpf_rbtree_remove(&root, node);
	} else {
		again = 0;
	}
	bpf_spin_unlock(&tree_lock);
	keep_some(node);
	keep_some(again);
	if (node)
		drop(container_of(node, struct item, tree));
	if (again) {
		keep(again->key);
		bpf_spin_lock(&list_lock);
		ret = bpf_list_push_back_impl(&head, &again->list, 0, 0);
		bpf_spin_unlock(&list_lock);
		keep_int(ret);
	}
	keep(pop(true));
	return 0;
}

struct holder {
	struct item __kptr *item;
	long number;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct holder);
} holders SEC(".maps");

SEC("tc")
int alloc_kptr(void *ctx)
{
	__u32 zero = 0;
	struct holder *holder = bpf_map_lookup_elem(&holders, &zero);
	struct item *item, *old;

	if (!holder)
		return 1;
	item = new(struct item);
	if (!item)
		return 2;
	item->key = 5;
	old = bpf_kptr_xchg(&holder->item, item);
	keep_some(old);
	if (old)
		drop(old);
	old = bpf_kptr_xchg(&holder->item, 0);
	keep_some(old);
	if (old) {
		keep(old->key);
		old->key = 6;
		old = bpf_kptr_xchg(&holder->item, old);
		keep_some(old);
		if (old)
			drop(old);
	}
	bpf_rcu_read_lock();
	item = holder->item;
	keep(item ? item->key : -1);
	bpf_rcu_read_unlock();
	return 0;
}

struct bpf_res_spin_lock {
	__u32 val;
} __attribute__((aligned(4)));
extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;

struct locked {
	struct bpf_res_spin_lock lock;
	long number;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct locked);
} locks SEC(".maps");

SEC("tc")
int alloc_locks(void *ctx)
{
	__u32 zero = 0, one = 1;
	struct locked *a = bpf_map_lookup_elem(&locks, &zero), *b = bpf_map_lookup_elem(&locks, &one);
	unsigned long flags;
	int ret;

	if (!a || !b)
		return 1;
	ret = bpf_res_spin_lock(&a->lock);
	keep_int(ret);
	if (ret)
		return 2;
	ret = bpf_res_spin_lock(&b->lock);
	keep_int(ret);
	if (ret) {
		bpf_res_spin_unlock(&a->lock);
		return 3;
	}
	bpf_res_spin_unlock(&b->lock);
	bpf_res_spin_unlock(&a->lock);
	ret = bpf_res_spin_lock_irqsave(&a->lock, &flags);
	keep_int(ret);
	if (ret)
		return 4;
	bpf_res_spin_unlock_irqrestore(&a->lock, &flags);
	return 0;
}

SEC("tc")
int alloc_relocked(void *ctx)
{
	__u32 zero = 0;
	struct locked *a = bpf_map_lookup_elem(&locks, &zero), *b = bpf_map_lookup_elem(&locks, &zero);
	int ret;

	if (!a || !b)
		return 1;
	ret = bpf_res_spin_lock(&a->lock);
	keep_int(ret);
	if (ret)
		return 2;
	ret = bpf_res_spin_lock(&b->lock);
	keep_int(ret);
	if (!ret)
		bpf_res_spin_unlock(&b->lock);
	bpf_res_spin_unlock(&a->lock);
	return 0;
}
