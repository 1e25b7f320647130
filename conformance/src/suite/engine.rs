//! What runs bare instructions.

use std::error::Error;

use skep_isa::RawInsn;

/// Something that runs bare instructions with a buffer.
pub trait Engine {
    /// What people call it.
    fn name(&self) -> &str;

    /// Runs instructions with `r1` pointing to a copy of `memory` (0 where it is empty) and `r2` its length.
    fn run(&mut self, program: &[RawInsn], memory: &[u8]) -> Answer;
}

/// What an engine made of a program.
#[derive(Debug)]
pub enum Answer {
    /// It ran, and this was in r0.
    Value(u64),
    /// The engine does not take it.
    Refused(Box<dyn Error + Send + Sync>),
    /// It took it, and did not come to its end.
    Stopped(Box<dyn Error + Send + Sync>),
    /// The engine cannot be asked, which says nothing about the program.
    NotAsked(Box<dyn Error + Send + Sync>),
}
