//! A program, function by function, instruction by instruction: what is the same on every machine.

use std::collections::{BTreeMap, HashMap};

use skep_isa::{AluOp, AtomicOp, ByteOrder, Callee, Cond, Insn, Operand, Reg, Size, Wide, Width};

use crate::layout::{Jump, Label, Layout};
use crate::lower::{From, Function, Fused, Unit};
use crate::{Code, Error, Features, Inline, Links, Options};

/// Writes the instructions of a machine.
pub(crate) trait Assembler {
    type Jump: Jump;

    fn new(layout: Layout<Self::Jump>) -> Self;
    fn layout(&mut self) -> &mut Layout<Self::Jump>;
    fn into_layout(self) -> Layout<Self::Jump>;
}

/// Code behind the functions that calls a function of the runtime, once for all who need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thunk {
    /// [`Env::call`](crate::Env::call), by index of the callee.
    Call(u32),
    /// [`Env::packet`](crate::Env::packet), of so many bytes.
    Packet(Size),
    /// [`Env::load`](crate::Env::load), by code. This and those below keep all registers of the program.
    Load(u64),
    /// [`Env::store`](crate::Env::store), of so many bytes.
    Store(Size),
    /// [`Env::atomic`](crate::Env::atomic), by code.
    Atomic(u64),
    /// [`Env::cast`](crate::Env::cast), to this space.
    Cast(u16),
}

/// What memory an instruction reaches, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// What the runtime knows its slot by.
    pub(crate) slot: u32,
    pub(crate) base: Reg,
    pub(crate) off: i16,
    pub(crate) size: Size,
    /// Whether it needs no test.
    pub(crate) proven: bool,
}

/// Code of a program in the making.
pub(crate) struct Emitter<'a, A: Assembler> {
    pub(crate) asm: A,
    pub(crate) unit: &'a Unit<'a>,
    pub(crate) features: Features,
    /// See [`Options::first_slot`].
    first_slot: u32,
    links: &'a mut dyn Links,
    callees: Vec<Callee>,
    callee_index: HashMap<Callee, u32>,
    thunks: BTreeMap<Thunk, Label>,
    /// Ends the run: where functions of the runtime that say so lead.
    pub(crate) stop: Label,
    /// The function that is being written, and places at its end.
    pub(crate) function: &'a Function,
    pub(crate) out: Option<Label>,
    pub(crate) leave: Option<Label>,
    pub(crate) miss: Option<Label>,
}

/// What a machine does for each shape of instruction.
pub(crate) trait Machine {
    /// The entry from outside, and the common end of runs that stop.
    fn entry(&mut self);
    fn prologue(&mut self);
    fn exit(&mut self);
    /// What is behind a function: where calls lead that do not come back as usual.
    fn cold(&mut self);
    fn thunk(&mut self, thunk: Thunk);
    /// What is never reached.
    fn trap(&mut self);

    fn alu(&mut self, width: Width, op: AluOp, dst: Reg, src: Operand);
    fn mov(&mut self, width: Width, dst: Reg, src: Operand);
    fn mov_sx(&mut self, width: Width, from: Size, dst: Reg, src: Reg);
    fn neg(&mut self, width: Width, dst: Reg);
    fn swap(&mut self, order: ByteOrder, size: Size, dst: Reg);
    fn constant(&mut self, dst: Reg, value: u64);
    /// To a space other than 0.
    fn cast(&mut self, slot: u32, dst: Reg, src: Reg, to: u16);

    /// `dst = a + b`, of 64 bits.
    fn sum(&mut self, dst: Reg, a: Reg, b: Operand);
    /// `dst = a OP src`, where `dst` is none of the operands.
    fn three(&mut self, width: Width, op: AluOp, dst: Reg, a: Reg, src: Operand);
    fn zero_extend(&mut self, from: Size, dst: Reg, src: Reg);
    /// `dst` = `src` rotated to the left.
    fn rotate(&mut self, width: Width, dst: Reg, src: Reg, by: u8);
    /// Whether [`alu`](Machine::alu) leaves flags that say whether the result is 0.
    fn sets_zero(&self, width: Width, op: AluOp, src: Operand) -> bool;
    /// Jumps if the last result was 0, or if it was not.
    fn jump_on_zero(&mut self, zero: bool, to: Label);

    /// `dst = *(a + b + off)`.
    fn load_sum(&mut self, size: Size, signed: bool, dst: Reg, a: Reg, b: Operand, off: i32);
    /// `dst = *(base + off)` in the other byte order.
    fn load_swapped(&mut self, size: Size, dst: Reg, base: Reg, off: i16);
    fn load(&mut self, place: Place, signed: bool, dst: Reg);
    /// A field of the [`Env`](crate::Env).
    fn load_env(&mut self, dst: Reg, offset: i32);
    fn store(&mut self, place: Place, src: Operand);
    fn load_acquire(&mut self, place: Place, dst: Reg);
    fn store_release(&mut self, place: Place, src: Reg);
    fn atomic(&mut self, place: Place, op: AtomicOp, src: Reg);
    fn packet(&mut self, slot: u32, size: Size, index: Option<Reg>, off: i32);

    fn goto(&mut self, to: Label);
    fn jump_if(&mut self, width: Width, cond: Cond, dst: Reg, src: Operand, to: Label);
    fn may_goto(&mut self, to: Label);
    fn local(&mut self, function: Label);
    /// A helper or kernel function, by its index.
    fn outside(&mut self, slot: u32, callee: u32);
    /// See [`Inline::Element`].
    fn element(&mut self, first: u64, stride: u32, count: u32);
}

/// The label of a slot.
fn slot_label(slot: usize) -> Label {
    Label(slot as u32)
}

/// Compiles for the machine that an assembler is of.
pub(crate) fn compile<A: Assembler>(unit: &Unit<'_>, options: &Options, links: &mut dyn Links) -> Result<Code, Error>
where
    for<'a> Emitter<'a, A>: Machine,
{
    let slots = unit.code.len();
    let mut layout = Layout::new(slots + unit.functions.len(), slots * 5 + 256);
    let (entry, stop) = (layout.label(), layout.label());
    let mut emitter = Emitter {
        asm: A::new(layout),
        unit,
        features: options.features,
        first_slot: options.first_slot,
        links,
        callees: Vec::new(),
        callee_index: HashMap::new(),
        thunks: BTreeMap::new(),
        stop,
        function: &unit.functions[0],
        out: None,
        leave: None,
        miss: None,
    };
    for (index, function) in unit.functions.iter().enumerate() {
        emitter.function(index, function)?;
    }
    emitter.bind(entry);
    emitter.entry();
    for (thunk, label) in std::mem::take(&mut emitter.thunks) {
        emitter.bind(label);
        emitter.thunk(thunk);
    }
    let Emitter { asm, callees, .. } = emitter;
    let finished = asm.into_layout().finish()?;
    let offset = |label| finished.offset(label).unwrap_or(0);
    let functions = unit.functions.iter().enumerate();
    let functions = functions.map(|(index, function)| (function.start, offset(Label((slots + index) as u32)))).collect();
    let (entry, slots) = (offset(entry), (0..slots).map(|slot| offset(slot_label(slot))).collect());
    Ok(Code { entry, functions, callees, slots, bytes: finished.bytes })
}

impl<'a, A: Assembler> Emitter<'a, A> {
    pub(crate) fn bind(&mut self, label: Label) {
        self.asm.layout().bind(label);
    }

    /// A label, made when it is first asked for.
    pub(crate) fn label_in(&mut self, which: fn(&mut Self) -> &mut Option<Label>) -> Label {
        if let Some(label) = *which(self) {
            return label;
        }
        let label = self.asm.layout().label();
        *which(self) = Some(label);
        label
    }

    pub(crate) fn thunk_label(&mut self, thunk: Thunk) -> Label {
        let layout = self.asm.layout();
        *self.thunks.entry(thunk).or_insert_with(|| layout.label())
    }

    /// The index of a callee, the same for each of its calls.
    fn callee(&mut self, callee: Callee) -> u32 {
        let callees = &mut self.callees;
        *self.callee_index.entry(callee).or_insert_with(|| {
            callees.push(callee);
            callees.len() as u32 - 1
        })
    }
}

impl<'a, A: Assembler> Emitter<'a, A>
where
    Self: Machine,
{
    fn function(&mut self, index: usize, function: &'a Function) -> Result<(), Error> {
        self.function = function;
        (self.out, self.leave, self.miss) = (None, None, None);
        self.bind(Label((self.unit.code.len() + index) as u32));
        self.prologue();
        let mut dead = false;
        let mut slot = function.start;
        while slot < function.end {
            if self.unit.is_loop(slot) {
                self.asm.layout().align();
            }
            self.bind(slot_label(slot));
            let mut next = slot + 1;
            if let Some((fused, slots)) = self.unit.fuse(slot).filter(|(fused, _)| self.can_fuse(fused)) {
                self.write_fused(fused);
                next = slot + slots;
                dead = false;
            } else if let Some(insn) = self.unit.reached(slot) {
                self.insn(slot, insn)?;
                dead = false;
            } else if !dead && !self.is_second(slot) {
                self.trap();
                dead = true;
            }
            // What was taken along is where the next instruction begins.
            (slot + 1..next).for_each(|slot| self.bind(slot_label(slot)));
            slot = next;
        }
        self.cold();
        Ok(())
    }

    /// Whether the slot belongs to a wide load that is reached.
    fn is_second(&self, slot: usize) -> bool {
        slot > 0 && self.unit.reached(slot - 1).is_some_and(|insn| insn.slots() == 2)
    }

    fn insn(&mut self, slot: usize, insn: Insn) -> Result<(), Error> {
        let proven = self.unit.fact(slot).through.is_proven();
        // What the runtime knows the slot by.
        let known = self.first_slot.wrapping_add(slot as u32);
        let place = |base, off, size| Place { slot: known, base, off, size, proven };
        match insn {
            Insn::Alu { width, op, dst, src } => self.alu(width, op, dst, src),
            Insn::Mov { width, dst, src } => self.mov(width, dst, src),
            Insn::MovSx { width, from, dst, src } => self.mov_sx(width, from, dst, src),
            Insn::Neg { width, dst } => self.neg(width, dst),
            Insn::Swap { order, size, dst } => self.swap(order, size, dst),
            // Programs load through the lower half of what user space sees.
            Insn::AddrSpaceCast { dst, src, to: 0, .. } => self.mov(Width::W32, dst, Operand::Reg(src)),
            Insn::AddrSpaceCast { dst, src, to, .. } => self.cast(known, dst, src, to),
            Insn::LoadWide { dst, value } => self.wide(slot, dst, value),
            Insn::Load { size, signed, dst, base, off } => {
                let place = place(base, off, size);
                match self.unit.source(slot, off, size) {
                    From::Memory => self.load(Place { proven: true, ..place }, signed, dst),
                    From::Env(offset) => self.load_env(dst, offset),
                    From::Runtime => self.load(place, signed, dst),
                }
            }
            Insn::LoadAcquire { size, dst, base, off } => self.load_acquire(place(base, off, size), dst),
            Insn::LoadPacket { size, index, off } => self.packet(known, size, index, off),
            Insn::Store { size, base, off, src } => self.store(place(base, off, size), src),
            Insn::StoreRelease { size, base, off, src } => self.store_release(place(base, off, size), src),
            Insn::Atomic { size, op, base, off, src } => self.atomic(place(base, off, size), op, src),
            Insn::Jump { off: 0, .. } => {}
            Insn::Jump { .. } => self.goto(slot_label(self.unit.target(slot))),
            Insn::JumpIf { width, cond, dst, src, .. } => self.branch(slot, width, cond, dst, src),
            Insn::MayGoto { .. } => self.may_goto(slot_label(self.unit.target(slot))),
            Insn::Call(Callee::Local(_)) => {
                let index = self.unit.function_at(self.unit.target(slot));
                let index = index.ok_or(Error::Unsupported { slot, what: "a call into a function" })?;
                self.local(Label((self.unit.code.len() + index) as u32));
            }
            Insn::Call(callee @ (Callee::Helper(_) | Callee::Kfunc { .. })) => match self.links.inline(slot, callee) {
                Some(Inline::Constant(value)) => self.constant(Reg::R0, value),
                Some(Inline::Element { first, stride, count }) => self.element(first, stride, count),
                None => {
                    let index = self.callee(callee);
                    self.outside(known, index);
                }
            },
            Insn::Call(Callee::Reg(_)) => return Err(Error::Unsupported { slot, what: "a call of the address in a register" }),
            Insn::JumpReg { .. } => return Err(Error::Unsupported { slot, what: "a jump to the address in a register" }),
            Insn::Exit => self.exit(),
        }
        Ok(())
    }

    /// Whether the machine gains by it.
    fn can_fuse(&self, fused: &Fused) -> bool {
        match *fused {
            Fused::AluJump { width, op, src, .. } => self.sets_zero(width, op, src),
            Fused::Sum { .. }
            | Fused::LoadSum { .. }
            | Fused::LoadSwapped { .. }
            | Fused::Three { .. }
            | Fused::Extend { .. }
            | Fused::Rotate { .. } => true,
        }
    }

    fn write_fused(&mut self, fused: Fused) {
        match fused {
            Fused::Sum { dst, a, b } => self.sum(dst, a, b),
            Fused::LoadSum { size, signed, dst, a, b, off } => self.load_sum(size, signed, dst, a, b, off.into()),
            Fused::LoadSwapped { size, dst, base, off } => self.load_swapped(size, dst, base, off),
            Fused::Three { width, op, dst, a, src } => self.three(width, op, dst, a, src),
            Fused::Extend { from, signed: true, dst, src } => self.mov_sx(Width::W64, from, dst, src),
            Fused::Extend { from, signed: false, dst, src } => self.zero_extend(from, dst, src),
            Fused::Rotate { width, dst, src, by, then } => {
                self.rotate(width, dst, src, by);
                if let Some((op, amount)) = then {
                    self.alu(width, op, src, Operand::Imm(amount.into()));
                }
            }
            Fused::AluJump { width, op, dst, src, zero, to } => {
                self.alu(width, op, dst, src);
                self.jump_on_zero(zero, slot_label(to));
            }
        }
    }

    fn wide(&mut self, slot: usize, dst: Reg, value: Wide) {
        let value = match value {
            Wide::Const(value) => value,
            Wide::MapFd(_)
            | Wide::MapFdValue { .. }
            | Wide::BtfId { .. }
            | Wide::Func(_)
            | Wide::MapIndex(_)
            | Wide::MapIndexValue { .. } => self.links.value(slot, value),
        };
        self.constant(dst, value);
    }

    fn branch(&mut self, slot: usize, width: Width, cond: Cond, dst: Reg, src: Operand) {
        let target = self.unit.target(slot);
        // A way that no path takes is not there.
        if self.unit.reached(target).is_none() || target == slot + 1 {
            return;
        }
        match self.unit.reached(slot + 1) {
            Some(_) => self.jump_if(width, cond, dst, src, slot_label(target)),
            None => self.goto(slot_label(target)),
        }
    }
}
