//! What a running program offers the helpers it calls.

use std::sync::Arc;

use skep_maps::Map;
use skep_memory::{Fault, Memory};
use skep_program::Program;
use skep_world::{Context, World};

use crate::Held;

/// The state of a run, borrowed apart.
pub struct Parts<'a> {
    /// Guest memory.
    pub memory: &'a mut Memory,
    /// The simulated kernel.
    pub world: &'a mut World,
    /// Context and packet of the run.
    pub context: &'a mut Context,
    /// What the program has acquired and not yet given back.
    pub held: &'a mut Held,
}

/// An engine in the middle of a run, as helper bodies see it.
pub trait Machine {
    /// Memory, world, context and references.
    fn parts(&mut self) -> Parts<'_>;

    /// The program that runs (after a tail call: the one called).
    fn program(&self) -> &Program;

    /// The map that a guest pointer names.
    fn map(&self, handle: u64) -> Option<Arc<dyn Map>>;

    /// The first of all maps of the run that `which` accepts: for helpers that are given what lies in a map, not the map.
    fn find_map(&self, which: &dyn Fn(&dyn Map) -> bool) -> Option<Arc<dyn Map>>;

    /// Makes a map that was found at run time (an inner map) known, and gives the pointer that names it.
    fn adopt(&mut self, map: Arc<dyn Map>) -> u64;

    /// Calls a function of the program by the address that a wide load gave, with up to five arguments.
    fn call(&mut self, function: u64, args: [u64; 5]) -> Result<u64, Stop>;
}

/// The body of a helper or kfunc: five argument registers in, `r0` out.
pub type HelperFn = fn(&mut dyn Machine, [u64; 5]) -> Result<u64, Stop>;

/// Why a helper does not return to the instruction after its call.
#[derive(Debug)]
pub enum Stop {
    /// The program did what no verified program may do.
    Trap(Trap),
    /// Go on in the program with this id (the value in a prog array).
    TailCall(u32),
    /// `bpf_throw`.
    Throw(u64),
}

/// What ends a run as an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trap {
    /// A memory access outside of what the program may touch.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// More instructions than the budget allows.
    #[error("the budget of {0} instructions is used up")]
    Budget(u64),
    /// More than 8 nested calls.
    #[error("more than 8 nested calls")]
    CallDepth,
    /// A helper was given something that is not what its prototype asks for.
    #[error("{helper}: {what}")]
    Argument {
        /// Name of the helper.
        helper: &'static str,
        /// What is wrong.
        what: String,
    },
    /// An access to the context that its rows do not allow.
    #[error(transparent)]
    Context(#[from] skep_world::ContextFault),
    /// An instruction that cannot be run where it stands.
    #[error("{0}")]
    Illegal(String),
    /// Something that skep does not simulate.
    #[error("not simulated: {0}")]
    NotSimulated(String),
}

impl From<Trap> for Stop {
    fn from(trap: Trap) -> Stop {
        Stop::Trap(trap)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Trap(Trap::Fault(fault))
    }
}
