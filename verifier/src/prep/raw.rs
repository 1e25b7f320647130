//! What a slot does to the flow, by its opcode alone: long before it asks whether the other fields make sense, the kernel follows jumps
//! and calls.

use skep_isa::RawInsn;

/// `src` of calls and of wide loads.
pub(super) mod pseudo {
    pub(in crate::prep) const CALL_HELPER: u8 = 0;
    pub(in crate::prep) const CALL_LOCAL: u8 = 1;
    pub(in crate::prep) const CALL_KFUNC: u8 = 2;
    pub(in crate::prep) const CONST: u8 = 0;
    pub(in crate::prep) const MAP_FD: u8 = 1;
    pub(in crate::prep) const MAP_FD_VALUE: u8 = 2;
    pub(in crate::prep) const BTF_ID: u8 = 3;
    pub(in crate::prep) const FUNC: u8 = 4;
    pub(in crate::prep) const MAP_INDEX: u8 = 5;
    pub(in crate::prep) const MAP_INDEX_VALUE: u8 = 6;
}

/// The low three bits of an opcode; what is none of these jumps.
pub(super) mod class {
    pub(in crate::prep) const LD: u8 = 0;
    pub(in crate::prep) const LDX: u8 = 1;
    pub(in crate::prep) const ST: u8 = 2;
    pub(in crate::prep) const STX: u8 = 3;
    pub(in crate::prep) const ALU: u8 = 4;
    pub(in crate::prep) const JMP: u8 = 5;
    pub(in crate::prep) const JMP32: u8 = 6;
    pub(in crate::prep) const ALU64: u8 = 7;
}

/// The high four bits of opcodes that calculate or jump.
pub(super) mod op {
    pub(in crate::prep) const NEG: u8 = 0x80;
    pub(in crate::prep) const MOV: u8 = 0xb0;
    pub(in crate::prep) const END: u8 = 0xd0;
    pub(in crate::prep) const JA: u8 = 0x00;
    pub(in crate::prep) const CALL: u8 = 0x80;
    pub(in crate::prep) const EXIT: u8 = 0x90;
    pub(in crate::prep) const JCOND: u8 = 0xe0;
    pub(in crate::prep) const LAST_CONDITION: u8 = 0xd0;
}

/// The high three bits of atomic stores.
pub(super) const ATOMIC: u8 = 0xc0;
/// `imm` of atomic stores that touch other registers than the rest.
pub(super) const CMPXCHG: i32 = 0xf1;
pub(super) const LOAD_ACQUIRE: i32 = 0x100;
pub(super) const STORE_RELEASE: i32 = 0x110;

/// Opcodes that the flow needs to know whole.
pub(super) mod code {
    pub(in crate::prep) const WIDE: u8 = 0x18;
    pub(in crate::prep) const CALL: u8 = 0x85;
    pub(in crate::prep) const EXIT: u8 = 0x95;
    pub(in crate::prep) const JA: u8 = 0x05;
    pub(in crate::prep) const JA_LONG: u8 = 0x06;
    pub(in crate::prep) const JCOND: u8 = 0xe5;
    pub(in crate::prep) const STORE_DW: u8 = 0x7b;
    pub(in crate::prep) const LOAD_DW: u8 = 0x79;
}

/// How the kernel calls the instructions of this opcode where it refuses their fields; atomic ones and `may_goto` it refuses in other words.
pub(crate) fn family(code: u8) -> Option<&'static str> {
    let name = match (code & 7, code & 0xf0) {
        (class::LD, _) if code == code::WIDE => "BPF_LD_IMM64",
        (class::LD, _) => "BPF_LD_[ABS|IND]",
        (class::LDX, _) => "BPF_LDX",
        (class::ST, _) => "BPF_ST",
        (class::STX, _) if code & 0xe0 == ATOMIC => return None,
        (class::STX, _) => "BPF_STX",
        (class::ALU | class::ALU64, op::NEG) => "BPF_NEG",
        (class::ALU | class::ALU64, op::END) => "BPF_END",
        (class::ALU | class::ALU64, op::MOV) => "BPF_MOV",
        (class::ALU | class::ALU64, _) => "BPF_ALU",
        (_, op::JA) => "BPF_JA",
        (_, op::CALL) => "BPF_CALL",
        (_, op::EXIT) => "BPF_EXIT",
        (_, op::JCOND) => return None,
        _ => "BPF_JMP/JMP32",
    };
    Some(name)
}

/// Where execution goes from a slot. Places are those that the fields name, in range or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To the next slot.
    Next,
    /// Beyond the second half of a wide load.
    Wide,
    /// A wide load of the address of a function of the program.
    Func(i64),
    /// `goto`.
    Goto(i64),
    /// To the next slot or to this one.
    Branch(i64),
    /// `may_goto`: as a branch.
    MayGoto(i64),
    /// A call of a helper.
    Helper(i32),
    /// A call of a function of the program.
    Local(i64),
    /// A call of a function of the kernel, or of the module whose types have this index.
    Kfunc(i32, i16),
    /// A call of something else; refused when a path comes there.
    OtherCall,
    /// `exit`.
    Exit,
}

impl Step {
    /// What the instruction in this slot does.
    pub(super) fn of(insn: RawInsn, slot: usize) -> Step {
        let by = |distance: i32| slot as i64 + 1 + i64::from(distance);
        match insn.code & 7 {
            class::JMP | class::JMP32 => match insn.code & 0xf0 {
                op::JA => Step::Goto(by(jump_distance(insn))),
                op::CALL if insn.code == code::CALL => match insn.src() {
                    pseudo::CALL_HELPER => Step::Helper(insn.imm),
                    pseudo::CALL_LOCAL => Step::Local(by(insn.imm)),
                    pseudo::CALL_KFUNC => Step::Kfunc(insn.imm, insn.off),
                    _ => Step::OtherCall,
                },
                op::CALL => Step::OtherCall,
                op::EXIT => Step::Exit,
                _ if insn.code == code::JCOND && insn.src() == 0 => Step::MayGoto(by(insn.off.into())),
                _ => Step::Branch(by(jump_distance(insn))),
            },
            _ if insn.code != code::WIDE => Step::Next,
            _ if insn.src() == pseudo::FUNC => Step::Func(by(insn.imm)),
            _ => Step::Wide,
        }
    }

    /// The slot that is next if nothing jumps; `None` where nothing falls through.
    pub(super) fn next(self, slot: usize) -> Option<usize> {
        match self {
            Step::Next
            | Step::Branch(_)
            | Step::MayGoto(_)
            | Step::Helper(_)
            | Step::Local(_)
            | Step::Kfunc(..)
            | Step::OtherCall => Some(slot + 1),
            Step::Wide | Step::Func(_) => Some(slot + 2),
            Step::Goto(_) | Step::Exit => None,
        }
    }

    /// Where it may jump within its function.
    pub(super) fn jump(self) -> Option<i64> {
        match self {
            Step::Goto(to) | Step::Branch(to) | Step::MayGoto(to) => Some(to),
            Step::Next
            | Step::Wide
            | Step::Func(_)
            | Step::Helper(_)
            | Step::Local(_)
            | Step::Kfunc(..)
            | Step::OtherCall
            | Step::Exit => None,
        }
    }

    /// The slot of the function of the program that it calls, or whose address it takes.
    pub(super) fn function(self) -> Option<i64> {
        match self {
            Step::Func(to) | Step::Local(to) => Some(to),
            Step::Next
            | Step::Wide
            | Step::Goto(_)
            | Step::Branch(_)
            | Step::MayGoto(_)
            | Step::Helper(_)
            | Step::Kfunc(..)
            | Step::OtherCall
            | Step::Exit => None,
        }
    }
}

/// How far a jump leads, counted from the next slot.
fn jump_distance(insn: RawInsn) -> i32 {
    if insn.code == code::JA_LONG { insn.imm } else { insn.off.into() }
}

/// At most two slots that may follow one within its function, the next one first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Successors {
    slots: [u32; 2],
    count: u8,
}

impl Successors {
    /// Of every slot, once jumps are known to stay in their functions. Of second halves they mean nothing.
    pub(super) fn of_all(raw: &[RawInsn]) -> Vec<Successors> {
        raw.iter().enumerate().map(|(slot, insn)| Successors::of(*insn, slot)).collect()
    }

    fn of(insn: RawInsn, slot: usize) -> Successors {
        let step = Step::of(insn, slot);
        let mut all = Successors::default();
        let mut add = |to: usize| {
            all.slots[usize::from(all.count)] = to as u32;
            all.count += 1;
        };
        step.next(slot).into_iter().for_each(&mut add);
        step.jump().and_then(|to| usize::try_from(to).ok()).into_iter().for_each(&mut add);
        all
    }

    /// The slots.
    pub(super) fn as_slice(&self) -> &[u32] {
        &self.slots[..usize::from(self.count)]
    }
}
