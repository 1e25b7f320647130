// SPDX-License-Identifier: MIT OR Apache-2.0
// Objects as text by their types.
#include "bodies.h"
#include <bpf/bpf_core_read.h>

struct list_head;
struct iphdr;
struct in6_addr;
struct tcphdr;
struct bpf_insn;
struct timespec64;
struct new_utsname;
struct sk_buff;
struct task_struct;
struct bpf_dynptr_kern;
struct perf_event_attr;
struct bpf_map;
struct fib_result;
struct ethhdr;
struct sock_common;
struct cgroup;
struct rlimit;
struct msghdr;
struct sockaddr_in6;
struct pt_regs;
struct bpf_spin_lock;
union bpf_attr;
union nf_inet_addr;
struct ipv6hdr;
struct flow_keys;
struct kernfs_node;
struct posix_acl;
struct sigaction;
struct inode;
enum bpf_map_type;
enum bpf_prog_type;

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

/* A loop that the verifier does not follow turn by turn. */
#define turns(i, end, body)                                                                                                    \
	do {                                                                                                                   \
		struct bpf_iter_num _it;                                                                                       \
		int *_at;                                                                                                      \
		bpf_iter_num_new(&_it, 0, end);                                                                                \
		while ((_at = bpf_iter_num_next(&_it))) {                                                                      \
			__u32 i = *_at;                                                                                        \
			if (i >= (end))                                                                                        \
				break;                                                                                         \
			body;                                                                                                  \
		}                                                                                                              \
		bpf_iter_num_destroy(&_it);                                                                                    \
	} while (0)

char object[16384];
char text[8192];
__u32 seed = 1;

/* Functions that the verifier looks at once are global.
 *
 * Fills the object with numbers: all zero, small ones, any. */
__noinline int fill(__u32 kind)
{
	turns(i, 2048, {
		__u64 value = 0;

		seed = seed * 1664525 + 1013904223;
		if (kind == 1 && (seed >> 16) % 16 == 0)
			value = 1ull << ((seed >> 20) % 64);
		if (kind == 2)
			value = seed * 0x9e3779b97f4a7c15;
		if (kind == 3)
			value = 0x6161616161616161;
		*(__u64 *)(object + i * 8) = value;
	});
	return 0;
}

__noinline int keep_text(long len)
{
	__u64 sum = 0;

	keep(len);
	/* The first bytes as they are, the others in a sum. */
	keep_bytes(text, 64);
	turns(i, 1024, sum = sum * 31 + *(__u64 *)(text + i * 8));
	keep(sum);
	return 0;
}

__noinline int show(__u32 id, __u64 flags)
{
	struct btf_ptr ptr = { .ptr = object, .type_id = id };

	turns(i, 1024, *(__u64 *)(text + i * 8) = 0);
	keep_text(bpf_snprintf_btf(text, sizeof(text), &ptr, sizeof(ptr), flags));
	return 0;
}

#define SHOW(type)                                                                                                             \
	SEC("raw_tp")                                                                                                          \
	int show_##type(void *ctx)                                                                                             \
	{                                                                                                                      \
		for (__u32 kind = 0; kind < 4; kind++) {                                                                       \
			fill(kind);                                                                                            \
			show(bpf_core_type_id_kernel(struct type), BTF_F_PTR_RAW);                                             \
			show(bpf_core_type_id_kernel(struct type), BTF_F_PTR_RAW | BTF_F_COMPACT);                             \
			show(bpf_core_type_id_kernel(struct type), BTF_F_PTR_RAW | BTF_F_COMPACT | BTF_F_NONAME);              \
			show(bpf_core_type_id_kernel(struct type), BTF_F_PTR_RAW | BTF_F_ZERO);                                \
		}                                                                                                              \
		return 0;                                                                                                      \
	}

SHOW(list_head)
SHOW(iphdr)
SHOW(in6_addr)
SHOW(tcphdr)
SHOW(bpf_insn)
SHOW(timespec64)
SHOW(new_utsname)
SHOW(sk_buff)
SHOW(task_struct)
SHOW(bpf_dynptr_kern)
SHOW(perf_event_attr)
SHOW(bpf_map)
SHOW(fib_result)
SHOW(ethhdr)
SHOW(sock_common)
SHOW(cgroup)
SHOW(msghdr)
SHOW(sockaddr_in6)
SHOW(pt_regs)
SHOW(ipv6hdr)
SHOW(flow_keys)
SHOW(kernfs_node)
SHOW(sigaction)
SHOW(inode)

SEC("raw_tp")
int show_others(void *ctx)
{
	fill(2);
	show(bpf_core_type_id_kernel(union bpf_attr), BTF_F_PTR_RAW);
	show(bpf_core_type_id_kernel(union nf_inet_addr), BTF_F_PTR_RAW);
	show(bpf_core_type_id_kernel(enum bpf_map_type), 0);
	show(bpf_core_type_id_kernel(int), 0);
	show(bpf_core_type_id_kernel(char), 0);
	fill(0);
	*(int *)object = 5;
	show(bpf_core_type_id_kernel(enum bpf_map_type), 0);
	show(bpf_core_type_id_kernel(unsigned long), 0);
	*(int *)object = 0;
	show(bpf_core_type_id_kernel(enum bpf_map_type), 0);
	show(bpf_core_type_id_kernel(int), 0);
	return 0;
}

SEC("raw_tp")
int show_errors(void *ctx)
{
	struct btf_ptr ptr = { .ptr = object, .type_id = bpf_core_type_id_kernel(struct list_head) };

	fill(2);
	keep_text(bpf_snprintf_btf(text, 40, &ptr, sizeof(ptr), BTF_F_PTR_RAW));
	keep_text(bpf_snprintf_btf(text, 1, &ptr, sizeof(ptr), BTF_F_PTR_RAW));
	keep(bpf_snprintf_btf(text, 40, &ptr, sizeof(ptr), 16));
	keep(bpf_snprintf_btf(text, 40, &ptr, 8, 0));
	ptr.type_id = 0;
	keep(bpf_snprintf_btf(text, 40, &ptr, sizeof(ptr), 0));
	ptr.type_id = bpf_core_type_id_kernel(struct list_head);
	ptr.ptr = (void *)8;
	keep_text(bpf_snprintf_btf(text, 40, &ptr, sizeof(ptr), 0));
	return 0;
}
