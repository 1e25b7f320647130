// SPDX-License-Identifier: MIT OR Apache-2.0
// Loops, walks over maps, tail calls, maps, records, text.
#include "bodies.h"

static long turn(__u32 i, long *sum)
{
	*sum += i;
	return i == 6;
}

SEC("raw_tp")
int loops(void *ctx)
{
	long sum = 0, ret;

	keep(bpf_loop(4, turn, &sum, 0));
	keep(sum);
	keep(bpf_loop(100, turn, &sum, 0));
	keep(sum);
	keep(bpf_loop(0, turn, &sum, 0));
	keep(bpf_loop(4, turn, &sum, 1));
	keep(bpf_loop((1 << 23) + 1, turn, &sum, 0));
	keep(bpf_loop(-1, turn, &sum, 0));
	keep(bpf_loop(1 << 23, turn, &sum, 0));
	asm volatile("r1 = 0x100000002 ll; r2 = %[turn] ll; r3 = %[sum]; r4 = 0; call 181; %[ret] = r0"
		     : [ret] "=r"(ret)
		     : [turn] "i"(turn), [sum] "r"(&sum)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	keep(ret);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, long);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, long);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, long);
} percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 2);
	__type(value, long);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} programs SEC(".maps");

static long each(void *map, __u32 *key, long *value, long *sum)
{
	*sum += *key * 100 + *value;
	*value = 1;
	return *key == 3;
}

SEC("raw_tp")
int walks(void *ctx)
{
	long sum = 0, value = 5;
	__u32 key = 2;

	keep(bpf_for_each_map_elem(&array, each, &sum, 0));
	keep(sum);
	keep(bpf_for_each_map_elem(&array, each, &sum, 1));
	keep(bpf_for_each_map_elem(&array, each, &sum, 0));
	keep(sum);
	keep(bpf_for_each_map_elem(&hash, each, &sum, 0));
	bpf_map_update_elem(&hash, &key, &value, 0);
	keep(bpf_for_each_map_elem(&hash, each, &sum, 0));
	keep(sum);
	keep(bpf_for_each_map_elem(&percpu, each, &sum, 0));
	keep(sum);
	return 0;
}

SEC("raw_tp")
int map_calls(void *ctx)
{
	long value = 5, *found;
	__u32 key = 2, beyond = 9;

	keep(bpf_map_update_elem(&array, &key, &value, BPF_NOEXIST));
	keep(bpf_map_update_elem(&array, &key, &value, BPF_EXIST));
	keep(bpf_map_update_elem(&array, &beyond, &value, BPF_ANY));
	keep(bpf_map_update_elem(&array, &key, &value, 5));
	keep(bpf_map_delete_elem(&array, &key));
	keep_some(bpf_map_lookup_elem(&array, &beyond));
	found = bpf_map_lookup_elem(&array, &key);
	keep(found ? *found : -1);
	keep(bpf_map_update_elem(&hash, &key, &value, BPF_EXIST));
	keep(bpf_map_update_elem(&hash, &key, &value, BPF_NOEXIST));
	keep(bpf_map_update_elem(&hash, &key, &value, BPF_NOEXIST));
	keep(bpf_map_update_elem(&hash, &key, &value, 4));
	for (int i = 0; i < 5; i++) {
		key = 10 + i;
		keep(bpf_map_update_elem(&hash, &key, &value, BPF_ANY));
	}
	keep(bpf_map_delete_elem(&hash, &beyond));
	key = 10;
	keep(bpf_map_delete_elem(&hash, &key));
	found = bpf_map_lookup_percpu_elem(&percpu, &key, 0);
	keep_some(found);
	key = 1;
	found = bpf_map_lookup_percpu_elem(&percpu, &key, 0);
	keep_some(found);
	found = bpf_map_lookup_percpu_elem(&percpu, &key, 100000);
	keep_some(found);
	keep(bpf_map_pop_elem(&queue, &value));
	keep(value);
	keep(bpf_map_peek_elem(&queue, &value));
	for (int i = 1; i < 4; i++) {
		value = i;
		keep(bpf_map_push_elem(&queue, &value, BPF_ANY));
	}
	keep(bpf_map_push_elem(&queue, &value, BPF_EXIST));
	keep(bpf_map_push_elem(&queue, &value, BPF_NOEXIST));
	keep(bpf_map_peek_elem(&queue, &value));
	keep(value);
	keep(bpf_map_pop_elem(&queue, &value));
	keep(value);
	return 0;
}

SEC("raw_tp")
int records(void *ctx)
{
	long value = 7;
	long *record;

	keep(bpf_ringbuf_output(&ring, &value, 8, 0));
	keep(bpf_ringbuf_output(&ring, &value, 8, 8));
	keep(bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA));
	keep(bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE));
	keep(bpf_ringbuf_query(&ring, BPF_RB_CONS_POS));
	keep(bpf_ringbuf_query(&ring, BPF_RB_PROD_POS));
	keep(bpf_ringbuf_query(&ring, 9));
	record = bpf_ringbuf_reserve(&ring, 8, 1);
	keep_some(record);
	if (record)
		bpf_ringbuf_discard(record, 0);
	record = bpf_ringbuf_reserve(&ring, 8, 0);
	keep_some(record);
	if (record) {
		*record = 1;
		bpf_ringbuf_submit(record, 0);
	}
	keep(bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA));
	for (int i = 0; i < 3; i++) {
		record = bpf_ringbuf_reserve(&ring, 1500, 0);
		keep_some(record);
		if (record)
			bpf_ringbuf_submit(record, 0);
	}
	return 0;
}

SEC("raw_tp")
int perf(void *ctx)
{
	struct bpf_perf_event_value counter = { 1, 2, 3 };
	long value = 7;

	keep(bpf_perf_event_output(ctx, &events, 1000000, &value, 8));
	keep(bpf_perf_event_output(ctx, &events, 1ull << 40, &value, 8));
	keep(bpf_perf_event_output(ctx, &events, 1ull << 60, &value, 8));
	keep(bpf_perf_event_read(&events, 1000000));
	keep(bpf_perf_event_read(&events, 1ull << 60));
	keep(bpf_perf_event_read_value(&events, 1000000, &counter, sizeof(counter)));
	keep(counter.counter);
	counter.counter = 5;
	keep(bpf_perf_event_read_value(&events, 0, &counter, 8));
	keep(counter.counter);
	counter.counter = 5;
	keep(bpf_perf_event_read_value(&events, 1ull << 60, &counter, sizeof(counter)));
	keep(counter.counter);
	return 0;
}

SEC("raw_tp")
int branches(void *ctx)
{
	char entries[48] = {};

	keep(bpf_get_branch_snapshot(entries, sizeof(entries), 1));
	return 0;
}

SEC("raw_tp")
int calls(void *ctx)
{
	keep(1);
	bpf_tail_call(ctx, &programs, 0);
	keep(2);
	bpf_tail_call(ctx, &programs, 5);
	keep(3);
	return 0;
}

const char format[] = "%d %s %llx";

SEC("raw_tp")
int texts(void *ctx)
{
	char text[32] = {};
	__u64 args[] = { -5, (__u64)format, 0xabcdef0123 };
	long number = 0;

	keep(bpf_trace_printk(format, sizeof(format), 1, format, 3));
	keep(bpf_trace_printk("%d", 2, 1));
	keep(bpf_trace_vprintk(format, sizeof(format), args, sizeof(args)));
	keep(bpf_trace_vprintk(format, sizeof(format), args, 12));
	keep(bpf_snprintf(text, sizeof(text), format, args, sizeof(args)));
	keep_bytes(text, 32);
	keep(bpf_snprintf(text, 4, format, args, sizeof(args)));
	keep_bytes(text, 32);
	keep(bpf_strtol("-12x", 4, 0, &number));
	keep(number);
	keep(bpf_strtol("99999999999999999999", 20, 0, &number));
	keep(bpf_strtoul("0x1f", 4, 0, (unsigned long *)&number));
	keep(number);
	keep(bpf_strtoul("-1", 2, 0, (unsigned long *)&number));
	keep(bpf_strncmp("abc", 3, "abd"));
	return 0;
}

SEC("tc")
int times(void *ctx)
{
	__u64 a = bpf_ktime_get_ns(), b = bpf_ktime_get_ns();

	keep(a <= b);
	keep(bpf_ktime_get_boot_ns() >= a);
	keep(bpf_ktime_get_coarse_ns() != 0);
	keep(bpf_ktime_get_tai_ns() > a);
	keep(bpf_jiffies64() != 0);
	keep(bpf_get_smp_processor_id() < 4096);
	keep(bpf_get_numa_node_id());
	return 0;
}
