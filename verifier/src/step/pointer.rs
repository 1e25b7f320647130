//! Arithmetic with a pointer and a number.

use skep_isa::{AluOp, Reg as Name, Width};
use skep_linux::limits::{MAX_STACK, MAX_VAR_OFF};

use crate::domain::{Range, Scalar64, Tnum};
use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Math, Reg};
use crate::why;

use super::alu::symbol;

const MOST: i64 = MAX_VAR_OFF as i64;

impl Walk<'_> {
    /// `dst = pointer op number`, or with the operands the other way round (`number_first`).
    pub(super) fn pointer_math(
        &mut self,
        width: Width,
        op: AluOp,
        dst: Name,
        pointer: &Reg,
        number: &Reg,
        number_first: bool,
    ) -> Result<(), Fault> {
        let reg = dst.number();
        let known = number.num.constant();
        let Range { umin, umax, smin, smax } = number.num.wide;
        // Bounds that contradict each other come from branches that are never taken.
        if known.is_some() && (smin != smax || umin != umax) || smin > smax || umin > umax {
            return self.write(dst, Reg::UNKNOWN);
        }
        if width == Width::W32 {
            if op == AluOp::Sub && self.setting.may_leak() {
                return self.write(dst, Reg::UNKNOWN);
            }
            return Err(why::Reg::LowPointerMath(reg).into());
        }
        if pointer.maybe_null() {
            return Err(why::Reg::MaybeNullMath { reg, kind: pointer.type_name() }.into());
        }
        if matches!(pointer.kind, Kind::Mem { .. }) && pointer.flags.has(Flags::UNTRUSTED) {
            return Ok(());
        }
        if !allows_math(pointer, known, op) {
            return Err(why::Reg::KindMath { reg, kind: pointer.type_name() }.into());
        }
        sane_offset(number, pointer)?;
        sane_offset(pointer, pointer)?;
        let window = self.guard_offset(op, dst, pointer, number, number_first)?;
        let mut result = match op {
            AluOp::Add => self.added(pointer, number, known),
            AluOp::Sub => {
                if number_first {
                    return Err(why::Reg::PointerFromScalar(reg).into());
                }
                if matches!(pointer.kind, Kind::Stack { .. }) {
                    return Err(why::Reg::FromStackPointer(reg).into());
                }
                self.subtracted(pointer, number, known)
            }
            AluOp::And | AluOp::Or | AluOp::Xor => {
                return Err(why::Reg::BitwisePointer { reg, op: symbol(op) }.into());
            }
            AluOp::Mul | AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod | AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => {
                return Err(why::Reg::OperatorPointer { reg, op: symbol(op) }.into());
            }
        };
        sane_offset(&result, pointer)?;
        result.num.low = Range::FULL;
        result.num.sync();
        result.subreg_def = 0;
        self.write(dst, result)?;
        self.check_unprivileged(dst, &result)?;
        self.narrow_window(op, dst, &result, number_first, window)
    }

    fn added(&mut self, pointer: &Reg, number: &Reg, known: Option<u64>) -> Reg {
        let sum = known.and_then(|value| i32::try_from(i64::from(pointer.off).checked_add(value as i64)?).ok());
        if let Some(off) = sum {
            return Reg { off, ..*pointer };
        }
        let (a, b) = (&pointer.num.wide, &number.num.wide);
        let signed = a.smin.checked_add(b.smin).zip(a.smax.checked_add(b.smax));
        let unsigned = a.umin.checked_add(b.umin).zip(a.umax.checked_add(b.umax));
        self.moved(pointer, signed, unsigned, pointer.num.bits.add(number.num.bits), true)
    }

    fn subtracted(&mut self, pointer: &Reg, number: &Reg, known: Option<u64>) -> Reg {
        let difference = known.and_then(|value| i32::try_from(i64::from(pointer.off).checked_sub(value as i64)?).ok());
        if let Some(off) = difference {
            return Reg { off, ..*pointer };
        }
        let (a, b) = (&pointer.num.wide, &number.num.wide);
        let signed = a.smin.checked_sub(b.smax).zip(a.smax.checked_sub(b.smin));
        let unsigned = (a.umin >= b.umax).then(|| (a.umin - b.umax, a.umax.wrapping_sub(b.umin)));
        self.moved(pointer, signed, unsigned, pointer.num.bits.sub(number.num.bits), b.smin < 0)
    }

    /// The pointer at another variable offset. Where it is one into the packet it has an id of its own from now on, and no more of the packet
    /// than before is known to be there; none, if it may have moved `forward`.
    fn moved(
        &mut self,
        pointer: &Reg,
        signed: Option<(i64, i64)>,
        unsigned: Option<(u64, u64)>,
        bits: Tnum<64>,
        forward: bool,
    ) -> Reg {
        let (smin, smax) = signed.unwrap_or((i64::MIN, i64::MAX));
        let (umin, umax) = unsigned.unwrap_or((0, u64::MAX));
        let num = Scalar64 { bits, wide: Range { umin, umax, smin, smax }, low: Range::FULL };
        let mut result = Reg { num, ..*pointer };
        if pointer.is_packet() {
            result.id = self.new_id();
            if forward {
                match &mut result.kind {
                    Kind::Packet { range } | Kind::PacketMeta { range } => *range = 0,
                    _other => {}
                }
            }
        }
        result
    }

    /// Without privileges the result must lie within what it points to.
    fn check_unprivileged(&mut self, dst: Name, result: &Reg) -> Result<(), Fault> {
        if !self.setting.follows_guesses() {
            return Ok(());
        }
        let reg = dst.number();
        match result.kind {
            Kind::Stack { .. } => {
                let off = i64::from(result.off).wrapping_add(result.num.bits.value() as i64);
                if result.num.constant().is_none() {
                    let var = result.num.bits.to_string();
                    return Err(why::Reg::VariableStack { reg, var, off }.into());
                }
                if off >= 0 || off < -i64::from(MAX_STACK) {
                    return Err(why::Reg::StackOutOfRange { reg, off }.into());
                }
            }
            Kind::MapValue { map, .. } if result.flags == Flags::NONE => {
                self.check_value_in_range(dst, result, map)?;
            }
            _other => {}
        }
        Ok(())
    }
}

/// Whether anything may be added to the pointer, or this.
fn allows_math(pointer: &Reg, known: Option<u64>, op: AluOp) -> bool {
    match pointer.kind.row().math {
        Math::Anything => true,
        Math::Known if known.is_some() => true,
        Math::Known | Math::Zero => known == Some(0) && op == AluOp::Add,
        Math::Nothing => false,
    }
}

/// Offsets stay far from where they could wrap.
fn sane_offset(reg: &Reg, pointer: &Reg) -> Result<(), Fault> {
    let kind = || pointer.type_name();
    let smin = reg.num.wide.smin;
    if let Some(value) = reg.num.constant().map(|value| value as i64).filter(|value| *value >= MOST || *value <= -MOST) {
        return Err(why::Reg::MathWith { kind: kind(), value }.into());
    }
    if i64::from(reg.off) >= MOST || i64::from(reg.off) <= -MOST {
        return Err(why::Reg::PointerOffset { kind: kind(), off: reg.off }.into());
    }
    if smin == i64::MIN {
        return Err(why::Reg::UnboundedMath(kind()).into());
    }
    if smin >= MOST || smin <= -MOST {
        return Err(why::Reg::OutOfBounds { kind: kind(), value: smin }.into());
    }
    Ok(())
}
