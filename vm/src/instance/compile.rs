//! From verified programs to machine code.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use skep_isa::{Callee, Wide};
use skep_jit::{Inline, Links};
use skep_linux::helper;
use skep_maps::Map;
use skep_program::Facts;

use super::Instance;
use crate::engine::MapTable;
use crate::link::{Linked, Outside};
use crate::native::Native;

/// Why programs are not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A program that was not verified.
    #[error("program `{program}` was not verified")]
    NotVerified {
        /// The program.
        program: String,
    },
    /// No machine code is made for this machine.
    #[error("no machine code is made for this machine")]
    Machine,
    /// What the compiler does not take.
    #[error("program `{program}`: {error}")]
    Program {
        /// The program.
        program: String,
        /// Why.
        error: Box<skep_jit::Error>,
    },
    /// The host gives no executable memory.
    #[error("program `{program}`: no executable memory: {error}")]
    Memory {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
}

impl Instance {
    /// Whether machine code is made for this machine.
    pub fn can_compile() -> bool {
        skep_jit::Arch::host().is_some()
    }

    /// Compiles all programs. Runs are then runs of machine code, but for those that somebody watches, and count no instructions: the budget
    /// does not end them, and need not, since verified programs end. A helper that panics ends the process: there is no way back through machine
    /// code.
    ///
    /// # Errors
    /// A program that was not verified ([`Builder::verify`](super::Builder::verify)); a machine that no code is made for. Nothing is compiled then.
    pub fn compile(&mut self) -> Result<(), CompileError> {
        let mut options = skep_jit::Options::host().ok_or(CompileError::Machine)?;
        let mut programs = Vec::with_capacity(self.environment.programs.len());
        options.first_slot = 0;
        for linked in &self.environment.programs {
            let native = compile(linked, &self.environment.maps, &options)?;
            options.first_slot = options.first_slot.wrapping_add(linked.image.code.len() as u32);
            programs.push(Arc::new(Linked { native: Some(Arc::new(native)), ..(**linked).clone() }));
        }
        if let Some(program) = programs.get(self.core.linked.index) {
            self.core.switch(program.clone());
        }
        self.environment.programs = programs;
        Ok(())
    }
}

fn compile(linked: &Linked, maps: &MapTable, options: &skep_jit::Options) -> Result<Native, CompileError> {
    let image = &linked.image;
    let program = || image.program.name.clone();
    let verified = image.verified.as_ref().ok_or_else(|| CompileError::NotVerified { program: program() })?;
    let code = skep_jit::compile(verified, options, &mut Known::new(linked, maps, verified.facts()))
        .map_err(|error| CompileError::Program { program: program(), error: Box::new(error) })?;
    Native::new(code, &image.calls, options.first_slot).map_err(|error| CompileError::Memory { program: program(), error })
}

/// What is known of a program whose maps are there.
struct Known<'a> {
    linked: &'a Linked,
    maps: &'a MapTable,
    facts: &'a Facts,
    /// Addresses of maps' handles by their indices in the program.
    handles: BTreeMap<i32, u64>,
}

impl<'a> Known<'a> {
    fn new(linked: &'a Linked, maps: &'a MapTable, facts: &'a Facts) -> Known<'a> {
        let named = linked.image.links.iter().zip(&linked.links).filter_map(|((_, wide), handle)| match wide {
            Wide::MapIndex(index) => Some((*index, *handle)),
            Wide::Const(_)
            | Wide::MapFd(_)
            | Wide::MapFdValue { .. }
            | Wide::BtfId { .. }
            | Wide::Func(_)
            | Wide::MapIndexValue { .. } => None,
        });
        Known { linked, maps, facts, handles: named.collect() }
    }

    /// The map that a call is about.
    fn map(&self, slot: usize) -> Option<&Arc<dyn Map>> {
        self.maps.get(*self.handles.get(&self.facts[slot].map?.into())?)
    }
}

impl Links for Known<'_> {
    fn value(&mut self, slot: usize, _wide: Wide) -> u64 {
        // Wide loads stand in the order of their slots.
        let at = self.linked.image.links.binary_search_by_key(&slot, |(slot, _)| *slot);
        at.ok().and_then(|at| self.linked.links.get(at)).copied().unwrap_or_default()
    }

    fn inline(&mut self, slot: usize, callee: Callee) -> Option<Inline> {
        let index = self.linked.image.calls.iter().position(|known| *known == callee)?;
        let (Callee::Helper(id), Some(Outside::Body(_))) = (callee, self.linked.calls.get(index)) else { return None };
        let map = self.map(slot)?;
        // Helpers for which a known key of an array means that there is a value look that value up.
        let finds = helper(id as u32).is_some_and(|row| row.known_key.contains(map.def().map_type));
        let cells = map.cells().filter(|_| finds)?;
        match self.facts[slot].key {
            Some(key) if key < u64::from(cells.count) => Some(Inline::Constant(cells.first + key * cells.stride)),
            Some(_) => Some(Inline::Constant(0)),
            None => Some(Inline::Element { first: cells.first, stride: cells.stride.try_into().ok()?, count: cells.count }),
        }
    }
}
