//! What the verifier knows of each instruction, for those who run the program.

use std::ops::Index;

/// Through what a load, a store or an atomic operation reaches memory, on every path that comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Through {
    /// The instruction does not reach memory, or no path comes to it.
    #[default]
    Nothing,
    /// The stack of a frame of the program.
    Stack,
    /// Bytes of a map's value, of a packet, of memory that a helper lent: there, and with the permission needed, as long as the program
    /// can name them.
    Plain,
    /// The context, by the pointer that the program was given, unchanged: fields by their rows, pointers among them made when they are
    /// loaded.
    Context,
    /// An arena.
    Arena,
    /// An object of the kernel that BTF describes, or memory whose address nothing vouches for: a load may find nothing, and then gives 0.
    Kernel,
    /// Something of the kernel that neither of these describes; paths may differ in what.
    Other,
}

impl Through {
    /// What an instruction reaches that is `self` on one path and `other` on another.
    #[must_use]
    pub const fn join(self, other: Through) -> Through {
        match (self, other) {
            (Through::Nothing, one) | (one, Through::Nothing) => one,
            (Through::Stack, Through::Stack) => Through::Stack,
            (Through::Stack | Through::Plain, Through::Stack | Through::Plain) => Through::Plain,
            (Through::Context, Through::Context) => Through::Context,
            (Through::Arena, Through::Arena) => Through::Arena,
            (Through::Kernel, Through::Kernel) => Through::Kernel,
            (
                Through::Stack | Through::Plain | Through::Context | Through::Arena | Through::Kernel | Through::Other,
                Through::Stack | Through::Plain | Through::Context | Through::Arena | Through::Kernel | Through::Other,
            ) => Through::Other,
        }
    }

    /// Whether the access needs no test: every byte is there, and may be read or written as the instruction does.
    pub const fn is_proven(self) -> bool {
        match self {
            Through::Stack | Through::Plain => true,
            Through::Nothing | Through::Context | Through::Arena | Through::Kernel | Through::Other => false,
        }
    }
}

/// What is known of one instruction, from all paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fact {
    /// A path comes by. Where none does, the instruction is dead.
    pub reached: bool,
    /// What it reaches in memory.
    pub through: Through,
    /// The map that a call is about, by its index in [`Program::maps`](crate::Program::maps), where that is the same on every path.
    pub map: Option<u16>,
    /// The key that a call is given for that map, where it is a number that is the same on every path.
    pub key: Option<u64>,
    /// Whether somebody may read the upper 32 bits of the register that the instruction defines by its lower half.
    pub zero_extend: bool,
}

/// What the verifier knows of a program that it accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    insns: Vec<Fact>,
    stack_depths: Vec<u32>,
}

impl Facts {
    /// Facts by slot, and bytes of stack by function, in the order of their slots.
    ///
    /// Facts say nothing by themselves: what runs programs unchecked takes them from a [`Verified`](crate::Verified) only.
    pub fn new(insns: Vec<Fact>, stack_depths: Vec<u32>) -> Facts {
        Facts { insns, stack_depths }
    }

    /// By slot.
    pub fn insns(&self) -> &[Fact] {
        &self.insns
    }

    /// Bytes of stack that each function uses, in the order of their slots.
    pub fn stack_depths(&self) -> &[u32] {
        &self.stack_depths
    }
}

impl Index<usize> for Facts {
    type Output = Fact;

    /// What is known of the instruction at a slot.
    ///
    /// # Panics
    /// If the program has no such slot.
    fn index(&self, slot: usize) -> &Fact {
        &self.insns[slot]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Through; 7] =
        [Through::Nothing, Through::Stack, Through::Plain, Through::Context, Through::Arena, Through::Kernel, Through::Other];

    #[test]
    fn joining_needs_no_order_and_proves_nothing_new() {
        for a in ALL {
            assert_eq!(a.join(a), a);
            for b in ALL {
                assert_eq!(a.join(b), b.join(a));
                if a.join(b).is_proven() {
                    assert!([a, b].iter().all(|one| one.is_proven() || *one == Through::Nothing));
                }
                for c in ALL {
                    assert_eq!(a.join(b).join(c), a.join(b.join(c)));
                }
            }
        }
    }
}
