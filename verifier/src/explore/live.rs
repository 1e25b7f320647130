//! Which slots of the stack may still be read.
//!
//! While paths are followed, reads and whole writes are noted for each instruction of each chain of calls. Between paths they are turned
//! into what is live before each instruction: what is read there, or live after it and not written. A slot that is not live
//! does not tell states apart.

use skep_isa::Insn;

use crate::prep::Prep;
use crate::state::{Frame, State};

/// Frames that there may be at one time.
const MOST_FRAMES: usize = 8;

/// Slots of one frame, as bits, for one instruction.
#[derive(Debug, Clone, Copy, Default)]
struct Masks {
    /// May be read here.
    read: u64,
    /// Are written here on every path so far.
    written: u64,
    /// Are written here or after, whatever path is taken.
    written_after: u64,
    /// May be read here or after.
    live: u64,
}

/// A function in one chain of calls.
#[derive(Debug)]
struct Instance {
    /// Slots of the calls that lead to it, outermost first.
    callsites: Vec<u32>,
    /// The function.
    subprog: usize,
    /// The instance it is called from.
    outer: Option<usize>,
    /// Instances that are called from it: the slot of the call, the function, the instance.
    inner: Vec<(u32, u32, usize)>,
    /// By frame, then by slot within the function; empty until something is noted.
    masks: Vec<Vec<Masks>>,
    /// Slots whose writes were noted at least once.
    seen: Vec<bool>,
    /// Something changed since the last update.
    updated: bool,
    /// A write is not certain any more.
    write_dropped: bool,
}

/// All instances.
#[derive(Debug, Default)]
pub(super) struct StackLive {
    /// By slot: see [`successors`]. Filled when it is asked for.
    next: Vec<[Option<u32>; 2]>,
    instances: Vec<Instance>,
    /// Functions that nothing calls (asynchronous callbacks and global functions are such): the function, the instance.
    roots: Vec<(u32, usize)>,
    /// The instance of the current state, where it is known.
    current: Option<usize>,
    /// Writes of the current instruction, by frame.
    writes: [u64; 8],
    write_pc: usize,
}

/// Slots where control goes after an instruction: the next, and where it jumps to.
fn successors(prep: &Prep, pc: usize) -> [Option<u32>; 2] {
    let Some(insn) = prep.code.insn(pc) else { return [Some(pc as u32 + 1), None] };
    let jump = |off: i32| Some((pc as i64 + 1 + i64::from(off)) as u32);
    let next = Some((pc + insn.slots()) as u32);
    match insn {
        Insn::Exit => [None, None],
        Insn::Jump { off, .. } => [None, jump(off)],
        Insn::JumpIf { off, .. } | Insn::MayGoto { off } => [next, jump(i32::from(off))],
        Insn::JumpReg { .. } => [None, None],
        Insn::Alu { .. }
        | Insn::Mov { .. }
        | Insn::MovSx { .. }
        | Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::AddrSpaceCast { .. }
        | Insn::LoadWide { .. }
        | Insn::Load { .. }
        | Insn::LoadPacket { .. }
        | Insn::Store { .. }
        | Insn::Atomic { .. }
        | Insn::LoadAcquire { .. }
        | Insn::StoreRelease { .. }
        | Insn::Call(_) => [next, None],
    }
}

impl StackLive {
    /// The instance of a frame of a state.
    fn instance(&mut self, prep: &Prep, state: &State, frame: usize) -> usize {
        let root = state.frames[0].subprog;
        let mut at = match self.roots.iter().find(|(subprog, _)| *subprog == root) {
            Some((_, found)) => *found,
            None => {
                let index = self.add(prep, Vec::new(), root, None);
                self.roots.push((root, index));
                index
            }
        };
        for Frame { callsite, subprog, .. } in &state.frames[1..=frame] {
            let outer = &self.instances[at];
            at = match outer.inner.iter().find(|(site, called, _)| site == callsite && called == subprog) {
                Some((_, _, found)) => *found,
                None => {
                    let callsites = [outer.callsites.as_slice(), &[*callsite]].concat();
                    let index = self.add(prep, callsites, *subprog, Some(at));
                    self.instances[at].inner.push((*callsite, *subprog, index));
                    index
                }
            };
        }
        at
    }

    fn add(&mut self, prep: &Prep, callsites: Vec<u32>, subprog: u32, outer: Option<usize>) -> usize {
        let subprog = subprog as usize;
        let slots = prep.subprogs[subprog].slots.len();
        let masks = vec![Vec::new(); callsites.len() + 1];
        let seen = vec![false; slots];
        let inner = Vec::new();
        self.instances.push(Instance { callsites, subprog, outer, inner, masks, seen, updated: false, write_dropped: false });
        self.instances.len() - 1
    }

    fn current(&mut self, prep: &Prep, state: &State) -> usize {
        match self.current {
            Some(current) => current,
            None => {
                let current = self.instance(prep, state, state.depth());
                self.current = Some(current);
                current
            }
        }
    }

    /// The state is in another function now.
    pub(super) fn forget_current(&mut self) {
        self.current = None;
    }

    /// An instruction begins.
    pub(super) fn begin(&mut self, prep: &Prep, state: &State, pc: usize) {
        self.current(prep, state);
        self.write_pc = pc;
        self.writes = [0; 8];
    }

    /// The instruction at `pc` reads slots of a frame.
    pub(super) fn read(&mut self, prep: &Prep, state: &State, frame: usize, pc: usize, slots: u64) {
        let current = self.current(prep, state);
        self.note_read(prep, current, frame, pc, slots);
    }

    /// The current instruction writes all of these slots of a frame.
    pub(super) fn write(&mut self, frame: usize, slots: u64) {
        self.writes[frame] |= slots;
    }

    fn note_read(&mut self, prep: &Prep, index: usize, frame: usize, pc: usize, slots: u64) {
        let instance = &mut self.instances[index];
        let at = pc - prep.subprogs[instance.subprog].slots.start;
        let masks = &mut instance.of_frame(frame)[at];
        let read = masks.read | slots;
        let news = read != masks.read && read & !masks.live != 0;
        masks.read = read;
        instance.updated |= news;
    }

    /// The current instruction is done.
    pub(super) fn commit(&mut self, prep: &Prep) {
        if let Some(current) = self.current {
            self.commit_to(prep, current);
        }
    }

    fn commit_to(&mut self, prep: &Prep, index: usize) {
        let instance = &mut self.instances[index];
        let at = self.write_pc - prep.subprogs[instance.subprog].slots.start;
        let seen = instance.seen[at];
        for frame in 0..instance.masks.len() {
            let mut slots = self.writes[frame];
            if slots == 0 && (!seen || instance.masks[frame].is_empty()) {
                continue;
            }
            let masks = &mut instance.of_frame(frame)[at];
            let before = masks.written;
            if seen {
                slots &= before;
            }
            masks.written = slots;
            instance.updated |= before != slots;
            instance.write_dropped |= before & !slots != 0;
        }
        instance.seen[at] = true;
        self.write_pc = prep.subprogs[instance.subprog].slots.start;
    }

    /// Brings what is live up to date for every function that the state is in.
    pub(super) fn update(&mut self, prep: &Prep, state: &State) {
        self.forget_current();
        for frame in (0..state.frames.len()).rev() {
            let index = self.instance(prep, state, frame);
            if self.instances[index].updated {
                self.update_instance(prep, index);
                let instance = &mut self.instances[index];
                (instance.updated, instance.write_dropped) = (false, false);
            }
        }
    }

    fn update_instance(&mut self, prep: &Prep, index: usize) {
        let instance = &mut self.instances[index];
        let subprog = &prep.subprogs[instance.subprog];
        let start = subprog.slots.start;
        if instance.write_dropped {
            for masks in instance.masks.iter_mut().flatten() {
                masks.written_after = 0;
            }
        }
        let order = &prep.postorder[subprog.postorder.clone()];
        if self.next.is_empty() {
            self.next = (0..prep.code.len()).map(|slot| successors(prep, slot)).collect();
        }
        for frame in instance.masks.iter_mut().filter(|frame| !frame.is_empty()) {
            while update_frame(&self.next, frame, order, start) {}
        }
        let Some(outer) = instance.outer else { return };
        let call = instance.callsites[instance.callsites.len() - 1] as usize;
        let depth = instance.masks.len() - 1;
        let entries: Vec<Option<Masks>> = instance.masks[..depth].iter().map(|frame| frame.first().copied()).collect();
        self.write_pc = call;
        self.writes = [0; 8];
        for (frame, entry) in entries.into_iter().enumerate() {
            if let Some(entry) = entry {
                self.writes[frame] |= entry.written_after;
                self.note_read(prep, outer, frame, call, entry.live);
            }
        }
        self.commit_to(prep, outer);
    }

    /// Whether a slot of a frame may still be read from the state on.
    pub(super) fn query<'a>(&'a mut self, prep: &'a Prep, state: &State) -> Query<'a> {
        let depth = state.depth();
        let mut instances = [0; MOST_FRAMES];
        for (frame, instance) in instances.iter_mut().enumerate().take(depth + 1) {
            *instance = self.instance(prep, state, frame);
        }
        Query { live: self, prep, instances, depth, pc: state.pc as usize }
    }
}

impl Instance {
    fn of_frame(&mut self, frame: usize) -> &mut Vec<Masks> {
        let slots = self.seen.len();
        let masks = &mut self.masks[frame];
        if masks.is_empty() {
            masks.resize(slots, Masks::default());
        }
        masks
    }
}

/// One round over a function; whether something changed.
fn update_frame(next: &[[Option<u32>; 2]], masks: &mut [Masks], order: &[u32], start: usize) -> bool {
    let mut changed = false;
    for &pc in order {
        let pc = pc as usize;
        let (mut live, mut written) = (0, u64::MAX);
        let mut any = false;
        for after in next[pc].into_iter().flatten() {
            let after = &masks[after as usize - start];
            any = true;
            live |= after.live;
            written &= after.written_after;
        }
        if !any {
            continue;
        }
        let at = &mut masks[pc - start];
        written |= at.written;
        live = live & !at.written | at.read;
        changed |= live != at.live || written != at.written_after;
        (at.live, at.written_after) = (live, written);
    }
    changed
}

/// Answers for one state.
#[derive(Debug)]
pub(super) struct Query<'a> {
    live: &'a StackLive,
    prep: &'a Prep,
    /// By frame, as far as there are frames.
    instances: [usize; MOST_FRAMES],
    depth: usize,
    pc: usize,
}

impl Query<'_> {
    fn before(&self, instance: usize, pc: usize, frame: usize) -> u64 {
        let instance = &self.live.instances[instance];
        let at = pc - self.prep.subprogs[instance.subprog].slots.start;
        instance.masks.get(frame).and_then(|masks| masks.get(at)).map_or(0, |masks| masks.live)
    }

    /// Whether a slot of a frame may be read: see `live`.
    pub(super) fn is_live(&self, frame: usize, spi: usize) -> bool {
        self.live(frame) & 1 << spi != 0
    }

    /// Slots of a frame that may be read by the current function, or by one that waits after (a callback's caller: at) its call, as bits.
    pub(super) fn live(&self, frame: usize) -> u64 {
        let current = self.instances[self.depth];
        let callsites = &self.live.instances[current].callsites;
        (frame..self.depth).fold(self.before(current, self.pc, frame), |live, waiting| {
            let call = callsites[waiting] as usize;
            let pc = if self.prep.marks[call].calls_callback { call } else { call + 1 };
            live | self.before(self.instances[waiting], pc, frame)
        })
    }
}
