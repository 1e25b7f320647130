//! What the type of a pointer says beyond what it points to.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// A set of marks of a pointer, as `enum bpf_type_flag` of the kernel has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u16);

impl Flags {
    /// None.
    pub const NONE: Flags = Flags(0);
    /// It may be NULL.
    pub const MAYBE_NULL: Flags = Flags(1);
    /// What it points to may only be read.
    pub const RDONLY: Flags = Flags(1 << 1);
    /// It points into a ring buffer.
    pub const RINGBUF: Flags = Flags(1 << 2);
    /// It points to memory of user space.
    pub const USER: Flags = Flags(1 << 3);
    /// It points to memory of which each CPU has its own.
    pub const PERCPU: Flags = Flags(1 << 4);
    /// What it points to may be gone: reads of it are guarded, and it must not be handed to the kernel.
    pub const UNTRUSTED: Flags = Flags(1 << 5);
    /// What it points to is there as long as the program runs.
    pub const TRUSTED: Flags = Flags(1 << 6);
    /// What it points to is there as long as the RCU section lasts.
    pub const RCU: Flags = Flags(1 << 7);
    /// It points to an object that a program allocated.
    pub const ALLOC: Flags = Flags(1 << 8);
    /// It points to an object that a list or tree owns.
    pub const NON_OWN_REF: Flags = Flags(1 << 9);
    /// It points to memory that need not be written before.
    pub const UNINIT: Flags = Flags(1 << 10);

    const NAMES: [(Flags, &'static str); 11] = [
        (Flags::MAYBE_NULL, "MAYBE_NULL"),
        (Flags::RDONLY, "RDONLY"),
        (Flags::RINGBUF, "RINGBUF"),
        (Flags::USER, "USER"),
        (Flags::PERCPU, "PERCPU"),
        (Flags::UNTRUSTED, "UNTRUSTED"),
        (Flags::TRUSTED, "TRUSTED"),
        (Flags::RCU, "RCU"),
        (Flags::ALLOC, "ALLOC"),
        (Flags::NON_OWN_REF, "NON_OWN_REF"),
        (Flags::UNINIT, "UNINIT"),
    ];

    /// Marks of pointers that kernel functions take for trusted.
    pub const TRUSTWORTHY: Flags = Flags(Flags::ALLOC.0 | Flags::TRUSTED.0 | Flags::NON_OWN_REF.0);

    /// Whether it has all of these.
    pub const fn has(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether it has one of these.
    pub const fn has_any(self, flags: Flags) -> bool {
        self.0 & flags.0 != 0
    }

    /// The name of a kind of pointer with these marks, as the kernel's messages have it: `trusted_ptr_or_null_` of `ptr_`.
    pub fn label(self, base: &str) -> String {
        const SHOWN: [(Flags, &str); 7] = [
            (Flags::RDONLY, "rdonly_"),
            (Flags::RINGBUF, "ringbuf_"),
            (Flags::USER, "user_"),
            (Flags::PERCPU, "percpu_"),
            (Flags::RCU, "rcu_"),
            (Flags::UNTRUSTED, "untrusted_"),
            (Flags::TRUSTED, "trusted_"),
        ];
        let mut label: String = SHOWN.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name).collect();
        label.push_str(base);
        if self.has(Flags::MAYBE_NULL) {
            label.push_str(if base.ends_with('_') { "or_null_" } else { "_or_null" });
        }
        label
    }

    /// Without these.
    pub const fn without(self, flags: Flags) -> Flags {
        Flags(self.0 & !flags.0)
    }

    /// With these.
    pub const fn with(self, flags: Flags) -> Flags {
        Flags(self.0 | flags.0)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        self.with(other)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        *self = self.with(other);
    }
}

impl BitAnd for Flags {
    type Output = Flags;

    fn bitand(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Flags;

    fn not(self) -> Flags {
        Flags(!self.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Flags::NAMES.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| name);
        f.debug_set().entries(names).finish()
    }
}
