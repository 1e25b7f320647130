//! Moving the clock: timers and work queues.

use skep_helpers::{Stop, Trap};

use super::{Instance, RunError};
use crate::engine::{Engine, Hook, Silent};

impl Instance {
    /// Moves the clock on by so many nanoseconds. Timers that programs started run on the way, each when it is due, and so does work
    /// that they queued; what these start in turn runs too if it is due by then. Gives how many functions ran.
    ///
    /// All together may execute as many instructions as one run.
    ///
    /// # Errors
    /// A trap in one of them. The clock then stands where it was due, and the others have not run.
    pub fn advance(&mut self, nanoseconds: u64) -> Result<u64, RunError> {
        self.advance_with(nanoseconds, &mut Silent)
    }

    /// The same with something that watches the functions.
    ///
    /// # Errors
    /// As [`Instance::advance`].
    pub fn advance_with<H: Hook>(&mut self, nanoseconds: u64, hook: &mut H) -> Result<u64, RunError> {
        let mut left = nanoseconds;
        let mut fuel = self.budget;
        let mut count = 0;
        loop {
            let world = &mut self.core.world;
            match world.later.next(&world.clock) {
                Some((field, wait)) if wait <= left => {
                    world.clock.monotonic = world.clock.monotonic.wrapping_add(wait);
                    left -= wait;
                    fuel = self.fire(field, fuel, hook)?;
                    count += 1;
                }
                Some(_) | None => {
                    world.clock.monotonic = world.clock.monotonic.wrapping_add(left);
                    return Ok(count);
                }
            }
        }
    }

    /// Calls the function of a timer or of work; gives what is left of the budget.
    fn fire<H: Hook>(&mut self, field: u64, fuel: u64, hook: &mut H) -> Result<u64, RunError> {
        let Instance { core, environment, .. } = self;
        let linked = core.linked.clone();
        core.reset(linked, fuel);
        core.follow_objects();
        let mut engine = Engine::new(core, environment, hook);
        let fired = skep_helpers::fire(&mut engine, field);
        skep_helpers::release(&mut engine);
        match fired {
            Ok(()) => Ok(core.fuel),
            Err(Stop::Trap(trap)) => Err(core.stopped(trap).into()),
            Err(Stop::Throw(_) | Stop::TailCall(_)) => {
                Err(core.stopped(Trap::Illegal("a function that runs later threw or made a tail call".into())).into())
            }
        }
    }
}
