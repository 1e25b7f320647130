//! Calls of functions of the program.

use skep_isa::{Callee, Reg as Name};
use skep_linux::limits::MAX_CALL_FRAMES;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Frame, Reg, State};
use crate::why;

use super::Next;

impl Walk<'_> {
    pub(super) fn call(&mut self, callee: Callee) -> Result<Next, Fault> {
        match callee {
            Callee::Local(distance) => self.call_local(self.target(distance)),
            Callee::Helper(id) => self.call_helper(id),
            Callee::Kfunc { id, module } => self.call_kfunc(id, module),
            Callee::Reg(_) => Err(Fault::not_modelled("callx")),
        }
    }

    fn call_local(&mut self, target: usize) -> Result<Next, Fault> {
        let subprog = self.prep.subprog_at(target).ok_or_else(|| Fault::bug("a call of no function"))?;
        if self.prep.subprogs[subprog].global {
            return self.call_global(subprog);
        }
        self.read_call_args(subprog)?;
        let callsite = self.pc as u32;
        let args = self.state.frame().regs;
        let frame = enter(&mut self.state, subprog, callsite)?;
        frame.regs[1..=5].copy_from_slice(&args[1..=5]);
        let caller = self.state.depth() - 1;
        scratch(&mut self.state.frames[caller]);
        self.frame_changes();
        Ok(Next::At(self.prep.subprogs[subprog].slots.start))
    }
}

/// A frame for a call of this function from this slot.
pub(super) fn enter(state: &mut State, subprog: usize, callsite: u32) -> Result<&mut Frame, Fault> {
    let number = state.frames.len();
    if number >= MAX_CALL_FRAMES as usize {
        return Err(why::Call::TooDeep(number + 1).into());
    }
    state.frames.push(Frame::new(callsite, number, subprog));
    Ok(state.frame_mut())
}

/// What a call leaves of the registers of its frame.
pub(super) fn scratch(frame: &mut Frame) {
    for name in [Name::R0, Name::R1, Name::R2, Name::R3, Name::R4, Name::R5] {
        frame.regs[name.index()] = Reg::NOT_INIT;
    }
}
