// SPDX-License-Identifier: MIT OR Apache-2.0
// Values of tasks, cgroups and CPUs; what programs ask of the kernel in place of user space.
#include "bodies.h"

struct cgroup {
	int level;
} __attribute__((preserve_access_index));

extern struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym;
extern struct cgroup *bpf_cgroup_acquire(struct cgroup *cgroup) __ksym;
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgroup, int level) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgroup) __ksym;
extern long bpf_task_under_cgroup(struct task_struct *task, struct cgroup *ancestor) __ksym;
extern void bpf_throw(__u64 cookie) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} tasks SEC(".maps");

struct {
	__uint(type, 32 /* BPF_MAP_TYPE_CGRP_STORAGE */);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} groups SEC(".maps");

SEC("syscall")
int storage_of_tasks(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	long fresh = 7, *value;

	keep(bpf_task_storage_delete(&tasks, current));
	keep_some(bpf_task_storage_get(&tasks, current, 0, 0));
	keep_some(bpf_task_storage_get(&tasks, current, &fresh, 2));
	value = bpf_task_storage_get(&tasks, current, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
	keep_some(value);
	if (value)
		keep((*value)++);
	value = bpf_task_storage_get(&tasks, current, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
	keep_some(value);
	if (value)
		keep((*value)++);
	value = bpf_task_storage_get(&tasks, current, 0, 0);
	keep_some(value);
	if (value)
		keep((*value)++);
	keep(bpf_task_storage_delete(&tasks, current));
	keep(bpf_task_storage_delete(&tasks, current));
	value = bpf_task_storage_get(&tasks, current, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	keep_some(value);
	if (value)
		keep(*value);
	keep(bpf_task_storage_delete(&tasks, current));
	return 0;
}

SEC("syscall")
int storage_of_groups(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct cgroup *root = bpf_cgroup_from_id(1), *other;
	long fresh = 7, *value;

	keep_some(root);
	if (!root)
		return 1;
	keep(root->level);
	keep(bpf_task_under_cgroup(current, root));
	other = bpf_cgroup_acquire(root);
	keep(other == root);
	if (other)
		bpf_cgroup_release(other);
	other = bpf_cgroup_ancestor(root, 0);
	keep(other == root);
	if (other)
		bpf_cgroup_release(other);
	other = bpf_cgroup_ancestor(root, 1);
	keep_some(other);
	if (other)
		bpf_cgroup_release(other);
	other = bpf_cgroup_ancestor(root, -1);
	keep_some(other);
	if (other)
		bpf_cgroup_release(other);
	other = bpf_cgroup_from_id(1ull << 60);
	keep_some(other);
	if (other)
		bpf_cgroup_release(other);
	keep(bpf_cgrp_storage_delete(&groups, root));
	keep_some(bpf_cgrp_storage_get(&groups, root, 0, 0));
	value = bpf_cgrp_storage_get(&groups, root, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
	keep_some(value);
	if (value)
		keep(*value);
	keep(bpf_cgrp_storage_delete(&groups, root));
	bpf_cgroup_release(root);
	return 0;
}

SEC("syscall")
int system(void *ctx)
{
	__u64 addr = 1;
	char unended[4] = { 'l', 'i', 's', 't' };

	keep_some(bpf_btf_find_by_name_kind("list_head", 10, 4, 0) > 0);
	keep(bpf_btf_find_by_name_kind("list_head", 10, 5, 0));
	keep(bpf_btf_find_by_name_kind("list_head", 10, 77, 0));
	keep(bpf_btf_find_by_name_kind("list_head", 10, 4, 1));
	keep(bpf_btf_find_by_name_kind("list_head", 5, 4, 0));
	keep(bpf_btf_find_by_name_kind("", 1, 4, 0));
	keep(bpf_btf_find_by_name_kind(unended, 4, 4, 0));
	keep(bpf_btf_find_by_name_kind("no such type", 13, 4, 0));
	keep(bpf_sys_close(100000));
	keep(bpf_kallsyms_lookup_name("no such symbol", 15, 0, &addr));
	keep(addr);
	addr = 1;
	keep(bpf_kallsyms_lookup_name("no such symbol", 15, 1, &addr));
	keep(addr);
	keep(bpf_kallsyms_lookup_name("no such symbol", 5, 0, &addr));
	keep(bpf_kallsyms_lookup_name("", 1, 0, &addr));
	return 0;
}

/* The verifier must not know that what follows a throw is never reached: Linux 6.18 loses its way in a program whose functions before the
 * exception callback are dead. */
int one = 1, nine = 9;

SEC("tc")
int thrown(void *ctx)
{
	keep(1);
	if (one)
		bpf_throw(33);
	keep(2);
	return 0;
}

static __noinline int inner(int n)
{
	if (n > 3)
		bpf_throw(44);
	return n;
}

SEC("tc")
int thrown_inside(void *ctx)
{
	keep(inner(one + 2));
	keep(inner(one + 3));
	return 0;
}

int handler(__u64 cookie)
{
	return cookie + 1;
}

SEC("tc")
__attribute__((btf_decl_tag("exception_callback:handler")))
int thrown_and_caught(void *ctx)
{
	keep(inner(nine));
	return 0;
}
