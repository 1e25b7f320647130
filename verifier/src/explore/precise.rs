//! Numbers whose exact value a verdict relies on: back along the path, everything they were made of.
//!
//! A number is kept as imprecise until something depends on it. Then the path is walked backwards, over kept states, to where the
//! number came from; in every kept state on the way it is marked, so that later states must be as narrow there.

use skep_isa::{AtomicOp, Callee, Insn, Operand, Reg as Name};

use skep_linux::helper;
use skep_linux::helpers::Leave;

use crate::fault::Fault;
use crate::log::{self, Log};
use crate::prep::Prep;
use crate::setting::Setting;
use crate::state::{Linked, NO_CALLSITE, Place, State, StateId, Step};

use super::store::Store;

/// Registers that hold arguments of a call, as bits.
const ARGS: u16 = 0b11_1110;

/// Registers and slots, by frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Masks {
    frame: usize,
    regs: [u16; 8],
    slots: [u64; 8],
}

impl Masks {
    /// Nothing, from a frame on down.
    pub(crate) fn new(frame: usize) -> Masks {
        Masks { frame, regs: [0; 8], slots: [0; 8] }
    }

    /// One register of the frame.
    pub(crate) fn reg(frame: usize, reg: Name) -> Masks {
        let mut masks = Masks::new(frame);
        masks.set(reg);
        masks
    }

    /// One slot of the stack of a frame, while `current` is the frame of the path.
    pub(crate) fn slot(current: usize, frame: usize, spi: usize) -> Masks {
        let mut masks = Masks::new(current);
        masks.slots[frame] |= 1 << spi;
        masks
    }

    /// Registers and slots of a state that are precise.
    pub(crate) fn precise_in(state: &State) -> Masks {
        let mut masks = Masks::new(state.depth());
        for (at, frame) in state.frames.iter().enumerate() {
            for (number, reg) in frame.regs[..10].iter().enumerate() {
                if reg.is_scalar() && reg.precise {
                    masks.regs[at] |= 1 << number;
                }
            }
            for (spi, slot) in frame.stack.slots().enumerate() {
                if slot.is_spilled_scalar() && slot.reg.precise {
                    masks.slots[at] |= 1 << spi;
                }
            }
        }
        masks
    }

    fn is_empty(&self) -> bool {
        self.regs[self.frame] == 0
            && self.slots[self.frame] == 0
            && (0..self.frame).all(|frame| self.regs[frame] == 0 && self.slots[frame] == 0)
    }

    fn has(&self, reg: Name) -> bool {
        self.regs[self.frame] & 1 << reg.number() != 0
    }

    fn set(&mut self, reg: Name) {
        if reg != Name::FP {
            self.regs[self.frame] |= 1 << reg.number();
        }
    }

    fn clear(&mut self, reg: Name) {
        self.regs[self.frame] &= !(1 << reg.number());
    }

    fn has_place(&self, place: Place) -> bool {
        match place {
            Place::Reg { frame, reg } => self.regs[frame as usize] & 1 << reg != 0,
            Place::Slot { frame, spi } => self.slots[frame as usize] & 1 << spi != 0,
        }
    }

    fn set_place(&mut self, place: Place) {
        match place {
            Place::Reg { frame, reg } => self.regs[frame as usize] |= 1 << reg,
            Place::Slot { frame, spi } => self.slots[frame as usize] |= 1 << spi,
        }
    }

    /// If one of these is wanted, all are.
    fn sync(&mut self, linked: Option<&Linked>) {
        let linked = linked.filter(|linked| linked.count() > 0);
        if let Some(linked) = linked.filter(|linked| linked.iter().any(|place| self.has_place(place))) {
            linked.iter().for_each(|place| self.set_place(place));
        }
    }

    fn enter(&mut self) -> Result<(), Back> {
        if self.frame == 7 {
            return Err(Back::Bug("backtracking enters too many frames"));
        }
        self.frame += 1;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Back> {
        if self.frame == 0 {
            return Err(Back::Bug("backtracking leaves the first frame"));
        }
        self.frame -= 1;
        Ok(())
    }
}

/// Why the walk back stops.
enum Back {
    /// Where the number came from cannot be told: everything is marked.
    Lost,
    /// What must not be.
    Bug(&'static str),
}

/// What a walk back looks at, and where it is told of.
pub(super) struct Teller<'a> {
    pub(super) setting: &'a Setting<'a>,
    pub(super) prep: &'a Prep,
    /// By slot: see [`touched`].
    pub(super) touched: &'a [u16],
    pub(super) log: Option<&'a mut Log>,
}

impl Teller<'_> {
    fn tell(&mut self, text: impl FnOnce(&Setting<'_>) -> String) {
        if let Some(log) = &mut self.log {
            let setting = self.setting;
            log.detail(|| text(setting));
        }
    }
}

/// Marks in kept states all that the masks of `start` were made of. `changed` tells whether a mark is new.
pub(super) fn mark(
    mut teller: Teller<'_>,
    store: &mut Store,
    start: &State,
    mut masks: Masks,
    changed: &mut bool,
) -> Result<(), Fault> {
    if masks.is_empty() {
        return Ok(());
    }
    let teller = &mut teller;
    let mut at: Option<StateId> = None;
    let (mut last, mut first) = (i64::from(start.pc), start.first_pc);
    let mut after: i64 = -1;
    let mut skip = true;
    loop {
        let frame = masks.frame;
        teller.tell(|_| format!("mark_precise: frame{frame}: last_idx {last} first_idx {first} subseq_idx {after} "));
        if last < 0 {
            return mark_entry(store, start, at, &masks, changed);
        }
        let state = at.map_or(start, |id| &store.get(id).state);
        match walk(teller, state, (last as usize, first), &mut after, &mut skip, &mut masks) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(Back::Lost) => {
                tell_lost(teller, start);
                mark_all(store, start);
                return Ok(());
            }
            Err(Back::Bug(what)) => return Err(Fault::bug(what)),
        }
        let Some(parent) = state.parent else { break };
        if masks.frame >= store.get(parent).state.frames.len() {
            return Err(Fault::bug("backtracking is in a frame that is not there"));
        }
        mark_in(&mut store.get_mut(parent).state, &mut masks, changed);
        tell_parent(teller, &store.get(parent).state, &masks);
        if masks.is_empty() {
            return Ok(());
        }
        after = i64::from(first);
        let state = &store.get(parent).state;
        (last, first) = (i64::from(state.last_pc), state.first_pc);
        at = Some(parent);
    }
    tell_lost(teller, start);
    mark_all(store, start);
    Ok(())
}

fn tell_lost(teller: &mut Teller<'_>, start: &State) {
    let frame = start.depth();
    teller.tell(|_| format!("mark_precise: frame{frame}: falling back to forcing all scalars precise"));
}

fn tell_parent(teller: &mut Teller<'_>, parent: &State, masks: &Masks) {
    for frame in (0..=masks.frame).rev() {
        teller.tell(|setting| {
            let (regs, slots) = (reg_names(masks.regs[frame]), slot_names(masks.slots[frame], ""));
            let state = log::frame(setting, parent, frame);
            format!("mark_precise: frame{frame}: parent state regs={regs} stack={slots}: {state}")
        });
    }
}

/// `r1,r2`.
fn reg_names(mask: u16) -> String {
    let names: Vec<String> = (0..16).filter(|number| mask & 1 << number != 0).map(|number| format!("r{number}")).collect();
    names.join(",")
}

/// `-8,-16`, each behind the prefix.
fn slot_names(mask: u64, prefix: &str) -> String {
    let names: Vec<String> =
        (0..64).filter(|spi| mask & 1 << spi != 0).map(|spi: i64| format!("{prefix}{}", -8 * (spi + 1))).collect();
    names.join(",")
}

/// What a kept state passes on to the paths that end at it.
pub(super) fn tell_passed(log: Option<&mut Log>, masks: &Masks) {
    let Some(log) = log else { return };
    for frame in (0..=masks.frame).rev() {
        let parts = [reg_names(masks.regs[frame]), slot_names(masks.slots[frame], "fp")];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        if !parts.is_empty() {
            log.detail(|| format!("frame {frame}: propagating {}", parts.join(",")));
        }
    }
}

/// At the entry of a global function: its arguments are what they are.
fn mark_entry(store: &mut Store, start: &State, at: Option<StateId>, masks: &Masks, changed: &mut bool) -> Result<(), Fault> {
    let state = at.map_or(start, |id| &store.get(id).state);
    let entry = state.frames.len() == 1 && state.frames[0].subprog > 0 && state.frames[0].callsite == NO_CALLSITE;
    if !entry || masks.slots[masks.frame] != 0 || masks.regs[masks.frame] & !ARGS != 0 {
        return Err(Fault::bug("backtracking reaches the entry of a function"));
    }
    let Some(id) = at else { return Ok(()) };
    let frame = &mut store.get_mut(id).state.frames[0];
    frame.any_number = 0;
    for (number, reg) in frame.regs.iter_mut().enumerate() {
        if masks.regs[masks.frame] & 1 << number != 0 && reg.is_scalar() {
            reg.precise = true;
            *changed = true;
        }
    }
    Ok(())
}

/// Walks back over one state; `true` if nothing is left to find.
fn walk(
    teller: &mut Teller<'_>,
    state: &State,
    (last, first): (usize, u32),
    after: &mut i64,
    skip: &mut bool,
    masks: &mut Masks,
) -> Result<bool, Back> {
    let (prep, touched, quiet) = (teller.prep, teller.touched, teller.log.is_none());
    let mut pc = last;
    let mut history = state.history.len();
    loop {
        let step = history.checked_sub(1).map(|index| &state.history[index]).filter(|step| step.pc as usize == pc);
        let touches = || touched.get(pc).is_none_or(|regs| regs & (masks.regs[masks.frame] | ALWAYS) != 0);
        if *skip {
            *skip = false;
        } else if step.is_some() || !quiet || touches() {
            if let Some(insn) = prep.code.insn(pc) {
                let (frame, regs, slots) = (masks.frame, masks.regs[masks.frame], masks.slots[masks.frame]);
                teller.tell(|setting| {
                    let (regs, slots) = (reg_names(regs), slot_names(slots, ""));
                    format!(
                        "mark_precise: frame{frame}: regs={regs} stack={slots} before {pc}: {}",
                        log::text(&insn, pc, setting)
                    )
                });
            }
            back(prep, pc, *after, step, masks)?;
            if masks.is_empty() {
                return Ok(true);
            }
        }
        *after = pc as i64;
        if pc == first as usize && (history == 0 || history == 1 && step.is_some()) {
            return Ok(false);
        }
        let prev = match step {
            Some(step) => {
                history -= 1;
                i64::from(step.prev)
            }
            None => pc as i64 - 1,
        };
        pc = usize::try_from(prev).ok().filter(|pc| *pc < prep.code.len()).ok_or(Back::Bug("backtracking leaves the program"))?;
    }
}

/// In what an instruction touches: the walk back must look at it, whatever is wanted.
const ALWAYS: u16 = 1 << 15;

/// Registers by which the walk back may learn something at an instruction where the path has no step of its own, as bits; where none
/// of them is wanted, [`back`] does nothing.
pub(super) fn touched(insn: Option<Insn>) -> u16 {
    let Some(insn) = insn else { return 0 };
    let bit = |reg: Name| 1 << reg.number();
    match insn {
        Insn::Alu { dst, .. }
        | Insn::Mov { dst, .. }
        | Insn::MovSx { dst, .. }
        | Insn::AddrSpaceCast { dst, .. }
        | Insn::LoadWide { dst, .. }
        | Insn::Load { dst, .. }
        | Insn::LoadAcquire { dst, .. } => bit(dst),
        Insn::Store { base, .. } | Insn::StoreRelease { base, .. } | Insn::Atomic { base, .. } => bit(base),
        Insn::LoadPacket { .. } => bit(Name::R0),
        Insn::JumpIf { dst, src: Operand::Reg(src), .. } => bit(dst) | bit(src),
        Insn::JumpIf { src: Operand::Imm(_), .. } | Insn::Jump { .. } | Insn::JumpReg { .. } | Insn::MayGoto { .. } => 0,
        Insn::Neg { .. } | Insn::Swap { .. } => 0,
        Insn::Call(_) | Insn::Exit => ALWAYS,
    }
}

/// What must be precise before an instruction, given what must be after it.
fn back(prep: &Prep, pc: usize, after: i64, step: Option<&Step>, masks: &mut Masks) -> Result<(), Back> {
    let Some(insn) = prep.code.insn(pc) else { return Ok(()) };
    let linked = step.map(|step| &step.linked);
    masks.sync(linked);
    let slot = step.and_then(|step| step.stack);
    match insn {
        Insn::Alu { dst, src, .. } => {
            if masks.has(dst)
                && let Operand::Reg(src) = src
            {
                masks.set(src);
            }
        }
        Insn::Neg { .. } | Insn::Swap { .. } => {}
        Insn::Mov { dst, src, .. } => {
            if masks.has(dst) {
                masks.clear(dst);
                if let Operand::Reg(src) = src {
                    masks.set(src);
                }
            }
        }
        Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } => {
            if masks.has(dst) {
                masks.clear(dst);
                masks.set(src);
            }
        }
        Insn::Load { dst, .. } | Insn::LoadAcquire { dst, .. } => {
            filled(masks, dst, slot);
            return Ok(());
        }
        Insn::Store { base, src, .. } => return stored(masks, base, Some(src), slot),
        Insn::StoreRelease { base, src, .. } => return stored(masks, base, Some(Operand::Reg(src)), slot),
        Insn::Atomic { op, base, src, .. } => {
            // The old value comes from the slot. Linux up to 6.18 does not see that the register is written here, and goes on looking for
            // where its value came from: so does this, besides the slot.
            let wanted = fetched(op, src).is_some_and(|dst| masks.has(dst));
            stored(masks, base, Some(Operand::Reg(src)), slot)?;
            if let Some((frame, spi)) = slot.filter(|_| wanted) {
                masks.slots[frame as usize] |= 1 << spi;
            }
            return Ok(());
        }
        Insn::LoadWide { dst, .. } => masks.clear(dst),
        Insn::LoadPacket { .. } => {
            if masks.has(Name::R0) {
                return Err(Back::Lost);
            }
        }
        Insn::Call(callee) => back_call(prep, pc, after, callee, masks)?,
        Insn::Exit => back_exit(prep, after, masks)?,
        Insn::JumpIf { dst, src: Operand::Reg(src), .. } => {
            if !masks.has(dst) && !masks.has(src) {
                return Ok(());
            }
            if !step.is_some_and(|step| step.src_stack) {
                masks.set(src);
            }
            if !step.is_some_and(|step| step.dst_stack) {
                masks.set(dst);
            }
        }
        Insn::JumpIf { src: Operand::Imm(_), .. } | Insn::Jump { .. } | Insn::JumpReg { .. } | Insn::MayGoto { .. } => {}
    }
    masks.sync(linked);
    Ok(())
}

/// The register that an atomic operation gives the old value to.
pub(crate) fn fetched(op: AtomicOp, src: Name) -> Option<Name> {
    match op {
        AtomicOp::Add { fetch } | AtomicOp::Or { fetch } | AtomicOp::And { fetch } | AtomicOp::Xor { fetch } => {
            fetch.then_some(src)
        }
        AtomicOp::Xchg => Some(src),
        AtomicOp::Cmpxchg => Some(Name::R0),
    }
}

/// A register was loaded: numbers come from slots only.
fn filled(masks: &mut Masks, dst: Name, slot: Option<(u8, u8)>) {
    if masks.has(dst) {
        masks.clear(dst);
        if let Some((frame, spi)) = slot {
            masks.slots[frame as usize] |= 1 << spi;
        }
    }
}

fn stored(masks: &mut Masks, base: Name, src: Option<Operand>, slot: Option<(u8, u8)>) -> Result<(), Back> {
    if masks.has(base) {
        return Err(Back::Lost);
    }
    let Some((frame, spi)) = slot else { return Ok(()) };
    if masks.slots[frame as usize] & 1 << spi != 0 {
        masks.slots[frame as usize] &= !(1 << spi);
        if let Some(Operand::Reg(src)) = src {
            masks.set(src);
        }
    }
    Ok(())
}

fn back_call(prep: &Prep, pc: usize, after: i64, callee: Callee, masks: &mut Masks) -> Result<(), Back> {
    let frame = masks.frame;
    if let Callee::Local(off) = callee {
        let target = (pc as i64 + 1 + i64::from(off)) as usize;
        let subprog = prep.subprog_at(target).ok_or(Back::Bug("a call of no function"))?;
        if prep.subprogs[subprog].global {
            if masks.regs[frame] & ARGS != 0 {
                return Err(Back::Bug("arguments of a global function are wanted"));
            }
            masks.clear(Name::R0);
            return Ok(());
        }
        if masks.regs[frame] & !ARGS != 0 || masks.slots[frame] != 0 {
            return Err(Back::Bug("a function begins with more than its arguments"));
        }
        let args = masks.regs[frame] & ARGS;
        masks.regs[frame] = 0;
        masks.leave()?;
        masks.regs[masks.frame] |= args;
        return Ok(());
    }
    if prep.marks[pc].calls_callback && pc as i64 != after - 1 {
        if masks.regs[frame] & !ARGS != 0 || masks.slots[frame] != 0 {
            return Err(Back::Bug("a callback begins with more than its arguments"));
        }
        masks.regs[frame] = 0;
        return masks.leave();
    }
    if matches!(callee, Callee::Kfunc { id: 0, .. }) {
        return Err(Back::Lost);
    }
    masks.clear(Name::R0);
    if masks.regs[frame] & ARGS != 0 {
        return Err(Back::Bug("arguments of a call are wanted after it"));
    }
    if leaves(callee) && after - pc as i64 != 1 {
        masks.enter()?;
    }
    Ok(())
}

/// A tail call: it may leave the function.
fn leaves(callee: Callee) -> bool {
    match callee {
        Callee::Helper(id) => helper(id as u32).is_some_and(|row| row.leave == Leave::TailCall),
        Callee::Local(_) | Callee::Kfunc { .. } | Callee::Reg(_) => false,
    }
}

fn back_exit(prep: &Prep, after: i64, masks: &mut Masks) -> Result<(), Back> {
    let call = usize::try_from(after).ok();
    if call.is_some_and(|pc| prep.marks[pc].calls_callback) {
        masks.regs[masks.frame] &= !ARGS;
    }
    if masks.regs[masks.frame] & ARGS != 0 {
        return Err(Back::Bug("arguments are wanted after a function"));
    }
    let returned = call.and_then(|pc| pc.checked_sub(1)).and_then(|pc| prep.code.insn(pc));
    let r0 = matches!(returned, Some(Insn::Call(Callee::Local(_)))) && masks.has(Name::R0);
    masks.clear(Name::R0);
    masks.enter()?;
    if r0 {
        masks.set(Name::R0);
    }
    Ok(())
}

/// Marks what is wanted in a kept state; what is marked already, or no number, is not looked for further.
fn mark_in(state: &mut State, masks: &mut Masks, changed: &mut bool) {
    for at in (0..=masks.frame).rev() {
        let frame = &mut state.frames[at];
        for number in bits(u64::from(masks.regs[at])) {
            let reg = &mut frame.regs[number];
            if reg.is_scalar() && !reg.precise {
                reg.precise = true;
                frame.any_number = 0;
                *changed = true;
            } else {
                masks.regs[at] &= !(1 << number);
            }
        }
        for spi in bits(masks.slots[at]) {
            let slot = frame.stack.slot(spi);
            if slot.is_spilled_scalar() && !slot.reg.precise {
                frame.stack.slot_mut(spi).reg.precise = true;
                *changed = true;
            } else {
                masks.slots[at] &= !(1 << spi);
            }
        }
    }
}

fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros() as usize;
        (mask != 0).then(|| {
            mask &= mask - 1;
            bit
        })
    })
}

/// Marks every number of every kept state that `start` came from.
pub(super) fn mark_all(store: &mut Store, start: &State) {
    let mut at = start.parent;
    while let Some(id) = at {
        let state = &mut store.get_mut(id).state;
        state.change_all(|reg| reg.is_scalar() && !reg.precise, |reg| reg.precise = true);
        at = state.parent;
    }
}

/// Forgets the marks of a state that is about to be kept: what comes after it will set them again.
pub(super) fn unmark(state: &mut State) {
    state.change_all(|reg| reg.is_scalar() && reg.precise, |reg| reg.precise = false);
}
