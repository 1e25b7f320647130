// SPDX-License-Identifier: MIT OR Apache-2.0
// Timers and work queues. Programs whose name ends in `later` are given time before what they kept is read.
#include "bodies.h"

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_BOOTTIME 7

struct bpf_wq {
	__u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*callback)(void *map, int *key, void *value), unsigned int flags,
				    void *aux) __ksym;

struct element {
	long number;
	struct bpf_timer timer;
};

struct work {
	long number;
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

static int tick(void *map, __u32 *key, struct element *element)
{
	keep(*key);
	keep(element->number);
	element->number--;
	if (element->number > 0)
		keep(bpf_timer_start(&element->timer, 1000, 0));
	return 0;
}

static int cancel_oneself(void *map, __u32 *key, struct element *element)
{
	keep(bpf_timer_cancel(&element->timer));
	return 0;
}

static int delete_oneself(void *map, __u32 *key, struct element *element)
{
	__u32 copy = *key;

	keep(bpf_map_delete_elem(map, &copy));
	return 0;
}

SEC("syscall")
int timer_errors(void *ctx)
{
	__u32 one = 1;
	struct element *element = bpf_map_lookup_elem(&array, &one);

	if (!element)
		return 1;
	keep(bpf_timer_start(&element->timer, 0, 0));
	keep(bpf_timer_cancel(&element->timer));
	keep(bpf_timer_set_callback(&element->timer, tick));
	keep(bpf_timer_init(&element->timer, &array, 2));
	keep(bpf_timer_init(&element->timer, &array, 16));
	keep(bpf_timer_init(&element->timer, &array, CLOCK_REALTIME | 1 << 10));
	keep(bpf_timer_init(&element->timer, &array, CLOCK_MONOTONIC));
	keep(bpf_timer_init(&element->timer, &array, CLOCK_MONOTONIC));
	keep(bpf_timer_start(&element->timer, 0, 0));
	keep(bpf_timer_cancel(&element->timer));
	keep(bpf_timer_set_callback(&element->timer, tick));
	keep(bpf_timer_start(&element->timer, 1000, 4));
	keep(bpf_timer_start(&element->timer, 3600000000000, 0));
	keep(bpf_timer_start(&element->timer, 3600000000000, 2));
	keep(bpf_timer_cancel(&element->timer));
	keep(bpf_timer_cancel(&element->timer));
	keep(bpf_timer_start(&element->timer, 0, 0));
	return 0;
}

SEC("syscall")
int timer_later(void *ctx)
{
	__u32 two = 2;
	struct element *element = bpf_map_lookup_elem(&array, &two);

	if (!element)
		return 1;
	element->number = 4;
	keep(bpf_timer_init(&element->timer, &array, CLOCK_BOOTTIME));
	keep(bpf_timer_set_callback(&element->timer, tick));
	keep(bpf_timer_start(&element->timer, 2000000, 0));
	return 0;
}

SEC("syscall")
int timer_cancel_later(void *ctx)
{
	__u32 two = 2;
	struct element *element = bpf_map_lookup_elem(&array, &two);

	if (!element)
		return 1;
	keep(bpf_timer_init(&element->timer, &array, CLOCK_MONOTONIC));
	keep(bpf_timer_set_callback(&element->timer, cancel_oneself));
	keep(bpf_timer_start(&element->timer, 2000000, 0));
	return 0;
}

SEC("syscall")
int timer_hash_later(void *ctx)
{
	struct element fresh = { .number = 2 };
	__u32 keys[] = { 7, 9, 11 };

	for (int i = 0; i < 3; i++) {
		struct element *element;

		bpf_map_update_elem(&hash, &keys[i], &fresh, BPF_ANY);
		element = bpf_map_lookup_elem(&hash, &keys[i]);
		if (!element)
			return 1;
		keep(bpf_timer_init(&element->timer, &hash, CLOCK_MONOTONIC));
		keep(bpf_timer_set_callback(&element->timer, i == 1 ? delete_oneself : tick));
		keep(bpf_timer_start(&element->timer, (3 - i) * 2000000, 0));
	}
	/* The timer of a deleted element never runs. */
	keep(bpf_map_delete_elem(&hash, &keys[2]));
	return 0;
}

SEC("syscall")
int timer_reused_later(void *ctx)
{
	struct element fresh = { .number = 1 };
	__u32 key = 3;

	for (int i = 0; i < 2; i++) {
		struct element *element;

		bpf_map_update_elem(&hash, &key, &fresh, BPF_ANY);
		element = bpf_map_lookup_elem(&hash, &key);
		if (!element)
			return 1;
		keep(bpf_timer_init(&element->timer, &hash, CLOCK_MONOTONIC));
		keep(bpf_timer_set_callback(&element->timer, tick));
		keep(bpf_timer_start(&element->timer, 2000000, 0));
		if (i == 0)
			bpf_map_delete_elem(&hash, &key);
	}
	return 0;
}

static int work(void *map, int *key, void *value)
{
	struct work *work = value;

	keep(*key);
	keep(work->number);
	if (work->number-- > 0)
		keep_int(bpf_wq_start(&work->work, 0));
	return 0;
}

SEC("syscall")
int work_later(void *ctx)
{
	__u32 two = 2;
	struct work *element = bpf_map_lookup_elem(&works, &two);

	if (!element)
		return 1;
	element->number = 2;
	keep_int(bpf_wq_start(&element->work, 0));
	keep_int(bpf_wq_set_callback_impl(&element->work, work, 0, 0));
	keep_int(bpf_wq_init(&element->work, &works, 1));
	keep_int(bpf_wq_init(&element->work, &works, 0));
	keep_int(bpf_wq_init(&element->work, &works, 0));
	keep_int(bpf_wq_start(&element->work, 0));
	keep_int(bpf_wq_set_callback_impl(&element->work, work, 1, 0));
	keep_int(bpf_wq_set_callback_impl(&element->work, work, 0, 0));
	keep_int(bpf_wq_start(&element->work, 1));
	keep_int(bpf_wq_start(&element->work, 0));
	return 0;
}
