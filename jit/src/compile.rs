//! From a program to [`Code`].

use std::collections::BTreeMap;

use skep_isa::Callee;
use skep_program::{Program, Verified};

use crate::lower::Unit;
use crate::{Arch, Error, Links, Options, a64, emit, x64};

/// Machine code, good at any address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The bytes, to be mapped as they are.
    pub bytes: Vec<u8>,
    /// Where the entry from outside is: `extern "C" fn(env: *mut Env, function: u64, args: *const [u64; 5], frame: u64) -> Ret`. It takes the
    /// address of a function and the frame that it gets as `r10`: one past the last byte of its stack.
    pub entry: u32,
    /// Where functions begin, by the slot of their first instruction. The first is that of slot 0.
    pub functions: BTreeMap<usize, u32>,
    /// What is called through [`Env::call`](crate::Env::call), by [`Env::callee`](crate::Env::callee).
    pub callees: Vec<Callee>,
    /// Where the code of each slot begins; that of an instruction that another one took along begins where the next does.
    pub slots: Vec<u32>,
}

/// Compiles a program.
///
/// `links` may be a function that gives the values of wide loads, or more than that: see [`Links`].
///
/// # Errors
/// [`Error`], which no program that the verifier accepted should give but for size and for instructions that are not compiled.
pub fn compile(program: &Verified<Program>, options: &Options, links: &mut dyn Links) -> Result<Code, Error> {
    let unit = Unit::new(program.program(), program.facts())?;
    match options.arch {
        Arch::X86_64 => emit::compile::<x64::Asm>(&unit, options, links),
        Arch::Aarch64 => emit::compile::<a64::Asm>(&unit, options, links),
    }
}
