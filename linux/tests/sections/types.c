// Prints what libbpf makes of section names.
//
//   types            the names that it knows
//   types NAME...    program type and attach type of each, or -1
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tell(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[16384];

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	if (strstr(line, "supported section(type) names are:"))
		fputs(strchr(strstr(line, "names are"), ':') + 1, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	enum bpf_attach_type attach;
	enum bpf_prog_type type;

	if (argc == 1) {
		libbpf_set_print(tell);
		libbpf_prog_type_by_name("no such name", &type, &attach);
		return 0;
	}
	libbpf_set_print(NULL);
	for (int i = 1; i < argc; i++) {
		if (libbpf_prog_type_by_name(argv[i], &type, &attach))
			printf("-1 0 %s\n", argv[i]);
		else
			printf("%d %d %s\n", type, attach, argv[i]);
	}
	return 0;
}
