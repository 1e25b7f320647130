//! A program, decoded: immutable, and shared by everybody who runs it.

use std::sync::Arc;

use skep_helpers::Trap;
use skep_isa::{Callee, Code, Insn, Slot, TargetError, Wide};
use skep_linux::ProgType;
use skep_memory::{Block, Fault, Why};
use skep_program::{Program, Verified};

use crate::engine::{Op, Trusted, compile};
use crate::input;

/// Bytes between the addresses of two slots.
const SLOT_BYTES: u64 = 8;

/// A program in the form an engine runs.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) program: Arc<Program>,
    /// The same, if somebody vouches for it.
    pub(crate) verified: Option<Verified<Program>>,
    pub(crate) code: Code,
    /// One per slot, and one behind the last.
    pub(crate) ops: Vec<Op>,
    /// Wide loads that an instance fills in.
    pub(crate) links: Vec<(usize, Wide)>,
    /// Helpers and kernel functions that it calls.
    pub(crate) calls: Vec<Callee>,
    /// What accesses outside of all regions do.
    pub(crate) missing: Missing,
    /// Bytes of the context that the instructions reach.
    pub(crate) context_reach: usize,
    /// Slot of the function that `bpf_throw` ends in.
    pub(crate) exception_callback: Option<usize>,
    /// Gives functions their addresses. No region covers it: what lies here can be called, not read.
    addresses: Arc<Block>,
}

/// What an access that falls into no region does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Loads give 0: the program type can hold kernel pointers, whose loads the kernel lets fail so.
    pub(crate) reads_zero: bool,
}

impl Missing {
    fn of(program: &Program) -> Missing {
        let casts = |kfunc: &skep_program::Kfunc| {
            let row = skep_linux::kfuncs::kfunc(&kfunc.name);
            row.is_some_and(|row| row.role == skep_linux::kfuncs::Role::RdonlyCast)
        };
        Missing { reads_zero: holds_kernel_pointers(program.prog_type) || program.kfuncs.iter().any(casts) }
    }

    /// The value of a load that `fault` refused.
    pub(crate) fn load(self, fault: Fault) -> Result<u64, Trap> {
        if self.reads_zero && nowhere(&fault) { Ok(0) } else { Err(Trap::Fault(fault)) }
    }
}

/// Whether the address belongs to nothing the program has: near none of its own regions.
fn nowhere(fault: &Fault) -> bool {
    match &fault.why {
        Why::Null | Why::Unmapped => true,
        Why::Outside { kind, .. } => matches!(kind, skep_memory::RegionKind::Kernel(_)),
        Why::ReadOnly { .. } | Why::NotPlain(_) | Why::Misaligned => false,
    }
}

/// Program types whose programs may load through kernel pointers that BTF describes. The verifier knows which loads are such; without
/// it, every load of such a program that falls into no region is taken for one.
fn holds_kernel_pointers(prog_type: ProgType) -> bool {
    match prog_type {
        ProgType::Tracing
        | ProgType::Lsm
        | ProgType::StructOps
        | ProgType::Ext
        | ProgType::RawTracepoint
        | ProgType::RawTracepointWritable
        | ProgType::Kprobe
        | ProgType::Tracepoint
        | ProgType::PerfEvent
        | ProgType::Syscall
        | ProgType::Netfilter => true,
        ProgType::Unspec
        | ProgType::SocketFilter
        | ProgType::SchedCls
        | ProgType::SchedAct
        | ProgType::Xdp
        | ProgType::CgroupSkb
        | ProgType::CgroupSock
        | ProgType::LwtIn
        | ProgType::LwtOut
        | ProgType::LwtXmit
        | ProgType::SockOps
        | ProgType::SkSkb
        | ProgType::CgroupDevice
        | ProgType::SkMsg
        | ProgType::CgroupSockAddr
        | ProgType::LwtSeg6local
        | ProgType::LircMode2
        | ProgType::SkReuseport
        | ProgType::FlowDissector
        | ProgType::CgroupSysctl
        | ProgType::CgroupSockopt
        | ProgType::SkLookup => false,
    }
}

impl Image {
    /// A program that nobody vouches for: every access is tested.
    pub(crate) fn new(program: Arc<Program>) -> Result<Image, TargetError> {
        Image::with(program, None)
    }

    /// A program that the verifier accepted. Who links it keeps the invariant of [`Trusted`].
    pub(crate) fn trusted(verified: &Verified<Program>) -> Result<Image, TargetError> {
        Image::with(verified.program().clone(), Some(verified))
    }

    fn with(program: Arc<Program>, verified: Option<&Verified<Program>>) -> Result<Image, TargetError> {
        let code = Code::decode_each(&program.insns);
        let (ops, needs) = compile(&code, verified.map(Trusted::new))?;
        Ok(Image {
            addresses: Block::zeroed(code.len().max(1) * SLOT_BYTES as usize),
            missing: Missing::of(&program),
            context_reach: if input::takes_sizes(program.prog_type) { program.context_reach() } else { 0 },
            exception_callback: exception_callback(&program),
            links: needs.links,
            calls: needs.calls,
            program,
            verified: verified.cloned(),
            code,
            ops,
        })
    }

    /// The address that names the function at a slot.
    pub(crate) fn address_of(&self, slot: usize) -> u64 {
        self.addresses.addr() + slot as u64 * SLOT_BYTES
    }

    /// The slot of the function that an address names.
    pub(crate) fn slot_of(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.addresses.addr())?;
        let slot = usize::try_from(offset / SLOT_BYTES).ok()?;
        (offset % SLOT_BYTES == 0 && self.code.insn(slot).is_some()).then_some(slot)
    }

    /// The first slot that calls `callee`.
    pub(crate) fn call_site(&self, callee: Callee) -> usize {
        self.code.iter().find(|(_, insn)| *insn == Insn::Call(callee)).map_or(0, |(slot, _)| slot)
    }

    /// Why the slot cannot be run.
    pub(crate) fn refusal(&self, slot: usize) -> String {
        match self.code.get(slot) {
            None => "the program has no exit here".into(),
            Some(Slot::Second) => "the second half of a wide instruction".into(),
            Some(Slot::Refused(error)) => error.to_string(),
            Some(Slot::Insn(Insn::JumpReg { .. })) => "gotox: the target has no jump tables".into(),
            Some(Slot::Insn(_)) => "an instruction that this engine does not run".into(),
        }
    }
}

/// The function that the main function names in a declaration tag.
fn exception_callback(program: &Program) -> Option<usize> {
    let btf = program.btf.as_ref()?;
    let main = program.funcs.first()?;
    let name = btf.decl_tags(skep_btf::TypeId(main.type_id)).find_map(|tag| tag.value.strip_prefix("exception_callback:"))?;
    program.funcs.iter().find(|func| func.name == name).map(|func| func.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use skep_memory::Access;

    #[test]
    fn only_loads_of_kernel_pointers_read_zero() {
        let missing = Missing { reads_zero: true };
        let fault = |why| Fault { addr: 8, size: 8, access: Access::Read, why };
        assert_eq!(missing.load(fault(Why::Unmapped)), Ok(0));
        assert!(missing.load(fault(Why::Misaligned)).is_err());
        assert!(Missing { reads_zero: false }.load(fault(Why::Unmapped)).is_err());
    }
}
