//! Programs that the verifier accepted.
#![allow(unsafe_code)] // the constructor is unsafe to call; see ARCHITECTURE.md

use std::ops::Deref;
use std::sync::Arc;

use crate::{Facts, Program};

/// A program that the verifier accepted, with what it found out. Nobody can change either.
///
/// Engines that leave out checks take only this. Copies are cheap.
#[derive(Debug, Clone)]
pub struct Verified<P = Program> {
    program: Arc<P>,
    facts: Arc<Facts>,
}

impl<P> Verified<P> {
    /// Vouches for a program.
    ///
    /// # Safety
    /// The kernel's rules hold for the program on every path, and the facts are true of it: an access whose
    /// [`through`](crate::Fact::through) is proven reaches, whenever the program runs on a kernel whose helpers keep their contracts, only
    /// bytes that are there and that it may read or write; an instruction that is not reached never runs.
    pub unsafe fn new_unchecked(program: Arc<P>, facts: Facts) -> Verified<P> {
        Verified { program, facts: Arc::new(facts) }
    }

    /// The program.
    pub fn program(&self) -> &Arc<P> {
        &self.program
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl<P> Deref for Verified<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.program
    }
}
