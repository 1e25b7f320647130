// SPDX-License-Identifier: MIT OR Apache-2.0
// What an object takes from the kernel it is loaded into: configuration, functions, variables; weak ones may be absent.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef bpf_ksym_exists
#define bpf_ksym_exists(symbol) (!!(symbol))
#endif

struct task_struct {
	int pid;
};
struct rq {
	int nr_running;
};

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig __weak;
extern int CONFIG_HZ __kconfig;
extern _Bool CONFIG_BPF __kconfig;
extern enum libbpf_tristate CONFIG_EXT4_FS __kconfig;
extern char CONFIG_PREEMPT_NONE __kconfig __weak;
extern char CONFIG_DEFAULT_HOSTNAME[16] __kconfig;
extern __u64 CONFIG_SKEP_ABSENT __kconfig __weak;

extern const int bpf_prog_active __ksym;
extern const struct rq runqueues __ksym __weak;
extern const int skep_absent_variable __ksym __weak;
extern const void init_task __ksym;
extern const void skep_absent_symbol __ksym __weak;

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern int skep_absent_function(int x) __ksym __weak;

__u64 version, hz, answers[8];
char hostname[16];

SEC("tp_btf/sys_enter")
int configuration(void *ctx)
{
	version = LINUX_KERNEL_VERSION;
	hz = CONFIG_HZ;
	answers[0] = LINUX_HAS_BPF_COOKIE;
	answers[1] = CONFIG_BPF;
	answers[2] = CONFIG_EXT4_FS;
	answers[3] = CONFIG_PREEMPT_NONE;
	answers[4] = CONFIG_SKEP_ABSENT;
	for (int i = 0; i < 16; i++)
		hostname[i] = CONFIG_DEFAULT_HOSTNAME[i];
	return 0;
}

SEC("tp_btf/sys_enter")
int functions(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	struct task_struct *mine = bpf_task_acquire(task);

	if (mine)
		bpf_task_release(mine);
	if (bpf_ksym_exists(bpf_rcu_read_lock)) {
		bpf_rcu_read_lock();
		bpf_rcu_read_unlock();
	}
	if (bpf_ksym_exists(skep_absent_function))
		return skep_absent_function(7);
	return 0;
}

SEC("tp_btf/sys_enter")
int variables(void *ctx)
{
	const int *active = bpf_this_cpu_ptr(&bpf_prog_active);

	answers[5] = active ? *active : 0;
	answers[6] = &runqueues ? 1 : 0;
	answers[7] = &skep_absent_variable ? 1 : 0;
	return &init_task != &skep_absent_symbol;
}

char LICENSE[] SEC("license") = "GPL";
