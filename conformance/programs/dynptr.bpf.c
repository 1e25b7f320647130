// SPDX-License-Identifier: MIT OR Apache-2.0
// Dynamic pointers: over memory of a map, over a record of a ring buffer whose length is known only at run time, over a packet.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[64]);
} memory SEC(".maps");

extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __ksym;

__s64 beyond;
__u32 size;

/* Writes and reads at an offset that the packet names; an offset beyond the end is refused. */
SEC("xdp")
int over_memory(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct bpf_dynptr ptr;
	__u32 zero = 0, word = 0x11223344, back = 0;
	__u8 *value, *piece;

	if (data + 1 > end)
		return XDP_ABORTED;
	value = bpf_map_lookup_elem(&memory, &zero);
	if (!value || bpf_dynptr_from_mem(value, 64, 0, &ptr))
		return XDP_ABORTED;
	beyond = bpf_dynptr_write(&ptr, data[0], &word, sizeof(word), 0);
	piece = bpf_dynptr_data(&ptr, 60, 4);
	if (piece)
		piece[3] = 'x';
	if (bpf_dynptr_read(&back, sizeof(back), &ptr, 0, 0))
		return XDP_ABORTED;
	return back;
}

/* A record as long as the packet's second byte says, filled from its start. */
SEC("xdp")
int over_ring(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct bpf_dynptr ptr;
	__u64 head = 0x6461656864616568;
	long error;

	if (data + 2 > end)
		return XDP_ABORTED;
	error = bpf_ringbuf_reserve_dynptr(&ring, data[1], 0, &ptr);
	if (!error)
		error = bpf_dynptr_write(&ptr, 0, &head, sizeof(head), 0);
	if (error)
		bpf_ringbuf_discard_dynptr(&ptr, 0);
	else
		bpf_ringbuf_submit_dynptr(&ptr, 0);
	return error;
}

/* The last four bytes of a packet, however long it is. */
SEC("xdp")
int over_packet(struct xdp_md *ctx)
{
	struct bpf_dynptr ptr;
	__u32 buffer = 0, *tail;

	if (bpf_dynptr_from_xdp(ctx, 0, &ptr))
		return XDP_ABORTED;
	size = bpf_dynptr_size(&ptr);
	if (size < 4 || bpf_dynptr_adjust(&ptr, size - 4, size))
		return XDP_DROP;
	tail = bpf_dynptr_slice(&ptr, 0, &buffer, sizeof(buffer));
	beyond = bpf_dynptr_slice(&ptr, 1, &buffer, sizeof(buffer)) ? 0 : 1;
	return tail ? *tail : 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
