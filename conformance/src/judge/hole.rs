//! What Linux's verifier is wrong about, and skep's with it, since its verdict is Linux's: the judge finds these again and again.

use std::fmt;

use skep::Program;
use skep_isa::{Callee, Code, Insn};
use skep_linux::helpers::{self, ArgKind, helper};
use skep_linux::kfuncs::{Role, kfunc};

use super::follow::Follow;
use super::program::Ending;

/// A claim of Linux 6.18 that does not hold, or an access that it lets pass. `conformance/verdicts/bugs/holes.bpf.c` shows each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hole {
    /// The error of a resilient lock counts as a negative number of 64 bits. It is an `int`, whose high half is 0.
    HighHalf,
    /// An object of eight bytes on the stack is found in the slot below the frame pointer, when its address is the frame pointer.
    AtFramePointer,
    /// A slice of a record that was reserved as a dynptr is used after the record was submitted.
    RecordSlice,
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hole::HighHalf => "the high half of a lock's error",
            Hole::AtFramePointer => "an object at the frame pointer",
            Hole::RecordSlice => "a slice of a record that is gone",
        })
    }
}

impl Hole {
    /// The one that a run may have come to its end by.
    pub(super) fn of(program: &Program, follow: &Follow<'_>, ending: &Ending) -> Option<Hole> {
        let role = |insn: Insn| match insn {
            Insn::Call(Callee::Kfunc { id, .. }) => {
                let name = program.kfuncs.iter().find(|kfunc| kfunc.id == id)?.name.as_str();
                kfunc(name).map(|row| row.role)
            }
            _other => None,
        };
        if let Some((insn, registers)) = follow.last_insn()
            && matches!(role(insn), Some(Role::IterNext | Role::IterDestroy | Role::IrqRestore))
            && registers[1] == registers[10]
        {
            return Some(Hole::AtFramePointer);
        }
        let code = Code::decode_each(&program.insns);
        let calls = |wanted: &dyn Fn(Role) -> bool| code.iter().any(|(_, insn)| role(insn).is_some_and(wanted));
        let reserves = code.iter().any(|(_, insn)| matches!(insn, Insn::Call(Callee::Helper(id)) if makes_record(id)));
        if reserves && calls(&|role| matches!(role, Role::DynptrSlice | Role::DynptrSliceWritable)) {
            return Some(Hole::RecordSlice);
        }
        let locks = calls(&|role| matches!(role, Role::Lock | Role::LockIrqSave));
        (locks && matches!(ending, Ending::Lost(_))).then_some(Hole::HighHalf)
    }
}

/// Whether the helper reserves a record as a dynptr.
fn makes_record(id: i32) -> bool {
    let row = u32::try_from(id).ok().and_then(helper);
    let makes = |kind: ArgKind| matches!(kind, ArgKind::Dynptr(helpers::Role::MakeRingbuf));
    row.is_some_and(|row| row.protos.iter().any(|proto| proto.args.iter().any(|arg| makes(arg.kind))))
}
