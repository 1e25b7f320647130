//! Watching a run, instruction by instruction.

use skep_helpers::{Held, Trap};
use skep_isa::{Callee, Insn, Operand, Reg};
use skep_maps::Map;
use skep_memory::Memory;
use skep_world::Context;

use super::Core;
use super::run::Environment;

/// Something that sees each instruction before it runs. With [`Hook::ACTIVE`] false the loop is compiled without it.
pub trait Hook {
    /// Whether [`Hook::before`] is called at all.
    const ACTIVE: bool = true;

    /// Sees the instruction about to run; an error ends the run.
    ///
    /// # Errors
    /// What the hook refuses.
    fn before(&mut self, at: &At<'_>) -> Result<(), Trap>;
}

/// Where a run stands.
#[derive(Debug)]
pub struct At<'a> {
    core: &'a Core,
    env: &'a Environment,
    slot: usize,
}

impl<'a> At<'a> {
    pub(super) fn new(core: &'a Core, env: &'a Environment, slot: usize) -> At<'a> {
        At { core, env, slot }
    }

    /// Slot of the instruction about to run.
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// The instruction; `None` if the slot holds none.
    pub fn insn(&self) -> Option<Insn> {
        self.core.linked.image.code.insn(self.slot)
    }

    /// `r0` to `r10`.
    pub fn registers(&self) -> [u64; 11] {
        self.core.registers()
    }

    /// Number of frames below this one.
    pub fn height(&self) -> usize {
        self.core.height()
    }

    /// Name of the running program.
    pub fn program(&self) -> &str {
        &self.core.linked.image.program.name
    }

    /// The frame pointer of a frame: those below this one count from 0, this one is [`At::height`].
    pub fn frame_pointer(&self, frame: usize) -> u64 {
        self.core.frame_pointer(frame)
    }

    /// The stack of a frame, lowest byte first: the last byte is right below the frame pointer.
    pub fn stack(&self, frame: usize) -> [u8; 512] {
        self.core.stack(frame)
    }

    /// All that the run can reach.
    pub fn memory(&self) -> &'a Memory {
        &self.core.memory
    }

    /// The context of the run, and its packet.
    pub fn context(&self) -> &'a Context {
        &self.core.context
    }

    /// What the run has taken and not given back.
    pub fn held(&self) -> &'a Held {
        &self.core.held
    }

    /// The address that names the function at a slot of the running program.
    pub fn function(&self, slot: usize) -> u64 {
        self.core.linked.image.address_of(slot)
    }

    /// The map whose handle is at an address.
    pub fn map(&self, handle: u64) -> Option<&'a dyn Map> {
        self.env.maps.get(handle).map(|map| &**map)
    }
}

/// Sees nothing.
#[derive(Debug, Default)]
pub(crate) struct Silent;

impl Hook for Silent {
    const ACTIVE: bool = false;

    fn before(&mut self, _: &At<'_>) -> Result<(), Trap> {
        Ok(())
    }
}

/// One line of a [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name of the program (it changes with tail calls).
    pub program: std::sync::Arc<str>,
    /// Slot of the instruction.
    pub slot: usize,
    /// The instruction; `None` where the slot holds none, which ends the run.
    pub insn: Option<Insn>,
    /// `r0` to `r10` before it ran.
    pub registers: [u64; 11],
    /// Number of calls it is nested in.
    pub depth: usize,
}

/// Keeps the instructions of a run with the registers before each, up to a limit.
#[derive(Debug)]
pub struct Trace {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Steps beyond the limit, which were not kept.
    pub dropped: u64,
    limit: usize,
    program: std::sync::Arc<str>,
}

impl Trace {
    /// Keeps at most `limit` steps.
    pub fn new(limit: usize) -> Trace {
        Trace { steps: Vec::new(), dropped: 0, limit, program: "".into() }
    }
}

impl Hook for Trace {
    fn before(&mut self, at: &At<'_>) -> Result<(), Trap> {
        if self.steps.len() >= self.limit {
            self.dropped += 1;
            return Ok(());
        }
        if *self.program != *at.program() {
            self.program = at.program().into();
        }
        let (slot, insn, registers, depth) = (at.slot(), at.insn(), at.registers(), at.height());
        self.steps.push(Step { program: self.program.clone(), slot, insn, registers, depth });
        Ok(())
    }
}

/// Refuses reads of registers that nothing has set, as the verifier does on every path; then asks the hook inside.
#[derive(Debug)]
pub struct Strict<H> {
    /// Bit n: register n is set. One word per frame.
    set: Vec<u16>,
    /// A call that returned has set r0 and spoilt r1 to r5.
    after_call: bool,
    inside: H,
}

/// r1 and r10: what a program starts with.
const ENTRY: u16 = 1 << 1 | 1 << 10;
/// What a called function starts with: its arguments may be fewer, which its caller answers for.
const CALLED: u16 = 0b11_1110 | 1 << 10;

impl<H: Hook> Strict<H> {
    /// Nothing set but `r1` and `r10`.
    pub fn new(inside: H) -> Strict<H> {
        Strict { set: vec![ENTRY], after_call: false, inside }
    }

    /// The same for runs that begin with this register set too.
    pub fn with_set(mut self, register: Reg) -> Strict<H> {
        if let Some(entry) = self.set.first_mut() {
            *entry |= 1 << register.number();
        }
        self
    }

    /// The hook inside.
    pub fn into_inside(self) -> H {
        self.inside
    }
}

impl<H: Hook> Hook for Strict<H> {
    fn before(&mut self, at: &At<'_>) -> Result<(), Trap> {
        let height = at.height();
        while self.set.len() > height + 1 {
            self.set.pop();
            self.after_call = true;
        }
        if std::mem::take(&mut self.after_call)
            && let Some(set) = self.set.last_mut()
        {
            *set = (*set & !0b11_1110) | 1;
        }
        while self.set.len() <= height {
            self.set.push(CALLED);
        }
        if let (Some(insn), Some(set)) = (at.insn(), self.set.last_mut()) {
            let (reads, writes) = uses(&insn);
            let unset = reads & !*set;
            if unset != 0 {
                return Err(Trap::Illegal(format!("r{} is read and was never set", unset.trailing_zeros())));
            }
            *set |= writes;
            self.after_call = matches!(insn, Insn::Call(Callee::Helper(_) | Callee::Kfunc { .. }));
        }
        if H::ACTIVE { self.inside.before(at) } else { Ok(()) }
    }
}

/// Registers that an instruction reads and those it writes, as bits. Arguments of calls are not counted: how many there are is not in
/// the instruction.
fn uses(insn: &Insn) -> (u16, u16) {
    let bit = |reg: Reg| 1u16 << reg.number();
    let operand = |src: Operand| match src {
        Operand::Reg(reg) => bit(reg),
        Operand::Imm(_) => 0,
    };
    match *insn {
        Insn::Alu { dst, src, .. } => (bit(dst) | operand(src), bit(dst)),
        Insn::Mov { dst, src, .. } => (operand(src), bit(dst)),
        Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } => (bit(src), bit(dst)),
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => (bit(dst), bit(dst)),
        Insn::LoadWide { dst, .. } => (0, bit(dst)),
        Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => (bit(base), bit(dst)),
        Insn::LoadPacket { index, .. } => (bit(Reg::R6) | index.map_or(0, bit), 1),
        Insn::Store { base, src, .. } => (bit(base) | operand(src), 0),
        Insn::StoreRelease { base, src, .. } => (bit(base) | bit(src), 0),
        Insn::Atomic { op, base, src, .. } => match op {
            skep_isa::AtomicOp::Cmpxchg => (bit(base) | bit(src) | 1, 1),
            skep_isa::AtomicOp::Xchg
            | skep_isa::AtomicOp::Add { .. }
            | skep_isa::AtomicOp::Or { .. }
            | skep_isa::AtomicOp::And { .. }
            | skep_isa::AtomicOp::Xor { .. } => (bit(base) | bit(src), 0),
        },
        Insn::JumpIf { dst, src, .. } => (bit(dst) | operand(src), 0),
        Insn::JumpReg { dst } => (bit(dst), 0),
        Insn::Call(Callee::Reg(reg)) => (bit(reg), 1),
        Insn::Call(Callee::Helper(_) | Callee::Local(_) | Callee::Kfunc { .. }) => (0, 0),
        Insn::Jump { .. } | Insn::MayGoto { .. } => (0, 0),
        Insn::Exit => (1, 0),
    }
}
