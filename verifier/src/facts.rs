//! What engines are told of a program that is accepted.

use skep_isa::{AtomicOp, Callee, Cond, Insn, Operand, Reg, Slot, Width};
use skep_program::{Fact, Facts, Through};

use crate::prep::Prep;
use crate::state::{Flags, Kind};
use crate::step::Note;

/// Through what an access with this pointer reaches memory.
pub(crate) const fn through(kind: Kind, flags: Flags) -> Through {
    if matches!(kind, Kind::Mem { .. }) && flags.any(Flags::UNTRUSTED) { Through::Kernel } else { kind.row().through }
}

/// The facts, from what all paths have noted.
pub(crate) fn facts(prep: &Prep, maps: usize, notes: &[Note], stack_depths: &[u32]) -> Facts {
    let upper = upper_halves(prep);
    let fact = |(slot, note): (usize, &Note)| Fact {
        reached: note.seen,
        through: note.reaches,
        // Behind the maps of the program come templates of maps in maps, which no run has.
        map: note.map.and_then(|(map, mixed)| (!mixed && usize::from(map.0) < maps).then_some(map.0)),
        key: note.key,
        zero_extend: match prep.code.get(slot) {
            Some(Slot::Insn(insn)) => defined_by_half(insn).is_some_and(|dst| upper[slot] & bit(dst) != 0),
            Some(Slot::Second | Slot::Refused(_)) | None => false,
        },
    };
    Facts::new(notes.iter().enumerate().map(fact).collect(), stack_depths.to_vec())
}

/// Registers, bit n for `rn`.
type Set = u16;

const ARGUMENTS: Set = 0b11_1110;
const CALLER_SAVED: Set = 0b11_1111;

const fn bit(reg: Reg) -> Set {
    1 << reg.number()
}

/// The register of which the instruction computes the lower half, so that the upper is zero afterwards.
fn defined_by_half(insn: &Insn) -> Option<Reg> {
    match *insn {
        Insn::Alu { width: Width::W32, dst, .. }
        | Insn::Mov { width: Width::W32, dst, .. }
        | Insn::MovSx { width: Width::W32, dst, .. }
        | Insn::Neg { width: Width::W32, dst } => Some(dst),
        Insn::Swap { size, dst, .. } if size.bytes() < 8 => Some(dst),
        Insn::Load { size, signed: false, dst, .. } | Insn::LoadAcquire { size, dst, .. } if size.bytes() < 8 => Some(dst),
        Insn::Atomic { size, op, src, .. } if size.bytes() < 8 => crate::explore::fetched(op, src),
        Insn::Alu { .. }
        | Insn::Mov { .. }
        | Insn::MovSx { .. }
        | Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::Load { .. }
        | Insn::LoadAcquire { .. }
        | Insn::Atomic { .. }
        | Insn::AddrSpaceCast { .. }
        | Insn::LoadWide { .. }
        | Insn::LoadPacket { .. }
        | Insn::Store { .. }
        | Insn::StoreRelease { .. }
        | Insn::Jump { .. }
        | Insn::JumpIf { .. }
        | Insn::MayGoto { .. }
        | Insn::JumpReg { .. }
        | Insn::Call(_)
        | Insn::Exit => None,
    }
}

/// For each slot, the registers whose upper halves somebody may read after it.
///
/// Callers are taken to read the whole of `r0`, and functions that are called the whole of their arguments.
fn upper_halves(prep: &Prep) -> Vec<Set> {
    let code = &prep.code;
    let mut after = vec![0; code.len()];
    let mut again = true;
    while again {
        again = false;
        // In post-order one round does for code without loops.
        for slot in prep.postorder.iter().map(|slot| *slot as usize) {
            let Some(Slot::Insn(insn)) = code.get(slot) else { continue };
            let before = |next: usize, after: &[Set]| match code.get(next) {
                Some(Slot::Insn(insn)) => upper_before(insn, after[next]),
                Some(Slot::Second | Slot::Refused(_)) | None => 0,
            };
            let mut live = if ends(insn) { 0 } else { before(slot + insn.slots(), &after) };
            // A call's target is another function, which is asked for by itself.
            if !matches!(insn, Insn::Call(_))
                && let Ok(Some(target)) = code.target(slot)
            {
                live |= before(target, &after);
            }
            if live & !after[slot] != 0 {
                after[slot] |= live;
                again = true;
            }
        }
    }
    after
}

/// Nothing comes behind it.
const fn ends(insn: &Insn) -> bool {
    matches!(insn, Insn::Exit | Insn::Jump { .. } | Insn::JumpReg { .. })
}

/// Registers whose upper halves may be read from the instruction on, given those that may be read after it.
fn upper_before(insn: &Insn, after: Set) -> Set {
    let operand = |src: Operand| match src {
        Operand::Reg(src) => bit(src),
        Operand::Imm(_) => 0,
    };
    match *insn {
        Insn::Alu { width: Width::W64, dst, src, .. } => after | bit(dst) | operand(src),
        Insn::Alu { width: Width::W32, dst, .. } | Insn::Neg { width: Width::W32, dst } => after & !bit(dst),
        Insn::Neg { width: Width::W64, dst } => after | bit(dst),
        // A copy of the whole needs the upper half of its source only where its own is read.
        Insn::Mov { width: Width::W64, dst, src } => after & !bit(dst) | if after & bit(dst) != 0 { operand(src) } else { 0 },
        Insn::Mov { width: Width::W32, dst, .. } => after & !bit(dst),
        Insn::MovSx { dst, .. } => after & !bit(dst),
        Insn::Swap { size, dst, .. } => {
            if size.bytes() < 8 {
                after & !bit(dst)
            } else {
                after | bit(dst)
            }
        }
        Insn::AddrSpaceCast { dst, src, .. } => after & !bit(dst) | bit(src),
        Insn::LoadWide { dst, .. } => after & !bit(dst),
        Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => after & !bit(dst) | bit(base),
        Insn::LoadPacket { index, .. } => after & !CALLER_SAVED | bit(Reg::R6) | index.map_or(0, bit),
        Insn::Store { size, base, src, .. } => after | bit(base) | if size.bytes() == 8 { operand(src) } else { 0 },
        Insn::StoreRelease { size, base, src, .. } => after | bit(base) | if size.bytes() == 8 { bit(src) } else { 0 },
        Insn::Atomic { op, base, src, .. } => {
            let written = crate::explore::fetched(op, src).map_or(0, bit);
            let compared = if op == AtomicOp::Cmpxchg { bit(Reg::R0) } else { 0 };
            after & !written | bit(base) | bit(src) | compared
        }
        Insn::JumpIf { width: Width::W64, cond, dst, src, .. } => {
            // A test of bits that a 32-bit mask has looks at no others.
            let masked = matches!((cond, src), (Cond::Set, Operand::Imm(imm)) if imm >= 0);
            after | if masked { 0 } else { bit(dst) | operand(src) }
        }
        Insn::JumpIf { width: Width::W32, .. } | Insn::Jump { .. } | Insn::MayGoto { .. } => after,
        Insn::JumpReg { dst } => after | bit(dst),
        Insn::Call(callee) => {
            let named = match callee {
                Callee::Reg(reg) => bit(reg),
                Callee::Helper(_) | Callee::Local(_) | Callee::Kfunc { .. } => 0,
            };
            after & !CALLER_SAVED | ARGUMENTS | named
        }
        Insn::Exit => bit(Reg::R0),
    }
}
