#!/usr/bin/env bash
# Records what skep knows of a kernel release: its types (BTF) and its configuration.
#
#   record.sh RELEASE ARCH VMLINUX CONFIG
#
# RELEASE and ARCH name the files (6.18 x86_64). VMLINUX is the kernel as ELF, as it was linked or as it lies in a vmlinuz;
# a vmlinuz that is compressed with zstd or gzip is unpacked. CONFIG is the `config-...` of the same package.
# Needs llvm-objcopy (19) or objcopy, and zstd.
set -euo pipefail
if [ "$#" != 4 ]; then
    sed -n '2,8p' "$0" >&2
    exit 2
fi
name="$(cd "$(dirname "$0")" && pwd)/linux-$1-$2"
image=$3
config=$4
objcopy=$(command -v llvm-objcopy-19 || command -v llvm-objcopy || command -v objcopy)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where the bytes of a magic number first stand, or nothing.
find_magic() {
    LC_ALL=C grep -abom1 -P "$1" "$image" | head -n1 | cut -d: -f1
}

if [ "$(head -c4 "$image" | od -An -tx1 | tr -d ' \n')" = 7f454c46 ]; then
    cp "$image" "$work/vmlinux"
else
    # What follows the compressed kernel in a vmlinuz makes the tools complain; the kernel is out by then.
    at=$(find_magic '\x28\xb5\x2f\xfd')
    [ -z "$at" ] || tail -c +"$((at + 1))" "$image" | zstd -qdc >"$work/vmlinux" 2>"$work/why" || true
    if [ ! -s "$work/vmlinux" ]; then
        at=$(find_magic '\x1f\x8b\x08')
        [ -z "$at" ] || tail -c +"$((at + 1))" "$image" | gzip -dc >"$work/vmlinux" 2>"$work/why" || true
    fi
    [ -s "$work/vmlinux" ] || { echo "$image: no kernel compressed with zstd or gzip" >&2; exit 1; }
fi

"$objcopy" -O binary --only-section=.BTF --set-section-flags .BTF=alloc "$work/vmlinux" "$work/btf"
[ -s "$work/btf" ] || { echo "$image: the kernel has no .BTF section" >&2; exit 1; }
grep '^CONFIG_' "$config" >"$work/config"
zstd -q -19 -f "$work/btf" -o "$name.btf.zst"
zstd -q -19 -f "$work/config" -o "$name.config.zst"
ls -l "$name".*
