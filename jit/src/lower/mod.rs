//! What both machines need to know of a program before they write it.

mod function;
mod fuse;

use std::collections::BTreeSet;

use skep_isa::{Callee, Code, Insn, Size, Slot, Wide};
use skep_linux::contexts::{Access, ContextRow, Shape, Yields, context};
use skep_linux::{Arch, AttachType, ProgType};
use skep_program::{Fact, Facts, Program, Through};

use crate::Error;
use crate::env::at;
pub(crate) use function::Function;
pub(crate) use fuse::Fused;

/// A program, decoded and divided into functions.
pub(crate) struct Unit<'p> {
    pub(crate) code: Code,
    facts: &'p Facts,
    /// In the order of their slots, without gaps.
    pub(crate) functions: Vec<Function>,
    /// By slot, where the instruction jumps or calls to.
    targets: Vec<u32>,
    /// By slot, whether a jump leads there, and whether one from behind does.
    heads: Vec<Head>,
    context: Option<Context>,
}

/// What comes to an instruction besides the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Head {
    #[default]
    Nothing,
    Jump,
    /// The next round of a loop.
    Loop,
}

/// What the fields of the context are.
struct Context {
    row: &'static ContextRow,
    prog_type: ProgType,
    attach_type: AttachType,
}

/// Where a load finds what it yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// In memory, where it says.
    Memory,
    /// In this field of the [`Env`](crate::Env).
    Env(i32),
    /// Only the runtime knows.
    Runtime,
}

const NOWHERE: u32 = u32::MAX;

impl<'p> Unit<'p> {
    pub(crate) fn new(program: &Program, facts: &'p Facts) -> Result<Unit<'p>, Error> {
        let code = Code::decode_each(&program.insns);
        if facts.insns().len() != code.len() || code.is_empty() {
            return Err(Error::Facts { facts: facts.insns().len(), slots: code.len() });
        }
        let mut targets = vec![NOWHERE; code.len()];
        let mut heads = vec![Head::Nothing; code.len()];
        let mut starts = BTreeSet::from([0]);
        starts.extend(program.funcs.iter().map(|func| func.start).filter(|&start| start < code.len()));
        for (slot, content) in code.slots().iter().enumerate() {
            match content {
                Slot::Insn(insn) => {
                    // Instructions that no path comes to may lead anywhere.
                    let target = if facts[slot].reached { code.target(slot)? } else { None };
                    let Some(target) = target else { continue };
                    targets[slot] = target as u32;
                    if matches!(insn, Insn::Call(Callee::Local(_)) | Insn::LoadWide { value: Wide::Func(_), .. }) {
                        starts.insert(target);
                    } else if target <= slot {
                        heads[target] = Head::Loop;
                    } else if heads[target] == Head::Nothing {
                        heads[target] = Head::Jump;
                    }
                }
                Slot::Second => {}
                Slot::Refused(error) if facts[slot].reached => return Err((*error).into()),
                Slot::Refused(_) => {}
            }
        }
        // Structs do not differ between machines; programs without an attach type have number 0, as in the kernel.
        let context = context(program.prog_type, Arch::X86_64).filter(|row| row.shape == Shape::Struct).map(|row| Context {
            row,
            prog_type: program.prog_type,
            attach_type: program.attach_type.unwrap_or(AttachType::CgroupInetIngress),
        });
        let mut unit = Unit { code, facts, functions: Vec::with_capacity(starts.len()), targets, heads, context };
        let mut starts = starts.into_iter().peekable();
        while let Some(start) = starts.next() {
            let end = starts.peek().copied().unwrap_or(unit.code.len());
            let function = Function::new(&unit.code, facts, start..end, |slot, insn| unit.is_direct(slot, insn));
            unit.functions.push(function);
        }
        Ok(unit)
    }

    /// Whether the access of an instruction needs no call.
    fn is_direct(&self, slot: usize, insn: Insn) -> bool {
        match insn {
            Insn::Load { size, off, .. } => self.source(slot, off, size) != From::Runtime,
            _other => self.facts[slot].through.is_proven(),
        }
    }

    /// The instruction in a slot, if a path comes to it.
    pub(crate) fn reached(&self, slot: usize) -> Option<Insn> {
        self.code.insn(slot).filter(|_| self.facts[slot].reached)
    }

    pub(crate) fn fact(&self, slot: usize) -> &Fact {
        &self.facts[slot]
    }

    /// Where the load in a slot finds what it yields. Loads from the context are by the pointer that the program was given, unchanged.
    pub(crate) fn source(&self, slot: usize, off: i16, size: Size) -> From {
        match self.facts[slot].through {
            Through::Stack | Through::Plain => From::Memory,
            Through::Context => self.context.as_ref().map_or(From::Runtime, |context| context.source(off, size)),
            Through::Nothing | Through::Arena | Through::Kernel | Through::Other => From::Runtime,
        }
    }

    /// Where the instruction in a slot leads.
    pub(crate) fn target(&self, slot: usize) -> usize {
        self.targets[slot] as usize
    }

    /// Whether a jump leads to a slot.
    fn is_target(&self, slot: usize) -> bool {
        self.heads[slot] != Head::Nothing
    }

    /// Whether rounds of a loop begin at a slot.
    pub(crate) fn is_loop(&self, slot: usize) -> bool {
        self.heads[slot] == Head::Loop
    }

    /// The function that begins at a slot, by its index.
    pub(crate) fn function_at(&self, slot: usize) -> Option<usize> {
        self.functions.binary_search_by_key(&slot, |function| function.start).ok()
    }
}

impl Context {
    fn source(&self, off: i16, size: Size) -> From {
        let field = self.row.access(self.prog_type, self.attach_type, off.into(), size.bytes(), Access::Read);
        match field.map(|field| field.yields) {
            Ok(Yields::Number) => From::Memory,
            Ok(Yields::PacketStart) => From::Env(at::PACKET_START),
            Ok(Yields::PacketEnd) => From::Env(at::PACKET_END),
            Ok(Yields::PacketMeta) => From::Env(at::PACKET_META),
            Ok(
                Yields::SockCommonOrNull
                | Yields::Sock
                | Yields::SockOrNull
                | Yields::FlowKeys
                | Yields::TracepointBuffer
                | Yields::Btf(_),
            )
            | Err(_) => From::Runtime,
        }
    }
}
