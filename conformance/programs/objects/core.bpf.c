// SPDX-License-Identifier: MIT OR Apache-2.0
// Every kind of CO-RE relocation, with answers and without. `core_target.bpf.c` has the types of the other side.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define core __attribute__((preserve_access_index))

enum color { RED = 1, GREEN = 2, BLUE = 3 };
enum huge { SMALL = 1, LARGE = 0x123456789ull };

struct point {
	int x;
	int y;
} core;

struct device {
	long first;
	struct point at;
	char name[4];
	short narrow;
	unsigned int low : 5, high : 7;
	int moved;
	int removed;
	struct point *peer;
} core;

struct device___flavored {
	int moved;
} core;

struct vanished {
	int a;
} core;

union either {
	int whole;
	short half;
} core;

typedef struct device device_t;
typedef int (*handler_t)(struct device *);

struct same {
	int a;
	char b;
};
struct unlike {
	int a;
	char b;
};

__u64 out[32];

SEC("socket")
int fields(struct __sk_buff *skb)
{
	struct device *d = (void *)(long)skb->mark;
	struct device___flavored *f = (void *)(long)skb->mark;

	out[0] = __builtin_preserve_field_info(d->moved, BPF_FIELD_BYTE_OFFSET);
	out[1] = __builtin_preserve_field_info(d->at.y, BPF_FIELD_BYTE_OFFSET);
	out[2] = __builtin_preserve_field_info(d->narrow, BPF_FIELD_BYTE_SIZE);
	out[3] = __builtin_preserve_field_info(d->name, BPF_FIELD_BYTE_SIZE);
	out[4] = bpf_core_field_exists(d->moved);
	out[5] = bpf_core_field_exists(d->removed);
	out[6] = __builtin_preserve_field_info(d->moved, BPF_FIELD_SIGNED);
	out[7] = __builtin_preserve_field_info(d->high, BPF_FIELD_SIGNED);
	out[8] = __builtin_preserve_field_info(d->high, BPF_FIELD_LSHIFT_U64);
	out[9] = __builtin_preserve_field_info(d->high, BPF_FIELD_RSHIFT_U64);
	out[10] = __builtin_preserve_field_info(d->name[2], BPF_FIELD_BYTE_OFFSET);
	out[11] = __builtin_preserve_field_info(f->moved, BPF_FIELD_BYTE_OFFSET);
	return 0;
}

SEC("socket")
int types(struct __sk_buff *skb)
{
	out[0] = bpf_core_type_id_local(struct device);
	out[1] = bpf_core_type_id_kernel(struct device);
	out[2] = bpf_core_type_exists(struct device);
	out[3] = bpf_core_type_exists(struct vanished);
	out[4] = bpf_core_type_size(struct device);
	out[5] = bpf_core_type_size(struct vanished);
	out[6] = bpf_core_type_matches(struct same);
	out[7] = bpf_core_type_matches(struct unlike);
	out[8] = bpf_core_type_exists(union either);
	out[9] = bpf_core_type_exists(device_t);
	out[10] = bpf_core_type_exists(handler_t);
	out[11] = bpf_core_type_exists(enum color);
	out[12] = bpf_core_type_size(device_t);
	return 0;
}

SEC("socket")
int enums(struct __sk_buff *skb)
{
	out[0] = bpf_core_enum_value_exists(enum color, GREEN);
	out[1] = bpf_core_enum_value_exists(enum color, BLUE);
	out[2] = bpf_core_enum_value(enum color, GREEN);
	out[3] = bpf_core_enum_value_exists(enum huge, LARGE);
	out[4] = bpf_core_enum_value(enum huge, LARGE);
	return 0;
}

/* Loads and stores through fields that moved and changed their size. */
SEC("raw_tp")
int accesses(__u64 *ctx)
{
	struct device *d = (void *)ctx[0];

	out[0] = d->moved;
	out[1] = d->at.y;
	out[2] = BPF_CORE_READ(d, peer, x);
	return 0;
}

/* What the other side does not have is poisoned where it stands, and harmless behind a question. */
SEC("socket")
int poisoned(struct __sk_buff *skb)
{
	struct device *d = (void *)(long)skb->mark;

	if (bpf_core_field_exists(d->removed))
		out[0] = __builtin_preserve_field_info(d->removed, BPF_FIELD_BYTE_OFFSET);
	if (bpf_core_enum_value_exists(enum color, BLUE))
		out[1] = bpf_core_enum_value(enum color, BLUE);
	if (bpf_core_type_exists(struct vanished))
		out[2] = bpf_core_type_id_kernel(struct vanished);
	return 7;
}

char LICENSE[] SEC("license") = "GPL";
