//! Where jumps and calls may lead.

use crate::{Code, Slot};

/// A jump, call or callback that leads to no instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TargetError {
    /// Before the first or after the last slot.
    #[error("instruction {slot}: jump to {target}, out of a program of {len} slots")]
    OutOfRange {
        /// Slot of the jump.
        slot: usize,
        /// Slot it leads to.
        target: i64,
        /// Slots of the program.
        len: usize,
    },
    /// To the second half of a wide instruction.
    #[error("instruction {slot}: jump into the middle of the wide instruction {}", target - 1)]
    IntoWide {
        /// Slot of the jump.
        slot: usize,
        /// Slot it leads to.
        target: usize,
    },
}

impl TargetError {
    /// The slot of the jump.
    pub fn slot(&self) -> usize {
        match *self {
            TargetError::OutOfRange { slot, .. } | TargetError::IntoWide { slot, .. } => slot,
        }
    }
}

impl Code {
    /// The slot that the instruction in `slot` jumps to, calls, or takes the address of; `None` where it does none of these.
    ///
    /// # Errors
    /// [`TargetError`] where that slot begins no instruction.
    pub fn target(&self, slot: usize) -> Result<Option<usize>, TargetError> {
        let Some(distance) = self.insn(slot).and_then(|insn| insn.distance()) else {
            return Ok(None);
        };
        let target = slot as i64 + 1 + i64::from(distance);
        match usize::try_from(target).ok().and_then(|target| Some((target, self.get(target)?))) {
            None => Err(TargetError::OutOfRange { slot, target, len: self.len() }),
            Some((target, Slot::Second)) => Err(TargetError::IntoWide { slot, target }),
            Some((target, Slot::Insn(_) | Slot::Refused(_))) => Ok(Some(target)),
        }
    }

    /// Whether every jump, call and callback leads to the beginning of an instruction.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check_targets(&self) -> Result<(), TargetError> {
        (0..self.len()).try_for_each(|slot| self.target(slot).map(|_| ()))
    }
}
