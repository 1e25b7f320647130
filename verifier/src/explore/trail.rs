//! What led to a refusal: the path that is being followed, from its history, and what registers hold.

use skep_isa::Slot;

use crate::report::Trail;
use crate::state::{Kind, Reg, Step};

use super::Walk;

/// The most slots of a path that are told.
const MOST: usize = 20_000;

impl Walk<'_> {
    /// What led to the current instruction.
    pub(super) fn trail(&self) -> Trail {
        Trail { path: self.path(), registers: self.registers() }
    }

    /// The slots of the path, first to last. The history of a state has the steps that are not just to the next slot.
    fn path(&self) -> Vec<usize> {
        let mut path = Vec::new();
        let mut state = &self.state;
        let (mut pc, mut steps) = (self.pc, state.history.len());
        while path.len() < MOST {
            let current = path.is_empty();
            path.push(pc);
            // The current instruction may have no step yet.
            let at_step = |step: &&Step| if current { self.step_open } else { step.pc as usize == pc };
            let step = steps.checked_sub(1).map(|last| &state.history[last]).filter(at_step);
            steps -= usize::from(step.is_some());
            let mut before = match step {
                Some(step) => i64::from(step.prev),
                None if current => i64::from(state.last_pc),
                None => self.slot_before(pc),
            };
            // The first slot of a state is not told from a loop back to it but by the steps that are left.
            if pc == state.first_pc as usize && steps == 0 {
                let Some(parent) = state.parent else { break };
                state = self.kept(parent);
                steps = state.history.len();
                before = i64::from(state.last_pc);
            }
            let Ok(slot) = usize::try_from(before) else { break };
            pc = slot;
        }
        path.reverse();
        path
    }

    /// The instruction before this one in the program; -1 for none.
    fn slot_before(&self, pc: usize) -> i64 {
        match pc.checked_sub(1).map(|slot| (slot, self.prep.code.get(slot))) {
            None => -1,
            Some((slot, Some(Slot::Second))) => slot as i64 - 1,
            Some((slot, _)) => slot as i64,
        }
    }

    /// The readable registers of the current function.
    fn registers(&self) -> Vec<(u8, Reg)> {
        let Some(frame) = self.state.frames.last() else { return Vec::new() };
        let registers = (0..).zip(&frame.regs);
        registers.filter(|(_, reg)| reg.kind != Kind::NotInit).map(|(number, reg)| (number, *reg)).collect()
    }
}
