//! Numbers that are copies of each other, or copies with a constant added: what one learns, the others do.

use skep_isa::{Operand, Reg as Name};

use crate::domain::Scalar64;
use crate::explore::Walk;
use crate::prep::Prep;
use crate::state::{ADD_CONST, ADD_CONST_LOW, Linked, Place, Reg, State};

impl Walk<'_> {
    /// All places that are linked to the operands of a jump. Those that are too many are linked to nothing from now on.
    pub(super) fn linked_operands(&mut self, dst: Name, src: Operand) -> Linked {
        let mut linked = Linked::NONE;
        if let Operand::Reg(src) = src {
            let reg = *self.state.reg(src);
            collect(self.prep, &mut self.state, reg, &mut linked);
        }
        let reg = *self.state.reg(dst);
        collect(self.prep, &mut self.state, reg, &mut linked);
        linked
    }
}

fn collect(prep: &Prep, state: &mut State, known: Reg, linked: &mut Linked) {
    if !known.is_scalar() || known.id == 0 {
        return;
    }
    let id = known.link();
    let is_linked = |reg: &Reg| reg.is_scalar() && reg.link() == id;
    for at in (0..state.frames.len()).rev() {
        // Nobody learns from a register that is not read any more.
        let live = prep.marks[state.frame_pc(at) as usize].live_regs;
        let frame = &mut state.frames[at];
        for (number, reg) in frame.regs[..Name::FP.index()].iter_mut().enumerate() {
            if live & 1 << number != 0 && is_linked(reg) && !linked.push(Place::Reg { frame: at as u8, reg: number as u8 }) {
                *reg = reg.unlinked();
            }
        }
        for spi in 0..frame.stack.len() {
            let slot = frame.stack.slot(spi);
            if slot.is_spilled() && is_linked(&slot.reg) && !linked.push(Place::Slot { frame: at as u8, spi: spi as u8 }) {
                let reg = &mut frame.stack.slot_mut(spi).reg;
                *reg = reg.unlinked();
            }
        }
    }
}

/// Everything that is linked to a register of the current frame learns what it is.
pub(super) fn sync(state: &mut State, name: Name, linked: &Linked) {
    let known = *state.reg(name);
    let at = (state.depth() as u8, name.number());
    for place in linked.iter() {
        match place {
            Place::Reg { frame, reg } => {
                if (frame, reg) != at {
                    learn(&mut state.frames[frame as usize].regs[reg as usize], &known);
                }
            }
            Place::Slot { frame, spi } => {
                let stack = &mut state.frames[frame as usize].stack;
                if stack.slot(spi as usize).reg.link() == known.link() {
                    learn(&mut stack.slot_mut(spi as usize).reg, &known);
                }
            }
        }
    }
}

fn learn(reg: &mut Reg, known: &Reg) {
    // What was added to the whole and what was added to a half say nothing of each other.
    let mixed = (reg.id ^ known.id) & ADD_CONST == ADD_CONST;
    if !reg.is_scalar() || reg.link() != known.link() || mixed {
        return;
    }
    let subreg_def = reg.subreg_def;
    if reg.id & ADD_CONST == 0 && known.id & ADD_CONST == 0 || reg.off == known.off {
        *reg = Reg { subreg_def, ..*known };
        return;
    }
    let delta = i64::from(reg.off) - i64::from(known.off);
    let mut num = known.num.plus(&Scalar64::exact(delta as u64));
    if (reg.id | known.id) & ADD_CONST_LOW != 0 {
        num = num.zero_extended();
    }
    num.sync();
    *reg = Reg { num, off: reg.off, id: reg.id, subreg_def, ..*known };
}
