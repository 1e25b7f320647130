// Relocates objects with libbpf for the types in a file, and prints what libbpf says of each CO-RE relocation.
//
//   core TYPES OBJECT...
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tell(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[4096];

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	if (strstr(line, "patched insn") || strstr(line, "w/ invalid insn"))
		fputs(line, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	libbpf_set_print(tell);
	for (int i = 2; i < argc; i++) {
		LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = argv[1]);
		struct bpf_program *prog;
		struct bpf_object *object;
		struct bpf_map *map;

		printf("object %s\n", argv[i]);
		object = bpf_object__open_file(argv[i], &opts);
		if (!object)
			return 1;
		bpf_object__for_each_program(prog, object)
			bpf_program__set_autoload(prog, true);
		// Sizes that the object leaves to its user space.
		bpf_object__for_each_map(map, object) {
			if (bpf_map__max_entries(map) == 0)
				bpf_map__set_max_entries(map, 1);
			if (bpf_map__type(map) == BPF_MAP_TYPE_STACK_TRACE && bpf_map__value_size(map) == 0)
				bpf_map__set_value_size(map, 8);
		}
		// Whether the kernel of this host takes the programs is not asked: they are relocated before.
		bpf_object__load(object);
		bpf_object__close(object);
	}
	return 0;
}
