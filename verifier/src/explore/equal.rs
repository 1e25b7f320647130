//! Whether a path may end because another went on from a state that allowed no less.

use std::mem::{Discriminant, discriminant};

use crate::domain::{Range, Scalar64};
use crate::prep::Prep;
use crate::state::{ADD_CONST, Byte, Flags, Frame, Kind, Place, RefKind, Refs, Reg, Slot, State};

/// How much the states must have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// What matters for safety.
    Safe,
    /// Every number of the new state lies within the old one, precise or not.
    Within,
    /// Everything.
    Exact,
}

/// Where a kept state differed from the last state that it was compared with: the next often differs there too.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Apart {
    place: Option<Place>,
    /// What the kept state has there, where that is a register or a slot that holds one.
    holds: Option<Holds>,
}

/// What a kept state has at a place, as far as it counts at a level.
#[derive(Debug, Clone, Copy)]
struct Holds {
    level: Level,
    kind: Discriminant<Kind>,
    /// Of a number whose bounds count: the unsigned ones.
    bounds: Option<(u64, u64)>,
}

impl Apart {
    fn new(level: Level, place: Place, old: Option<&Reg>) -> Apart {
        let counts = |reg: &Reg| reg.is_scalar() && (level != Level::Safe || reg.precise);
        let bounds = |reg: &Reg| counts(reg).then_some((reg.num.wide.umin, reg.num.wide.umax));
        let holds = old.map(|reg| Holds { level, kind: discriminant(&reg.kind), bounds: bounds(reg) });
        Apart { place: Some(place), holds }
    }

    /// The state differs from the kept one: that much is seen without a look at the kept one. It is if both have as many frames; if
    /// not, they differ anyway.
    pub(super) fn rejects(&self, level: Level, new: &State) -> bool {
        let (Some(place), Some(holds)) = (self.place, self.holds) else { return false };
        let (Place::Reg { frame, .. } | Place::Slot { frame, .. }) = place;
        let Some(frame) = new.frames.get(usize::from(frame)).filter(|_| holds.level == level) else { return false };
        match place {
            Place::Reg { reg, .. } => holds.differs(&frame.regs[usize::from(reg)]),
            Place::Slot { spi, .. } => match frame.stack.get(usize::from(spi)) {
                None => true,
                Some(slot) if slot.is_all(Byte::Spill) => holds.differs(&slot.reg),
                // Bytes that may be anything are a number of which nothing is known.
                Some(_) => {
                    let narrow = holds.bounds.is_some_and(|bounds| bounds != (0, u64::MAX));
                    level != Level::Safe || holds.kind != discriminant(&Kind::Scalar) || narrow
                }
            },
        }
    }
}

impl Holds {
    fn differs(&self, new: &Reg) -> bool {
        let (least, most) = (new.num.wide.umin, new.num.wide.umax);
        let apart = |(umin, umax): (u64, u64)| match self.level {
            Level::Exact => (least, most) != (umin, umax),
            Level::Safe | Level::Within => least < umin || most > umax,
        };
        discriminant(&new.kind) != self.kind || self.bounds.is_some_and(apart)
    }
}

/// Pairs that are kept without allocation.
const FEW_IDS: usize = 24;

/// Ids of the old state and what they are called in the new one.
#[derive(Debug)]
pub(super) struct Ids {
    few: [(u32, u32); FEW_IDS],
    count: usize,
    more: Vec<(u32, u32)>,
    last: u32,
    fresh: u32,
}

impl Ids {
    /// No id is known; `last` is the highest that was given out.
    pub(super) fn new(last: u32) -> Ids {
        Ids { few: [(0, 0); FEW_IDS], count: 0, more: Vec::new(), last, fresh: last }
    }

    /// No id is known any more.
    fn forget(&mut self) {
        self.count = 0;
        self.more.clear();
        self.fresh = self.last;
    }

    /// Whether the ids mean the same, given those before.
    pub(super) fn same(&mut self, old: u32, new: u32) -> bool {
        if (old == 0) != (new == 0) {
            return false;
        }
        if old == 0 {
            return true;
        }
        for &(known_old, known_new) in self.few[..self.count].iter().chain(&self.more) {
            if known_old == old {
                return known_new == new;
            }
            if known_new == new {
                return false;
            }
        }
        match self.few.get_mut(self.count) {
            Some(free) => {
                *free = (old, new);
                self.count += 1;
            }
            None => self.more.push((old, new)),
        }
        true
    }

    /// As `same`, where a new number without an id is one that has nothing in common with others.
    fn same_scalar(&mut self, old: u32, new: u32) -> bool {
        if new != 0 {
            return self.same(old, new);
        }
        self.fresh += 1;
        self.same(old, self.fresh)
    }
}

fn range_within<const N: u32>(old: &Range<N>, new: &Range<N>) -> bool {
    old.umin <= new.umin && old.umax >= new.umax && old.smin <= new.smin && old.smax >= new.smax
}

fn num_within(old: &Scalar64, new: &Scalar64) -> bool {
    range_within(&old.wide, &new.wide) && range_within(&old.low, &new.low) && old.bits.includes(new.bits)
}

/// What comparisons need to know besides the states.
#[derive(Debug)]
pub(super) struct Compare<'a> {
    /// The program.
    pub prep: &'a Prep,
    /// Bytes of the stack that were never written may be read.
    pub may_read_uninit: bool,
    /// All numbers are relied on.
    pub relies_on_all: bool,
    /// Numbers must be the same.
    pub strict: bool,
    /// What must be equal.
    pub level: Level,
    /// Ids.
    pub ids: Ids,
    /// Where the old state differed from another before; after a comparison, from this one.
    pub apart: Apart,
}

impl Compare<'_> {
    fn exact(&mut self, old: &Reg, new: &Reg) -> bool {
        old.same_value(new) && self.ids.same(old.id, new.id) && self.ids.same(old.ref_id, new.ref_id)
    }

    /// What is safe with the old value is safe with the new one.
    fn reg(&mut self, old: &Reg, new: &Reg) -> bool {
        if self.level == Level::Exact {
            return self.exact(old, new);
        }
        if old.kind == Kind::NotInit && (self.level == Level::Safe || new.kind == Kind::NotInit) {
            return true;
        }
        if !old.same_type(new) {
            return false;
        }
        match (old.kind, new.kind) {
            (Kind::Scalar, _) => self.scalar(old, new),
            (Kind::MapKey { .. } | Kind::MapValue { .. } | Kind::Mem { .. } | Kind::Buf | Kind::TracepointBuffer, _) => {
                old.kind == new.kind
                    && old.off == new.off
                    && num_within(&old.num, &new.num)
                    && self.ids.same(old.id, new.id)
                    && self.ids.same(old.ref_id, new.ref_id)
            }
            (Kind::Packet { range: old_range }, Kind::Packet { range })
            | (Kind::PacketMeta { range: old_range }, Kind::PacketMeta { range }) => {
                packet_range_within(old_range, range)
                    && old.off == new.off
                    && self.ids.same(old.id, new.id)
                    && num_within(&old.num, &new.num)
            }
            (Kind::Arena, _) => true,
            (
                Kind::NotInit
                | Kind::Ctx
                | Kind::MapPtr { .. }
                | Kind::Stack { .. }
                | Kind::Packet { .. }
                | Kind::PacketMeta { .. }
                | Kind::PacketEnd
                | Kind::FlowKeys
                | Kind::Socket
                | Kind::SockCommon
                | Kind::TcpSock
                | Kind::XdpSock
                | Kind::Btf { .. }
                | Kind::Func { .. }
                | Kind::ConstDynptr { .. }
                | Kind::DynptrSlot { .. }
                | Kind::IterSlot { .. }
                | Kind::IrqSlot { .. },
                _,
            ) => self.exact(old, new),
        }
    }

    fn scalar(&mut self, old: &Reg, new: &Reg) -> bool {
        if self.strict {
            if !old.same_value(new) {
                return false;
            }
        } else if !(old.precise || self.relies_on_all) && self.level == Level::Safe {
            return true;
        } else if !num_within(&old.num, &new.num) {
            return false;
        }
        // What had nothing in common with others may have it now: that only says more.
        if old.id == 0 {
            return true;
        }
        let same_sum = old.id & ADD_CONST == new.id & ADD_CONST && (old.id & ADD_CONST == 0 || old.off == new.off);
        // A sum is linked to its base: another base in the new state must be one in the old.
        same_sum && self.ids.same_scalar(old.link(), new.link())
    }

    /// A slot as a number: a spilled one, or one of which nothing is known.
    fn as_scalar<'s>(&self, slot: &'s Slot) -> Option<&'s Reg> {
        const UNKNOWN: &Reg = &Reg::UNKNOWN;
        if slot.is_spilled_scalar_whole() {
            return Some(&slot.reg);
        }
        let misc = |byte: &Byte| *byte == Byte::Misc || *byte == Byte::Invalid && self.may_read_uninit;
        slot.bytes.iter().all(misc).then_some(UNKNOWN)
    }

    /// Numbers on which nothing relies do not tell states apart.
    fn takes_any_number(&self) -> bool {
        self.level == Level::Safe && !self.strict && !self.relies_on_all
    }

    fn stack(&mut self, number: usize, old: &Frame, new: &Frame) -> bool {
        let mut left = if self.level == Level::Safe { old.stack.used() } else { old.stack.reached() };
        let any = if self.takes_any_number() { old.stack.any_number() } else { 0 };
        while left != 0 {
            let spi = left.trailing_zeros() as usize;
            left &= left - 1;
            let other = new.stack.get(spi);
            let same = match any & 1 << spi {
                0 => self.slot(old.stack.slot(spi), other),
                _ => other.is_some_and(|slot| self.as_scalar(slot).is_some_and(is_number)),
            };
            if !same {
                let slot = old.stack.slot(spi);
                let whole = slot.is_all(Byte::Spill).then_some(&slot.reg);
                self.apart = Apart::new(self.level, Place::Slot { frame: number as u8, spi: spi as u8 }, whole);
                return false;
            }
        }
        true
    }

    fn slot(&mut self, old: &Slot, new: Option<&Slot>) -> bool {
        if self.level == Level::Safe && (old.is_all(Byte::Invalid) || self.may_read_uninit && old.is_all(Byte::Misc)) {
            return true;
        }
        if let Some(new) = new
            && old.is_all(Byte::Spill)
            && new.is_all(Byte::Spill)
        {
            return self.reg(&old.reg, &new.reg);
        }
        self.bytes(old, new)
    }

    fn bytes(&mut self, old: &Slot, new: Option<&Slot>) -> bool {
        for (at, &byte) in old.bytes.iter().enumerate() {
            let other = new.map(|slot| slot.bytes[at]);
            if self.level != Level::Safe && other != Some(byte) {
                return false;
            }
            if byte == Byte::Invalid || byte == Byte::Misc && self.may_read_uninit {
                continue;
            }
            let Some(new) = new else { return false };
            if let (Some(a), Some(b)) = (self.as_scalar(old), self.as_scalar(new)) {
                return self.reg(a, b);
            }
            if byte == Byte::Misc && other == Some(Byte::Zero) {
                continue;
            }
            if other != Some(byte) {
                return false;
            }
            if at == 7 && !self.content(byte, &old.reg, &new.reg) {
                return false;
            }
        }
        true
    }

    /// What slots of one kind hold.
    fn content(&mut self, byte: Byte, old: &Reg, new: &Reg) -> bool {
        match byte {
            Byte::Spill => self.reg(old, new),
            Byte::Dynptr | Byte::IrqFlag => old.kind == new.kind && self.ids.same(old.ref_id, new.ref_id),
            Byte::Iter => same_iter(&old.kind, &new.kind) && self.ids.same(old.ref_id, new.ref_id),
            Byte::Misc | Byte::Zero | Byte::Invalid => true,
        }
    }

    fn frame(&mut self, number: usize, old: &Frame, new: &Frame, pc: u32) -> bool {
        if old.callback_depth > new.callback_depth {
            return false;
        }
        let live = self.prep.marks[pc as usize].live_regs;
        let any = if self.takes_any_number() { old.any_number } else { 0 };
        for at in (0..old.regs.len()).filter(|at| live & 1 << at != 0) {
            let same = match any & 1 << at {
                0 => self.reg(&old.regs[at], &new.regs[at]),
                _ => is_number(&new.regs[at]),
            };
            if !same {
                self.apart = Apart::new(self.level, Place::Reg { frame: number as u8, reg: at as u8 }, Some(&old.regs[at]));
                return false;
            }
        }
        self.stack(number, old, new)
    }

    fn refs(&mut self, old: &Refs, new: &Refs) -> bool {
        let counts = |refs: &Refs| (refs.held.len(), refs.active_locks, refs.preempt_locks, refs.rcu_locks);
        if counts(old) != counts(new) || !self.ids.same(old.irq_id, new.irq_id) {
            return false;
        }
        let lock = |refs: &Refs| refs.lock.map_or((0, None), |(id, owner)| (id, Some(owner)));
        let ((old_id, old_owner), (new_id, new_owner)) = (lock(old), lock(new));
        if !self.ids.same(old_id, new_id) || old_owner != new_owner {
            return false;
        }
        old.held.iter().zip(&new.held).all(|(a, b)| self.ids.same(a.id, b.id) && same_ref(a.kind, b.kind))
    }

    /// Whether the states differ at this place, whatever else is in them. Ids that are known only make more states differ.
    fn differ_at(&mut self, place: Place, old: &State, new: &State) -> bool {
        match place {
            Place::Reg { frame, reg } => {
                let (at, number) = (usize::from(frame), usize::from(reg));
                let live = self.prep.marks[old.frame_pc(at) as usize].live_regs;
                live & 1 << reg != 0 && !self.reg(&old.frames[at].regs[number], &new.frames[at].regs[number])
            }
            Place::Slot { frame, spi } => {
                let (at, spi) = (usize::from(frame), usize::from(spi));
                let slot = old.frames[at].stack.get(spi);
                slot.is_some_and(|slot| !self.slot(slot, new.frames[at].stack.get(spi)))
            }
        }
    }

    /// The new state needs no path of its own.
    pub(super) fn states(&mut self, old: &State, new: &State) -> bool {
        if old.frames.len() != new.frames.len() || old.speculative && !new.speculative || old.sleepable != new.sleepable {
            return false;
        }
        if let Some(place) = self.apart.place {
            if self.differ_at(place, old, new) {
                return false;
            }
            self.ids.forget();
        }
        if !self.refs(&old.refs, &new.refs) {
            return false;
        }
        for at in 0..old.frames.len() {
            let (a, b) = (&old.frames[at], &new.frames[at]);
            if a.callsite != b.callsite || !self.frame(at, a, b, old.frame_pc(at)) {
                return false;
            }
        }
        true
    }
}

fn is_number(reg: &Reg) -> bool {
    reg.is_scalar() && reg.flags == Flags::NONE
}

fn same_ref(old: RefKind, new: RefKind) -> bool {
    old == new
}

/// Iterators may be at different depths.
fn same_iter(old: &Kind, new: &Kind) -> bool {
    match (old, new) {
        (Kind::IterSlot { id: a, state: s, .. }, Kind::IterSlot { id: b, state: t, .. }) => a == b && s == t,
        _ => false,
    }
}

/// As much of the packet is there. Beyond the end, and at it, are no ranges that another contains.
fn packet_range_within(old: i32, new: i32) -> bool {
    if old < 0 || new < 0 { old == new } else { old <= new }
}

/// Registers of the current frames are the same, whatever their ids: the loop may never end.
/// `apart` says where the old state differed from another before; if these differ in a register, it is that afterwards.
pub(super) fn maybe_looping(old: &State, new: &State, apart: &mut Apart) -> bool {
    if old.frames.len() != new.frames.len() {
        return false;
    }
    let (depth, olds, news) = (old.depth(), &old.frame().regs, &new.frame().regs);
    let same = |at: usize| {
        let (a, b) = (&olds[at], &news[at]);
        a.same_value(b) && a.id == b.id && a.ref_id == b.ref_id
    };
    if let Some(Place::Reg { frame, reg }) = apart.place
        && usize::from(frame) == depth
        && !same(usize::from(reg))
    {
        return false;
    }
    let differs = (0..olds.len()).find(|at| !same(*at));
    if let Some(at) = differs {
        *apart = Apart::new(Level::Exact, Place::Reg { frame: depth as u8, reg: at as u8 }, Some(&olds[at]));
    }
    differs.is_none()
}

/// An iterator that may still give something has gone on since.
pub(super) fn iterators_went_on(old: &State, new: &State) -> bool {
    use crate::state::IterState;
    old.frames.iter().zip(&new.frames).any(|(a, b)| {
        a.stack.slots().enumerate().any(|(spi, slot)| match (slot.bytes[0], slot.reg.kind) {
            (Byte::Iter, Kind::IterSlot { state: Some(IterState::Active), depth, .. }) => {
                !matches!(b.stack.slot(spi).reg.kind, Kind::IterSlot { depth: other, .. } if other == depth)
            }
            _other => false,
        })
    })
}
