//! Arithmetic, and copies from register to register.

use skep_isa::{AluOp, ByteOrder, Operand, Reg as Name, Size, Width};

use crate::domain::{Bitwise, Op, Scalar64, Shift};
use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{ADD_CONST, ADD_CONST_LOW, ADD_CONST_WHOLE, Kind, Reg};
use crate::why;

/// How the domain calls an operation; `None` where it does not follow results.
const fn op(op: AluOp) -> Option<Op> {
    match op {
        AluOp::Add => Some(Op::Add),
        AluOp::Sub => Some(Op::Sub),
        AluOp::Mul => Some(Op::Mul),
        AluOp::And => Some(Op::Bits(Bitwise::And)),
        AluOp::Or => Some(Op::Bits(Bitwise::Or)),
        AluOp::Xor => Some(Op::Bits(Bitwise::Xor)),
        AluOp::Lsh => Some(Op::Shift(Shift::Left)),
        AluOp::Rsh => Some(Op::Shift(Shift::Right)),
        AluOp::Arsh => Some(Op::Shift(Shift::Signed)),
        AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod => None,
    }
}

impl Walk<'_> {
    pub(super) fn alu(&mut self, width: Width, op: AluOp, dst: Name, src: Operand) -> Result<(), Fault> {
        if let Operand::Reg(src) = src {
            self.read(src)?;
        }
        self.read(dst)?;
        check_immediate(width, op, src)?;
        self.writable(dst)?;
        let value = *self.state.reg(dst);
        if value.kind == Kind::Arena {
            return Ok(());
        }
        let other = self.operand(src)?;
        match (value.is_scalar(), other.is_scalar()) {
            (false, false) => {
                if op == AluOp::Sub && self.setting.may_leak() {
                    return self.write(dst, Reg::UNKNOWN);
                }
                Err(why::Reg::PointerWithPointer { reg: dst.number(), op: symbol(op) }.into())
            }
            (true, false) => {
                self.mark_precise(dst)?;
                self.pointer_math(width, op, dst, &other, &value, true)
            }
            (false, true) => {
                if let Operand::Reg(src) = src {
                    self.mark_precise(src)?;
                }
                self.pointer_math(width, op, dst, &value, &other, false)
            }
            (true, true) => {
                if value.precise
                    && let Operand::Reg(src) = src
                {
                    self.mark_precise(src)?;
                }
                self.scalar_math(width, op, dst, value, &other, src)
            }
        }
    }

    fn scalar_math(&mut self, width: Width, op: AluOp, dst: Name, value: Reg, other: &Reg, src: Operand) -> Result<(), Fault> {
        self.check_plain_sum(op, dst, src)?;
        // What was cut off before a constant is added to the rest says nothing of the whole.
        let fits = width == Width::W64 || value.num.wide.umax <= u64::from(u32::MAX);
        let mut result = self.fork_scalar(op, dst, value, other)?;
        result.subreg_def = self.def(width);
        match compute(width, op, &result.num, &other.num) {
            Some(num) => result.num = num,
            None => result = Reg { subreg_def: result.subreg_def, ..Reg::UNKNOWN },
        }
        let links = fits && self.setting.options.privileges.bpf && src != Operand::Reg(dst);
        relink(&mut result, width, op, other, links);
        self.check_invariants(&mut result, "alu")?;
        *self.state.reg_mut(dst) = result;
        Ok(())
    }

    /// `r &= c` and `r |= c` where `r` is 0 or -1, as a sign that was shifted over all bits is: two paths, one for each. That with 0 comes
    /// here again.
    fn fork_scalar(&mut self, op: AluOp, dst: Name, value: Reg, other: &Reg) -> Result<Reg, Fault> {
        let width = match ((value.num.wide.smin, value.num.wide.smax), (value.num.low.smin, value.num.low.smax)) {
            ((-1, 0), _) => Width::W64,
            (_, (-1, 0)) => Width::W32,
            _no_sign => return Ok(value),
        };
        if !matches!(op, AluOp::And | AluOp::Or) || other.num.constant().is_none() {
            return Ok(value);
        }
        let pc = self.pc;
        let zero = Reg { num: known(width, &value.num, 0), ..value };
        *self.fork(pc)?.reg_mut(dst) = zero;
        Ok(Reg { num: known(width, &value.num, u64::MAX), ..value })
    }

    pub(super) fn neg(&mut self, width: Width, dst: Name) -> Result<(), Fault> {
        let value = *self.read(dst)?;
        if self.is_guarded_pointer(dst) {
            return Err(why::Reg::PointerMath(dst.number()).into());
        }
        self.writable(dst)?;
        let def = self.def(width);
        if !value.is_scalar() {
            return self.write(dst, Reg { subreg_def: def, ..Reg::UNKNOWN });
        }
        let num = if width == Width::W64 { value.num.negated() } else { value.num.low_negated() };
        let mut result = Reg { num, subreg_def: def, ..value.unlinked() };
        self.check_invariants(&mut result, "alu")?;
        self.write(dst, result)
    }

    /// Byte order: bits move, and bounds follow from them. Machines here are little-endian.
    pub(super) fn swap(&mut self, order: ByteOrder, size: Size, dst: Name) -> Result<(), Fault> {
        let value = *self.read(dst)?;
        if self.is_guarded_pointer(dst) {
            return Err(why::Reg::PointerMath(dst.number()).into());
        }
        if !value.is_scalar() {
            return self.write(dst, Reg::UNKNOWN);
        }
        let bits = u32::from(size.bytes()) * 8;
        let swaps = order != ByteOrder::Le;
        let mut result = value;
        if swaps || bits < 64 {
            result = result.unlinked();
        }
        if swaps {
            result.num = Scalar64 { bits: value.num.bits.swapped(bits), ..Scalar64::UNKNOWN };
        }
        if bits < 64 {
            result.num = result.num.truncated(bits);
        }
        result.num.sync();
        result.subreg_def = 0;
        self.check_invariants(&mut result, "alu")?;
        self.write(dst, result)
    }

    pub(super) fn mov(&mut self, width: Width, dst: Name, src: Operand) -> Result<(), Fault> {
        let from = match src {
            Operand::Imm(value) => {
                let value = if width == Width::W32 { u64::from(value as u32) } else { i64::from(value) as u64 };
                let def = self.def(width);
                return self.write(dst, Reg { subreg_def: def, ..Reg::exact(value) });
            }
            Operand::Reg(from) => from,
        };
        self.read(from)?;
        self.writable(dst)?;
        if width == Width::W64 {
            self.link(from);
            let value = *self.state.reg(from);
            return self.write(dst, Reg { subreg_def: 0, ..value });
        }
        if self.is_guarded_pointer(from) {
            return Err(why::Reg::PartialCopy(from.number()).into());
        }
        let def = self.def(width);
        let fits = self.state.reg(from).width() <= 32;
        let value = self.copied(from, fits);
        self.write(dst, Reg { num: value.num.zero_extended(), subreg_def: def, ..value })
    }

    /// A copy of a number, linked to it if it `keeps` its value; something unknown, of anything else.
    fn copied(&mut self, from: Name, keeps: bool) -> Reg {
        if !self.state.reg(from).is_scalar() {
            return Reg::UNKNOWN;
        }
        if keeps {
            self.link(from);
        }
        let mut value = *self.state.reg(from);
        if !keeps {
            value = value.unlinked();
        }
        value
    }

    pub(super) fn mov_sx(&mut self, width: Width, from: Size, dst: Name, src: Name) -> Result<(), Fault> {
        self.read(src)?;
        self.writable(dst)?;
        if self.is_guarded_pointer(src) {
            let reg = src.number();
            let fault = if width == Width::W64 { why::Reg::SignExtension(reg) } else { why::Reg::PartialCopy(reg) };
            return Err(fault.into());
        }
        let bits = u32::from(from.bytes()) * 8;
        let keeps = self.state.reg(src).is_scalar() && self.state.reg(src).num.wide.umax < 1 << (bits - 1);
        let scalar = self.state.reg(src).is_scalar();
        let value = self.copied(src, keeps);
        let num = match (scalar, width) {
            (false, Width::W64) => value.num,
            (false, Width::W32) => value.num.zero_extended(),
            (true, Width::W64) => value.num.sign_extended(bits),
            (true, Width::W32) => value.num.low_sign_extended(bits),
        };
        let def = self.def(width);
        self.write(dst, Reg { num, subreg_def: def, ..value })
    }

    pub(super) fn addr_space_cast(&mut self, dst: Name, src: Name, to: u16) -> Result<(), Fault> {
        let arena = |map: &std::sync::Arc<skep_program::MapDef>| map.map_type == skep_linux::MapType::Arena;
        if !self.setting.program.maps.iter().any(arena) {
            return Err(why::Reg::CastWithoutArena.into());
        }
        self.read(src)?;
        let value =
            if to == 0 { Reg { kind: Kind::Arena, subreg_def: self.def(Width::W32), ..Reg::UNKNOWN } } else { Reg::UNKNOWN };
        self.write(dst, value)
    }

    /// How a result of this width is noted: only the low half, or the whole.
    pub(super) fn def(&self, width: Width) -> u32 {
        if width == Width::W32 { self.pc as u32 + 1 } else { 0 }
    }

    /// Bounds that contradict each other come from code that is never reached: they are forgotten. Tests may ask to be told.
    pub(super) fn check_invariants(&self, reg: &mut Reg, what: &'static str) -> Result<(), Fault> {
        if !reg.num.contradicts_itself() {
            return Ok(());
        }
        if self.setting.flag(crate::flags::TEST_REG_INVARIANTS) {
            return Err(why::Reg::Invariants(what).into());
        }
        reg.num = reg.num.unbounded();
        Ok(())
    }
}

/// Immediates that no result follows from.
fn check_immediate(width: Width, op: AluOp, src: Operand) -> Result<(), Fault> {
    let Operand::Imm(value) = src else { return Ok(()) };
    match op {
        AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod if value == 0 => Err(why::Reg::DivByZero.into()),
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh if value < 0 || value >= bits(width) => Err(why::Reg::Shift(value).into()),
        AluOp::Add
        | AluOp::Sub
        | AluOp::Mul
        | AluOp::Div
        | AluOp::Sdiv
        | AluOp::Mod
        | AluOp::Smod
        | AluOp::Or
        | AluOp::And
        | AluOp::Xor
        | AluOp::Lsh
        | AluOp::Rsh
        | AluOp::Arsh => Ok(()),
    }
}

const fn bits(width: Width) -> i32 {
    match width {
        Width::W32 => 32,
        Width::W64 => 64,
    }
}

/// How messages write an operation.
pub(super) const fn symbol(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+=",
        AluOp::Sub => "-=",
        AluOp::Mul => "*=",
        AluOp::Div | AluOp::Sdiv => "/=",
        AluOp::Or => "|=",
        AluOp::And => "&=",
        AluOp::Lsh => "<<=",
        AluOp::Rsh => ">>=",
        AluOp::Mod | AluOp::Smod => "%=",
        AluOp::Xor => "^=",
        AluOp::Arsh => "s>>=",
    }
}

fn is_shift(op: AluOp) -> bool {
    matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh)
}

/// The number with this value, or with this low half.
fn known(width: Width, num: &Scalar64, value: u64) -> Scalar64 {
    match width {
        Width::W64 => Scalar64::exact(value),
        Width::W32 => {
            let low = Scalar64::exact(value & u64::from(u32::MAX));
            Scalar64 { bits: num.bits.with_low(low.low_bits()), low: low.low, ..*num }
        }
    }
}

/// The result; `None` if nothing is known of it.
fn compute(width: Width, alu: AluOp, a: &Scalar64, b: &Scalar64) -> Option<Scalar64> {
    let op = op(alu)?;
    Some(match width {
        Width::W64 => a.op(op, b),
        Width::W32 => a.low_op(op, b),
    })
    .filter(|num| !is_shift(alu) || *num != Scalar64::UNKNOWN)
}

/// A number with a constant added stays linked to what it was; other results are linked to nothing.
fn relink(result: &mut Reg, width: Width, op: AluOp, other: &Reg, links: bool) {
    let constant = match width {
        Width::W64 => other.num.constant().map(|value| value as i64),
        Width::W32 => other.num.low_constant().map(|value| i64::from(value as i32)),
    };
    let added = match (op, constant.and_then(|value| i32::try_from(value).ok())) {
        (AluOp::Add, added) => added,
        (AluOp::Sub, taken) => taken.and_then(i32::checked_neg),
        (
            AluOp::Mul
            | AluOp::Div
            | AluOp::Sdiv
            | AluOp::Mod
            | AluOp::Smod
            | AluOp::Or
            | AluOp::And
            | AluOp::Xor
            | AluOp::Lsh
            | AluOp::Rsh
            | AluOp::Arsh,
            _,
        ) => None,
    };
    match added.filter(|_| links && result.id != 0 && result.id & ADD_CONST == 0) {
        Some(added) => {
            result.id |= if width == Width::W32 { ADD_CONST_LOW } else { ADD_CONST_WHOLE };
            result.off = added;
        }
        None => *result = result.unlinked(),
    }
}
