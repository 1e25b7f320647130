/* Dynptrs of packets and memory, and slices of them. */
#include "kernel.h"
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, long[8]);
	__uint(max_entries, 1);
} am SEC(".maps");
extern int bpf_xdp_pull_data(struct xdp_md *x, u32 len) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *dst_ptr, u32 dst_off, struct bpf_dynptr *src_ptr, u32 src_off, u32 size) __ksym;
extern int bpf_dynptr_memset(struct bpf_dynptr *p, u32 offset, u32 size, u8 val) __ksym;

SEC("tc") int slice(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	struct ethhdr *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 14);
	if (!e) return 0;
	return e->h_proto & 1;
}

SEC("tc") int slice_write(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	struct ethhdr *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 14);
	if (!e) return 0;
	e->h_proto = 1;
	return 0;
}

SEC("tc") int slice_rdwr(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	struct ethhdr *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 14);
	if (!e) return 0;
	e->h_proto = 1;
	return 0;
}

SEC("tc") int slice_oob(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 14);
	if (!e) return 0;
	return e[14];
}

SEC("tc") int slice_nocheck(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 14);
	return e[1];
}

SEC("tc") int slice_var(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	char *e;
	u32 n = ctx->len & 7;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, n);
	if (!e) return 0;
	return e[0];
}

SEC("tc") int slice_buf(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[10];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 14);
	if (!e) return 0;
	return e[0];
}

SEC("tc") int slice_pull(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 14);
	if (!e) return 0;
	bpf_skb_pull_data(ctx, 0);
	return e[1];
}

SEC("cgroup_skb/egress") int slice_rdwr_cg(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	struct ethhdr *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 14);
	if (!e) return 0;
	return 0;
}

SEC("xdp") int xdp1(struct xdp_md *ctx) {
	struct bpf_dynptr d;
	char b[14];
	struct ethhdr *e;
	bpf_dynptr_from_xdp(ctx, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 14);
	if (!e) return 0;
	e->h_proto = 4;
	return e->h_proto & 1;
}

SEC("xdp") int xdp_adjust(struct xdp_md *ctx) {
	struct bpf_dynptr d;
	char b[14];
	struct ethhdr *e;
	bpf_dynptr_from_xdp(ctx, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 14);
	if (!e) return 0;
	bpf_xdp_adjust_head(ctx, 4);
	e->h_proto = 4;
	return 0;
}

SEC("xdp") int xdp_skb(struct xdp_md *ctx) {
	struct bpf_dynptr d;
	bpf_dynptr_from_skb((void *)ctx, 0, &d);
	return 0;
}

SEC("xdp") int xdp_pull(struct xdp_md *ctx) {
	void *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;
	if (p + 8 > e) return 0;
	bpf_xdp_pull_data(ctx, 10);
	return *(int *)p & 1;
}

SEC("tc") int twice(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[14];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 14);
	bpf_dynptr_from_skb(ctx, 0, &d);
	if (!e) return 0;
	return e[1];
}

SEC("tc") int overwrite(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	bpf_dynptr_from_skb(ctx, 0, &d);
	*(volatile long *)&d = 1;
	return bpf_dynptr_size(&d) & 1;
}

SEC("tc") int clone(struct __sk_buff *ctx) {
	struct bpf_dynptr d, c;
	char b[4];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	bpf_dynptr_clone(&d, &c);
	bpf_dynptr_adjust(&c, 1, 3);
	e = bpf_dynptr_slice(&c, 0, b, 4);
	if (!e) return 0;
	return (e[1] + bpf_dynptr_is_null(&d)) & 1;
}

SEC("tc") int clone_uninit(struct __sk_buff *ctx) {
	struct bpf_dynptr d, c;
	bpf_dynptr_clone(&d, &c);
	return 0;
}

SEC("tc") int ring_clone(struct __sk_buff *ctx) {
	struct bpf_dynptr d, c;
	bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &d);
	bpf_dynptr_clone(&d, &c);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return bpf_dynptr_size(&c) & 1;
}

SEC("tc") int ring_clone2(struct __sk_buff *ctx) {
	struct bpf_dynptr d, c;
	bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &d);
	bpf_dynptr_clone(&d, &c);
	bpf_ringbuf_submit_dynptr(&c, 0);
	return 0;
}

SEC("tc") int ring_slice(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[4];
	char *e;
	int r = 0;
	bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 4);
	if (e) {
		e[0] = 1;
		r = e[1];
	}
	bpf_ringbuf_submit_dynptr(&d, 0);
	return r & 1;
}

SEC("tc") int ring_slice_after(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[4];
	char *e;
	int r = 0;
	bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 4);
	bpf_ringbuf_submit_dynptr(&d, 0);
	if (e) {
		r = e[1];
	}
	return r & 1;
}

SEC("tc") int local_slice(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[4];
	char *e;
	int k = 0;
	long *v = bpf_map_lookup_elem(&am, &k);
	if (!v) return 0;
	bpf_dynptr_from_mem(v, 8, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 4);
	if (e) return e[2] & 1;
	return 0;
}

SEC("tc") int local_slice_over(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[4];
	char *e;
	int k = 0;
	long *v = bpf_map_lookup_elem(&am, &k);
	if (!v) return 0;
	bpf_dynptr_from_mem(v, 8, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 4);
	*(volatile long *)&d = 0;
	if (e) return e[2] & 1;
	return 0;
}

SEC("kprobe/do_nothing") int local_slice_kp(void *ctx) {
	struct bpf_dynptr d;
	char b[4];
	char *e;
	int k = 0;
	long *v = bpf_map_lookup_elem(&am, &k);
	if (!v) return 0;
	bpf_dynptr_from_mem(v, 8, 0, &d);
	e = bpf_dynptr_slice_rdwr(&d, 0, b, 4);
	if (e) return e[2] & 1;
	return 0;
}

SEC("tc") int local_data_over(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char *e;
	int k = 0;
	long *v = bpf_map_lookup_elem(&am, &k);
	if (!v) return 0;
	bpf_dynptr_from_mem(v, 8, 0, &d);
	e = bpf_dynptr_data(&d, 0, 4);
	*(volatile long *)&d = 0;
	if (e) return e[2] & 1;
	return 0;
}

SEC("tc") int slice_arg(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[4];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 4);
	if (!e) return 0;
	char c[4];
	bpf_probe_read_kernel(c, 4, e);
	return bpf_strncmp(e, 4, "abc") & 1;
}

SEC("tc") int slice_arg_off(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	char b[8];
	char *e;
	bpf_dynptr_from_skb(ctx, 0, &d);
	e = bpf_dynptr_slice(&d, 0, b, 8);
	if (!e) return 0;
	return bpf_strncmp(e + 2, 4, "abc") & 1;
}

SEC("tc") int copy(struct __sk_buff *ctx) {
	struct bpf_dynptr d, c;
	int k = 0;
	long *v = bpf_map_lookup_elem(&am, &k);
	if (!v) return 0;
	bpf_dynptr_from_skb(ctx, 0, &d);
	bpf_dynptr_from_mem(v, 64, 0, &c);
	return (bpf_dynptr_copy(&c, 0, &d, 0, 8) + bpf_dynptr_memset(&c, 0, 4, 1)) & 1;
}

SEC("tc") int badflags(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	bpf_dynptr_from_skb(ctx, 8, &d);
	return 0;
}

SEC("tc") int skb_scalar(struct __sk_buff *ctx) {
	struct bpf_dynptr d;
	bpf_dynptr_from_skb((void *)5L, 0, &d);
	return 0;
}
