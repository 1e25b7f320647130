//! Bare instructions with a buffer: no object, no program type, no maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_isa::{Callee, DecodeError, RawInsn, TargetError};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_memory::{Block, Region, RegionKind};
use skep_program::Program;
use skep_world::{Context, World};

use crate::engine::{Core, Engine, Environment, Hook, Silent};
use crate::error::{Place, Stopped};
use crate::image::Image;
use crate::link::{Closure, Linked, Outside};

/// Why instructions were not run, or not to their end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    /// A slot that is no instruction.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A jump or call to no instruction.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A call to a helper that was not registered.
    #[error("instruction {slot}: no helper {id}")]
    NoHelper {
        /// Slot of the call.
        slot: usize,
        /// Number of the helper.
        id: i32,
    },
    /// A wide load or call that needs a map or a kernel.
    #[error("instruction {slot}: bare instructions have no maps and no kernel")]
    NoKernel {
        /// Its slot.
        slot: usize,
    },
    /// A trap ended the run.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What a run of bare instructions gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawOutcome {
    /// `r0`.
    pub value: u64,
    /// The buffer afterwards.
    pub memory: Vec<u8>,
    /// Instructions executed.
    pub executed: u64,
}

/// Runs instructions with `r1` pointing to a copy of `memory` (0 if it is empty) and `r2` its length, for at most `budget` instructions.
///
/// ```
/// use skep::{RawInsn, raw};
/// let sum = [
///     RawInsn::new(0x71, 0, 1, 0, 0), // r0 = *(u8 *)(r1 + 0)
///     RawInsn::new(0x0f, 0, 2, 0, 0), // r0 += r2
///     RawInsn::new(0x95, 0, 0, 0, 0), // exit
/// ];
/// let outcome = raw::run(&sum, &[40, 0], 100)?;
/// assert_eq!((outcome.value, outcome.executed), (42, 3));
/// # Ok::<(), raw::RawError>(())
/// ```
///
/// # Errors
/// [`RawError`], before anything runs for what cannot run.
pub fn run(insns: &[RawInsn], memory: &[u8], budget: u64) -> Result<RawOutcome, RawError> {
    Machine::new(insns, &BTreeMap::new())?.run(memory, budget)
}

/// Bare instructions, decoded once, to be run many times.
#[derive(Debug)]
pub struct Machine {
    core: Core,
    linked: Arc<Linked>,
    environment: Environment,
}

impl Machine {
    /// Decodes instructions; helpers are those given, by number.
    ///
    /// # Errors
    /// [`RawError`].
    pub fn new(insns: &[RawInsn], helpers: &BTreeMap<i32, Closure>) -> Result<Machine, RawError> {
        let program = Arc::new(Program::bare("main", ProgType::Unspec, insns));
        let image = Image::new(program)?;
        image.code.check()?;
        if let Some((slot, _)) = image.links.iter().find(|(_, wide)| !matches!(wide, skep_isa::Wide::Func(_))) {
            return Err(RawError::NoKernel { slot: *slot });
        }
        let links = image.links.iter().map(|(slot, _)| image.code.target(*slot)).collect::<Result<Vec<_>, _>>()?;
        let links = links.into_iter().map(|target| image.address_of(target.unwrap_or(0))).collect();
        let mut calls = Vec::new();
        for callee in &image.calls {
            let slot = image.call_site(*callee);
            calls.push(match callee {
                Callee::Helper(id) => match helpers.get(id) {
                    Some(closure) => Outside::Closure(closure.clone()),
                    None => return Err(RawError::NoHelper { slot, id: *id }),
                },
                Callee::Kfunc { .. } | Callee::Local(_) | Callee::Reg(_) => return Err(RawError::NoKernel { slot }),
            });
        }
        let by_number = helpers.iter().map(|(id, body)| (*id as u64, Outside::Closure(body.clone()))).collect();
        let linked = Arc::new(Linked { index: 0, image: Arc::new(image), links, calls, arena: None, by_number, native: None });
        let world = World::new(Arc::new(Target::new(Release::new(6, 18), Arch::X86_64)));
        let core = Core::new(world, Context::memory(Block::zeroed(0)), linked.clone());
        let environment = Environment { programs: vec![linked.clone()], maps: Default::default() };
        Ok(Machine { core, linked, environment })
    }

    /// Runs from the first instruction: see [`run`].
    ///
    /// # Errors
    /// A trap.
    pub fn run(&mut self, memory: &[u8], budget: u64) -> Result<RawOutcome, RawError> {
        self.run_with(memory, budget, &mut Silent)
    }

    /// As [`Machine::run`], with something that watches.
    ///
    /// # Errors
    /// A trap.
    pub fn run_with<H: Hook>(&mut self, memory: &[u8], budget: u64, hook: &mut H) -> Result<RawOutcome, RawError> {
        let block = Block::from_bytes(memory);
        let core = &mut self.core;
        core.reset(self.linked.clone(), budget);
        if !memory.is_empty() {
            core.memory.add(Region::whole(RegionKind::Lent("the input memory".into()), block.clone(), true));
            core.regs[1] = block.addr();
        }
        core.regs[2] = memory.len() as u64;
        let result = Engine::new(core, &mut self.environment, hook).run();
        core.memory.remove(block.addr());
        let executed = core.budget - core.fuel;
        match result {
            Ok(value) => Ok(RawOutcome { value, memory: block.bytes(0, memory.len()), executed }),
            Err(trap) => Err(Stopped { trap, place: Box::new(Place::of(core)), executed }.into()),
        }
    }
}
