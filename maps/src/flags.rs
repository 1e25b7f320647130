//! The uapi flags that maps take, by their uapi names.
#![allow(missing_docs)] // each constant is the uapi constant of its name

/// Update: create the element or replace it.
pub const BPF_ANY: u64 = 0;
/// Update: only create it.
pub const BPF_NOEXIST: u64 = 1;
/// Update: only replace it.
pub const BPF_EXIST: u64 = 2;
/// Update and lookup: copy under the value's `bpf_spin_lock`.
pub const BPF_F_LOCK: u64 = 4;

/// Creation flags.
pub const BPF_F_NO_PREALLOC: u32 = 1 << 0;
pub const BPF_F_NO_COMMON_LRU: u32 = 1 << 1;
pub const BPF_F_NUMA_NODE: u32 = 1 << 2;
pub const BPF_F_RDONLY: u32 = 1 << 3;
pub const BPF_F_WRONLY: u32 = 1 << 4;
pub const BPF_F_STACK_BUILD_ID: u32 = 1 << 5;
pub const BPF_F_ZERO_SEED: u32 = 1 << 6;
pub const BPF_F_RDONLY_PROG: u32 = 1 << 7;
pub const BPF_F_WRONLY_PROG: u32 = 1 << 8;
pub const BPF_F_CLONE: u32 = 1 << 9;
pub const BPF_F_MMAPABLE: u32 = 1 << 10;
pub const BPF_F_PRESERVE_ELEMS: u32 = 1 << 11;
pub const BPF_F_INNER_MAP: u32 = 1 << 12;
pub const BPF_F_LINK: u32 = 1 << 13;
pub const BPF_F_VTYPE_BTF_OBJ_FD: u32 = 1 << 15;
pub const BPF_F_TOKEN_FD: u32 = 1 << 16;
pub const BPF_F_SEGV_ON_FAULT: u32 = 1 << 17;
pub const BPF_F_NO_USER_CONV: u32 = 1 << 18;

/// The flags that limit who may read and write.
pub const BPF_F_ACCESS_MASK: u32 = BPF_F_RDONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY | BPF_F_WRONLY_PROG;

/// Index and CPU choice of perf event helpers: the low 32 bits.
pub const BPF_F_INDEX_MASK: u64 = 0xffff_ffff;
/// The index that means the current CPU.
pub const BPF_F_CURRENT_CPU: u64 = BPF_F_INDEX_MASK;
/// Bytes of the context to append, in `bpf_perf_event_output`.
pub const BPF_F_CTXLEN_MASK: u64 = 0xf_ffff << 32;

/// `bpf_*_storage_get`: make the storage if there is none.
pub const BPF_LOCAL_STORAGE_GET_F_CREATE: u64 = 1;

/// Whether the program-side access flags agree with each other: a map is not both read-only and write-only.
pub(crate) fn access_ok(flags: u32) -> bool {
    flags & BPF_F_RDONLY_PROG == 0 || flags & BPF_F_WRONLY_PROG == 0
}
