//! Offsets that the processor may guess wrong: who has no `CAP_PERFMON` adds them to pointers into the stack and into values of maps only, where
//! the kernel can mask them.
//!
//! The mask is part of the instruction, so that all paths must need the same one. With the mask a wrong offset is 0: that way is followed too.

use skep_isa::{AluOp, Insn, Operand, Reg as Name};
use skep_linux::limits::MAX_STACK;

use crate::domain::Range;
use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg};
use crate::why::{self, Why};

/// How the kernel keeps an offset within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// Two numbers are added: it does not.
    Plain,
    /// It lets pass what moves the pointer by less than `limit`.
    Offset {
        /// The offset may be below zero.
        negative: bool,
        /// It is known.
        known: bool,
        /// The instruction adds it to the pointer, and not the pointer to it.
        to_pointer: bool,
        /// Bytes.
        limit: u32,
    },
}

/// The mask before it is known how far the pointer moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    mask: Mask,
    limit: u32,
    to_left: bool,
}

/// Why an offset cannot be masked.
enum Unmasked {
    Kind,
    Beyond,
}

impl Walk<'_> {
    /// The current instruction adds what the processor may guess: a register, without a barrier before.
    fn is_guessed_sum(&self, op: AluOp) -> bool {
        self.setting.follows_guesses()
            && matches!(op, AluOp::Add | AluOp::Sub)
            && matches!(self.prep.code.insn(self.pc), Some(Insn::Alu { src: Operand::Reg(_), .. }))
            && !self.notes[self.pc].barrier
    }

    /// Two numbers are added, or one is taken from the other: no other path may have a pointer here.
    pub(super) fn check_plain_sum(&mut self, op: AluOp, dst: Name, src: Operand) -> Result<(), Fault> {
        match src {
            Operand::Reg(_) if self.is_guessed_sum(op) => self.note_mask(op, dst, Mask::Plain),
            Operand::Reg(_) | Operand::Imm(_) => Ok(()),
        }
    }

    /// Before a number is added to a pointer: the mask that it needs, from where the pointer is. The way on which the offset was masked to 0
    /// is followed later.
    pub(super) fn guard_offset(
        &mut self,
        op: AluOp,
        dst: Name,
        pointer: &Reg,
        number: &Reg,
        number_first: bool,
    ) -> Result<Option<Window>, Fault> {
        if !self.is_guessed_sum(op) {
            return Ok(None);
        }
        let known = number.num.constant().is_some();
        let mut window = None;
        if !self.state.speculative {
            let Range { smin, smax, .. } = number.num.wide;
            let negative = smin < 0;
            if !known && negative != (smax < 0) {
                return Err(why::Reg::MixedSigns(self.operand_number(dst, number_first)).into());
            }
            let to_left = (op == AluOp::Add) == negative;
            let limit = self.limit(op, dst, pointer, number_first, to_left)?;
            let mask = Mask::Offset { negative, known, to_pointer: !number_first, limit };
            self.compares_strictly |= !known;
            window = Some(Window { mask, limit, to_left });
        }
        if !known {
            let mut stays = *pointer;
            if !number_first {
                stays.num.low = Range::FULL;
            }
            let pc = self.pc + 1;
            let reg = dst.number();
            match self.fork_guess(pc, &[]) {
                Ok(state) => *state.reg_mut(dst) = stays,
                Err(Fault::Refused(why)) => return Err(why::Reg::GuessNotPushed { reg, why }.into()),
                Err(fault @ Fault::Unknown(_)) => return Err(fault),
            }
        }
        Ok(window)
    }

    /// After a number was added to a pointer: the mask lets pass what moves it as far as it moved.
    pub(super) fn narrow_window(
        &mut self,
        op: AluOp,
        dst: Name,
        result: &Reg,
        number_first: bool,
        window: Option<Window>,
    ) -> Result<(), Fault> {
        let Some(Window { mask, limit, to_left }) = window else { return Ok(()) };
        let after = self.limit(op, dst, result, number_first, to_left)?;
        let limit = (limit.wrapping_sub(after) as i32).unsigned_abs();
        match mask {
            Mask::Plain => Ok(()),
            Mask::Offset { negative, known, to_pointer, .. } => {
                self.note_mask(op, dst, Mask::Offset { negative, known, to_pointer, limit })
            }
        }
    }

    /// All paths need the same mask.
    fn note_mask(&mut self, op: AluOp, dst: Name, mask: Mask) -> Result<(), Fault> {
        let before = self.notes[self.pc].mask.replace(mask);
        match before.is_some_and(|before| before != mask) {
            true => Err(why::Reg::OtherMask { reg: dst.number(), op: name(op) }.into()),
            false => Ok(()),
        }
    }

    /// Bytes between the pointer and the end of its memory that it moves towards.
    fn limit(&self, op: AluOp, dst: Name, pointer: &Reg, number_first: bool, to_left: bool) -> Result<u32, Fault> {
        self.limit_of(pointer, to_left).map_err(|unmasked| match unmasked {
            Unmasked::Kind => why::Reg::UnmaskedKind(self.operand_number(dst, !number_first)).into(),
            Unmasked::Beyond => why::Reg::BeyondMask { reg: dst.number(), op: name(op) }.into(),
        })
    }

    fn limit_of(&self, pointer: &Reg, to_left: bool) -> Result<u32, Unmasked> {
        let (limit, most) = match pointer.kind {
            Kind::Stack { .. } if pointer.flags == Flags::NONE => {
                let off = (pointer.num.bits.value() as u32).wrapping_add(pointer.off as u32);
                (off.wrapping_neg(), MAX_STACK + u32::from(to_left))
            }
            Kind::MapValue { map, .. } if pointer.flags == Flags::NONE => {
                let Range { smin, umax, .. } = pointer.num.wide;
                let var = if to_left { smin as u32 } else { umax as u32 };
                (var.wrapping_add(pointer.off as u32), self.setting.map(map).map_or(0, |map| map.value_size))
            }
            _other => return Err(Unmasked::Kind),
        };
        if limit >= most { Err(Unmasked::Beyond) } else { Ok(limit) }
    }

    /// The number of the first operand, or of the second.
    fn operand_number(&self, dst: Name, first: bool) -> u8 {
        match self.prep.code.insn(self.pc) {
            Some(Insn::Alu { src: Operand::Reg(src), .. }) if !first => src.number(),
            _first => dst.number(),
        }
    }
}

/// The operation in words.
fn name(op: AluOp) -> &'static str {
    if op == AluOp::Add { "add" } else { "sub" }
}

impl Why {
    /// What is refused on a way that is only guessed: the kernel puts a barrier there, and goes on. It does not go on after what would be
    /// wrong on every way.
    pub(crate) fn ends_guess(&self) -> bool {
        use why::{Call, Flow, Kfunc, Types};
        match self {
            Why::Form(_) | Why::Mem(_) | Why::Locks(_) => true,
            Why::Flow(why) => !matches!(why, Flow::InfiniteLoop(_) | Flow::TooLarge(_) | Flow::TooManyJumps(_)),
            Why::Reg(why) => !matches!(why, why::Reg::GuessNotPushed { .. } | why::Reg::Invariants(_)),
            Why::Call(why) => !matches!(
                why,
                Call::TooDeep(_)
                    | Call::NoTrampoline { .. }
                    | Call::NotSupported { .. }
                    | Call::TypeMatch
                    | Call::RoundsNotNumber
                    | Call::NoEach
                    | Call::CpuObject
                    | Call::TimerRealtime
            ),
            Why::Kfunc(why) => !matches!(why, Kfunc::Trap | Kfunc::Bug(_)),
            Why::Types(why) => !matches!(why, Types::MapField(_)),
        }
    }
}
