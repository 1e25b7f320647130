//! Iterators of the kernel: what programs of attach type `BPF_TRACE_ITER` are called for, and what is known of their arguments.
//!
//! The arguments and their types are those of the kernel's function `bpf_iter_NAME`. Asked of Linux 6.18, those that its host refused
//! (`bpf_map_elem`, `bpf_sk_storage_map`, `sockmap`) from the source.

use crate::target::Release;

/// What is known of an argument beyond its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IterArg {
    /// A pointer that may be NULL and is not trusted beyond that.
    OrNull,
    /// A pointer that is trusted and may be NULL.
    TrustedOrNull,
    /// A buffer that may be NULL: the key of a map, which may be read.
    Key,
    /// A buffer that may be NULL: the value of a map, which may be read and written.
    Value,
}

/// An iterator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IterRow {
    /// Its name: programs attach to `bpf_iter_NAME`.
    pub name: &'static str,
    /// Arguments of which more is known than their types: the number of each, from 0. The others are trusted and never NULL.
    pub args: &'static [(u8, IterArg)],
    /// The release that it came with.
    pub since: Release,
}

const fn iter(name: &'static str, since: (u16, u16), args: &'static [(u8, IterArg)]) -> IterRow {
    IterRow { name, args, since: Release::new(since.0, since.1) }
}

use IterArg::{Key, OrNull, TrustedOrNull, Value};

/// What the functions that programs attach to begin with.
pub const PREFIX: &str = "bpf_iter_";

/// The iterators, by name.
pub const ITERATORS: &[IterRow] = &[
    iter("bpf_link", (5, 19), &[(1, OrNull)]),
    iter("bpf_map", (5, 8), &[(1, TrustedOrNull)]),
    iter("bpf_map_elem", (5, 9), &[(2, Key), (3, Value)]),
    iter("bpf_prog", (5, 9), &[(1, OrNull)]),
    iter("bpf_sk_storage_map", (5, 9), &[(2, OrNull), (3, Value)]),
    iter("cgroup", (6, 1), &[(1, TrustedOrNull)]),
    iter("dmabuf", (6, 16), &[(1, OrNull)]),
    iter("ipv6_route", (5, 8), &[(1, OrNull)]),
    iter("kmem_cache", (6, 13), &[(1, TrustedOrNull)]),
    iter("ksym", (6, 0), &[(1, OrNull)]),
    iter("netlink", (5, 8), &[(1, OrNull)]),
    iter("sockmap", (5, 10), &[(2, Key), (3, OrNull)]),
    iter("task", (5, 8), &[(1, TrustedOrNull)]),
    iter("task_file", (5, 8), &[(1, OrNull), (3, OrNull)]),
    iter("task_vma", (5, 12), &[(1, OrNull), (2, OrNull)]),
    iter("tcp", (5, 9), &[(1, TrustedOrNull)]),
    iter("udp", (5, 9), &[(1, TrustedOrNull)]),
    iter("unix", (5, 15), &[(1, OrNull)]),
];

/// The row of the iterator that a function `bpf_iter_NAME` is for.
pub fn iterator(function: &str) -> Option<&'static IterRow> {
    let name = function.strip_prefix(PREFIX)?;
    ITERATORS.iter().find(|row| row.name == name)
}
