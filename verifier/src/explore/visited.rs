//! Whether a path may end here, and whether its state is kept.

use skep_isa::{Insn, Reg as Name};

use crate::Keep;
use crate::fault::Fault;
use crate::state::{Byte, Flags, IterState, Kind, Reg, Slot, State, StateId, slot_of};
use crate::why::Flow;

use super::Walk;
use super::equal::{self, Apart, Compare, Ids, Level};
use super::precise::{self, Masks, Teller};
use super::scc;

/// Jumps, and instructions, after which a state is worth keeping.
const FEW_JUMPS: u32 = 2;
const FEW_INSNS: u32 = 8;
/// The same within a loop.
const LOOP_JUMPS: u32 = 20;
const LOOP_INSNS: u32 = 100;
/// Steps of history after which a state is kept.
const LONG_HISTORY: usize = 40;
/// How often a state may miss for each hit, and once more, before it is evicted.
const MISSES: u32 = 3;
const MISSES_OF_CHECKPOINT: u32 = 64;

/// What a look at one kept state says.
enum Look {
    /// The path goes on.
    Miss,
    /// A loop that goes on: states of it are kept rarely.
    MissInLoop,
    /// The path ends. `true`: the kept state's own paths are not at their end.
    Hit(bool),
}

impl Walk<'_> {
    /// Whether the path ends here, since a kept state allowed no less; if not, keeps the state where that is worth it.
    pub(super) fn visited(&mut self, everywhere: bool) -> Result<bool, Fault> {
        let pc = self.pc;
        let marks = self.prep.marks[pc];
        let forced =
            everywhere || self.setting.keeps_all_states() || marks.force_checkpoint || self.state.history.len() > LONG_HISTORY;
        let jumps = self.counts.jumps - self.counts.jumps_at_last_state;
        let insns = self.counts.insns - self.counts.insns_at_last_state;
        let mut keep = forced || jumps >= FEW_JUMPS && insns >= FEW_INSNS;

        let bucket = self.store.bucket(pc as u32, self.state.frame().callsite);
        self.clean_kept(bucket);
        let mut ids = std::mem::take(&mut self.bucket);
        ids.clear();
        ids.extend(self.store.in_bucket(bucket).iter().rev());
        for &id in &ids {
            self.work += 1;
            if self.store.head(id).pc as usize != pc {
                continue;
            }
            match self.look(id)? {
                Look::Hit(in_loop) => {
                    self.store.head_mut(id).hits += 1;
                    self.hit(id, in_loop)?;
                    return Ok(true);
                }
                Look::MissInLoop => {
                    if !forced && jumps < LOOP_JUMPS && insns < LOOP_INSNS {
                        keep = false;
                    }
                }
                Look::Miss => {}
            }
            self.miss(bucket, id, keep, marks.force_checkpoint);
        }
        let states = ids.len() as u32;
        self.bucket = ids;
        self.counts.max_states_per_insn = self.counts.max_states_per_insn.max(states);
        let too_many = !self.setting.options.privileges.bpf && states > skep_linux::limits::MAX_STATES_PER_INSN;
        if keep && !too_many {
            self.keep(bucket);
        }
        Ok(false)
    }

    fn equals(&mut self, id: StateId, level: Level) -> bool {
        let apart = self.store.head(id).apart;
        if apart.rejects(level, &self.state) {
            return false;
        }
        let mut compare = Compare {
            prep: self.prep,
            may_read_uninit: self.setting.may_read_uninit(),
            relies_on_all: self.setting.relies_on_all(),
            strict: self.compares_strictly,
            level,
            ids: Ids::new(self.ids),
            apart,
        };
        let equal = compare.states(&self.store.get(id).state, &self.state);
        self.store.head_mut(id).apart = compare.apart;
        equal
    }

    fn look(&mut self, id: StateId) -> Result<Look, Fault> {
        let (pc, marks) = (self.pc, self.prep.marks[self.pc]);
        if self.store.head(id).closed {
            let in_loop = self.loops.is_incomplete(self.prep, &self.store.get(id).state);
            let all = self.setting.options.keep == Keep::Numbers;
            let level = if in_loop || all { Level::Within } else { Level::Safe };
            return Ok(if self.equals(id, level) { Look::Hit(in_loop) } else { Look::Miss });
        }
        let plain = !marks.iter_next && !marks.calls_callback && !self.is_may_goto(pc);
        if plain && self.store.head(id).apart.rejects(Level::Exact, &self.state) {
            return Ok(Look::MissInLoop);
        }
        let old = &self.store.get(id).state;
        if old.frame().in_async_callback && old.frame().async_entry != self.state.frame().async_entry {
            return Ok(Look::MissInLoop);
        }
        if marks.iter_next {
            let converges = self.equals(id, Level::Within) && self.iterator_is_active();
            return Ok(if converges { Look::Hit(true) } else { Look::MissInLoop });
        }
        let may_goto_went_on = old.may_goto_depth != self.state.may_goto_depth;
        if self.is_may_goto(pc) && may_goto_went_on && self.equals(id, Level::Within) {
            return Ok(Look::Hit(true));
        }
        if marks.calls_callback {
            return Ok(if self.equals(id, Level::Within) { Look::Hit(false) } else { Look::MissInLoop });
        }
        let mut apart = self.store.head(id).apart;
        let may_loop = equal::maybe_looping(&self.store.get(id).state, &self.state, &mut apart);
        self.store.head_mut(id).apart = apart;
        if !may_loop || !self.equals(id, Level::Exact) {
            return Ok(Look::MissInLoop);
        }
        let old = &self.store.get(id).state;
        if !equal::iterators_went_on(old, &self.state)
            && !may_goto_went_on
            && old.callback_unroll_depth == self.state.callback_unroll_depth
        {
            if let Some(log) = &mut self.log {
                log.endless(self.setting, &self.state, &self.store.get(id).state);
            }
            return Err(Flow::InfiniteLoop(pc).into());
        }
        Ok(Look::MissInLoop)
    }

    fn is_may_goto(&self, pc: usize) -> bool {
        matches!(self.prep.code.insn(pc), Some(Insn::MayGoto { .. }))
    }

    /// The iterator that `r1` points to may still give something.
    fn iterator_is_active(&self) -> bool {
        let reg = self.state.reg(Name::R1);
        let (Kind::Stack { frame }, Some(off)) = (reg.kind, reg.fixed_offset()) else { return false };
        let slot = self.state.frames[frame as usize].stack.slot(slot_of(off as i32));
        matches!(slot.reg.kind, Kind::IterSlot { state: Some(IterState::Active), .. })
    }

    fn hit(&mut self, id: StateId, in_loop: bool) -> Result<(), Fault> {
        if let Some(keeper) = &mut self.keeper {
            keeper.equal(id);
        }
        if self.prep.marks[self.pc].jump {
            self.push_history(|_| {});
        }
        let masks = Masks::precise_in(&self.store.get(id).state);
        precise::tell_passed(self.log.as_deref_mut(), &masks);
        let teller = Teller { setting: self.setting, prep: self.prep, touched: &self.touched, log: self.log.as_deref_mut() };
        precise::mark(teller, &mut self.store, &self.state, masks, &mut false)?;
        if in_loop {
            let mut backedge = self.state.clone();
            backedge.equal_to = Some(id);
            backedge.pc = self.pc as u32;
            if !self.loops.add_backedge(self.prep, &self.store.get(id).state, backedge) {
                return Err(Fault::bug("a path comes round in no loop"));
            }
            self.tell_loop("backedge", id);
            self.update_peak();
        }
        Ok(())
    }

    fn miss(&mut self, bucket: usize, id: StateId, keep: bool, checkpoint: bool) {
        let head = self.store.head_mut(id);
        head.misses += u32::from(keep);
        let allowed = if checkpoint && !head.closed { MISSES_OF_CHECKPOINT } else { MISSES };
        if head.misses > head.hits * allowed + allowed {
            self.store.evict(bucket, id);
            self.forget_if_unused(id);
        }
    }

    fn keep(&mut self, bucket: usize) {
        self.counts.total_states += 1;
        self.counts.jumps_at_last_state = self.counts.jumps;
        self.counts.insns_at_last_state = self.counts.insns;
        if self.setting.options.privileges.bpf {
            precise::unmark(&mut self.state);
        }
        let id = self.store.add(bucket, self.pc as u32, &mut self.state);
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(id);
        }
        self.update_peak();
        if self.loops.enter(self.prep, &self.store.get(id).state, id) {
            self.tell_loop("enter", id);
        }
        self.state.parent = Some(id);
        self.state.first_pc = self.pc as u32;
        self.state.dfs_depth += 1;
    }

    fn tell_loop(&mut self, what: &str, id: StateId) {
        let (prep, state) = (self.prep, &self.store.get(id).state);
        if let Some(log) = &mut self.log {
            log.detail(|| format!("SCC {what} {}", scc::chain_text(prep, state)));
        }
    }

    /// Forgets what is not live in kept states of this slot whose paths are all at their end.
    fn clean_kept(&mut self, bucket: usize) {
        if !self.store.take_unclean(bucket) {
            return;
        }
        let mut left = false;
        for at in 0..self.store.in_bucket(bucket).len() {
            let id = self.store.in_bucket(bucket)[at];
            let head = self.store.head(id);
            if !head.closed || head.cleaned {
                continue;
            }
            let kept = &self.store.get(id).state;
            let elsewhere = head.pc as usize != self.pc || !kept.same_callsites(&self.state);
            if elsewhere || self.loops.is_incomplete(self.prep, kept) {
                left = true;
                continue;
            }
            let query = self.live.query(self.prep, &self.store.get(id).state);
            clean(&query, self.prep, self.setting.may_read_uninit(), &mut self.store.get_mut(id).state);
            let head = self.store.head_mut(id);
            (head.cleaned, head.apart) = (true, Apart::default());
        }
        if left {
            self.store.set_unclean(bucket);
        }
    }

    /// All paths from the current state are at their end: kept states before it learn of it.
    pub(super) fn end_path(&mut self) -> Result<(), Fault> {
        self.state.branches = self.state.branches.saturating_sub(1);
        if self.state.branches > 0 {
            return Ok(());
        }
        if !self.state.speculative && !self.loops.may_end(self.prep, &self.state) {
            return Err(Flow::LoopNotEntered(scc::chain_text(self.prep, &self.state)).into());
        }
        let mut at = self.state.parent;
        while let Some(id) = at {
            let state = &mut self.store.get_mut(id).state;
            state.branches = state.branches.saturating_sub(1);
            if state.branches > 0 {
                break;
            }
            let (parent, callsite) = (state.parent, state.frame().callsite);
            let head = self.store.head_mut(id);
            (head.closed, head.apart) = (true, Apart::default());
            let bucket = self.store.bucket(self.store.head(id).pc, callsite);
            self.store.set_unclean(bucket);
            if let Some(backedges) = self.loops.exit(self.prep, &self.store.get(id).state, id) {
                self.tell_loop("exit", id);
                self.update_peak();
                self.finish_loop(backedges)?;
            }
            self.forget_if_unused(id);
            at = parent;
        }
        Ok(())
    }

    /// Marks go round a loop until none is new.
    fn finish_loop(&mut self, backedges: Vec<State>) -> Result<(), Fault> {
        const MOST_ROUNDS: u32 = 64;
        for round in 0.. {
            if round > MOST_ROUNDS {
                for backedge in backedges.iter().rev() {
                    precise::mark_all(&mut self.store, backedge);
                }
                break;
            }
            let mut changed = false;
            for backedge in backedges.iter().rev() {
                self.work += 1;
                let equal = backedge.equal_to.ok_or_else(|| Fault::bug("a path that comes round to nothing"))?;
                let masks = Masks::precise_in(&self.store.get(equal).state);
                precise::tell_passed(self.log.as_deref_mut(), &masks);
                let teller =
                    Teller { setting: self.setting, prep: self.prep, touched: &self.touched, log: self.log.as_deref_mut() };
                precise::mark(teller, &mut self.store, backedge, masks, &mut changed)?;
            }
            if !changed {
                break;
            }
        }
        Ok(())
    }

    fn forget_if_unused(&mut self, id: StateId) {
        let kept = self.store.get(id);
        if kept.evicted && kept.state.branches == 0 && !self.loops.is_incomplete(self.prep, &kept.state) {
            if let Some(keeper) = &mut self.keeper {
                let query = self.live.query(self.prep, &kept.state);
                keeper.take(self.prep, id, &kept.state, |frame, spi| query.is_live(frame, spi));
            }
            self.store.remove(id);
        }
    }

    /// The newest state that was kept at this slot on the way here, less deep than `depth` kept states: the last round of a loop.
    pub(crate) fn previous_round(&self, pc: usize, depth: u32) -> Option<StateId> {
        let bucket = self.store.bucket(pc as u32, self.state.frame().callsite);
        let on_the_way = |id: &&StateId| {
            let state = &self.store.get(**id).state;
            state.pc as usize == pc && state.branches > 0 && state.same_callsites(&self.state) && state.dfs_depth < depth
        };
        self.store.in_bucket(bucket).iter().rev().find(on_the_way).copied()
    }

    /// Numbers that changed since a round of a loop, and on which nothing relies, are unknown from now on.
    pub(crate) fn widen(old: &State, new: &mut State, last_id: u32) {
        let mut ids = Ids::new(last_id);
        for at in (0..old.frames.len()).rev() {
            let Some(frame) = new.frames.get_mut(at) else { continue };
            let before = &old.frames[at];
            for (old, new) in before.regs.iter().zip(&mut frame.regs) {
                if widens(old, new, &mut ids) {
                    *new = Reg::UNKNOWN;
                }
            }
            for spi in 0..before.stack.len().min(frame.stack.len()) {
                let (old, new) = (before.stack.slot(spi), frame.stack.slot(spi));
                if old.is_spilled() && new.is_spilled() && widens(&old.reg, &new.reg, &mut ids) {
                    frame.stack.slot_mut(spi).reg = Reg::UNKNOWN;
                }
            }
        }
    }

    fn update_peak(&mut self) {
        let now = self.counts.of_other_functions + self.store.explored + self.store.evicted + self.loops.backedges;
        self.counts.peak_states = self.counts.peak_states.max(now);
    }
}

fn clean(query: &super::live::Query<'_>, prep: &crate::prep::Prep, may_read_uninit: bool, state: &mut State) {
    for at in 0..state.frames.len() {
        let live = prep.marks[state.frame_pc(at) as usize].live_regs;
        let frame = &mut state.frames[at];
        let any = |reg: &Reg| reg.is_scalar() && !reg.precise && reg.flags == Flags::NONE;
        frame.any_number = 0;
        for (number, reg) in frame.regs[..Name::FP.index()].iter_mut().enumerate() {
            if live & 1 << number == 0 {
                *reg = Reg::NOT_INIT;
            } else if any(reg) {
                frame.any_number |= 1 << number;
            }
        }
        let (live, mut free, mut any_number) = (query.live(at), 0, 0);
        for spi in 0..frame.stack.len() {
            let (slot, bit) = (frame.stack.slot(spi), 1 << spi);
            let (empty, misc) = (slot.is_all(Byte::Invalid), slot.is_all(Byte::Misc));
            if live & bit == 0 {
                free |= bit;
                if !empty || slot.reg.kind != Kind::NotInit {
                    *frame.stack.slot_mut(spi) = Slot::EMPTY;
                }
            } else if empty || misc && may_read_uninit {
                free |= bit;
            } else if slot.is_all(Byte::Spill) && any(&slot.reg) {
                any_number |= bit;
            }
        }
        frame.stack.set_known(free, any_number);
    }
}

fn widens(old: &Reg, new: &Reg, ids: &mut Ids) -> bool {
    let same = |ids: &mut Ids| old.same_value(new) && ids.same(old.id, new.id) && ids.same(old.ref_id, new.ref_id);
    old.is_scalar() && new.is_scalar() && !old.precise && !new.precise && !same(ids)
}
