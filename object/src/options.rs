//! How an object is read.

use std::collections::BTreeMap;

/// How an object is read. The default is what libbpf does by default.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The object's name, from which the maps of its variables are named (`opensnoop` makes `opensnoo.rodata`): the file's name up to the
    /// first dot. [`crate::Object::open`] sets it where it is empty.
    pub name: String,
    /// What is repaired.
    pub repairs: Repairs,
    /// Addresses of kernel symbols, for externs without a type. With none given, such externs are 0.
    pub symbols: BTreeMap<String, u64>,
}

/// Repairs beyond what libbpf does, so that objects made for other loaders, by old compilers or for other kernels can be looked at.
/// The default is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repairs {
    /// Static functions in program sections are taken: as subprograms where anything names them, as programs where nothing does.
    pub static_programs: bool,
    /// If no other section has programs, global functions in `.text` are programs.
    pub text_programs: bool,
    /// Symbols without type and size in code are functions (compilers before clang 8).
    pub untyped_symbols: bool,
    /// Map sizes that the kernel refuses are made acceptable: no entries, sizes of rings and stack traces, key and value sizes of
    /// arrays of descriptors.
    pub map_sizes: bool,
    /// Maps of maps whose inner map is not known get an array of one 4-byte value.
    pub inner_maps: bool,
    /// Maps are not pinned.
    pub pinning: bool,
    /// Kernel functions that the target does not have are treated as weak ones: calls to them are poisoned.
    pub missing_kfuncs: bool,
    /// Programs whose attach target is not in the target are made all the same.
    pub attach_targets: bool,
}

impl Repairs {
    /// No repair: what libbpf does.
    pub const NONE: Repairs = Repairs {
        static_programs: false,
        text_programs: false,
        untyped_symbols: false,
        map_sizes: false,
        inner_maps: false,
        pinning: false,
        missing_kfuncs: false,
        attach_targets: false,
    };

    /// Every repair.
    pub const ALL: Repairs = Repairs {
        static_programs: true,
        text_programs: true,
        untyped_symbols: true,
        map_sizes: true,
        inner_maps: true,
        pinning: true,
        missing_kfuncs: true,
        attach_targets: true,
    };
}
