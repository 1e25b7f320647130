// SPDX-License-Identifier: MIT OR Apache-2.0
// Programs that need state of the kernel which a test sets: cgroups, keys, files, sysctl, samples of user space, timers.
#include "../bodies/bodies.h"
#include <bpf/bpf_core_read.h>

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} __attribute__((preserve_access_index));

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
} __attribute__((preserve_access_index));

struct inode {
	unsigned long i_ino;
} __attribute__((preserve_access_index));

struct file {
	struct inode *f_inode;
} __attribute__((preserve_access_index));

struct sk_buff {
	unsigned int len;
	unsigned int mark;
} __attribute__((preserve_access_index));

struct linux_binprm;
struct bpf_map {
	int id;
} __attribute__((preserve_access_index));
struct bpf_key {
	bool has_ref;
} __attribute__((preserve_access_index));

struct bpf_iter_css {
	__u64 opaque[3];
} __attribute__((aligned(8)));
struct bpf_iter_css_task {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgroup) __ksym;
extern int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start, unsigned int flags) __ksym;
extern struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it) __ksym;
extern void bpf_iter_css_destroy(struct bpf_iter_css *it) __ksym;
extern int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *css, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it) __ksym;
extern void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it) __ksym;
extern struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
extern void bpf_put_file(struct file *file) __ksym;
extern struct bpf_key *bpf_lookup_user_key(__s32 serial, __u64 flags) __ksym;
extern struct bpf_key *bpf_lookup_system_key(__u64 id) __ksym;
extern void bpf_key_put(struct bpf_key *key) __ksym;
extern void *bpf_cast_to_kern_ctx(void *obj) __ksym;
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;
extern bool bpf_session_is_return(void) __ksym;
extern __u64 *bpf_session_cookie(void) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

SEC("raw_tp/sched_switch")
int groups(void *ctx)
{
	struct cgroup *group = bpf_cgroup_from_id(20);
	struct bpf_iter_css it;
	struct bpf_iter_css_task tasks;
	struct cgroup_subsys_state *css;
	struct task_struct *task;

	if (!group)
		return 1;
	for (__u32 flags = 1; flags < 5; flags++) {
		keep_int(bpf_iter_css_new(&it, &group->self, flags));
		while ((css = bpf_iter_css_next(&it)))
			keep(css->cgroup->level);
		bpf_iter_css_destroy(&it);
	}
	for (__u32 flags = 0; flags < 3; flags++) {
		keep_int(bpf_iter_css_task_new(&tasks, &group->self, flags));
		while ((task = bpf_iter_css_task_next(&tasks)))
			keep(task->pid);
		bpf_iter_css_task_destroy(&tasks);
	}
	bpf_cgroup_release(group);
	return 0;
}

SEC("lsm/file_open")
int files(__u64 *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct file *file = bpf_get_task_exe_file(current);
	char digest[8] = {};

	keep(file == (void *)ctx[0]);
	if (!file)
		return 0;
	keep(bpf_ima_file_hash(file, digest, 4));
	keep(*(long *)digest);
	keep(bpf_ima_inode_hash(file->f_inode, digest, 8));
	keep(*(long *)digest);
	bpf_put_file(file);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} inodes SEC(".maps");

SEC("lsm/file_permission")
int inode_values(__u64 *ctx)
{
	struct file *file = (void *)ctx[0];
	long *value = bpf_inode_storage_get(&inodes, file->f_inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (value)
		keep(++*value);
	return 0;
}

SEC("lsm/bprm_creds_for_exec")
int secure(__u64 *ctx)
{
	struct linux_binprm *bprm = (void *)ctx[0];

	keep(bpf_bprm_opts_set(bprm, 2));
	keep(bpf_bprm_opts_set(bprm, 1));
	return 0;
}

SEC("syscall")
int keys(void *ctx)
{
	struct bpf_key *key = bpf_lookup_user_key(77, 0);

	keep_some(key);
	if (key)
		bpf_key_put(key);
	key = bpf_lookup_user_key(78, 0);
	keep_some(key);
	if (key)
		bpf_key_put(key);
	key = bpf_lookup_user_key(77, 4);
	keep_some(key);
	if (key)
		bpf_key_put(key);
	key = bpf_lookup_system_key(1);
	keep_some(key);
	if (key)
		bpf_key_put(key);
	key = bpf_lookup_system_key(3);
	keep_some(key);
	if (key)
		bpf_key_put(key);
	return 0;
}


SEC("cgroup/sysctl")
int sysctls(struct bpf_sysctl *ctx)
{
	char text[24] = {};

	keep(bpf_sysctl_get_name(ctx, text, sizeof(text), 0));
	keep_bytes(text, 24);
	keep(bpf_sysctl_get_name(ctx, text, sizeof(text), BPF_F_SYSCTL_BASE_NAME));
	keep(bpf_sysctl_get_name(ctx, text, 5, 0));
	keep(*(long *)text);
	keep(bpf_sysctl_get_current_value(ctx, text, 8));
	keep(*(long *)text);
	keep(bpf_sysctl_get_current_value(ctx, text, 3));
	keep(bpf_sysctl_get_new_value(ctx, text, 8));
	keep(*(long *)text);
	keep(bpf_sysctl_set_new_value(ctx, "600", 3));
	return 1;
}

SEC("lirc_mode2")
int remote(unsigned int *sample)
{
	keep(bpf_rc_keydown(sample, 3, 0x1234, 1));
	keep(bpf_rc_repeat(sample));
	keep(bpf_rc_pointer_rel(sample, -5, 6));
	return 0;
}

SEC("tc")
int casts(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	struct sk_buff *nothing = bpf_rdonly_cast(0, bpf_core_type_id_kernel(struct sk_buff));

	keep(kernel->len);
	keep(kernel->mark);
	keep(nothing->len);
	return 0;
}


extern const unsigned long this_cpu_off __ksym;

SEC("raw_tp/sched_switch")
int per_cpu(void *ctx)
{
	keep(bpf_per_cpu_ptr(&this_cpu_off, 0) == bpf_this_cpu_ptr(&this_cpu_off));
	keep((void *)bpf_per_cpu_ptr(&this_cpu_off, 1) - (void *)bpf_this_cpu_ptr(&this_cpu_off));
	keep_some(bpf_per_cpu_ptr(&this_cpu_off, 2));
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

static long see(struct bpf_dynptr *sample, long *passed)
{
	long value = 0;

	keep(bpf_dynptr_read(&value, 8, sample, 0, 0));
	keep(value);
	*passed += 1;
	return value == 2;
}

SEC("tc")
int drained(struct __sk_buff *skb)
{
	long passed = 0;

	keep(bpf_user_ringbuf_drain(&samples, (void *)see, &passed, 0));
	keep(passed);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, long);
} counted SEC(".maps");

SEC("raw_tp/sched_switch")
int counts(void *ctx)
{
	long value = 0;

	for (__u32 key = 0; key < 5; key++)
		bpf_map_update_elem(&counted, &key, &value, 0);
	keep(bpf_map_sum_elem_count((void *)&counted));
	keep(bpf_map_sum_elem_count((void *)&samples));
	return 0;
}

SEC("kprobe.session/vfs_read")
int session(void *ctx)
{
	__u64 *cookie = bpf_session_cookie();

	keep(bpf_session_is_return());
	keep((*cookie)++);
	return 0;
}

struct element {
	long number;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct element);
} timers SEC(".maps");

static int tick(void *map, __u32 *key, struct element *element)
{
	keep(bpf_ktime_get_ns());
	if (element->number-- > 0)
		bpf_timer_start(&element->timer, 100, 0);
	return 0;
}

SEC("syscall")
int ticking(void *ctx)
{
	__u32 zero = 0;
	struct element *element = bpf_map_lookup_elem(&timers, &zero);

	if (!element)
		return 1;
	element->number = 2;
	bpf_timer_init(&element->timer, &timers, 1);
	bpf_timer_set_callback(&element->timer, tick);
	bpf_timer_start(&element->timer, 1050, 1 /* BPF_F_TIMER_ABS */);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, long);
} of_group SEC(".maps");

SEC("cgroup_skb/egress")
int group_value(struct __sk_buff *skb)
{
	long *value = bpf_get_local_storage(&of_group, 0);

	keep((*value)++);
	keep(bpf_set_retval(-13));
	keep(bpf_get_retval());
	return 1;
}

struct vm_area_struct {
	unsigned long vm_start;
} __attribute__((preserve_access_index));
struct bpf_iter_task_vma {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task, __u64 addr) __ksym;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it) __ksym;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it) __ksym;

SEC("raw_tp/sched_switch")
int mappings(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;

	keep_int(bpf_iter_task_vma_new(&it, current, 0x1fff));
	while ((vma = bpf_iter_task_vma_next(&it)))
		keep(vma->vm_start);
	bpf_iter_task_vma_destroy(&it);
	return 0;
}

struct dentry {
	struct inode *d_inode;
} __attribute__((preserve_access_index));

extern int bpf_get_dentry_xattr(struct dentry *dentry, const char *name, struct bpf_dynptr *value) __ksym;
extern int bpf_set_dentry_xattr(struct dentry *dentry, const char *name, const struct bpf_dynptr *value, int flags) __ksym;
extern int bpf_remove_dentry_xattr(struct dentry *dentry, const char *name) __ksym;

char value[16];

SEC("lsm.s/inode_getxattr")
int attributes(__u64 *ctx)
{
	struct dentry *dentry = (void *)ctx[0];
	struct bpf_dynptr ptr, little;

	bpf_dynptr_from_mem(value, sizeof(value), 0, &ptr);
	bpf_dynptr_from_mem(value, 2, 0, &little);
	keep_int(bpf_get_dentry_xattr(dentry, "user.colour", &ptr));
	keep(*(long *)value);
	keep_int(bpf_get_dentry_xattr(dentry, "user.colour", &little));
	keep_int(bpf_get_dentry_xattr(dentry, "user.taste", &ptr));
	keep_int(bpf_get_dentry_xattr(dentry, "trusted.colour", &ptr));
	keep_int(bpf_set_dentry_xattr(dentry, "user.colour", &ptr, 0));
	keep_int(bpf_set_dentry_xattr(dentry, "security.bpf.seen", &little, 2));
	keep_int(bpf_set_dentry_xattr(dentry, "security.bpf.seen", &little, 1));
	keep_int(bpf_set_dentry_xattr(dentry, "security.bpf.seen", &little, 1));
	keep_int(bpf_get_dentry_xattr(dentry, "security.bpf.seen", &ptr));
	keep_int(bpf_remove_dentry_xattr(dentry, "security.bpf.seen"));
	keep_int(bpf_remove_dentry_xattr(dentry, "security.bpf.seen"));
	return 0;
}

extern int bpf_stream_vprintk_impl(int stream_id, const char *format, const void *args, __u32 len, void *aux) __ksym;

const char format[] = "%d and %s\n";
const char name[] = "a name";

SEC("syscall")
int streams(void *ctx)
{
	const char *volatile text = name;
	__u64 args[] = { 5, (__u64)text };

	keep_int(bpf_stream_vprintk_impl(1, format, args, sizeof(args), 0));
	keep_int(bpf_stream_vprintk_impl(2, name, args, 0, 0));
	keep_int(bpf_stream_vprintk_impl(1, name, args, 0, 0));
	return 0;
}
