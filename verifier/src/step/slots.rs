//! Where on the stack something lies that the kernel keeps there for a program.

use crate::explore::Walk;
use crate::state::{Kind, Reg};

/// Where the slots are that a pointer to the stack names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slots {
    /// In a frame: the slot with the lowest address, which has the highest number.
    At {
        /// Number of the frame.
        frame: usize,
        /// Number of the slot.
        spi: usize,
    },
    /// Below what the frame has reached so far.
    Beyond,
    /// No slots can be there: what the log says.
    Nowhere(String),
}

impl Walk<'_> {
    /// The `count` slots of a thing of the kernel that `reg`, a pointer to the stack, points to.
    pub(super) fn object_slots(&self, reg: &Reg, what: &'static str, count: usize) -> Slots {
        let Kind::Stack { frame } = reg.kind else { return Slots::Beyond };
        let Some(off) = reg.fixed_offset() else {
            return Slots::Nowhere(format!("{what} has to be at a constant offset"));
        };
        // Offset 0 counts as the slot below it.
        let spi = (-off - 1) / 8;
        if off % 8 != 0 || spi + 1 < count as i64 {
            return Slots::Nowhere(format!("cannot pass in {what} at an offset={off}"));
        }
        let frame = usize::from(frame);
        let spi = spi as usize;
        if spi < self.state.frames[frame].stack.len() { Slots::At { frame, spi } } else { Slots::Beyond }
    }
}

/// The slots of a thing as a set: `count` of them, `spi` the highest number.
pub(super) const fn mask(spi: usize, count: usize) -> u64 {
    let ones = if count >= 64 { u64::MAX } else { (1 << count) - 1 };
    ones << (spi + 1 - count)
}
