//! From verified programs to machine code.

use std::io;
use std::sync::Arc;

use super::Instance;
use crate::link::Linked;
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
    /// does not end them, and need not, since verified programs end.
    ///
    /// # Errors
    /// A program that was not verified ([`Builder::verify`](super::Builder::verify)); a machine that no code is made for. Nothing is compiled then.
    pub fn compile(&mut self) -> Result<(), CompileError> {
        let mut options = skep_jit::Options::host().ok_or(CompileError::Machine)?;
        let mut programs = Vec::with_capacity(self.environment.programs.len());
        options.first_slot = 0;
        for linked in &self.environment.programs {
            let native = compile(linked, &options)?;
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

fn compile(linked: &Linked, options: &skep_jit::Options) -> Result<Native, CompileError> {
    let image = &linked.image;
    let program = || image.program.name.clone();
    let verified = image.verified.as_ref().ok_or_else(|| CompileError::NotVerified { program: program() })?;
    // Wide loads stand in the order of their slots.
    let mut value = |slot: usize, _| {
        let at = image.links.binary_search_by_key(&slot, |(slot, _)| *slot);
        at.ok().and_then(|at| linked.links.get(at)).copied().unwrap_or_default()
    };
    let code = skep_jit::compile(verified, options, &mut value)
        .map_err(|error| CompileError::Program { program: program(), error: Box::new(error) })?;
    Native::new(code, &image.calls, options.first_slot).map_err(|error| CompileError::Memory { program: program(), error })
}
