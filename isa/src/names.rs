//! Names for the numbers in calls. This crate knows none: whoever prints or assembles hands them in.

use std::borrow::Cow;

/// Names of helpers, kernel functions and functions of the program. Every method may answer `None`.
pub trait Names {
    /// Name of a helper, as `bpf_map_lookup_elem`.
    fn helper(&self, id: i32) -> Option<Cow<'_, str>> {
        let _ = id;
        None
    }

    /// Name of a kernel function by BTF id and module index (0: vmlinux).
    fn kfunc(&self, id: i32, module: i16) -> Option<Cow<'_, str>> {
        let _ = (id, module);
        None
    }

    /// Name of the function of the program that begins in this slot.
    fn function(&self, slot: usize) -> Option<Cow<'_, str>> {
        let _ = slot;
        None
    }

    /// Number of a helper by name.
    fn helper_id(&self, name: &str) -> Option<i32> {
        let _ = name;
        None
    }

    /// BTF id and module index of a kernel function by name.
    fn kfunc_id(&self, name: &str) -> Option<(i32, i16)> {
        let _ = name;
        None
    }
}

/// No names: calls are printed as Linux prints what it has no name for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoNames;

impl Names for NoNames {}
