//! Following paths: every path of the program from its entry to an exit, or to a state that another path went on from.
//!
//! Paths are followed depth first. Where one forks, one way waits on a stack. States are kept at places where paths meet, and a path ends where
//! a kept state allowed no less ([`equal`]). What "no less" means depends on what later turned out to matter: which numbers are
//! relied on ([`precise`]), which registers and slots are still read ([`live`]).

mod equal;
mod live;
mod precise;
mod removed;
mod scc;
mod store;
mod trail;
mod visited;

use std::collections::BTreeMap;
use std::rc::Rc;

use skep_btf::TypeId;
use skep_isa::{Callee, Insn, Slot};
use skep_linux::limits::{MAX_PENDING_BRANCHES, MAX_PROCESSED_INSNS};
use skep_program::Facts;

use crate::fault::{At, Fault};
use crate::kept::{Keeper, Mark};
use crate::log::Log;
use crate::prep::{Prep, Subprog, stack_depth};
use crate::report::{NotModelled, Report, Trail};
use crate::setting::Setting;
use crate::state::{Frame, Linked, NO_CALLSITE, Reg, State, StateId, Step};
use crate::step::{Known, Next, Note};
use crate::types::attach::Attach;
use crate::types::kfunc_args;
use crate::why::{Flow, Form, Why};

use live::StackLive;
use precise::Teller;
pub(crate) use precise::{Masks, fetched};
use scc::Loops;
use store::Store;

/// The most blank states that are kept for their memory.
const MOST_SPARE: usize = 64;

/// A way of a fork that is followed later.
#[derive(Debug)]
struct Pending {
    state: State,
    pc: usize,
    prev: i64,
    /// Where the log ended.
    mark: usize,
    /// Where it is in the tree of paths.
    visit: Option<Mark>,
}

/// Counts, as the kernel has them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) insns: u32,
    pub(crate) jumps: u32,
    insns_at_last_state: u32,
    jumps_at_last_state: u32,
    total_states: u32,
    /// States of functions before this one.
    of_other_functions: u32,
    peak_states: u32,
    max_states_per_insn: u32,
}

/// The walk over the paths of a program.
pub(crate) struct Walk<'a> {
    /// The program and its kernel.
    pub(crate) setting: &'a Setting<'a>,
    /// What was found out before.
    pub(crate) prep: &'a Prep,
    /// What the program is attached to, where types describe it.
    pub(crate) attach: Option<&'a Attach<'a>>,
    /// References that the arguments of the program hold: the number of the argument, and the id.
    pub(crate) arg_refs: Vec<(u32, u32)>,
    /// The state of the path.
    pub(crate) state: State,
    /// The slot.
    pub(crate) pc: usize,
    /// The slot before; -1 at the start.
    pub(crate) prev: i64,
    /// What is known of each slot, from all paths.
    pub(crate) notes: Vec<Note>,
    /// Bytes of stack that each function uses.
    pub(crate) stack_depth: Vec<u32>,
    /// Functions that are called, and verified by themselves.
    pub(crate) called: Vec<bool>,
    /// Functions that are called back, and those of them that are called later.
    pub(crate) called_back: Vec<bool>,
    /// See `called_back`.
    pub(crate) called_later: Vec<bool>,
    /// What is known of functions that are verified by themselves.
    pub(crate) functions: Vec<Known>,
    /// What types say of the kernel functions that were called.
    pub(crate) kernel_functions: BTreeMap<TypeId, Rc<kfunc_args::Kfunc<'a>>>,
    /// Functions in which spills around calls marked `bpf_fastcall` are plain spills.
    pub(crate) fastcall_broken: Vec<bool>,
    /// Work so far; see [`crate::Options::work_limit`].
    pub(crate) work: u64,
    pub(crate) counts: Counts,
    store: Store,
    /// By slot: see [`precise::touched`].
    touched: Vec<u16>,
    /// States that are looked at; kept for its memory.
    bucket: Vec<StateId>,
    pending: Vec<Pending>,
    /// Blank states; kept for their memory.
    spare: Vec<State>,
    loops: Loops,
    live: StackLive,
    ids: u32,
    /// Numbers are compared as they are, since the kernel masks an offset that is not known: masks of other ways must be found.
    pub(crate) compares_strictly: bool,
    /// How often each slot was processed; empty unless the options ask for it.
    insn_counts: Vec<u32>,
    /// The last step of the history is that of the current instruction.
    step_open: bool,
    /// What the kernel would have written, if that is asked for.
    pub(crate) log: Option<Box<Log>>,
    /// The tree of paths and its states, if they are asked for.
    keeper: Option<Box<Keeper>>,
}

/// Follows all paths.
///
/// # Errors
/// The first refusal, and what led to it.
pub(crate) fn explore<'a>(
    setting: &'a Setting<'a>,
    prep: &'a Prep,
    attach: Option<&'a Attach<'a>>,
    log: Option<Box<Log>>,
    report: &mut Report,
    facts: &mut Option<&mut Facts>,
) -> Result<(), (At, Trail)> {
    let mut walk = Walk::new(setting, prep, attach);
    walk.log = log;
    if let Some(log) = &mut walk.log {
        log.program(setting, prep);
    }
    let result = walk.all();
    if let (Some(log), Err(Fault::Refused(why))) = (&mut walk.log, &result) {
        log.refused(&why.to_string());
    }
    report.log = walk.log.take().map_or_else(String::new, |log| log.text);
    let (counts, stats) = (&walk.counts, &mut report.stats);
    stats.insns_processed = counts.insns;
    stats.total_states = counts.total_states;
    stats.peak_states = counts.peak_states;
    stats.max_states_per_insn = counts.max_states_per_insn;
    stats.stack_depth.clone_from(&walk.stack_depth);
    report.insn_counts = std::mem::take(&mut walk.insn_counts);
    result.map_err(|fault| (At { pc: Some(walk.pc), fault }, walk.trail()))?;
    let frames = walk.frames();
    report.stats.stack_depth = stack_depth::reported(setting, prep, &frames, |slot| walk.notes[slot].seen);
    stack_depth::check(setting, prep, &frames).map_err(|at| (at, Trail::default()))?;
    walk.check_absent_kfuncs().map_err(|fault| (At::whole(fault), Trail::default()))?;
    let seen: Vec<bool> = walk.notes.iter().map(|note| note.seen).collect();
    removed::check_addresses(setting, prep, &seen).map_err(|fault| (At::whole(fault), Trail::default()))?;
    walk.hand_over();
    report.kept = walk.keeper.take().and_then(|keeper| keeper.finish(prep));
    if let Some(facts) = facts {
        **facts = crate::facts::facts(prep, setting.program.maps.len(), &walk.notes, &walk.stack_depth);
    }
    Ok(())
}

impl<'a> Walk<'a> {
    fn new(setting: &'a Setting<'a>, prep: &'a Prep, attach: Option<&'a Attach<'a>>) -> Walk<'a> {
        Walk {
            setting,
            prep,
            attach,
            arg_refs: Vec::new(),
            state: entry_state(prep, 0, false),
            pc: 0,
            prev: -1,
            notes: vec![Note::default(); prep.code.len()],
            stack_depth: vec![0; prep.subprogs.len()],
            called: vec![false; prep.subprogs.len()],
            called_back: vec![false; prep.subprogs.len()],
            called_later: vec![false; prep.subprogs.len()],
            functions: vec![Known::default(); prep.subprogs.len()],
            kernel_functions: BTreeMap::new(),
            fastcall_broken: vec![false; prep.subprogs.len()],
            work: 0,
            counts: Counts::default(),
            store: Store::new(prep.code.len()),
            touched: (0..prep.code.len()).map(|slot| precise::touched(prep.code.insn(slot))).collect(),
            bucket: Vec::new(),
            pending: Vec::new(),
            spare: Vec::new(),
            loops: Loops::default(),
            live: StackLive::default(),
            ids: 0,
            compares_strictly: false,
            insn_counts: if setting.options.count_insns { vec![0; prep.code.len()] } else { Vec::new() },
            step_open: false,
            log: None,
            keeper: setting.options.keep.keeper(),
        }
    }

    /// No path came to a call of a kernel function that the kernel does not have.
    fn check_absent_kfuncs(&self) -> Result<(), Fault> {
        let absent = |slot: &usize| matches!(self.prep.code.insn(*slot), Some(Insn::Call(Callee::Kfunc { id: 0, .. })));
        match (0..self.notes.len()).filter(absent).any(|slot| self.notes[slot].seen) {
            true => Err(Form::KfuncLeft.into()),
            false => Ok(()),
        }
    }

    /// What the paths have shown of each function.
    fn frames(&self) -> Vec<stack_depth::Frame> {
        let frame = |(index, subprog): (usize, &Subprog)| stack_depth::Frame {
            depth: self.stack_depth[index],
            fastcall_broken: self.fastcall_broken[index],
            callback: self.called_back[index],
            later: self.called_later[index],
            inlines_loop: self.notes[subprog.slots.clone()].iter().any(|note| note.loops.is_some_and(|(fits, _)| fits)),
        };
        self.prep.subprogs.iter().enumerate().map(frame).collect()
    }

    /// The program, and then every global function that is called.
    fn all(&mut self) -> Result<(), Fault> {
        self.function(0)?;
        let mut verified = vec![false; self.prep.subprogs.len()];
        if let Some(callback) = self.prep.exception_callback {
            self.called[callback] = true;
        }
        loop {
            let mut any = false;
            for (subprog, verified) in verified.iter_mut().enumerate().skip(1) {
                if self.prep.subprogs[subprog].global && self.called[subprog] && !*verified {
                    self.function(subprog)?;
                    (*verified, any) = (true, true);
                }
            }
            if !any {
                return Ok(());
            }
        }
    }

    /// Gives the kept states to the one who asked for them, before they are forgotten.
    fn hand_over(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            for (id, state) in self.store.all() {
                let query = self.live.query(self.prep, state);
                keeper.take(self.prep, id, state, |frame, spi| query.is_live(frame, spi));
            }
        }
    }

    /// One function with everything it calls.
    fn function(&mut self, subprog: usize) -> Result<(), Fault> {
        self.state = entry_state(self.prep, subprog, self.setting.sleepable());
        self.pc = self.prep.subprogs[subprog].slots.start;
        self.prev = -1;
        // The kernel goes on counting the states of functions that it is done with.
        self.counts.of_other_functions += self.store.explored + self.store.evicted;
        self.hand_over();
        if let Some(keeper) = &mut self.keeper {
            keeper.begin();
        }
        self.store = Store::new(self.prep.code.len());
        self.loops = Loops::default();
        self.live.forget_current();
        let name = &self.prep.subprogs[subprog].name;
        if let Some(log) = &mut self.log {
            log.touch_all();
            log.moved = false;
            if subprog > 0 {
                log.say(&format!("Validating {name}() func#{subprog}..."));
            }
        }
        self.enter_function(subprog)?;
        self.paths()?;
        if let Some(log) = self.log.as_mut().filter(|_| subprog > 0) {
            log.say(&format!("Func#{subprog} ('{name}') is safe for any args that match its prototype"));
        }
        Ok(())
    }

    fn paths(&mut self) -> Result<(), Fault> {
        loop {
            let ends = self.instruction()?;
            if !ends {
                continue;
            }
            self.end_path()?;
            self.live.update(self.prep, &self.state);
            let Some(pending) = self.pending.pop() else {
                if let Some(log) = &mut self.log {
                    log.take_back(0);
                }
                return Ok(());
            };
            let ended = std::mem::replace(&mut self.state, pending.state);
            (self.pc, self.prev) = (pending.pc, pending.prev);
            self.reuse(ended);
            if let (Some(keeper), Some(mark)) = (&mut self.keeper, pending.visit) {
                keeper.resume(mark);
            }
            if let Some(log) = &mut self.log {
                log.take_back(pending.mark);
                log.touch_all();
                log.moved = true;
            }
        }
    }

    /// One instruction of the path; `true` if the path ends here.
    fn instruction(&mut self) -> Result<bool, Fault> {
        self.step_open = false;
        let pc = self.pc;
        self.state.last_pc = self.prev as i32;
        self.state.pc = pc as u32;
        let Some(slot) = self.prep.code.get(pc) else {
            return Err(Fault::bug("a path leaves the program"));
        };
        self.counts.insns += 1;
        if self.counts.insns > MAX_PROCESSED_INSNS {
            return Err(Flow::TooLarge(self.counts.insns).into());
        }
        if let Some(count) = self.insn_counts.get_mut(pc) {
            *count += 1;
        }
        let everywhere = self.keeper.as_mut().is_some_and(|keeper| keeper.visit(self.prep, pc));
        self.work += 1;
        if self.work > self.setting.options.work_limit {
            return Err(Fault::Unknown(Box::new(NotModelled::WorkLimit(u64::from(self.counts.insns)))));
        }
        let marks = self.prep.marks[pc];
        if (marks.prune || everywhere) && self.visited(everywhere)? {
            if let Some(log) = &mut self.log {
                log.safe(&self.state, pc);
            }
            return Ok(true);
        }
        if marks.jump {
            self.push_history(|_| {});
        }
        if let (Some(log), Slot::Insn(insn)) = (&mut self.log, slot) {
            log.instruction(self.setting, &self.state, pc, insn);
        }
        self.prev = pc as i64;
        let guessed = self.state.speculative;
        self.notes[pc].seen |= !guessed;
        if guessed && self.notes[pc].barrier {
            return Ok(true);
        }
        self.live.begin(self.prep, &self.state, pc);
        let next = match slot {
            Slot::Insn(insn) if self.log.is_some() => self.logged_step(*insn),
            Slot::Insn(insn) => self.step(*insn),
            Slot::Second => return Err(Fault::bug("a path enters a wide instruction")),
            Slot::Refused(error) => Err(Form::undecodable(*error).into()),
        };
        let next = match next {
            Err(Fault::Refused(why)) if guessed && why.ends_guess() => {
                self.put_barrier(&why);
                Next::End
            }
            next => next?,
        };
        self.live.commit(self.prep);
        match next {
            Next::At(_) if guessed && self.notes[pc].barrier_after => Ok(true),
            Next::At(pc) => {
                self.pc = pc;
                Ok(false)
            }
            Next::End => Ok(true),
        }
    }

    /// An instruction, and what the log says of it.
    fn logged_step(&mut self, insn: Insn) -> Result<Next, Fault> {
        let (before, waiting, pc) = (self.state.clone(), self.pending.len(), self.pc);
        let next = self.step(insn);
        let Some(log) = &mut self.log else { return next };
        log.touch(&insn, &before, &self.state);
        if let Ok(next) = &next {
            // A function that is called, or may be called later, begins with all its registers.
            let begins =
                |state: &State| state.depth() > before.depth() || state.frames[0].async_entry > before.frames[0].async_entry;
            if begins(&self.state) || self.pending.get(waiting).is_some_and(|pending| begins(&pending.state)) {
                log.touch_all();
            }
            let depth = self.state.depth();
            match (insn, next) {
                (Insn::JumpIf { .. }, _) => log.state(self.setting, &self.state, pc),
                (Insn::Call(Callee::Local(_)), Next::At(_)) if depth > before.depth() => {
                    log.frame(self.setting, &self.state, depth - 1, "caller:\n");
                    log.frame(self.setting, &self.state, depth, "callee:\n");
                }
                (_, _) => {} // nothing else shows a state at once
            }
        }
        next
    }

    /// A new id.
    pub(crate) fn new_id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    /// Notes the current instruction in the path, if it is not there yet, and something about it.
    pub(crate) fn push_history(&mut self, note: impl FnOnce(&mut Step)) {
        if !self.step_open {
            self.state.history.push(Step {
                pc: self.pc as u32,
                prev: self.state.last_pc,
                stack: None,
                dst_stack: false,
                src_stack: false,
                linked: Linked::NONE,
            });
            self.step_open = true;
        }
        if let Some(step) = self.state.history.last_mut() {
            note(step);
        }
    }

    /// The path forks: a copy of the state goes on at `pc` later.
    pub(crate) fn fork(&mut self, pc: usize) -> Result<&mut State, Fault> {
        let mut state = self.spare.pop().unwrap_or_else(State::blank);
        state.copy_from(&self.state);
        state.history.extend_from_slice(&self.state.history);
        let prev = self.pc as i64;
        if let Some(parent) = state.parent {
            self.store.get_mut(parent).state.branches += 1;
        }
        self.push_pending(state, pc, prev, false)
    }

    /// The state is done with: another may have its memory.
    fn reuse(&mut self, mut state: State) {
        if self.spare.len() < MOST_SPARE {
            state.clear();
            self.spare.push(state);
        }
    }

    /// The processor may guess that the path goes on at `pc`, whatever the registers hold that decide it.
    pub(crate) fn fork_guess(&mut self, pc: usize, unknown: &[skep_isa::Reg]) -> Result<&mut State, Fault> {
        let state = self.fork(pc)?;
        state.speculative = true;
        for name in unknown {
            *state.reg_mut(*name) = Reg::UNKNOWN;
        }
        Ok(state)
    }

    /// A way that is only guessed does what is refused: the kernel lets no guess come to this instruction.
    fn put_barrier(&mut self, why: &Why) {
        let note = &mut self.notes[self.pc];
        (note.barrier, note.mask) = (true, None);
        if let Some(log) = &mut self.log {
            log.say(&why.to_string());
        }
    }

    /// A path of its own, that begins at a function with nothing but its arguments.
    pub(crate) fn fork_async(&mut self, subprog: usize, sleepable: bool) -> Result<&mut State, Fault> {
        let state = entry_state(self.prep, subprog, sleepable);
        let prev = self.pc as i64;
        let pc = self.prep.subprogs[subprog].slots.start;
        self.push_pending(state, pc, prev, true)
    }

    /// The way that waits since the last fork.
    pub(crate) fn last_pending(&mut self) -> &mut State {
        let last = self.pending.len() - 1;
        &mut self.pending[last].state
    }

    /// The current way, and the one that waits since the last fork.
    pub(crate) fn both_ways(&mut self) -> (&mut State, &mut State) {
        let last = self.pending.len() - 1;
        (&mut self.state, &mut self.pending[last].state)
    }

    fn push_pending(&mut self, state: State, pc: usize, prev: i64, begins: bool) -> Result<&mut State, Fault> {
        let mark = self.log.as_ref().map_or(0, |log| log.mark());
        let visit = self.keeper.as_ref().map(|keeper| keeper.mark(begins));
        self.pending.push(Pending { state, pc, prev, mark, visit });
        let waiting = self.pending.len();
        if waiting > MAX_PENDING_BRANCHES as usize {
            return Err(Flow::TooManyJumps(waiting).into());
        }
        Ok(&mut self.pending[waiting - 1].state)
    }

    /// The number in a register of the current frame is relied on.
    pub(crate) fn mark_precise(&mut self, reg: skep_isa::Reg) -> Result<(), Fault> {
        let masks = Masks::reg(self.state.depth(), reg);
        self.mark_precise_masks(masks)
    }

    /// What the masks name in the current state is relied on.
    pub(crate) fn mark_precise_masks(&mut self, masks: Masks) -> Result<(), Fault> {
        if !self.setting.options.privileges.bpf {
            return Ok(());
        }
        self.work += 1;
        let teller = Teller { setting: self.setting, prep: self.prep, touched: &self.touched, log: self.log.as_deref_mut() };
        precise::mark(teller, &mut self.store, &self.state, masks, &mut false)
    }

    /// The current instruction reads slots of the stack of a frame.
    pub(crate) fn stack_read(&mut self, frame: usize, slots: u64) {
        self.live.read(self.prep, &self.state, frame, self.pc, slots);
    }

    /// The current instruction writes the whole of these slots of a frame, whatever happens.
    pub(crate) fn stack_written(&mut self, frame: usize, slots: u64) {
        self.live.write(frame, slots);
    }

    /// The current frame is left, or another entered.
    pub(crate) fn frame_changes(&mut self) {
        self.live.forget_current();
    }

    /// Brings the stack's liveness up to date before a frame is left.
    pub(crate) fn settle_stack(&mut self) {
        self.live.update(self.prep, &self.state);
    }

    /// A kept state.
    pub(crate) fn kept(&self, id: crate::state::StateId) -> &State {
        &self.store.get(id).state
    }

    /// Widens a waiting path, or the current one, by a kept state.
    pub(crate) fn widen_current(&mut self, id: crate::state::StateId) {
        let old = self.store.get(id).state.clone();
        let last = self.ids;
        Walk::widen(&old, &mut self.state, last);
    }

    /// Widens the path that was put last on the stack.
    pub(crate) fn widen_pending(&mut self, id: crate::state::StateId) {
        let last = self.ids;
        if let Some(pending) = self.pending.last_mut() {
            Walk::widen(&self.store.get(id).state, &mut pending.state, last);
        }
    }
}

/// A function begins: nothing but the frame pointer is readable.
fn entry_state(prep: &Prep, subprog: usize, sleepable: bool) -> State {
    State {
        frames: vec![Frame::new(NO_CALLSITE, 0, subprog)],
        branches: 1,
        first_pc: prep.subprogs[subprog].slots.start as u32,
        sleepable,
        ..State::blank()
    }
}
