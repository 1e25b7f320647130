//! The stack of a frame, in slots of eight bytes.

use std::rc::Rc;

use super::reg::{Kind, Reg};

/// What a byte of the stack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Byte {
    /// Nothing was written.
    Invalid,
    /// Part of a spilled register.
    Spill,
    /// Something.
    Misc,
    /// Zero.
    Zero,
    /// Part of a dynptr.
    Dynptr,
    /// Part of an open-coded iterator.
    Iter,
    /// Part of a saved flag of interrupts.
    IrqFlag,
}

/// Eight bytes of stack. Byte 7 of `bytes` is the lowest spilled byte: a spill of fewer than eight bytes marks the last ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The bytes; index `i` is the byte `i` below the top of the slot, as the kernel counts them.
    pub bytes: [Byte; 8],
    /// The spilled register, or what the kernel keeps there.
    pub reg: Reg,
}

impl Slot {
    /// Nothing was written.
    pub const EMPTY: Slot = Slot { bytes: [Byte::Invalid; 8], reg: Reg::NOT_INIT };

    /// It holds a register, or the low part of one.
    pub fn is_spilled(&self) -> bool {
        self.bytes[7] == Byte::Spill
    }

    /// It holds a number, or the low part of one.
    pub fn is_spilled_scalar(&self) -> bool {
        self.is_spilled() && self.reg.is_scalar()
    }

    /// It holds a whole number.
    pub fn is_spilled_scalar_whole(&self) -> bool {
        self.bytes[0] == Byte::Spill && self.reg.is_scalar()
    }

    /// It holds a register, or something that the kernel keeps there.
    pub fn is_special(&self) -> bool {
        match self.bytes[7] {
            Byte::Spill | Byte::Dynptr | Byte::Iter | Byte::IrqFlag => true,
            Byte::Invalid | Byte::Misc | Byte::Zero => false,
        }
    }

    /// What it held is lost: bytes that were written are something.
    pub fn scrub(&mut self) {
        for byte in &mut self.bytes {
            if *byte != Byte::Invalid {
                *byte = Byte::Misc;
            }
        }
    }
}

/// Slot 0 is the one right below the frame pointer.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    slots: Rc<Vec<Slot>>,
}

impl Stack {
    /// Number of slots that were reached so far.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// No slot was reached.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// At least so many slots.
    pub fn grow(&mut self, slots: usize) {
        if slots > self.slots.len() {
            Rc::make_mut(&mut self.slots).resize(slots, Slot::EMPTY);
        }
    }

    /// All slots.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// All slots, to change.
    pub fn slots_mut(&mut self) -> &mut [Slot] {
        Rc::make_mut(&mut self.slots).as_mut_slice()
    }

    /// A slot; an empty one beyond those that were reached.
    pub fn slot(&self, spi: usize) -> &Slot {
        const EMPTY: &Slot = &Slot::EMPTY;
        self.slots.get(spi).unwrap_or(EMPTY)
    }

    /// A slot, to change. Grows the stack.
    pub fn slot_mut(&mut self, spi: usize) -> &mut Slot {
        self.grow(spi + 1);
        &mut Rc::make_mut(&mut self.slots)[spi]
    }

    /// Whether two stacks are one and the same in memory: then they are equal.
    pub fn is_shared_with(&self, other: &Stack) -> bool {
        Rc::ptr_eq(&self.slots, &other.slots)
    }

    /// Applies `change` to every spilled register; slots that do not need it are left alone.
    pub fn change_spilled(&mut self, needs: impl Fn(&Reg) -> bool, mut change: impl FnMut(&mut Reg)) {
        let hit = |slot: &Slot| slot.is_spilled() && needs(&slot.reg);
        if self.slots.iter().any(hit) {
            for slot in Rc::make_mut(&mut self.slots).iter_mut().filter(|slot| hit(slot)) {
                change(&mut slot.reg);
            }
        }
    }
}

/// The slot that a byte at this offset from the frame pointer (negative) is in.
pub const fn slot_of(off: i32) -> usize {
    ((-off - 1) / 8) as usize
}

/// The index in [`Slot::bytes`] of the byte at this offset from the frame pointer.
pub const fn byte_of(off: i32) -> usize {
    ((-off - 1) % 8) as usize
}

impl Kind {
    /// Whether it stands for something that the kernel keeps on the stack.
    pub const fn is_stack_object(&self) -> bool {
        matches!(self, Kind::DynptrSlot { .. } | Kind::IterSlot { .. } | Kind::IrqSlot { .. })
    }
}
