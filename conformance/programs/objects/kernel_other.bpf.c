// SPDX-License-Identifier: MIT OR Apache-2.0
// The types of a kernel whose function takes something else than `externs.bpf.c` says. Nothing of it is ever loaded.
#include <linux/bpf.h>

#define keep __attribute__((noinline, used))

struct task_struct {
	int pid;
};
struct rq {
	int nr_running;
};

int bpf_prog_active __attribute__((section(".data..percpu")));
struct rq runqueues __attribute__((section(".data..percpu")));

keep struct task_struct *bpf_task_acquire(int p)
{
	return (struct task_struct *)(long)p;
}

keep void bpf_task_release(struct task_struct *p)
{
}

keep void bpf_rcu_read_lock(void)
{
}

keep void bpf_rcu_read_unlock(void)
{
}

/* The raw tracepoint that the programs attach to. */
struct pt_regs;
typedef void (*btf_trace_sys_enter)(void *, struct pt_regs *, long);
btf_trace_sys_enter use_sys_enter;
