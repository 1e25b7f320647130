//! What the types of BTF say to the verifier. Everything here is a function of types alone: nothing knows of registers or paths.
//!
//! One file per subject: [`walk`] reads through a pointer to a struct; [`record`] finds locks, timers, kernel pointers and roots in values
//! and objects; [`attach`] says what a program is attached to, and [`context`] what it loads and returns there; [`func_args`] and
//! [`kfunc_args`] are the parameters of the program's functions and of the kernel's; [`objects`] is what ids of types mean that are handed
//! to the kernel; [`map_compat`] is which maps a program may use.

pub mod attach;
pub mod context;
pub mod func_args;
pub mod kfunc_args;
pub mod map_compat;
pub mod objects;
pub mod record;
pub mod walk;

use std::borrow::Cow;

use skep_btf::{Btf, Kind, TypeId};

pub use crate::state::{Flags, TypesOf};

/// The name of a type as the kernel's messages have it where they say so of a type without a name.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(if name.is_empty() { "(anon)" } else { name })
}

/// Whether the kernel counts the type as a struct: unions are, too.
pub(crate) fn is_composite(btf: &Btf, id: TypeId) -> bool {
    matches!(btf.kind(id), Kind::Struct | Kind::Union)
}
