//! Calls, exits, and what cannot run.

use skep_helpers::Trap;

use super::op::{Handler, Op};
use super::{Core, Event, MAX_DEPTH};

/// A call to a function of the program.
pub(super) fn local() -> Handler {
    |core, op, pc| {
        if core.depth() >= MAX_DEPTH {
            return core.leave(pc, Event::Trap(Trap::CallDepth));
        }
        match core.enter(pc + 1) {
            Ok(()) => op.target(),
            Err(trap) => core.leave(pc, Event::Trap(trap)),
        }
    }
}

/// A call to a helper or kernel function: the engine makes it, outside of the loop.
pub(super) fn outside() -> Handler {
    |core, op, pc| core.leave(pc, Event::Call(op.imm as usize))
}

/// `callx`: no kernel takes it; engines of bare instructions call the helper with the number in the register.
pub(super) fn register() -> Handler {
    |core, op, pc| core.leave(pc, Event::CallNumber(core.regs[op.src()]))
}

pub(super) fn exit() -> Handler {
    |core, _, pc| core.exit(pc)
}

/// `LD_ABS` and `LD_IND`. What lies beyond the packet ends the function with 0.
pub(super) fn packet(indirect: bool) -> Handler {
    fn load(core: &mut Core, op: &Op, pc: usize, index: u64) -> usize {
        let offset = (op.off as u32).wrapping_add(index as u32) as i32;
        match core.context.load_packet(offset, op.imm as usize) {
            Some(value) => {
                core.regs[0] = value;
                pc + 1
            }
            None => {
                core.regs[0] = 0;
                core.exit(pc)
            }
        }
    }
    match indirect {
        false => |core, op, pc| load(core, op, pc, 0),
        true => |core, op, pc| load(core, op, pc, core.regs[op.src()]),
    }
}

/// A slot that holds nothing an engine can run. The reason is looked up where it is needed, which is never twice.
pub(super) fn refused() -> Handler {
    |core, _, pc| {
        let why = core.linked.image.refusal(pc);
        core.leave(pc, Event::Trap(Trap::Illegal(why)))
    }
}
