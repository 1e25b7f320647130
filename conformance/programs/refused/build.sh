#!/bin/sh
# Rebuilds the objects from the sources beside them. Needs clang 19 or later, LLVM's tools, libbpf's headers and Linux's uapi headers.
set -eu
cd "$(dirname "$0")"
clang=${CLANG:-clang-19}
arch=$(uname -m)
for source in ${*:-*.bpf.c}; do
	"$clang" -g -O2 -Wall -Wextra -Wno-unused-parameter -Wno-uninitialized -Wno-unused-function -mcpu=v3 -target bpf -D__TARGET_ARCH_x86 \
		-I"/usr/include/$arch-linux-gnu" -ffile-prefix-map="$PWD=." -fdebug-compilation-dir=. -c "$source" -o "${source%.c}.o"
	llvm-strip-19 -g "${source%.c}.o"
done
