//! Conditional jumps: which ways are possible, and what each way knows.

use skep_isa::{Cond as Condition, Operand, Reg as Name, Width};

use crate::domain::Cond;
use crate::explore::Walk;
use crate::fault::Fault;
use crate::prep::Prep;
use crate::state::{Flags, Kind, Linked, MapRef, Reg, State};
use crate::why;

use super::Next;
use super::fields::may_hold_lock;
use super::packet;

/// How the domain calls a condition.
const fn cond(cond: Condition) -> Cond {
    match cond {
        Condition::Eq => Cond::Equal,
        Condition::Ne => Cond::NotEqual,
        Condition::Gt => Cond::Greater,
        Condition::Ge => Cond::GreaterOrEqual,
        Condition::Lt => Cond::Less,
        Condition::Le => Cond::LessOrEqual,
        Condition::Set => Cond::AnyBit,
        Condition::Sgt => Cond::SGreater,
        Condition::Sge => Cond::SGreaterOrEqual,
        Condition::Slt => Cond::SLess,
        Condition::Sle => Cond::SLessOrEqual,
    }
}

impl Walk<'_> {
    pub(super) fn may_goto(&mut self, off: i16) -> Result<Next, Fault> {
        let pc = self.pc;
        let depth = self.state.parent.map(|id| self.kept(id).dfs_depth);
        let round = depth.and_then(|depth| self.previous_round(pc, depth));
        self.fork(pc + 1)?.may_goto_depth += 1;
        if let Some(round) = round {
            self.widen_pending(round);
        }
        Ok(Next::At(self.target(i32::from(off))))
    }

    pub(super) fn jump_if(
        &mut self,
        width: Width,
        condition: Condition,
        dst: Name,
        src: Operand,
        off: i16,
    ) -> Result<Next, Fault> {
        let a = *self.read(dst)?;
        let b = self.operand(src)?;
        if let Operand::Reg(src) = src
            && !(a.is_packet_any() && b.is_packet_any())
            && self.is_guarded_pointer(src)
        {
            return Err(why::Reg::Comparison(src.number()).into());
        }
        let on_stack = |reg: &Reg| matches!(reg.kind, Kind::Stack { .. });
        let (dst_stack, src_stack) = (on_stack(&a), on_stack(&b));
        if dst_stack || src_stack {
            self.push_history(|step| {
                step.dst_stack |= dst_stack;
                step.src_stack |= src_stack;
            });
        }
        let cond = cond(condition);
        let taken = outcome(cond, width, &a, &b);
        let (jump, next) = (self.target(i32::from(off)), self.pc + 1);
        if let Some(taken) = taken {
            if a.is_scalar() {
                self.mark_precise(dst)?;
            }
            if let Operand::Reg(src) = src
                && b.is_scalar()
            {
                self.mark_precise(src)?;
            }
            let (taken, other) = if taken { (jump, next) } else { (next, jump) };
            if self.setting.follows_guesses() {
                match src {
                    Operand::Reg(src) => self.fork_guess(other, &[dst, src])?,
                    Operand::Imm(_) => self.fork_guess(other, &[dst])?,
                };
            }
            return Ok(Next::At(taken));
        }
        self.fork_at(cond, width, (dst, src), jump)?;
        Ok(Next::At(next))
    }

    /// Both ways are possible: the one that jumps is followed later.
    fn fork_at(&mut self, cond: Cond, width: Width, (dst, src): (Name, Operand), jump: usize) -> Result<(), Fault> {
        let linked = self.linked_operands(dst, src);
        if linked.count() > 1 {
            self.push_history(|step| step.linked = linked);
        }
        let a = *self.state.reg(dst);
        let b = self.operand(src)?;
        let (mut yes, mut no) = ((a, b), (a, b));
        if a.is_scalar() && b.is_scalar() {
            assume(cond, width, &mut yes, src == Operand::Reg(dst));
            assume(cond.negated(), width, &mut no, src == Operand::Reg(dst));
            self.check_invariants(&mut yes.0, "true_reg1")?;
            self.check_invariants(&mut yes.1, "true_reg2")?;
            self.check_invariants(&mut no.0, "false_reg1")?;
            self.check_invariants(&mut no.1, "false_reg2")?;
        }
        self.fork(jump)?;
        self.settle(&no, (dst, src), &linked, None);
        self.settle(&yes, (dst, src), &linked, Some(()));
        self.learn_pointers(cond, width, (dst, src), (&a, &b))
    }

    /// The current path (or, with `other`, the one that waits) learns what its operands are.
    fn settle(&mut self, operands: &(Reg, Reg), (dst, src): (Name, Operand), linked: &Linked, other: Option<()>) {
        let state = match other {
            None => &mut self.state,
            Some(()) => self.last_pending(),
        };
        *state.reg_mut(dst) = operands.0;
        if let Operand::Reg(src) = src {
            *state.reg_mut(src) = operands.1;
            if operands.1.is_scalar() && operands.1.id != 0 {
                super::linked::sync(state, src, linked);
            }
        }
        let known = *state.reg(dst);
        if known.is_scalar() && known.id != 0 {
            super::linked::sync(state, dst, linked);
        }
    }

    /// What both ways learn of pointers that are compared.
    fn learn_pointers(
        &mut self,
        cond: Cond,
        width: Width,
        (dst, src): (Name, Operand),
        (a, b): (&Reg, &Reg),
    ) -> Result<(), Fault> {
        let equality = matches!(cond, Cond::Equal | Cond::NotEqual);
        if width == Width::W64
            && let Operand::Reg(src) = src
            && a.is_pointer()
            && b.is_pointer()
            && equality
            && a.maybe_null() != b.maybe_null()
            && !matches!(a.kind, Kind::Btf { .. })
            && !matches!(b.kind, Kind::Btf { .. })
        {
            let name = if b.maybe_null() { src } else { dst };
            let known = not_null(self.setting, *if b.maybe_null() { b } else { a });
            let state = if cond == Cond::Equal { self.last_pending() } else { &mut self.state };
            *state.reg_mut(name) = known;
        }
        if width == Width::W64 && src == Operand::Imm(0) && equality && a.maybe_null() {
            let (setting, prep) = (self.setting, self.prep);
            learn_null(setting, prep, &mut self.state, a, cond == Cond::NotEqual);
            learn_null(setting, prep, self.last_pending(), a, cond == Cond::Equal);
            return Ok(());
        }
        let matched = match (width, src) {
            (Width::W64, Operand::Reg(src)) => {
                let (this, other) = self.both_ways();
                packet::learn(cond, (dst, a), (src, b), this, other)
            }
            (Width::W64 | Width::W32, _) => false,
        };
        if !matched && self.is_guarded_pointer(dst) {
            return Err(why::Reg::Comparison(dst.number()).into());
        }
        Ok(())
    }
}

/// Whether the jump is taken, if that is known.
fn outcome(cond: Cond, width: Width, a: &Reg, b: &Reg) -> Option<bool> {
    if a.is_packet_any() && b.is_packet_any() && width == Width::W64 {
        return packet::outcome(cond, a, b);
    }
    if a.is_scalar() && b.is_scalar() {
        return match width {
            Width::W64 => a.num.compare(cond, &b.num),
            Width::W32 => a.num.low_compare(cond, &b.num),
        };
    }
    let constant = |reg: &Reg| match width {
        Width::W64 => reg.constant(),
        Width::W32 => {
            if reg.is_scalar() {
                reg.num.low_constant()
            } else {
                None
            }
        }
    };
    let (pointer, value) = match constant(b) {
        Some(value) => (a, value),
        None => (b, constant(a)?),
    };
    if !is_not_null(pointer) || value != 0 {
        return None;
    }
    match cond {
        Cond::Equal => Some(false),
        Cond::NotEqual => Some(true),
        Cond::AnyBit
        | Cond::NoBit
        | Cond::Less
        | Cond::LessOrEqual
        | Cond::Greater
        | Cond::GreaterOrEqual
        | Cond::SLess
        | Cond::SLessOrEqual
        | Cond::SGreater
        | Cond::SGreaterOrEqual => None,
    }
}

/// The pointer is certainly not NULL.
fn is_not_null(reg: &Reg) -> bool {
    if reg.maybe_null() {
        return false;
    }
    match reg.kind {
        Kind::Btf { .. } => is_trusted(reg),
        Kind::Mem { .. } => !reg.flags.has(Flags::UNTRUSTED),
        of => of.row().not_null,
    }
}

/// A BTF pointer that stays valid: it holds a reference, or is marked so and nothing else.
pub(super) fn is_trusted(reg: &Reg) -> bool {
    if reg.ref_id != 0 {
        return true;
    }
    let trusted = Flags::ALLOC.with(Flags::TRUSTED).with(Flags::NON_OWNING);
    let harmless = trusted.with(Flags::MAYBE_NULL);
    reg.flags.any(trusted) && reg.flags.without(harmless) == Flags::NONE
}

fn assume(cond: Cond, width: Width, operands: &mut (Reg, Reg), same: bool) {
    let (a, b) = operands;
    if same {
        a.num.assume_of_itself(cond, width == Width::W32);
        b.num = a.num;
        return;
    }
    match width {
        Width::W64 => a.num.assume(cond, &mut b.num),
        Width::W32 => a.num.low_assume(cond, &mut b.num),
    }
}

/// What a pointer that may be NULL is, once it is not.
pub(super) fn not_null(setting: &crate::Setting<'_>, mut reg: Reg) -> Reg {
    use skep_linux::maps::Lookup;
    reg.flags = reg.flags.without(Flags::MAYBE_NULL);
    let Kind::MapValue { map, .. } = reg.kind else { return reg };
    let Some(def) = setting.map(map) else { return reg };
    let lookup = skep_linux::map(def.map_type).map(|row| row.lookup);
    reg.kind = match lookup {
        Some(Lookup::Map) => match setting.inner_map(map) {
            Some(inner) => Kind::MapPtr { map: inner, uid: inner_uid(setting, inner, reg.id) },
            None => reg.kind,
        },
        Some(Lookup::XdpSock) => Kind::XdpSock,
        Some(Lookup::Socket) => Kind::Socket,
        Some(Lookup::Value | Lookup::ReadOnly | Lookup::None) | None => reg.kind,
    };
    reg
}

/// Maps in maps are told apart only where they hold what the kernel calls back through.
fn inner_uid(setting: &crate::Setting<'_>, inner: MapRef, id: u32) -> u32 {
    use skep_linux::SpecialKind;
    let later = |kind: SpecialKind| matches!(kind, SpecialKind::Timer | SpecialKind::Workqueue | SpecialKind::TaskWork);
    let any = setting.map(inner).is_some_and(|map| map.special.iter().any(|field| later(field.kind)));
    if any { id } else { 0 }
}

/// Every copy of the pointer `known` is NULL from now on, or is not.
fn learn_null(setting: &crate::Setting<'_>, prep: &Prep, state: &mut State, known: &Reg, is_null: bool) {
    if known.ref_id != 0 && known.ref_id == known.id && is_null {
        state.refs.release_pointer(known.id);
    }
    let id = known.id;
    let copy = |reg: &Reg| reg.maybe_null() && reg.id == id;
    state.change_all(copy, |reg| {
        if is_null {
            *reg = Reg { kind: Kind::Scalar, flags: Flags::NONE, id: 0, ref_id: 0, ..*reg };
            return;
        }
        *reg = not_null(setting, *reg);
        if !may_hold_lock(setting, prep, reg) {
            reg.id = 0;
        }
    });
}
