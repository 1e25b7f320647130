//! What the runtime tells the compiler.

use skep_isa::{Callee, Wide};

/// What the runtime tells of a program when it is compiled: where what it names lies.
pub trait Links {
    /// The value of the wide load in a slot, which is no constant: the address of a map's handle, of a value, of a function, of a kernel
    /// variable.
    fn value(&mut self, slot: usize, wide: Wide) -> u64;

    /// What stands in the place of the call in a slot, if the runtime need not be called for it.
    fn inline(&mut self, _slot: usize, _callee: Callee) -> Option<Inline> {
        None
    }
}

impl<F: FnMut(usize, Wide) -> u64> Links for F {
    fn value(&mut self, slot: usize, wide: Wide) -> u64 {
        self(slot, wide)
    }
}

/// What may stand in the place of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inline {
    /// The result is this number.
    Constant(u64),
    /// The result is the address of a value of an array, or 0: `r2` points to the index, of four bytes.
    Element {
        /// Address of the first value.
        first: u64,
        /// Bytes from one to the next.
        stride: u32,
        /// How many there are.
        count: u32,
    },
}
