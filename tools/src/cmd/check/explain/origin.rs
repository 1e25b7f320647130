//! Where the value of a register came from, back along the path.

use skep_isa::{AtomicOp, Code, Insn, Operand, Reg};

use super::follow::{Followed, Way};

/// A place where the value was made, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The slot of the instruction.
    pub(super) slot: usize,
    /// What it does with the value.
    pub(super) what: What,
}

/// What an instruction does with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A function returned it.
    Result,
    /// It is a constant, or the address of a map or a function.
    Constant,
    /// It is read from memory.
    Loaded,
    /// Arithmetic made it of what it was before.
    Changed,
    /// A call left nothing in the register.
    Clobbered,
    /// The function was called with it, by this call.
    Passed,
}

/// The most steps back.
const MOST: usize = 64;

/// What made the value that `reg` has before the instruction of a visit, last to first. Empty where nothing on the path wrote it: it is
/// what the program was given, or nothing at all.
pub(super) fn origin(code: &Code, followed: &Followed, visit: usize, reg: Reg) -> Vec<Origin> {
    let mut found = Vec::new();
    let (mut at, mut reg) = (visit, reg);
    let mut steps = 0;
    while steps < MOST {
        let Some(before) = followed.before(at) else {
            let call = followed.visits.get(at).map_or(0, |visit| visit.call);
            let caller = followed.callers.get(call).copied().flatten();
            let Some(caller) = caller.filter(|_| (1..=5).contains(&reg.number())) else { break };
            found.push(Origin { slot: followed.visits[caller].slot, what: What::Passed });
            at = caller;
            steps += 1;
            continue;
        };
        at = before;
        let visit = followed.visits[at];
        let Some(insn) = code.insn(visit.slot) else { continue };
        let mut note = |what| found.push(Origin { slot: visit.slot, what });
        match effect(&insn, visit.way, reg) {
            Effect::None => continue,
            Effect::Copied(from) => reg = from,
            Effect::Changed => note(What::Changed),
            Effect::Filled(off) => match spill(code, followed, at, off) {
                Some((stored, from)) => (at, reg) = (stored, from),
                None => {
                    note(What::Loaded);
                    break;
                }
            },
            Effect::Made(what) => {
                note(what);
                break;
            }
        }
        steps += 1;
    }
    found
}

/// What an instruction does to a register.
enum Effect {
    None,
    Copied(Reg),
    Changed,
    /// It is read from this place of the stack.
    Filled(i16),
    Made(What),
}

fn effect(insn: &Insn, way: Way, reg: Reg) -> Effect {
    let made = |dst: Reg, what| if dst == reg { Effect::Made(what) } else { Effect::None };
    let changed = |dst: Reg| if dst == reg { Effect::Changed } else { Effect::None };
    match *insn {
        Insn::Mov { dst, src: Operand::Reg(src), .. } if dst == reg => Effect::Copied(src),
        Insn::Mov { dst, .. } => made(dst, What::Constant),
        Insn::LoadWide { dst, .. } => made(dst, What::Constant),
        Insn::Alu { dst, .. } | Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => changed(dst),
        Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } if dst == reg => Effect::Copied(src),
        Insn::MovSx { .. } | Insn::AddrSpaceCast { .. } => Effect::None,
        Insn::Load { dst, base: Reg::R10, off, .. } if dst == reg => Effect::Filled(off),
        Insn::Load { dst, .. } | Insn::LoadAcquire { dst, .. } => made(dst, What::Loaded),
        Insn::LoadPacket { .. } => match reg.number() {
            0 => Effect::Made(What::Loaded),
            1..=5 => Effect::Made(What::Clobbered),
            _ => Effect::None, // kept by every call
        },
        Insn::Atomic { op, src, .. } => match op {
            AtomicOp::Cmpxchg => made(Reg::R0, What::Loaded),
            AtomicOp::Xchg
            | AtomicOp::Add { fetch: true }
            | AtomicOp::Or { fetch: true }
            | AtomicOp::And { fetch: true }
            | AtomicOp::Xor { fetch: true } => made(src, What::Loaded),
            AtomicOp::Add { .. } | AtomicOp::Or { .. } | AtomicOp::And { .. } | AtomicOp::Xor { .. } => Effect::None,
        },
        Insn::Call(_) => match (reg.number(), way) {
            (0, _) => Effect::Made(What::Result),
            (1..=5, _) => Effect::Made(What::Clobbered),
            (_, _) => Effect::None, // kept by every call
        },
        Insn::Store { .. }
        | Insn::StoreRelease { .. }
        | Insn::Jump { .. }
        | Insn::JumpIf { .. }
        | Insn::JumpReg { .. }
        | Insn::MayGoto { .. }
        | Insn::Exit => Effect::None,
    }
}

/// The visit that stored a register to a place of the stack of the same call, and the register.
fn spill(code: &Code, followed: &Followed, visit: usize, wanted: i16) -> Option<(usize, Reg)> {
    let mut at = visit;
    let call = followed.visits[visit].call;
    while let Some(before) = followed.before(at).filter(|before| followed.visits[*before].call == call) {
        at = before;
        if let Some(Insn::Store { base: Reg::R10, off, src, .. }) = code.insn(followed.visits[at].slot)
            && off == wanted
        {
            return match src {
                Operand::Reg(src) => Some((at, src)),
                Operand::Imm(_) => None,
            };
        }
    }
    None
}

/// The register through which an instruction reaches memory.
pub(super) fn base(insn: &Insn) -> Option<Reg> {
    match *insn {
        Insn::Load { base, .. }
        | Insn::Store { base, .. }
        | Insn::Atomic { base, .. }
        | Insn::LoadAcquire { base, .. }
        | Insn::StoreRelease { base, .. } => Some(base),
        Insn::LoadPacket { .. } => Some(Reg::R6),
        Insn::Alu { .. }
        | Insn::Mov { .. }
        | Insn::MovSx { .. }
        | Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::AddrSpaceCast { .. }
        | Insn::LoadWide { .. }
        | Insn::Jump { .. }
        | Insn::JumpIf { .. }
        | Insn::JumpReg { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, path: &[usize], reg: Reg) -> Vec<(usize, What)> {
        let code = Code::decode(&skep::asm::kernel::assemble(text).unwrap()).unwrap();
        let followed = Followed::new(&code, path);
        origin(&code, &followed, path.len() - 1, reg).iter().map(|origin| (origin.slot, origin.what)).collect()
    }

    #[test]
    fn through_copies_the_stack_and_arithmetic() {
        let text = "call 1\n*(u64 *)(r10 -8) = r0\nr7 = *(u64 *)(r10 -8)\nr7 += 4\nr2 = r7\nr0 = *(u8 *)(r2 +0)\nexit";
        assert_eq!(found(text, &[0, 1, 2, 3, 4, 5], Reg::R2), [(3, What::Changed), (0, What::Result)]);
        assert_eq!(found(text, &[0, 1, 2, 3, 4, 5], Reg::R1), [(0, What::Clobbered)]);
        assert_eq!(found(text, &[0, 1, 2, 3, 4, 5], Reg::R6), []);
    }

    #[test]
    fn through_calls() {
        let text = "r6 = 3\nr1 = r6\ncall pc+1\nexit\nr0 = r1\nexit";
        assert_eq!(found(text, &[0, 1, 2, 4], Reg::R1), [(2, What::Passed), (0, What::Constant)]);
        assert_eq!(found(text, &[0, 1, 2, 4, 5, 3], Reg::R0), [(2, What::Result)]);
        assert_eq!(found(text, &[0, 1, 2, 4, 5, 3], Reg::R6), [(0, What::Constant)]);
    }
}
