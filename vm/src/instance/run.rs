//! Running a program of an instance.

use skep_helpers::Trap;
use skep_program::Program;
use skep_world::{Effect, Redirect, Skb};

use super::Instance;
use crate::engine::{Engine, Hook, Silent, Strict, Trace};
use crate::error::{Place, Stopped};
use crate::input::{self, Input, InputError};

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `r0`.
    pub value: u64,
    /// The packet, as `data_out` of `BPF_PROG_TEST_RUN`; `None` for program types without one.
    pub packet: Option<Vec<u8>>,
    /// The context, as `ctx_out` of `BPF_PROG_TEST_RUN`.
    pub context: Vec<u8>,
    /// Instructions executed; 0 if machine code ran, which counts none.
    pub executed: u64,
    /// Where the packet is to go if the program says so by what it returns: what the last call of a redirect helper asked for.
    pub redirect: Option<Redirect>,
    /// What the program did beside that, in order: packets sent, signals, options set.
    pub effects: Vec<Effect>,
    /// Of a socket buffer, what is neither bytes nor a field: tunnel key, checksum state.
    pub skb: Skb,
}

impl Outcome {
    /// What the kernel takes from `r0`: its low 32 bits.
    pub fn retval(&self) -> u32 {
        self.value as u32
    }
}

/// Why a run gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The input does not fit the program.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A trap ended it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A program of an instance, to be run.
#[derive(Debug)]
pub struct ProgramMut<'i> {
    instance: &'i mut Instance,
    index: usize,
}

impl<'i> ProgramMut<'i> {
    pub(super) fn new(instance: &'i mut Instance, index: usize) -> ProgramMut<'i> {
        ProgramMut { instance, index }
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// The program as it was loaded.
    pub fn program(&self) -> &Program {
        &self.instance.environment.programs[self.index].image.program
    }

    /// The context that it would start with, in the form of [`Outcome::context`].
    ///
    /// # Errors
    /// An input that does not fit.
    pub fn context(&self, input: &Input) -> Result<Vec<u8>, InputError> {
        let image = &self.instance.environment.programs[self.index].image;
        let context = input::prepare(image, &self.instance.core.world, input)?;
        Ok(input::finish(self.program(), input, &context, &self.instance.core.world).context)
    }

    /// Runs it.
    ///
    /// # Errors
    /// An input that does not fit, or a trap.
    pub fn run(&mut self, input: &Input) -> Result<Outcome, RunError> {
        self.run_with(input, &mut Silent)
    }

    /// Runs it and keeps up to `limit` instructions with the registers before each.
    ///
    /// # Errors
    /// As [`ProgramMut::run`]; the trace then ends where the run did.
    pub fn trace(&mut self, input: &Input, limit: usize) -> (Result<Outcome, RunError>, Trace) {
        let mut trace = Trace::new(limit);
        (self.run_with(input, &mut trace), trace)
    }

    /// Runs it and refuses reads of registers that nothing has set.
    ///
    /// # Errors
    /// As [`ProgramMut::run`].
    pub fn run_strict(&mut self, input: &Input) -> Result<Outcome, RunError> {
        self.run_with(input, &mut Strict::new(Silent))
    }

    /// Runs it with something that watches.
    ///
    /// # Errors
    /// As [`ProgramMut::run`].
    pub fn run_with<H: Hook>(&mut self, input: &Input, hook: &mut H) -> Result<Outcome, RunError> {
        let Instance { core, environment, budget, .. } = &mut *self.instance;
        let linked = environment.programs[self.index].clone();
        let program = linked.image.program.clone();
        let context = input::prepare(&linked.image, &core.world, input)?;
        core.set_context(context);
        core.reset(linked, *budget);
        core.world.fill_task().map_err(|error| core.stopped(Trap::NotSimulated(error.to_string())))?;
        core.follow_objects();
        core.world.event.redirect = None;
        let effects = core.world.output.effects.len();
        core.regs[1] = core.context.block.addr();
        let mut engine = Engine::new(core, environment, hook);
        let result = engine.run();
        skep_helpers::release(&mut engine);
        match result {
            Ok(value) => {
                let output = input::finish(&program, input, &core.context, &core.world);
                Ok(Outcome {
                    value,
                    packet: output.packet,
                    context: output.context,
                    executed: core.budget - core.fuel,
                    redirect: core.world.event.redirect.clone(),
                    effects: core.world.output.effects.get(effects..).unwrap_or_default().to_vec(),
                    skb: core.context.skb.clone(),
                })
            }
            Err(trap) => Err(core.stopped(trap).into()),
        }
    }
}

impl crate::engine::Core {
    /// The error for a run that ends here.
    pub(crate) fn stopped(&self, trap: Trap) -> Stopped {
        Stopped { trap, place: Box::new(Place::of(self)), executed: self.budget - self.fuel }
    }
}
