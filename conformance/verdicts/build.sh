#!/bin/sh
# Rebuilds the objects from the sources beside them. Needs clang 19 or later, libbpf's headers and Linux's uapi headers.
set -eu
cd "$(dirname "$0")"
clang=${CLANG:-clang-19}
arch=$(uname -m)
for source in ${*:-*.bpf.c bugs/*.bpf.c}; do
	"$clang" -g -O2 -mcpu=v3 -target bpf -I. -I"/usr/include/$arch-linux-gnu" -ffile-prefix-map="$PWD=." -fdebug-compilation-dir=. \
		-c "$source" -o "${source%.c}.o"
	# DWARF serves nothing that BTF does not, and is most of the object.
	llvm-strip-19 -g "${source%.c}.o"
done
