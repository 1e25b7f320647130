//! The path to a refusal, with its calls: who was called by whom, and which way jumps went.

use skep_isa::{Callee, Code, Insn};

/// One instruction of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    /// Its slot.
    pub(super) slot: usize,
    /// The call of a function that it is in: 0 for the first, each call has its own.
    pub(super) call: usize,
    /// How the path went on.
    pub(super) way: Way,
}

/// How the path went on after an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the next instruction.
    Next,
    /// Past a jump that was not taken.
    Past,
    /// Along a jump that was.
    Jumped,
    /// Into a function, or a callback.
    Called,
    /// Back to where the function was called.
    Returned,
    /// Not at all.
    End,
}

/// A path with its calls.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) visits: Vec<Visit>,
    /// For each call, the visit that made it; none for the first.
    pub(super) callers: Vec<Option<usize>>,
}

impl Followed {
    /// Follows the slots of a path.
    pub(super) fn new(code: &Code, path: &[usize]) -> Followed {
        let mut followed = Followed { visits: Vec::with_capacity(path.len()), callers: vec![None] };
        let mut open = vec![0];
        for (at, slot) in path.iter().copied().enumerate() {
            let call = open.last().copied().unwrap_or_default();
            let caller = followed.callers[call].map(|visit| followed.visits[visit].slot);
            let way = path.get(at + 1).map_or(Way::End, |next| way(code, slot, *next, caller));
            followed.visits.push(Visit { slot, call, way });
            match way {
                Way::Called => {
                    open.push(followed.callers.len());
                    followed.callers.push(Some(at));
                }
                // The end of a long path may begin within a call.
                Way::Returned => {
                    open.pop();
                }
                Way::Next | Way::Past | Way::Jumped | Way::End => {}
            }
        }
        followed
    }

    /// The visit before another of the same call of a function; where there is none, the one that made the call.
    pub(super) fn before(&self, at: usize) -> Option<usize> {
        let call = self.visits.get(at)?.call;
        self.visits[..at].iter().rposition(|visit| visit.call == call)
    }
}

/// How the path goes on from a slot to the next, in a function that was called at `caller`.
fn way(code: &Code, slot: usize, next: usize, caller: Option<usize>) -> Way {
    let Some(insn) = code.insn(slot) else { return Way::Next };
    let straight = next == slot + insn.slots();
    match insn {
        Insn::Exit => Way::Returned,
        // Bytes of a packet that are not there end the function.
        Insn::LoadPacket { .. } => {
            if straight {
                Way::Next
            } else {
                Way::Returned
            }
        }
        Insn::Call(Callee::Local(_) | Callee::Helper(_) | Callee::Kfunc { .. } | Callee::Reg(_)) => {
            // An iterator's step is followed twice, from the same place. Tail calls may leave the function.
            let back = caller.is_some_and(|caller| next == caller + 1);
            if straight || next == slot {
                Way::Next
            } else if back {
                Way::Returned
            } else {
                Way::Called
            }
        }
        Insn::JumpIf { .. } | Insn::MayGoto { .. } => {
            if straight {
                Way::Past
            } else {
                Way::Jumped
            }
        }
        Insn::Jump { .. } | Insn::JumpReg { .. } => Way::Jumped,
        Insn::Alu { .. }
        | Insn::Mov { .. }
        | Insn::MovSx { .. }
        | Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::AddrSpaceCast { .. }
        | Insn::LoadWide { .. }
        | Insn::Load { .. }
        | Insn::Store { .. }
        | Insn::Atomic { .. }
        | Insn::LoadAcquire { .. }
        | Insn::StoreRelease { .. } => Way::Next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_jumps() {
        let text = "r1 = 1\ncall pc+3\nif r0 == 0x0 goto pc+1\nr0 = 1\nexit\nr0 = 0\nexit";
        let code = Code::decode(&skep::asm::kernel::assemble(text).unwrap()).unwrap();
        let path = [0, 1, 5, 6, 2, 4];
        let followed = Followed::new(&code, &path);
        let ways: Vec<Way> = followed.visits.iter().map(|visit| visit.way).collect();
        assert_eq!(ways, [Way::Next, Way::Called, Way::Next, Way::Returned, Way::Jumped, Way::End]);
        assert_eq!(followed.callers, [None, Some(1)]);
        assert_eq!((followed.before(4), followed.before(3), followed.before(2)), (Some(1), Some(2), None));
    }
}
