//! A program, function by function, instruction by instruction.

use std::collections::{BTreeMap, HashMap};

use skep_isa::{Callee, Insn, Wide};

use super::asm::{Asm, Mem};
use super::call::Thunk;
use super::{ENV, gpr};
use crate::layout::{Label, Layout};
use crate::lower::{Function, Unit};
use crate::{Code, Error, Features, Options};

/// Code of a program in the making.
pub(super) struct Emitter<'a> {
    pub(super) asm: Asm,
    pub(super) unit: &'a Unit<'a>,
    pub(super) features: Features,
    /// See [`Options::first_slot`].
    first_slot: u32,
    links: &'a mut dyn FnMut(usize, Wide) -> u64,
    pub(super) callees: Vec<Callee>,
    pub(super) callee_index: HashMap<Callee, u32>,
    pub(super) thunks: BTreeMap<Thunk, Label>,
    /// Ends the run: where functions of the runtime that say so lead.
    pub(super) stop: Label,
    /// The function that is being written, and places at its end.
    pub(super) function: &'a Function,
    pub(super) out: Option<Label>,
    pub(super) leave: Option<Label>,
    pub(super) miss: Option<Label>,
}

/// The label of a slot.
pub(super) fn slot_label(slot: usize) -> Label {
    Label(slot as u32)
}

impl Emitter<'_> {
    /// What the runtime knows a slot by.
    pub(super) fn place(&self, slot: usize) -> u64 {
        u64::from(self.first_slot.wrapping_add(slot as u32))
    }

    /// The label of a function.
    pub(super) fn function_label(&self, index: usize) -> Label {
        Label((self.unit.code.len() + index) as u32)
    }
}

pub(crate) fn compile(unit: &Unit<'_>, options: &Options, links: &mut dyn FnMut(usize, Wide) -> u64) -> Result<Code, Error> {
    let slots = unit.code.len();
    let mut layout = Layout::new(slots + unit.functions.len(), slots * 5 + 256);
    let (entry, stop) = (layout.label(), layout.label());
    let mut emitter = Emitter {
        asm: Asm { layout },
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
    emitter.asm.layout.bind(entry);
    emitter.entry();
    emitter.thunks();
    let Emitter { asm, callees, .. } = emitter;
    let finished = asm.layout.finish()?;
    let offset = |label| finished.offset(label).unwrap_or(0);
    let functions = unit.functions.iter().enumerate();
    let functions = functions.map(|(index, function)| (function.start, offset(Label((slots + index) as u32)))).collect();
    let (entry, slots) = (offset(entry), (0..slots).map(|slot| offset(slot_label(slot))).collect());
    Ok(Code { entry, functions, callees, slots, bytes: finished.bytes })
}

impl<'a> Emitter<'a> {
    fn function(&mut self, index: usize, function: &'a Function) -> Result<(), Error> {
        self.function = function;
        (self.out, self.leave, self.miss) = (None, None, None);
        let label = self.function_label(index);
        self.asm.layout.bind(label);
        self.prologue();
        let mut dead = false;
        for slot in function.start..function.end {
            self.asm.layout.bind(slot_label(slot));
            if let Some(insn) = self.unit.reached(slot) {
                self.insn(slot, insn)?;
                dead = false;
            } else if !dead && !self.is_second(slot) {
                self.asm.trap();
                dead = true;
            }
        }
        self.cold();
        Ok(())
    }

    /// Whether the slot belongs to a wide load that is reached.
    fn is_second(&self, slot: usize) -> bool {
        slot > 0 && self.unit.reached(slot - 1).is_some_and(|insn| insn.slots() == 2)
    }

    fn insn(&mut self, slot: usize, insn: Insn) -> Result<(), Error> {
        match insn {
            Insn::Alu { width, op, dst, src } => self.alu(width, op, gpr(dst), src),
            Insn::Mov { width, dst, src } => self.mov(width, gpr(dst), src),
            Insn::MovSx { width, from, dst, src } => self.asm.load_signed(width, from.bytes(), gpr(dst), gpr(src)),
            Insn::Neg { width, dst } => self.asm.neg(width, gpr(dst)),
            Insn::Swap { order, size, dst } => self.swap(order, size, gpr(dst)),
            Insn::AddrSpaceCast { dst, src, to, .. } => self.cast(slot, dst, src, to),
            Insn::LoadWide { dst, value } => {
                let value = match value {
                    Wide::Const(value) => value,
                    Wide::MapFd(_)
                    | Wide::MapFdValue { .. }
                    | Wide::BtfId { .. }
                    | Wide::Func(_)
                    | Wide::MapIndex(_)
                    | Wide::MapIndexValue { .. } => (self.links)(slot, value),
                };
                self.asm.mov_imm(gpr(dst), value);
            }
            Insn::Load { size, signed, dst, base, off } => self.load(slot, size, signed, dst, base, off),
            Insn::LoadAcquire { size, dst, base, off } => self.load(slot, size, false, dst, base, off),
            Insn::LoadPacket { size, index, off } => self.packet(slot, size, index, off),
            Insn::Store { size, base, off, src } => self.store(slot, size, base, off, src),
            Insn::StoreRelease { size, base, off, src } => self.store(slot, size, base, off, skep_isa::Operand::Reg(src)),
            Insn::Atomic { size, op, base, off, src } => self.atomic(slot, size, op, base, off, src),
            Insn::Jump { off, .. } => self.goto(slot, off),
            Insn::JumpIf { width, cond, dst, src, .. } => self.jump_if(slot, width, cond, gpr(dst), src),
            Insn::MayGoto { .. } => self.may_goto(slot),
            Insn::Call(Callee::Local(_)) => return self.local(slot),
            Insn::Call(callee @ (Callee::Helper(_) | Callee::Kfunc { .. })) => self.outside(slot, callee),
            Insn::Call(Callee::Reg(_)) => return Err(Error::Unsupported { slot, what: "a call of the address in a register" }),
            Insn::JumpReg { .. } => return Err(Error::Unsupported { slot, what: "a jump to the address in a register" }),
            Insn::Exit => self.exit(),
        }
        Ok(())
    }
}

/// A field of the [`Env`](crate::Env).
pub(super) fn env(offset: i32) -> Mem {
    Mem::at(ENV, offset)
}
