//! The abstract state at one place of one path: frames with registers and stacks, and what the program holds.

mod kinds;
mod refs;
mod reg;
mod stack;

pub(crate) use kinds::{Math, Reach};
pub use refs::{LockOwner, Ref, RefKind, Refs};
pub use reg::{ADD_CONST, ADD_CONST_LOW, ADD_CONST_WHOLE, DynptrKind, Flags, IrqClass, IterState, Kind, MapRef, Reg, TypesOf};
pub use stack::{Byte, Slot, Stack, byte_of, slot_of};

use skep_isa::Reg as Name;

/// The call site of a function that nothing calls: the program itself, or a global function that is verified by itself.
pub const NO_CALLSITE: u32 = u32::MAX;

/// What one call of a function has.
#[derive(Debug, Clone)]
pub struct Frame {
    /// `r0` to `r10`.
    pub regs: [Reg; 11],
    /// Its stack.
    pub stack: Stack,
    /// Slot of the call; [`NO_CALLSITE`] for none.
    pub callsite: u32,
    /// The function.
    pub subprog: u32,
    /// How many callbacks that run later were entered before: tells entries of one apart.
    pub async_entry: u32,
    /// Least and most that a callback may return.
    pub callback_range: (i32, i32),
    /// A function that is called within a call.
    pub in_callback: bool,
    /// A function that is called later.
    pub in_async_callback: bool,
    /// The function that `bpf_throw` runs.
    pub in_exception_callback: bool,
    /// How often the callback of a frame above was followed.
    pub callback_depth: u32,
    /// Of a kept state: registers, as bits, that are known to hold numbers on which nothing relies. Any number is as good.
    pub any_number: u16,
}

impl Frame {
    /// A call at this site into this function: nothing is readable but the frame pointer of frame `number`.
    pub fn new(callsite: u32, number: usize, subprog: usize) -> Frame {
        let mut regs = [Reg::NOT_INIT; 11];
        regs[Name::FP.index()] = Reg::pointer(Kind::Stack { frame: number as u8 });
        Frame {
            regs,
            stack: Stack::default(),
            callsite,
            subprog: subprog as u32,
            async_entry: 0,
            callback_range: (0, 0),
            in_callback: false,
            in_async_callback: false,
            in_exception_callback: false,
            callback_depth: 0,
            any_number: 0,
        }
    }
}

/// Index of a kept state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateId(pub u32);

/// A register or slot that learned with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A register.
    Reg {
        /// Frame.
        frame: u8,
        /// Number.
        reg: u8,
    },
    /// A slot.
    Slot {
        /// Frame.
        frame: u8,
        /// Number.
        spi: u8,
    },
}

/// The most places that learn at one jump.
pub const MAX_LINKED: usize = 6;

/// Places that learned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    count: u8,
    places: [Place; MAX_LINKED],
}

impl Linked {
    /// None.
    pub const NONE: Linked = Linked { count: 0, places: [Place::Reg { frame: 0, reg: 0 }; MAX_LINKED] };

    /// One more, unless there are [`MAX_LINKED`].
    pub fn push(&mut self, place: Place) -> bool {
        match self.places.get_mut(usize::from(self.count)) {
            Some(free) => {
                *free = place;
                self.count += 1;
                true
            }
            None => false,
        }
    }

    /// The places.
    pub fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        self.places[..self.count()].iter().copied()
    }

    /// How many.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }
}

/// One step of the path, where it is not the next slot or touches a slot of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The slot.
    pub pc: u32,
    /// The slot before; -1 at the start.
    pub prev: i32,
    /// The slot of the stack (frame, number) that a register was spilled to, or filled from.
    pub stack: Option<(u8, u8)>,
    /// The first operand is a pointer to the stack.
    pub dst_stack: bool,
    /// The second operand is.
    pub src_stack: bool,
    /// What learned together at this jump.
    pub linked: Linked,
}

/// The state of a path.
#[derive(Debug, Clone)]
pub struct State {
    /// Frames, the outermost first; the last is the current one.
    pub frames: Vec<Frame>,
    /// What the program holds.
    pub refs: Refs,
    /// The kept state that this one came from.
    pub parent: Option<StateId>,
    /// Paths from here that are not at their end.
    pub branches: u32,
    /// The slot.
    pub pc: u32,
    /// The first slot since the parent.
    pub first_pc: u32,
    /// The slot before this one; -1 at the start.
    pub last_pc: i32,
    /// The path since the parent.
    pub history: Vec<Step>,
    /// Kept states on the way here.
    pub dfs_depth: u32,
    /// How often the callback at the current call was followed.
    pub callback_unroll_depth: u32,
    /// How often `may_goto` let the loop go on.
    pub may_goto_depth: u32,
    /// A path that the processor may only speculate on.
    pub speculative: bool,
    /// The program may sleep here.
    pub sleepable: bool,
    /// Of the end of a loop: the kept state that it equals.
    pub equal_to: Option<StateId>,
}

impl State {
    /// A state of nothing: no frame.
    pub fn blank() -> State {
        State {
            frames: Vec::new(),
            refs: Refs::default(),
            parent: None,
            branches: 0,
            pc: 0,
            first_pc: 0,
            last_pc: -1,
            history: Vec::new(),
            dfs_depth: 0,
            callback_unroll_depth: 0,
            may_goto_depth: 0,
            speculative: false,
            sleepable: false,
            equal_to: None,
        }
    }

    /// Becomes a copy of another without its history, in the memory that this one has.
    pub fn copy_from(&mut self, other: &State) {
        self.frames.clone_from(&other.frames);
        self.refs.clone_from(&other.refs);
        self.history.clear();
        let (frames, refs, history) =
            (std::mem::take(&mut self.frames), std::mem::take(&mut self.refs), std::mem::take(&mut self.history));
        *self = State { frames, refs, history, ..*other };
    }

    /// Forgets everything but the memory that it has.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.refs.held.clear();
        self.history.clear();
    }

    /// The current frame.
    pub fn frame(&self) -> &Frame {
        &self.frames[self.frames.len() - 1]
    }

    /// The current frame, to change.
    pub fn frame_mut(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// Number of the current frame.
    pub fn depth(&self) -> usize {
        self.frames.len() - 1
    }

    /// A register of the current frame.
    pub fn reg(&self, reg: Name) -> &Reg {
        &self.frame().regs[reg.index()]
    }

    /// A register of the current frame, to change.
    pub fn reg_mut(&mut self, reg: Name) -> &mut Reg {
        &mut self.frame_mut().regs[reg.index()]
    }

    /// The slot that a frame is at: that of the call in frames that wait.
    pub fn frame_pc(&self, frame: usize) -> u32 {
        self.frames.get(frame + 1).map_or(self.pc, |next| next.callsite)
    }

    /// Both wait at the same calls.
    pub fn same_callsites(&self, other: &State) -> bool {
        self.frames.len() == other.frames.len() && self.frames.iter().zip(&other.frames).all(|(a, b)| a.callsite == b.callsite)
    }

    /// Changes every register, and every spilled one, of all frames that `needs` it.
    pub fn change_all(&mut self, needs: impl Fn(&Reg) -> bool, mut change: impl FnMut(&mut Reg)) {
        for frame in &mut self.frames {
            frame.any_number = 0;
            for reg in frame.regs.iter_mut().filter(|reg| needs(reg)) {
                change(reg);
            }
            frame.stack.change_spilled(&needs, &mut change);
        }
    }
}
