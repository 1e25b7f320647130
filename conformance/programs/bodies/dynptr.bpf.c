// SPDX-License-Identifier: MIT OR Apache-2.0
// Dynptrs of memory, ring buffers and packets.
#include "bodies.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __ksym;
extern bool bpf_dynptr_is_null(const struct bpf_dynptr *ptr) __ksym;
extern bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *ptr) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *dst, __u32 dst_off, struct bpf_dynptr *src, __u32 src_off, __u32 size) __ksym;
extern int bpf_dynptr_memset(struct bpf_dynptr *ptr, __u32 offset, __u32 size, __u8 val) __ksym;
extern int bpf_probe_read_kernel_dynptr(struct bpf_dynptr *ptr, __u32 off, __u32 size, const void *from) __ksym;
extern int bpf_probe_read_user_dynptr(struct bpf_dynptr *ptr, __u32 off, __u32 size, const void *from) __ksym;
extern int bpf_probe_read_kernel_str_dynptr(struct bpf_dynptr *ptr, __u32 off, __u32 size, const void *from) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

char memory[128];
char other[64] = "the other memory";

static __always_inline void look(const struct bpf_dynptr *ptr)
{
	keep(bpf_dynptr_is_null(ptr));
	keep(bpf_dynptr_is_rdonly(ptr));
	keep_int(bpf_dynptr_size(ptr));
}

SEC("tc")
int dynptr_memory(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr, copy;
	char stack[16] = "0123456789abcde";
	long *slot;

	keep(bpf_dynptr_from_mem(memory, 128, 0, &ptr));
	look(&ptr);
	keep(bpf_dynptr_write(&ptr, 0, stack, 16, 0));
	keep(bpf_dynptr_write(&ptr, 112, stack, 16, 0));
	keep(bpf_dynptr_write(&ptr, 113, stack, 16, 0));
	keep(bpf_dynptr_write(&ptr, 200, stack, 16, 0));
	keep(bpf_dynptr_write(&ptr, -1, stack, 16, 0));
	keep(bpf_dynptr_write(&ptr, 0, stack, 16, 1));
	keep(bpf_dynptr_write(&ptr, 500, stack, 16, 1));
	keep_bytes(memory, 128);
	keep(bpf_dynptr_read(stack, 8, &ptr, 3, 0));
	keep_bytes(stack, 16);
	keep(bpf_dynptr_read(stack, 8, &ptr, 121, 0));
	keep(bpf_dynptr_read(stack, 8, &ptr, 3, 1));
	keep(bpf_dynptr_read(stack, 8, &ptr, 300, 1));
	slot = bpf_dynptr_data(&ptr, 16, 8);
	keep_some(slot);
	if (slot)
		*slot = 77;
	keep(*(long *)(memory + 16));
	keep_some(bpf_dynptr_data(&ptr, 121, 8));
	keep_int(bpf_dynptr_adjust(&ptr, 8, 24));
	look(&ptr);
	keep_int(bpf_dynptr_adjust(&ptr, 8, 17));
	keep_int(bpf_dynptr_adjust(&ptr, 17, 17));
	keep_int(bpf_dynptr_adjust(&ptr, 9, 8));
	keep_int(bpf_dynptr_adjust(&ptr, 40, 8));
	keep_int(bpf_dynptr_adjust(&ptr, 16, 16));
	look(&ptr);
	keep_int(bpf_dynptr_clone(&ptr, &copy));
	look(&copy);
	keep(bpf_dynptr_read(stack, 1, &ptr, 0, 0));
	return 0;
}

SEC("tc")
int dynptr_null(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr, copy;
	char stack[16] = "0123456789abcde";
	char buffer[8];

	keep(bpf_dynptr_from_mem(memory, 128, 1, &ptr));
	look(&ptr);
	keep(bpf_dynptr_write(&ptr, 0, stack, 16, 0));
	keep(bpf_dynptr_read(stack, 8, &ptr, 0, 0));
	keep_some(bpf_dynptr_data(&ptr, 0, 8));
	keep_some(bpf_dynptr_slice(&ptr, 0, buffer, 8));
	keep_int(bpf_dynptr_adjust(&ptr, 0, 0));
	keep_int(bpf_dynptr_memset(&ptr, 0, 0, 1));
	keep_int(bpf_dynptr_memset(&ptr, 0, 1, 1));
	keep_int(bpf_dynptr_clone(&ptr, &copy));
	look(&copy);
	bpf_dynptr_from_mem(memory, 32, 0, &copy);
	keep_int(bpf_dynptr_copy(&copy, 0, &ptr, 0, 0));
	keep_int(bpf_dynptr_copy(&copy, 0, &ptr, 0, 8));
	keep_int(bpf_dynptr_copy(&ptr, 0, &copy, 0, 0));
	keep_int(bpf_dynptr_copy(&ptr, 0, &copy, 0, 8));
	keep_int(bpf_dynptr_copy(&ptr, 0, &ptr, 0, 0));
	keep_int(bpf_dynptr_copy(&ptr, 0, &ptr, 0, 8));
	keep_int(bpf_probe_read_kernel_dynptr(&ptr, 0, 0, other));
	keep_int(bpf_probe_read_kernel_dynptr(&ptr, 0, 8, other));
	keep_int(bpf_probe_read_kernel_str_dynptr(&ptr, 0, 0, other));
	keep_int(bpf_probe_read_kernel_str_dynptr(&ptr, 0, 8, other));
	return 0;
}

SEC("tc")
int dynptr_whole(struct __sk_buff *skb)
{
	struct bpf_dynptr a, b;

	bpf_dynptr_from_mem(memory, 64, 0, &a);
	bpf_dynptr_from_mem(other, 64, 0, &b);
	keep_int(bpf_dynptr_memset(&a, 0, 64, 'a'));
	keep_int(bpf_dynptr_memset(&a, 8, 8, 255));
	keep_int(bpf_dynptr_memset(&a, 60, 8, 'b'));
	keep_int(bpf_dynptr_memset(&a, 64, 0, 'b'));
	keep_int(bpf_dynptr_memset(&a, 65, 0, 'b'));
	keep_bytes(memory, 32);
	keep_int(bpf_dynptr_copy(&a, 4, &b, 2, 12));
	keep_int(bpf_dynptr_copy(&a, 4, &b, 60, 12));
	keep_int(bpf_dynptr_copy(&a, 60, &b, 4, 12));
	keep_int(bpf_dynptr_copy(&a, 60, &b, 60, 12));
	keep_int(bpf_dynptr_copy(&a, 8, &a, 4, 20));
	keep_bytes(memory, 64);
	keep_int(bpf_probe_read_kernel_dynptr(&a, 0, 16, other));
	keep_int(bpf_probe_read_kernel_dynptr(&a, 60, 16, other));
	keep_int(bpf_probe_read_kernel_dynptr(&a, 0, 16, (void *)8));
	keep_int(bpf_probe_read_user_dynptr(&a, 0, 16, (void *)8));
	keep_int(bpf_probe_read_kernel_str_dynptr(&a, 30, 30, other));
	keep_int(bpf_probe_read_kernel_str_dynptr(&a, 40, 5, other));
	keep_int(bpf_probe_read_kernel_str_dynptr(&a, 40, 1, other));
	keep_int(bpf_probe_read_kernel_str_dynptr(&a, 40, 50, other));
	keep_int(bpf_probe_read_kernel_str_dynptr(&a, 0, 16, (void *)8));
	keep_bytes(memory, 64);
	return 0;
}

SEC("tc")
int dynptr_skb(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr, mem;
	char buffer[16] = {};
	char *at;

	keep_int(bpf_dynptr_from_skb(skb, 1, &ptr));
	look(&ptr);
	keep_int(bpf_dynptr_from_skb(skb, 0, &ptr));
	look(&ptr);
	keep(bpf_dynptr_read(buffer, 8, &ptr, 14, 0));
	keep_bytes(buffer, 16);
	keep(bpf_dynptr_read(buffer, 8, &ptr, 57, 0));
	keep(bpf_dynptr_write(&ptr, 20, "written", 8, 0));
	keep(bpf_dynptr_write(&ptr, 60, "written", 8, 0));
	keep(bpf_dynptr_write(&ptr, 28, "written", 8, 3));
	keep(bpf_dynptr_write(&ptr, 28, "written", 8, 4));
	keep_some(bpf_dynptr_data(&ptr, 0, 8));
	at = bpf_dynptr_slice(&ptr, 20, buffer, 16);
	keep_some(at);
	if (at)
		keep_bytes(at, 16);
	at = bpf_dynptr_slice_rdwr(&ptr, 40, buffer, 16);
	keep_some(at);
	if (at)
		at[0] = 'W';
	keep_some(bpf_dynptr_slice(&ptr, 49, buffer, 16));
	keep_some(bpf_dynptr_slice(&ptr, 0, 0, 16));
	keep_int(bpf_dynptr_adjust(&ptr, 20, 60));
	look(&ptr);
	bpf_dynptr_from_mem(memory, 64, 0, &mem);
	keep_int(bpf_dynptr_copy(&mem, 0, &ptr, 0, 32));
	keep_int(bpf_dynptr_copy(&ptr, 30, &mem, 0, 8));
	keep_int(bpf_dynptr_copy(&ptr, 30, &mem, 0, 16));
	keep_int(bpf_dynptr_memset(&ptr, 38, 2, 'm'));
	keep_bytes(memory, 32);
	return 0;
}

SEC("xdp")
int dynptr_xdp(struct xdp_md *xdp)
{
	struct bpf_dynptr ptr;
	char buffer[16] = {};
	char *at;

	keep_int(bpf_dynptr_from_xdp(xdp, 1, &ptr));
	look(&ptr);
	keep_int(bpf_dynptr_from_xdp(xdp, 0, &ptr));
	look(&ptr);
	keep(bpf_dynptr_read(buffer, 8, &ptr, 14, 0));
	keep_bytes(buffer, 16);
	keep(bpf_dynptr_read(buffer, 8, &ptr, 57, 0));
	keep(bpf_dynptr_write(&ptr, 20, "written", 8, 0));
	keep(bpf_dynptr_write(&ptr, 28, "written", 8, 1));
	at = bpf_dynptr_slice(&ptr, 20, buffer, 16);
	keep_some(at);
	if (at)
		keep_bytes(at, 16);
	at = bpf_dynptr_slice_rdwr(&ptr, 40, buffer, 16);
	keep_some(at);
	if (at)
		at[0] = 'W';
	keep_some(bpf_dynptr_slice(&ptr, 49, buffer, 16));
	return 2;
}

SEC("socket")
int dynptr_socket(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;
	char buffer[16] = {};

	keep_int(bpf_dynptr_from_skb(skb, 0, &ptr));
	look(&ptr);
	keep(bpf_dynptr_read(buffer, 8, &ptr, 0, 0));
	keep_bytes(buffer, 16);
	keep_some(bpf_dynptr_slice(&ptr, 0, buffer, 16));
	return 0;
}

SEC("cgroup_skb/egress")
int dynptr_cgroup_skb(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;
	char buffer[16] = {};

	keep_int(bpf_dynptr_from_skb(skb, 0, &ptr));
	look(&ptr);
	keep(bpf_dynptr_read(buffer, 8, &ptr, 0, 0));
	keep_bytes(buffer, 16);
	return 1;
}

SEC("tc")
int dynptr_ringbuf(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr, copy;
	long *slot;

	keep(bpf_ringbuf_reserve_dynptr(&ring, 16, 0, &ptr));
	look(&ptr);
	slot = bpf_dynptr_data(&ptr, 8, 8);
	keep_some(slot);
	if (slot)
		*slot = 5;
	keep(bpf_dynptr_write(&ptr, 0, "8 bytes", 8, 0));
	keep_int(bpf_dynptr_clone(&ptr, &copy));
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	keep(bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA));
	keep(bpf_ringbuf_reserve_dynptr(&ring, 16, 1, &ptr));
	look(&ptr);
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	keep(bpf_ringbuf_reserve_dynptr(&ring, 8000, 0, &ptr));
	look(&ptr);
	bpf_ringbuf_discard_dynptr(&ptr, 0);
	keep(bpf_ringbuf_reserve_dynptr(&ring, 1 << 24, 0, &ptr));
	bpf_ringbuf_discard_dynptr(&ptr, 0);
	keep(bpf_ringbuf_reserve_dynptr(&ring, 100, 0, &ptr));
	bpf_ringbuf_discard_dynptr(&ptr, 0);
	keep(bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA));
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

static long see(struct bpf_dynptr *sample, void *passed)
{
	keep(bpf_dynptr_size(sample));
	return 0;
}

SEC("tc")
int dynptr_drain(struct __sk_buff *skb)
{
	keep(bpf_user_ringbuf_drain(&samples, see, 0, 0));
	keep(bpf_user_ringbuf_drain(&samples, see, 0, BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP));
	keep(bpf_user_ringbuf_drain(&samples, see, 0, 4));
	return 0;
}
