//! Loads and stores that the verifier has proven: to the address, without a test, as in the kernel.
#![allow(unsafe_code)] // see ARCHITECTURE.md

use skep_isa::{Operand, Size, eval};
use skep_program::{Program, Verified};

use super::Core;
use super::op::{Handler, Op};

macro_rules! sizes {
    ($size:expr, $handler:ident, $flag:literal) => {
        match $size {
            Size::B => $handler::<1, $flag>,
            Size::H => $handler::<2, $flag>,
            Size::W => $handler::<4, $flag>,
            Size::Dw => $handler::<8, $flag>,
        }
    };
}

/// Gives handlers for the accesses of one verified program.
///
/// Invariant: the handlers that it gives for a slot run only as that slot of that program, linked to maps of the shapes that it was
/// verified with and to helpers that are skep's own. [`Image`](crate::image::Image) keeps the first part, its builder the second.
#[derive(Clone, Copy)]
pub(crate) struct Trusted<'v> {
    verified: &'v Verified<Program>,
}

impl<'v> Trusted<'v> {
    pub(crate) fn new(verified: &'v Verified<Program>) -> Trusted<'v> {
        Trusted { verified }
    }

    fn is_proven(self, slot: usize) -> bool {
        self.verified.facts()[slot].through.is_proven()
    }

    /// The handler of a load, if it needs no test.
    pub(super) fn load(self, slot: usize, size: Size, signed: bool) -> Option<Handler> {
        self.is_proven(slot).then_some(match signed {
            false => sizes!(size, load, false) as Handler,
            true => sizes!(size, load, true),
        })
    }

    /// The handler of a store, if it needs no test.
    pub(super) fn store(self, slot: usize, size: Size, src: Operand) -> Option<Handler> {
        self.is_proven(slot).then_some(match src {
            Operand::Reg(_) => sizes!(size, store, false) as Handler,
            Operand::Imm(_) => sizes!(size, store, true),
        })
    }
}

fn load<const SIZE: u64, const SIGNED: bool>(core: &mut Core, op: &Op, pc: usize) -> usize {
    let from = core.regs[op.src()].wrapping_add(op.off as u64) as *const u8;
    // SAFETY: by the invariant of `Trusted` this is an access that the verifier has proven: SIZE bytes from `from` belong to the stack, to a
    // value of a map, to the packet or to memory that a helper lent, all of which are blocks that live as long as the run. Guest addresses
    // are addresses of the host, exposed by `Block::addr`. Races with other threads are those that `Block` allows.
    let value = unsafe {
        match SIZE {
            1 => u64::from(from.read()),
            2 => u64::from(from.cast::<u16>().read_unaligned()),
            4 => u64::from(from.cast::<u32>().read_unaligned()),
            _eight => from.cast::<u64>().read_unaligned(),
        }
    };
    core.regs[op.dst()] = match (SIGNED, SIZE) {
        (true, 1) => eval::sign_extend(Size::B, value),
        (true, 2) => eval::sign_extend(Size::H, value),
        (true, 4) => eval::sign_extend(Size::W, value),
        (true | false, _) => value,
    };
    pc + 1
}

fn store<const SIZE: u64, const IMM: bool>(core: &mut Core, op: &Op, pc: usize) -> usize {
    let to = core.regs[op.dst()].wrapping_add(op.off as u64) as *mut u8;
    let value = if IMM { op.imm } else { core.regs[op.src()] };
    // SAFETY: as for loads; and the verifier has proven that these bytes may be written.
    unsafe {
        match SIZE {
            1 => to.write(value as u8),
            2 => to.cast::<u16>().write_unaligned(value as u16),
            4 => to.cast::<u32>().write_unaligned(value as u32),
            _eight => to.cast::<u64>().write_unaligned(value),
        }
    }
    pc + 1
}
