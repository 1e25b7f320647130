/* Open-coded iterators, sections, references and casts. */
#include "kernel.h"
SEC("tc") int loop(void *ctx) {
	struct bpf_iter_num it;
	int *v, s = 0;
	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it))) s += *v;
	bpf_iter_num_destroy(&it);
	return s & 1;
}

SEC("tc") int nodestroy(void *ctx) {
	struct bpf_iter_num it;
	int *v, s = 0;
	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it))) s += *v;
	return s & 1;
}

SEC("tc") int use_after(void *ctx) {
	struct bpf_iter_num it;
	int *v, *w = 0, s = 0;
	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it))) {
		s += *v;
		w = v;
	}
	bpf_iter_num_destroy(&it);
	if (w) s += *w;
	return s & 1;
}

SEC("tc") int write_elem(void *ctx) {
	struct bpf_iter_num it;
	int *v;
	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it))) *v = 1;
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc") int nested(void *ctx) {
	struct bpf_iter_num it, jt;
	int *v, *w, s = 0;
	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it))) {
		bpf_iter_num_new(&jt, 0, 5);
		while ((w = bpf_iter_num_next(&jt))) {
			if (*w > 3) break;
			s += *w;
		}
		bpf_iter_num_destroy(&jt);
	}
	bpf_iter_num_destroy(&it);
	return s & 1;
}

SEC("tc") int arr(void *ctx) {
	struct bpf_iter_num it;
	int *v, s = 0;
	int a[16] = {};
	bpf_iter_num_new(&it, 0, 16);
	while ((v = bpf_iter_num_next(&it))) {
		int i = *v;
		if (i < 0 || i >= 16) break;
		a[i] = i;
		s += a[15 - i];
	}
	bpf_iter_num_destroy(&it);
	return s & 1;
}

SEC("tc") int newtwice(void *ctx) {
	struct bpf_iter_num it;
	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc") int destroytwice(void *ctx) {
	struct bpf_iter_num it;
	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_destroy(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc") int nextuninit(void *ctx) {
	struct bpf_iter_num it;
	int *v = bpf_iter_num_next(&it);
	return 0;
}

SEC("tc") int varoff(struct __sk_buff *ctx) {
	struct bpf_iter_num it[4];
	bpf_iter_num_new(&it[ctx->len & 3], 0, 10);
	return 0;
}

static __noinline int sum(struct bpf_iter_num *it) {
	int *v, s = 0;
	while ((v = bpf_iter_num_next(it))) s += *v;
	return s;
}

SEC("tc") int insub(void *ctx) {
	struct bpf_iter_num it;
	int s;
	bpf_iter_num_new(&it, 0, 10);
	s = sum(&it);
	bpf_iter_num_destroy(&it);
	return s & 1;
}

SEC("tc") int counter(struct __sk_buff *ctx) {
	struct bpf_iter_num it;
	int *v, s = 0, n = 0;
	bpf_iter_num_new(&it, 0, 100);
	while ((v = bpf_iter_num_next(&it))) {
		n++;
		if (n > 50) break;
		if (ctx->len > 3) s ^= n;
		else s += 2;
	}
	bpf_iter_num_destroy(&it);
	return s & 1;
}

SEC("tc") int overwrite(struct __sk_buff *ctx) {
	struct bpf_iter_num it;
	bpf_iter_num_new(&it, 0, 100);
	*(volatile long *)&it = 1;
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc") int readit(struct __sk_buff *ctx) {
	struct bpf_iter_num it;
	long x;
	bpf_iter_num_new(&it, 0, 100);
	x = *(volatile long *)&it;
	bpf_iter_num_destroy(&it);
	return x & 1;
}

SEC("syscall") int tasks(void *ctx) {
	struct bpf_iter_task it;
	struct task_struct *t;
	int n = 0;
	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, NULL, 0);
	while ((t = bpf_iter_task_next(&it))) n += t->pid;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return n & 1;
}

SEC("syscall") int tasks_norcu(void *ctx) {
	struct bpf_iter_task it;
	struct task_struct *t;
	int n = 0;
	bpf_iter_task_new(&it, NULL, 0);
	while ((t = bpf_iter_task_next(&it))) n += t->pid;
	bpf_iter_task_destroy(&it);
	return n & 1;
}

SEC("syscall") int tasks_unlock(void *ctx) {
	struct bpf_iter_task it;
	struct task_struct *t;
	int n = 0;
	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, NULL, 0);
	bpf_rcu_read_unlock();
	while ((t = bpf_iter_task_next(&it))) n += t->pid;
	bpf_iter_task_destroy(&it);
	return n & 1;
}

SEC("syscall") int tasks_acq(void *ctx) {
	struct bpf_iter_task it;
	struct task_struct *t;
	int n = 0;
	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, NULL, 0);
	while ((t = bpf_iter_task_next(&it))) {
		t = bpf_task_acquire(t);
		if (!t) continue;
		n += t->pid;
		bpf_task_release(t);
	}
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return n & 1;
}

SEC("syscall") int css(void *ctx) {
	struct bpf_iter_css it;
	struct cgroup_subsys_state *c;
	struct cgroup *g = bpf_cgroup_from_id(1);
	int n = 0;
	if (!g) return 0;
	bpf_rcu_read_lock();
	bpf_iter_css_new(&it, &g->self, 1);
	while ((c = bpf_iter_css_next(&it))) n += c->id;
	bpf_iter_css_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(g);
	return n & 1;
}

SEC("tc") int task_tc(void *ctx) {
	struct bpf_iter_task it;
	struct task_struct *t;
	int n = 0;
	bpf_iter_task_new(&it, NULL, 0);
	while ((t = bpf_iter_task_next(&it))) n += t->pid;
	bpf_iter_task_destroy(&it);
	return n & 1;
}

SEC("syscall") int irq(void *ctx) {
	unsigned long f;
	bpf_local_irq_save(&f);
	bpf_local_irq_restore(&f);
	return 0;
}

SEC("syscall") int irq_leak(void *ctx) {
	unsigned long f;
	bpf_local_irq_save(&f);
	return 0;
}

SEC("syscall") int irq_order(void *ctx) {
	unsigned long f, g;
	bpf_local_irq_save(&f);
	bpf_local_irq_save(&g);
	bpf_local_irq_restore(&f);
	bpf_local_irq_restore(&g);
	return 0;
}

SEC("syscall") int irq_twice(void *ctx) {
	unsigned long f;
	bpf_local_irq_save(&f);
	bpf_local_irq_restore(&f);
	bpf_local_irq_restore(&f);
	return 0;
}

SEC("syscall") int irq_again(void *ctx) {
	unsigned long f;
	bpf_local_irq_save(&f);
	bpf_local_irq_save(&f);
	return 0;
}

SEC("syscall") int preempt(void *ctx) {
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	bpf_preempt_enable();
	return 0;
}

SEC("syscall") int preempt_leak(void *ctx) {
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	return 0;
}

SEC("syscall") int preempt_un(void *ctx) {
	bpf_preempt_enable();
	return 0;
}

SEC("syscall") int rcu_leak(void *ctx) {
	bpf_rcu_read_lock();
	return 0;
}

SEC("syscall") int ref_leak(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	return 0;
}

SEC("syscall") int ref_ok(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	if (t) bpf_task_release(t);
	return 0;
}

SEC("syscall") int ref_null(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	bpf_task_release(t);
	return 0;
}

SEC("syscall") int ref_twice(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	if (t) {
		bpf_task_release(t);
		bpf_task_release(t);
	}
	return 0;
}

SEC("syscall") int ref_walk(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1), *p;
	int n;
	if (!t) return 0;
	bpf_rcu_read_lock();
	p = t->real_parent;
	n = p->pid;
	p = bpf_task_acquire(p);
	bpf_rcu_read_unlock();
	if (p) bpf_task_release(p);
	bpf_task_release(t);
	return n & 1;
}

SEC("syscall") int ref_walk2(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1), *p;
	int n;
	if (!t) return 0;
	p = t->real_parent;
	n = p->pid;
	p = bpf_task_acquire(p);
	if (p) bpf_task_release(p);
	bpf_task_release(t);
	return n & 1;
}

SEC("syscall") int ref_wrong(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	if (t) bpf_cgroup_release((void *)t);
	return 0;
}

SEC("syscall") int ref_off(void *ctx) {
	struct task_struct *t = bpf_task_from_pid(1);
	if (t) bpf_task_release((void *)t + 8);
	return 0;
}

SEC("syscall") int mask(void *ctx) {
	struct bpf_cpumask *m = bpf_cpumask_create();
	int n;
	if (!m) return 0;
	bpf_cpumask_set_cpu(1, m);
	n = bpf_cpumask_test_cpu(1, (void *)m);
	bpf_cpumask_release(m);
	return n;
}

SEC("syscall") int mask_scalar(void *ctx) {
	return bpf_cpumask_test_cpu(1, (void *)ctx);
}

SEC("syscall") int mask_num(void *ctx) {
	return bpf_cpumask_test_cpu(1, (void *)5L);
}

SEC("tc") int not_allowed(void *ctx) {
	struct bpf_cpumask *m = bpf_cpumask_create();
	if (m) bpf_cpumask_release(m);
	return 0;
}

SEC("tc") int cast(struct __sk_buff *ctx) {
	struct sk_buff *s = bpf_cast_to_kern_ctx(ctx);
	return s->len & 1;
}

SEC("tc") int rdonly(struct __sk_buff *ctx) {
	struct sk_buff *s = bpf_cast_to_kern_ctx(ctx);
	struct net_device *d = bpf_rdonly_cast(s->dev, bpf_core_type_id_kernel(struct net_device));
	return d->ifindex & 1;
}

SEC("tc") int rdonly_bad(struct __sk_buff *ctx) {
	struct sk_buff *s = bpf_cast_to_kern_ctx(ctx);
	int *d = bpf_rdonly_cast(s->dev, 99999999);
	return *d & 1;
}
