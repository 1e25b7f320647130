//! A whole instruction stream, by slot.

use crate::opcode::LD_IMM64;
use crate::{DecodeError, Insn, RawInsn, decode};

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// An instruction begins here.
    Insn(Insn),
    /// The second half of the wide instruction in the slot before. Nothing may jump here.
    Second,
    /// No instruction. Linux refuses it only if it can be reached, unless the opcode is unknown.
    Refused(DecodeError),
}

/// A decoded stream with the numbering of its slots: `pc`, jump distances and line info count slots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Code {
    slots: Vec<Slot>,
    raw: Vec<RawInsn>,
}

impl Code {
    /// Decodes a stream.
    ///
    /// ```
    /// use skep_isa::{Code, RawInsn, Slot};
    /// let raw = [RawInsn::new(0x18, 0, 0, 0, 1), RawInsn::default(), RawInsn::new(0x95, 0, 0, 0, 0)];
    /// let code = Code::decode(&raw).unwrap();
    /// assert_eq!(code.get(1), Some(&Slot::Second));
    /// assert_eq!(code.iter().map(|(slot, _)| slot).collect::<Vec<_>>(), [0, 2]);
    /// ```
    ///
    /// # Errors
    /// The first slot that is no instruction.
    pub fn decode(raw: &[RawInsn]) -> Result<Code, DecodeError> {
        let code = Code::decode_each(raw);
        code.check()?;
        Ok(code)
    }

    /// Decodes a stream and keeps what is no instruction as [`Slot::Refused`]: it may never be reached.
    pub fn decode_each(raw: &[RawInsn]) -> Code {
        let mut slots = Vec::with_capacity(raw.len());
        while slots.len() < raw.len() {
            let slot = slots.len();
            match decode(raw, slot) {
                Ok(insn) => {
                    slots.push(Slot::Insn(insn));
                    if insn.slots() == 2 {
                        slots.push(Slot::Second);
                    }
                }
                Err(error) => {
                    slots.push(Slot::Refused(error));
                    if raw[slot].code == LD_IMM64 && raw.get(slot + 1).is_some_and(|second| second.code == 0) {
                        slots.push(Slot::Second);
                    }
                }
            }
        }
        Code { slots, raw: raw.to_vec() }
    }

    /// Whether every slot belongs to an instruction.
    ///
    /// # Errors
    /// The first slot that does not.
    pub fn check(&self) -> Result<(), DecodeError> {
        self.slots.iter().try_for_each(|slot| match slot {
            Slot::Refused(error) => Err(*error),
            Slot::Insn(_) | Slot::Second => Ok(()),
        })
    }

    /// What the slot holds, `None` beyond the end.
    pub fn get(&self, slot: usize) -> Option<&Slot> {
        self.slots.get(slot)
    }

    /// The instruction that begins in the slot.
    pub fn insn(&self, slot: usize) -> Option<Insn> {
        match self.slots.get(slot) {
            Some(Slot::Insn(insn)) => Some(*insn),
            Some(Slot::Second | Slot::Refused(_)) | None => None,
        }
    }

    /// Instructions with their slots, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Insn)> + '_ {
        (0..self.len()).filter_map(|slot| Some((slot, self.insn(slot)?)))
    }

    /// All slots.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The stream that was decoded.
    pub fn raw(&self) -> &[RawInsn] {
        &self.raw
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// No slots.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
