// Loads an object with libbpf into no kernel: prints the instructions and maps that the kernel would be given.
//
//   load OBJECT [TYPES]
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int loading;

// Takes the place of libc's: every descriptor is one of /dev/null, so that all that libbpf probes for is there.
long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number != __NR_bpf) {
		errno = ENOSYS;
		return -1;
	}
	union bpf_attr *attr = (void *)a[1];
	int fd;

	switch (a[0]) {
	case BPF_MAP_CREATE:
		fd = open("/dev/null", O_RDONLY);
		if (loading)
			printf("map %d %s %u %u %u %u %u\n", fd, attr->map_name, attr->map_type, attr->key_size, attr->value_size,
			       attr->max_entries, attr->map_flags);
		return fd;
	case BPF_PROG_LOAD:
		if (loading) {
			const unsigned char *bytes = (void *)attr->insns;

			printf("prog %s %u %u ", attr->prog_name, attr->prog_type, attr->expected_attach_type);
			for (unsigned i = 0; i < attr->insn_cnt * 8; i++)
				printf("%02x", bytes[i]);
			printf("\n");
		}
		return open("/dev/null", O_RDONLY);
	case BPF_BTF_LOAD:
		return open("/dev/null", O_RDONLY);
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
		return 0;
	default:
		errno = EINVAL;
		return -1;
	}
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = argc > 2 ? argv[2] : NULL);
	struct bpf_object *object;
	struct bpf_program *prog;
	struct bpf_map *map;

	libbpf_set_print(quiet);
	object = bpf_object__open_file(argv[1], &opts);
	if (!object)
		return 1;
	bpf_object__for_each_program(prog, object)
		bpf_program__set_autoload(prog, true);
	// A kernel that pins is not there.
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL);
	loading = 1;
	return bpf_object__load(object) ? 2 : 0;
}
