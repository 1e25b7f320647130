// SPDX-License-Identifier: MIT OR Apache-2.0
// Tasks, signals, sections.
#include "bodies.h"

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
	PIDTYPE_PGID,
};

extern int bpf_send_signal_task(struct task_struct *task, int sig, enum pid_type type, __u64 value) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __ksym;

SEC("syscall")
int task_references(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct task_struct *task = bpf_task_acquire(current);

	keep_some(task);
	if (task) {
		keep(task == current);
		keep(task->tgid == (int)(bpf_get_current_pid_tgid() >> 32));
		bpf_task_release(task);
	}
	task = bpf_task_from_pid(current->pid);
	keep_some(task);
	if (task) {
		keep(task == current);
		bpf_task_release(task);
	}
	task = bpf_task_from_pid(-1);
	keep_some(task);
	if (task)
		bpf_task_release(task);
	task = bpf_task_from_pid(0x7ffffff0);
	keep_some(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("syscall")
int task_sections(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	bpf_preempt_enable();
	{
		unsigned long flags, inner;

		bpf_local_irq_save(&flags);
		bpf_local_irq_save(&inner);
		bpf_local_irq_restore(&inner);
		bpf_local_irq_restore(&flags);
	}
	keep(7);
	return 0;
}

SEC("syscall")
int task_signals(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();

	keep_int(bpf_send_signal_task(current, 0, 0, 0));
	keep_int(bpf_send_signal_task(current, 0, 1, 0));
	keep_int(bpf_send_signal_task(current, 0, 2, 0));
	keep_int(bpf_send_signal_task(current, 65, 1, 0));
	keep_int(bpf_send_signal_task(current, -1, 0, 0));
	return 0;
}

SEC("raw_tp")
int signal_helpers(void *ctx)
{
	keep(bpf_send_signal(0));
	keep(bpf_send_signal_thread(0));
	keep(bpf_send_signal(65));
	keep(bpf_send_signal_thread(1000));
	keep(bpf_send_signal(-1));
	return 0;
}

struct vma_seen {
	long calls;
	long passed;
};

static long see(struct task_struct *task, void *vma, struct vma_seen *seen)
{
	seen->calls++;
	seen->passed = 7;
	return 0;
}

SEC("raw_tp")
int find_vma(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct vma_seen seen = {};

	keep(bpf_find_vma(current, 0, see, &seen, 0));
	keep(bpf_find_vma(current, 0, see, &seen, 1));
	keep(bpf_find_vma(current, 0xfffffffffffff000, see, &seen, 0));
	keep(seen.calls);
	keep(seen.passed);
	return 0;
}

SEC("raw_tp")
int task_registers(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();

	keep_some(bpf_task_pt_regs(current));
	return 0;
}
