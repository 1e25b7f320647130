#!/bin/sh
# Rebuilds the objects from the sources beside them. Needs clang 19 or later, LLVM's tools, libbpf's headers, and for one of them
# gcc for BPF (12).
set -eu
cd "$(dirname "$0")"
clang=${CLANG:-clang-19}
strip=${LLVM_STRIP:-llvm-strip-19}
objcopy=${LLVM_OBJCOPY:-llvm-objcopy-19}
arch=$(uname -m)
compile() {
	"$clang" -g -O2 -Wall -Wextra -Wno-unused-parameter -mcpu=v3 -I"/usr/include/$arch-linux-gnu" \
		-ffile-prefix-map="$PWD=." -fdebug-compilation-dir=. "$@"
}
for source in *.bpf.c; do
	compile -target bpf -c "$source" -o "${source%.c}.o"
done
# The same code with both kinds of source lines, and for machines of the other byte order.
cp sections.bpf.o sections_dwarf.bpf.o
compile -gdwarf-4 -target bpf -c sections.bpf.c -o sections_dwarf4.bpf.o
compile -target bpfeb -c legacy.bpf.c -o legacy.bpfeb.o
# By gcc, where it is.
if command -v bpf-gcc >/dev/null; then
	bpf-gcc -g -gbtf -O2 -mcpu=v3 -I/usr/include -I"/usr/include/$arch-linux-gnu" -ffile-prefix-map="$PWD=." -w -c gcc.c -o gcc.o
fi
for object in *.o; do
	case $object in
	sections_dwarf* | gcc.o) ;;
	legacy.bpf.o) "$objcopy" --remove-section=.BTF --remove-section=.BTF.ext --remove-section=.rel.BTF \
		--remove-section=.rel.BTF.ext "$object" && "$strip" -g "$object" ;;
	*) "$strip" -g "$object" ;;
	esac
done
