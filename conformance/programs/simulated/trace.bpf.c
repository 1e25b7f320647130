// SPDX-License-Identifier: MIT OR Apache-2.0
// Programs that need a kernel around them: a traced function, tasks, files.
#include "../bodies/bodies.h"

struct path {
	void *mnt;
	void *dentry;
} __attribute__((preserve_access_index));

struct file {
	struct path f_path;
} __attribute__((preserve_access_index));

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
} __attribute__((preserve_access_index));

struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

SEC("fexit/vfs_read")
int function(void *ctx)
{
	__u64 value = 0;

	keep(bpf_get_func_arg_cnt(ctx));
	keep(bpf_get_func_arg(ctx, 0, &value));
	keep(value);
	keep(bpf_get_func_arg(ctx, 3, &value));
	keep(value);
	keep(bpf_get_func_arg(ctx, 4, &value));
	keep(bpf_get_func_ret(ctx, &value));
	keep(value);
	keep(bpf_get_func_ip(ctx));
	keep(bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("fentry/vfs_read")
int function_entry(void *ctx)
{
	__u64 value = 0;

	keep(bpf_get_func_ret(ctx, &value));
	return 0;
}

char text[64];

SEC("fentry/filp_close")
int closed(__u64 *ctx)
{
	struct file *file = (void *)ctx[0];

	keep(bpf_d_path(&file->f_path, text, sizeof(text)));
	keep_bytes(text, 16);
	keep(bpf_d_path(&file->f_path, text, 4));
	keep(bpf_d_path(&file->f_path, text, 0));
	return 0;
}

SEC("kprobe/do_open")
int overridden(void *ctx)
{
	keep(bpf_override_return(ctx, -12));
	keep(bpf_send_signal(9));
	keep(bpf_send_signal_thread(15));
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 128);
	__uint(key_size, 4);
	__uint(value_size, 8 * 16);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} cgroups SEC(".maps");

SEC("kprobe/do_stack")
int stacks_of_task(void *ctx)
{
	__u64 words[8] = {};

	keep(bpf_get_stackid(ctx, &stacks, 0) >= 0);
	keep(bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK) >= 0);
	keep(bpf_get_stack(ctx, words, 24, 1));
	keep_bytes(words, 24);
	keep(bpf_get_stack(ctx, words, 64, BPF_F_USER_STACK | BPF_F_USER_BUILD_ID));
	keep_bytes(words, 64);
	keep(bpf_get_current_cgroup_id());
	keep(bpf_get_current_ancestor_cgroup_id(1));
	keep(bpf_get_current_ancestor_cgroup_id(2));
	keep(bpf_get_current_ancestor_cgroup_id(3));
	keep(bpf_current_task_under_cgroup(&cgroups, 0));
	keep(bpf_current_task_under_cgroup(&cgroups, 1));
	return 0;
}

static long see(struct task_struct *task, struct vm_area_struct *vma, __u64 *passed)
{
	keep(task->tgid);
	keep(vma->vm_start);
	keep(vma->vm_end);
	keep(*passed);
	return 0;
}

SEC("raw_tp/sched_switch")
int tasks(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct bpf_iter_task it;
	struct task_struct *task;
	__u64 passed = 7;

	keep(bpf_find_vma(current, 0x1800, (void *)see, &passed, 0));
	keep(bpf_find_vma(current, 0x2000, (void *)see, &passed, 0));
	bpf_rcu_read_lock();
	for (__u32 flags = 0; flags < 4; flags++) {
		keep_int(bpf_iter_task_new(&it, current, flags));
		while ((task = bpf_iter_task_next(&it)))
			keep(task->pid);
		bpf_iter_task_destroy(&it);
	}
	bpf_rcu_read_unlock();
	return 0;
}
