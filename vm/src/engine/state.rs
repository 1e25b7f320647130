//! The state that handlers work on.

use std::sync::Arc;

use skep_helpers::{Held, Stop, Trap};
use skep_maps::Map;
use skep_memory::{Block, Memory, Region, RegionKind, Shape, Span};
use skep_world::{Context, Packet, PacketPlace, World};

use super::access::Entry;
use super::op::LEAVE;
use crate::link::Linked;
use crate::native::Shared;

/// Bytes of stack of one frame.
pub(super) const FRAME: usize = 512;
/// Bytes from frame to frame: what lies between belongs to nobody.
pub(super) const STRIDE: usize = 576;
/// Frames of one run: tail calls from subprograms stack their programs' frames.
pub(super) const FRAMES: usize = 64;
/// Nested calls of one program, callbacks included (`MAX_CALL_FRAMES`).
pub(crate) const MAX_DEPTH: usize = 8;
/// Times that a frame passes its `may_goto`s before they jump (`BPF_MAX_LOOPS`).
const ROUNDS: u64 = 8 * 1024 * 1024;

/// Why the loop was left.
#[derive(Debug)]
pub(crate) enum Event {
    /// Nothing.
    None,
    /// The lowest frame of this loop exited.
    Done,
    /// The frame below belongs to another program, which goes on at this slot.
    Return {
        /// Index of the program.
        program: usize,
        /// Slot to go on at.
        slot: usize,
    },
    /// A call out of the program, by its index in [`Linked::calls`].
    Call(usize),
    /// A call to the helper with this number.
    CallNumber(u64),
    /// An instruction that cannot be run.
    Trap(Trap),
}

/// What a call saves.
#[derive(Debug)]
struct Frame {
    /// Index of the caller's program.
    program: usize,
    return_to: usize,
    /// `r6` to `r9`.
    saved: [u64; 4],
    rounds: u64,
    /// Where the frames of the caller's program begin.
    first: usize,
}

/// Registers, stack, memory, world: everything that one run changes.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) regs: [u64; 16],
    /// The stack of the current frame.
    pub(crate) frame: Span,
    pub(crate) memory: Memory,
    /// By slot of the current program.
    pub(crate) cache: Vec<Entry>,
    /// The current program.
    pub(crate) linked: Arc<Linked>,
    pub(crate) context: Context,
    pub(crate) world: World,
    pub(crate) held: Held,
    /// What is left of the current frame's budget for `may_goto`.
    pub(crate) rounds: u64,
    /// Where the loop was left, and why.
    pub(crate) pc: usize,
    pub(crate) event: Event,
    /// Instructions that the run may execute, and those that it still may.
    pub(crate) budget: u64,
    pub(crate) fuel: u64,
    /// Index of the first frame of the current loop: its exit ends the loop.
    pub(crate) base: usize,
    /// Index of the first frame of the current program.
    first: usize,
    /// Where the regions of the packet were made for.
    packet: Option<PacketPlace>,
    /// How many kernel objects have regions; 0 also where that is not known any more.
    pub(crate) objects: usize,
    frames: Vec<Frame>,
    /// How many frames' stacks may hold something.
    used: usize,
    /// What stacks hold before a program writes to them.
    stack_byte: u8,
    /// An empty span, for entries that nothing fits.
    nothing: Span,
    /// What compiled code shares with the runtime.
    pub(crate) shared: Shared,
    /// Why compiled code was told to stop.
    pub(crate) stop: Option<Stop>,
}

impl Core {
    pub(crate) fn new(world: World, context: Context, linked: Arc<Linked>) -> Core {
        let block = Block::zeroed(FRAMES * STRIDE);
        let nothing = Span::new(&block, 0, 0).expect("no bytes fit everywhere");
        let frame = Span::new(&block, 0, FRAME).expect("there is one frame at least");
        let mut memory = Memory::new();
        let shape = Shape::Cells { stride: STRIDE as u64, len: FRAME as u64 };
        memory.add(Region { kind: RegionKind::Stack, block, offset: 0, len: FRAMES * STRIDE, shape, writable: true });
        let mut core = Core {
            regs: [0; 16],
            frame,
            memory,
            cache: Vec::new(),
            linked,
            context,
            world,
            held: Held::default(),
            rounds: ROUNDS,
            pc: 0,
            event: Event::None,
            budget: 0,
            fuel: 0,
            base: 0,
            first: 0,
            packet: None,
            objects: 0,
            frames: Vec::new(),
            used: 0,
            stack_byte: 0,
            nothing,
            shared: Shared::new(),
            stop: None,
        };
        core.forget();
        core
    }

    /// Sets what stacks hold before a program writes to them.
    pub(crate) fn set_stack_byte(&mut self, byte: u8) {
        self.stack_byte = byte;
        self.frame.block().fill(0, FRAMES * STRIDE, byte);
    }

    /// Makes ready for a run of `linked` from its first slot.
    pub(crate) fn reset(&mut self, linked: Arc<Linked>, budget: u64) {
        while self.leave_frame().is_some() {}
        // A run sees nothing of the last one. Within a run, frames find what earlier calls left, as in the kernel.
        self.frame.block().fill(0, self.used * STRIDE, self.stack_byte);
        self.used = 1;
        if !Arc::ptr_eq(&self.linked, &linked) {
            self.linked = linked;
            self.forget();
        }
        self.regs = [0; 16];
        self.held = Held::default();
        self.event = Event::None;
        self.budget = budget;
        self.fuel = budget;
        self.base = 0;
        self.first = 0;
        self.pc = 0;
        self.stop = None;
        self.shared.set_frame(self.bottom().wrapping_add(FRAME as u64).wrapping_sub(STRIDE as u64));
        self.fresh_frame();
    }

    /// Address of the stack of the first frame.
    pub(crate) fn bottom(&self) -> u64 {
        self.frame.block().addr()
    }

    /// So many frames' stacks may hold something.
    pub(crate) fn uses(&mut self, frames: usize) {
        self.used = self.used.max(frames.min(FRAMES));
    }

    /// Empties the cache, for another program.
    fn forget(&mut self) {
        self.cache.clear();
        self.cache.resize(self.linked.image.ops.len(), Entry::empty(self.nothing.clone()));
    }

    /// Goes on in another program, in the same frame (a tail call).
    pub(crate) fn become_program(&mut self, linked: Arc<Linked>) {
        self.first = self.frames.len();
        self.fresh_frame();
        self.switch(linked);
    }

    /// Goes on in another program.
    pub(crate) fn switch(&mut self, linked: Arc<Linked>) {
        if !Arc::ptr_eq(&self.linked, &linked) {
            self.linked = linked;
            self.forget();
        }
    }

    /// Puts a new context in place of the last one.
    pub(crate) fn set_context(&mut self, context: Context) {
        self.memory.remove(self.context.block.addr());
        for lent in &self.context.lent {
            self.memory.remove(lent.start());
        }
        self.memory.add(context.region());
        for lent in &context.lent {
            self.memory.add(lent.clone());
        }
        self.context = context;
        self.follow_packet();
    }

    /// Makes the regions of the packet what the packet is now.
    pub(crate) fn follow_packet(&mut self) {
        let place = self.context.packet.as_ref().map(Packet::place);
        if place == self.packet {
            return;
        }
        if let Some(old) = self.packet.take() {
            self.memory.remove(old.meta());
            self.memory.remove(old.data());
        }
        if let Some(packet) = &self.context.packet {
            let mut add = |kind, from: usize, to: usize| {
                if from < to {
                    let (block, len) = (packet.block.clone(), to - from);
                    self.memory.add(Region { kind, block, offset: from, len, shape: Shape::Flat, writable: true });
                }
            };
            add(RegionKind::PacketMeta, packet.meta, packet.data);
            add(RegionKind::Packet, packet.data, packet.linear_end);
        }
        let (start, end, meta) = place.map_or((0, 0, 0), |place| (place.data(), place.end(), place.meta()));
        self.shared.set_packet(start, end, meta);
        self.packet = place;
        self.context.follow_packet();
    }

    /// Makes the values of a map reachable, and its `struct bpf_map` readable.
    pub(crate) fn add_map(&mut self, map: &dyn Map) {
        let kind = RegionKind::Kernel("bpf_map".into());
        self.memory.add(Region::whole(kind, map.handle().clone(), false));
        map.regions().into_iter().for_each(|region| self.memory.add(region));
    }

    /// Makes kernel objects reachable that came since the last time.
    pub(crate) fn follow_objects(&mut self) {
        if self.objects != self.world.objects.len() {
            self.world.objects.regions(self.objects).for_each(|region| self.memory.add(region));
            self.objects = self.world.objects.len();
        }
    }

    /// `r0` to `r10`.
    pub(crate) fn registers(&self) -> [u64; 11] {
        std::array::from_fn(|i| self.regs[i])
    }

    /// The frame pointer of a frame of the run.
    pub(crate) fn frame_pointer(&self, frame: usize) -> u64 {
        self.frame.block().addr() + (frame * STRIDE + FRAME) as u64
    }

    /// The stack of a frame of the run.
    pub(crate) fn stack(&self, frame: usize) -> [u8; FRAME] {
        let mut bytes = [0; FRAME];
        self.frame.block().read(frame * STRIDE, &mut bytes);
        bytes
    }

    fn fresh_frame(&mut self) {
        self.regs[10] = self.frame.start() + FRAME as u64;
        self.rounds = ROUNDS;
    }

    /// Frames of the current program, this one included.
    pub(crate) fn depth(&self) -> usize {
        self.frames.len() - self.first + 1
    }

    /// Number of frames below the current one.
    pub(crate) fn height(&self) -> usize {
        self.frames.len()
    }

    /// Pushes a frame that returns to `return_to`.
    pub(crate) fn enter(&mut self, return_to: usize) -> Result<(), Trap> {
        let depth = self.frames.len() + 1;
        if depth >= FRAMES || !self.frame.shift_to(depth * STRIDE, FRAME) {
            return Err(Trap::CallDepth);
        }
        self.used = self.used.max(depth + 1);
        let saved = [self.regs[6], self.regs[7], self.regs[8], self.regs[9]];
        self.frames.push(Frame { program: self.linked.index, return_to, saved, rounds: self.rounds, first: self.first });
        self.fresh_frame();
        Ok(())
    }

    /// Pops a frame: gives the program and the slot to go on at.
    pub(crate) fn leave_frame(&mut self) -> Option<(usize, usize)> {
        let frame = self.frames.pop()?;
        self.frame.shift_to(self.frames.len() * STRIDE, FRAME);
        self.regs[6..10].copy_from_slice(&frame.saved);
        self.regs[10] = self.frame.start() + FRAME as u64;
        self.rounds = frame.rounds;
        self.first = frame.first;
        Some((frame.program, frame.return_to))
    }

    /// Ends the current function.
    #[inline]
    pub(crate) fn exit(&mut self, pc: usize) -> usize {
        if self.frames.len() == self.base {
            return self.leave(pc, Event::Done);
        }
        match self.leave_frame() {
            Some((program, slot)) if program == self.linked.index => slot,
            Some((program, slot)) => self.leave(pc, Event::Return { program, slot }),
            None => self.leave(pc, Event::Done),
        }
    }

    /// Leaves the loop.
    #[cold]
    pub(crate) fn leave(&mut self, pc: usize, event: Event) -> usize {
        self.pc = pc;
        self.event = event;
        LEAVE
    }
}
