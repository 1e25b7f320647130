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

    /// The bytes as one number.
    fn packed(&self) -> u64 {
        u64::from_le_bytes(self.bytes.map(|byte| byte as u8))
    }

    /// Every byte is this.
    pub fn is_all(&self, byte: Byte) -> bool {
        self.packed() == u64::from_le_bytes([byte as u8; 8])
    }

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

/// Slots that are copied together when one of them changes.
const PIECE: usize = 4;

/// Slot 0 is the one right below the frame pointer.
///
/// States share what they have in common: a copy of a stack costs nothing, and a change copies the piece that the slot is in.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// Slots at `len` and behind are empty.
    pieces: Rc<Vec<Rc<[Slot; PIECE]>>>,
    len: usize,
    /// Slots, as bits, that are known to allow anything.
    free: u64,
    /// Slots, as bits, that are known to hold whole numbers on which nothing relies.
    any_number: u64,
}

impl Stack {
    /// Number of slots that were reached so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// No slot was reached.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// At least so many slots.
    pub fn grow(&mut self, slots: usize) {
        if slots > self.len {
            self.len = slots;
            let pieces = slots.div_ceil(PIECE);
            if pieces > self.pieces.len() {
                Rc::make_mut(&mut self.pieces).resize_with(pieces, || Rc::new([Slot::EMPTY; PIECE]));
            }
        }
    }

    /// All slots.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.pieces.iter().flat_map(|piece| piece.iter()).take(self.len)
    }

    /// Slots that were reached, as bits.
    pub fn reached(&self) -> u64 {
        u64::MAX.checked_shl(self.len as u32).map_or(u64::MAX, |above| !above)
    }

    /// Slots that were reached and are not known to allow anything, as bits.
    pub fn used(&self) -> u64 {
        self.reached() & !self.free
    }

    /// Of these: slots that are known to hold whole numbers on which nothing relies. Any number is as good.
    pub fn any_number(&self) -> u64 {
        self.any_number
    }

    /// From now on, until the stack changes, slots (as bits) are known to allow anything, and any number.
    pub fn set_known(&mut self, free: u64, any_number: u64) {
        (self.free, self.any_number) = (free, any_number);
    }

    /// A slot, if it was reached.
    pub fn get(&self, spi: usize) -> Option<&Slot> {
        let slot = &self.pieces.get(spi / PIECE)?[spi % PIECE];
        (spi < self.len).then_some(slot)
    }

    /// A slot; an empty one beyond those that were reached.
    pub fn slot(&self, spi: usize) -> &Slot {
        const EMPTY: &Slot = &Slot::EMPTY;
        self.get(spi).unwrap_or(EMPTY)
    }

    /// A slot, to change. Grows the stack.
    pub fn slot_mut(&mut self, spi: usize) -> &mut Slot {
        self.grow(spi + 1);
        (self.free, self.any_number) = (0, 0);
        let piece = &mut Rc::make_mut(&mut self.pieces)[spi / PIECE];
        &mut Rc::make_mut(piece)[spi % PIECE]
    }

    /// Applies `change` to every spilled register that `needs` it; slots that do not need it are left alone.
    pub fn change_spilled(&mut self, needs: impl Fn(&Reg) -> bool, mut change: impl FnMut(&mut Reg)) {
        self.change(|slot| slot.is_spilled() && needs(&slot.reg), |slot| change(&mut slot.reg));
    }

    /// Applies `change` to every slot that `needs` it; others are left alone.
    pub fn change(&mut self, needs: impl Fn(&Slot) -> bool, mut change: impl FnMut(&mut Slot)) {
        for at in 0..self.pieces.len() {
            if self.pieces[at].iter().any(&needs) {
                (self.free, self.any_number) = (0, 0);
                let piece = &mut Rc::make_mut(&mut self.pieces)[at];
                Rc::make_mut(piece).iter_mut().filter(|slot| needs(slot)).for_each(&mut change);
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
