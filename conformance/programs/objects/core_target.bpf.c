// SPDX-License-Identifier: MIT OR Apache-2.0
// The types that `core.bpf.c` is relocated to: moved, widened, without some members.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum color { BLACK = 0, RED = 11, GREEN = 12 };
enum huge { SMALL = 1, LARGE = 0xabcdef012345ull };

struct point {
	int z;
	int y;
	int x;
};

struct device {
	unsigned int low : 5, middle : 6, high : 9;
	struct {
		union {
			int moved;
			long also;
		};
	};
	struct point at;
	char name[16];
	int narrow;
	long first;
	struct point *peer;
};

union either {
	int whole;
	short half;
};

typedef struct device device_t;
typedef int (*handler_t)(struct device *);

struct same {
	int a;
	char b;
};
struct unlike {
	int a;
	int b;
};

/* Types are kept that something uses. */
struct device *use_device;
enum color use_color;
enum huge use_huge;
union either use_either;
device_t *use_typedef;
handler_t use_handler;
struct same use_same;
struct unlike use_unlike;

char LICENSE[] SEC("license") = "GPL";
