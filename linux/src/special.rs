//! Fields of map values, and of objects that programs allocate, that the kernel treats by itself.
//!
//! Asked of Linux 6.18: which map types may have them, and which programs may use such maps.

use crate::MapType as M;
use crate::ProgType as P;
use crate::sets::{MapSet, ProgSet};
use crate::target::Release;

/// Kinds of special fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say what they are
pub enum SpecialKind {
    SpinLock,
    ResSpinLock,
    Timer,
    Workqueue,
    TaskWork,
    KptrUntrusted,
    KptrRef,
    KptrPercpu,
    Uptr,
    ListHead,
    ListNode,
    RbRoot,
    RbNode,
    Refcount,
}

/// How BTF says that a field is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is a struct of this name.
    Struct(&'static str),
    /// It is a pointer to a type with this tag.
    Tag(&'static str),
}

/// Whether there may be several fields of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// One in a struct.
    Never,
    /// Several, but no array of them.
    Apart,
    /// Several, arrays of them included.
    InArrays,
}

/// Programs that may not use a map that has such a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barred {
    /// The programs.
    pub programs: ProgSet,
    /// What the kernel says of it.
    pub message: &'static str,
}

/// What the kernel knows of a kind of field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialRow {
    /// The kind.
    pub kind: SpecialKind,
    /// How BTF marks it.
    pub mark: Mark,
    /// Bytes.
    pub size: u32,
    /// Bytes to which it is aligned.
    pub align: u32,
    /// Whether there may be several.
    pub repeats: Repeats,
    /// The release that it came with.
    pub since: Release,
    /// Map types whose values may have it. Those of other types answer `EOPNOTSUPP`.
    pub maps: MapSet,
    /// Programs that may not use such maps.
    pub barred: &'static [Barred],
}

const PLAIN: MapSet = MapSet::of(&[M::Hash, M::Array]);
const STORAGE: MapSet = MapSet::of(&[M::SkStorage, M::InodeStorage, M::TaskStorage, M::CgrpStorage]);
const PER_CPU: MapSet = MapSet::of(&[M::PercpuHash, M::PercpuArray, M::LruPercpuHash]);
const LRU: MapSet = MapSet::of(&[M::LruHash]);

const LOCKS: MapSet = PLAIN.and(STORAGE).and(MapSet::of(&[M::CgroupStorage]));
const PLAIN_LRU: MapSet = PLAIN.and(LRU);
const POINTERS: MapSet = PLAIN.and(LRU).and(STORAGE).and(PER_CPU);

/// Programs that may run anywhere, in interrupts that may not be masked too.
const TRACING: ProgSet = ProgSet::of(&[P::Kprobe, P::Tracepoint, P::PerfEvent, P::RawTracepoint, P::RawTracepointWritable]);

const NO_LOCKS: &[Barred] = &[
    Barred { programs: ProgSet::of(&[P::SocketFilter]), message: "socket filter progs cannot use bpf_spin_lock yet" },
    Barred { programs: TRACING, message: "tracing progs cannot use bpf_spin_lock yet" },
];
const NO_TIMERS: &[Barred] = &[Barred { programs: TRACING, message: "tracing progs cannot use bpf_timer yet" }];
const NO_QUEUES: &[Barred] = &[Barred { programs: TRACING, message: "tracing progs cannot use bpf_wq yet" }];
const NO_GRAPHS: &[Barred] = &[Barred { programs: TRACING, message: "tracing progs cannot use bpf_{list_head,rb_root} yet" }];

const fn row(kind: SpecialKind, mark: Mark, size: u32, align: u32, since: (u16, u16), maps: MapSet) -> SpecialRow {
    let repeats = match kind {
        SpecialKind::SpinLock
        | SpecialKind::ResSpinLock
        | SpecialKind::Timer
        | SpecialKind::Workqueue
        | SpecialKind::TaskWork => Repeats::Never,
        SpecialKind::ListNode | SpecialKind::RbNode | SpecialKind::Refcount => Repeats::Apart,
        SpecialKind::KptrUntrusted
        | SpecialKind::KptrRef
        | SpecialKind::KptrPercpu
        | SpecialKind::Uptr
        | SpecialKind::ListHead
        | SpecialKind::RbRoot => Repeats::InArrays,
    };
    SpecialRow { kind, mark, size, align, repeats, since: Release::new(since.0, since.1), maps, barred: &[] }
}

impl SpecialRow {
    const fn barred(self, barred: &'static [Barred]) -> SpecialRow {
        SpecialRow { barred, ..self }
    }

    /// What the kernel's messages call such a field.
    pub const fn label(&self) -> &'static str {
        match (self.kind, self.mark) {
            (_, Mark::Struct(name)) => name,
            (SpecialKind::KptrUntrusted, Mark::Tag(_)) => "kptr",
            (_, Mark::Tag(tag)) => tag,
        }
    }

    /// What the kernel says of a program of this type that uses a map with such a field; `None` if it may.
    pub fn refusal(&self, prog: P) -> Option<&'static str> {
        self.barred.iter().find(|barred| barred.programs.contains(prog)).map(|barred| barred.message)
    }
}

/// Every kind. Roots of lists and trees need a lock beside them, so that they are where locks are. Nodes are marks in objects that programs allocate; a map value may hold the struct as plain bytes.
pub const SPECIAL: &[SpecialRow] = &[
    row(SpecialKind::SpinLock, Mark::Struct("bpf_spin_lock"), 4, 4, (5, 1), LOCKS).barred(NO_LOCKS),
    row(SpecialKind::ResSpinLock, Mark::Struct("bpf_res_spin_lock"), 4, 4, (6, 15), LOCKS).barred(NO_LOCKS),
    row(SpecialKind::Timer, Mark::Struct("bpf_timer"), 16, 8, (5, 15), PLAIN_LRU).barred(NO_TIMERS),
    row(SpecialKind::Workqueue, Mark::Struct("bpf_wq"), 16, 8, (6, 10), PLAIN_LRU).barred(NO_QUEUES),
    row(SpecialKind::TaskWork, Mark::Struct("bpf_task_work"), 8, 8, (6, 18), PLAIN_LRU),
    row(SpecialKind::KptrUntrusted, Mark::Tag("kptr_untrusted"), 8, 8, (5, 19), POINTERS),
    row(SpecialKind::KptrRef, Mark::Tag("kptr"), 8, 8, (5, 19), POINTERS),
    row(SpecialKind::KptrPercpu, Mark::Tag("percpu_kptr"), 8, 8, (6, 7), POINTERS),
    row(SpecialKind::Uptr, Mark::Tag("uptr"), 8, 8, (6, 13), MapSet::of(&[M::TaskStorage])),
    row(SpecialKind::ListHead, Mark::Struct("bpf_list_head"), 16, 8, (6, 2), PLAIN).barred(NO_GRAPHS),
    row(SpecialKind::ListNode, Mark::Struct("bpf_list_node"), 24, 8, (6, 2), MapSet::ALL),
    row(SpecialKind::RbRoot, Mark::Struct("bpf_rb_root"), 16, 8, (6, 3), PLAIN).barred(NO_GRAPHS),
    row(SpecialKind::RbNode, Mark::Struct("bpf_rb_node"), 32, 8, (6, 3), MapSet::ALL),
    row(SpecialKind::Refcount, Mark::Struct("bpf_refcount"), 4, 4, (6, 4), POINTERS),
];

const _: () = {
    let mut i = 0;
    while i < SPECIAL.len() {
        assert!(SPECIAL[i].kind as usize == i, "rows are in the order of the kinds");
        i += 1;
    }
};

/// The row of a kind.
pub const fn special(kind: SpecialKind) -> &'static SpecialRow {
    &SPECIAL[kind as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes are those of the structs in the kernel's types.
    #[test]
    fn sizes_are_the_kernels() {
        let btf = crate::recorded_btf(Release::new(6, 18), crate::Arch::X86_64).unwrap().unwrap();
        let mut structs = 0;
        for row in SPECIAL {
            if let Mark::Struct(name) = row.mark {
                let id = btf.find(name, skep_btf::Kind::Struct).unwrap_or_else(|| panic!("the kernel has no {name}"));
                assert_eq!(btf.size_of(id).unwrap(), row.size, "{name}");
                structs += 1;
            }
        }
        assert_eq!(structs, 10);
    }
}
