//! Which pointers in the kernel's structs a program may go on trusting when it has loaded them, and which kernel objects may be stored in
//! maps.
//!
//! The fields are listed in the kernel's BTF: a struct `NAME` + suffix has the trusted pointers of struct `NAME`, by name and type. Here
//! are the suffixes.

use crate::target::Release;

/// How far a pointer that was loaded through a trusted one is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// As long as the program runs.
    Trusted,
    /// As long as the program runs, and it may be NULL.
    TrustedOrNull,
    /// As long as the RCU section lasts.
    Rcu,
    /// As long as the RCU section lasts, and it may be NULL.
    RcuOrNull,
}

/// A list of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustRow {
    /// How far its fields are trusted.
    pub trust: Trust,
    /// What is added to the name of a struct.
    pub suffix: &'static str,
    /// The release that it came with.
    pub since: Release,
}

const fn row(trust: Trust, suffix: &'static str, since: (u16, u16)) -> TrustRow {
    TrustRow { trust, suffix, since: Release::new(since.0, since.1) }
}

/// The lists, in the order in which the kernel asks them.
pub const TRUST: &[TrustRow] = &[
    row(Trust::Trusted, "__safe_trusted", (6, 4)),
    row(Trust::TrustedOrNull, "__safe_trusted_or_null", (6, 9)),
    row(Trust::Rcu, "__safe_rcu", (6, 4)),
    row(Trust::RcuOrNull, "__safe_rcu_or_null", (6, 4)),
];

/// A struct of the kernel that counts references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectRow {
    /// The struct.
    pub name: &'static str,
    /// The kernel knows how to give up a reference that a map holds, so that maps may hold one.
    pub in_maps: bool,
    /// It stays valid until the RCU section ends, so that a program may use what a map holds without taking it.
    pub rcu: bool,
    /// The release from which maps may hold it.
    pub since: Release,
}

const fn object(name: &'static str, since: (u16, u16)) -> ObjectRow {
    ObjectRow { name, in_maps: true, rcu: true, since: Release::new(since.0, since.1) }
}

/// The structs. Those of the kernel's own tests are here too: kernels of distributions have them.
pub const OBJECTS: &[ObjectRow] = &[
    object("bpf_cpumask", (6, 3)),
    object("bpf_crypto_ctx", (6, 10)),
    object("cgroup", (6, 2)),
    object("prog_test_ref_kfunc", (5, 19)),
    ObjectRow { rcu: false, ..object("prog_test_member", (6, 0)) },
    object("task_struct", (6, 2)),
];

/// The row of the struct of this name.
pub fn kernel_object(name: &str) -> Option<&'static ObjectRow> {
    OBJECTS.iter().find(|row| row.name == name)
}
