//! What both machines need to know of a program before they write it.

mod function;

use std::collections::BTreeSet;

use skep_isa::{Callee, Code, Insn, Slot, Wide};
use skep_program::{Fact, Facts, Program};

use crate::Error;
pub(crate) use function::Function;

/// A program, decoded and divided into functions.
pub(crate) struct Unit<'p> {
    pub(crate) code: Code,
    facts: &'p Facts,
    /// In the order of their slots, without gaps.
    pub(crate) functions: Vec<Function>,
    /// By slot, where the instruction jumps or calls to.
    targets: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl<'p> Unit<'p> {
    pub(crate) fn new(program: &Program, facts: &'p Facts) -> Result<Unit<'p>, Error> {
        let code = Code::decode_each(&program.insns);
        if facts.insns().len() != code.len() || code.is_empty() {
            return Err(Error::Facts { facts: facts.insns().len(), slots: code.len() });
        }
        let mut targets = vec![NOWHERE; code.len()];
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
                    }
                }
                Slot::Second => {}
                Slot::Refused(error) if facts[slot].reached => return Err((*error).into()),
                Slot::Refused(_) => {}
            }
        }
        let mut functions = Vec::with_capacity(starts.len());
        let mut starts = starts.into_iter().peekable();
        while let Some(start) = starts.next() {
            let end = starts.peek().copied().unwrap_or(code.len());
            functions.push(Function::new(&code, facts, start, end));
        }
        Ok(Unit { code, facts, functions, targets })
    }

    /// The instruction in a slot, if a path comes to it.
    pub(crate) fn reached(&self, slot: usize) -> Option<Insn> {
        self.code.insn(slot).filter(|_| self.facts[slot].reached)
    }

    pub(crate) fn fact(&self, slot: usize) -> &Fact {
        &self.facts[slot]
    }

    /// Where the instruction in a slot leads.
    pub(crate) fn target(&self, slot: usize) -> usize {
        self.targets[slot] as usize
    }

    /// The function that begins at a slot, by its index.
    pub(crate) fn function_at(&self, slot: usize) -> Option<usize> {
        self.functions.binary_search_by_key(&slot, |function| function.start).ok()
    }
}
