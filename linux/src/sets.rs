//! Sets of program, attach and map types, and the programs that a row is for.

use crate::{AttachType, MapType, ProgType};

macro_rules! set {
    ($(#[$doc:meta])* $name:ident of $item:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(u64);

        impl $name {
            /// No member.
            pub const NONE: $name = $name(0);
            /// Every value that this release of skep knows, `Unspec` where there is one included.
            pub const ALL: $name = $name::of($item::ALL);

            /// The set of these members.
            pub const fn of(members: &[$item]) -> $name {
                let mut bits = 0;
                let mut i = 0;
                while i < members.len() {
                    bits |= 1 << members[i] as u32;
                    i += 1;
                }
                $name(bits)
            }

            /// Whether `member` is in the set.
            pub const fn contains(self, member: $item) -> bool {
                self.0 & (1 << member as u32) != 0
            }

            /// Members of either set.
            pub const fn and(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// Members of this set that are not in the other.
            pub const fn without(self, other: $name) -> $name {
                $name(self.0 & !other.0)
            }

            /// Whether the set has no member.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// The members, in the order of their numbers.
            pub fn iter(self) -> impl Iterator<Item = $item> {
                $item::ALL.iter().copied().filter(move |&m| self.contains(m))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.iter()).finish()
            }
        }
    };
}

set! {
    /// A set of program types.
    ProgSet of ProgType
}
set! {
    /// A set of attach types.
    AttachSet of AttachType
}
set! {
    /// A set of map types.
    MapSet of MapType
}

/// The programs that a row is for: these types, some of them with certain attach types only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Users {
    /// Program types.
    pub types: ProgSet,
    /// For the program types named here, only these attach types.
    pub attached: &'static [(ProgType, &'static [AttachType])],
}

impl Users {
    /// No program.
    pub const NONE: Users = Users { types: ProgSet::NONE, attached: &[] };
    /// Every program.
    pub const ALL: Users = Users { types: ProgSet::ALL, attached: &[] };

    /// Programs of these types.
    pub const fn of(types: &[ProgType]) -> Users {
        Users { types: ProgSet::of(types), attached: &[] }
    }

    /// Narrows the program types named in `attached` to the attach types given there.
    pub const fn when(self, attached: &'static [(ProgType, &'static [AttachType])]) -> Users {
        Users { attached, ..self }
    }

    /// Whether a program of this type, loaded for this attach type (0 where it was loaded for none), is among them.
    pub fn contains(&self, prog: ProgType, attach: AttachType) -> bool {
        let attach = prog.attach_meant(attach);
        self.types.contains(prog)
            && self.attached.iter().find(|(t, _)| *t == prog).is_none_or(|(_, attaches)| attaches.contains(&attach))
    }
}
