//! skep's checked interpreter as an engine of the suite.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep::raw::{self, RawError};
use skep::{At, Closure, Hook, Strict, Trap};
use skep_isa::{RawInsn, Reg};

use super::engine::{Answer, Engine};

/// Instructions that a case may execute.
const BUDGET: u64 = 1_000_000;

/// skep's checked interpreter.
pub struct Interpreter {
    helpers: BTreeMap<i32, Closure>,
    strict: bool,
}

impl Interpreter {
    /// The interpreter with the helpers of the suite. `strict`: a read of a register that nothing has set ends the run, as a verifier would
    /// see to it; otherwise such a register is 0.
    pub fn new(strict: bool) -> Interpreter {
        Interpreter { helpers: helpers(), strict }
    }
}

impl Engine for Interpreter {
    fn name(&self) -> &str {
        if self.strict { "strict interpreter" } else { "interpreter" }
    }

    fn run(&mut self, program: &[RawInsn], memory: &[u8]) -> Answer {
        let mut machine = match raw::Machine::new(program, &self.helpers) {
            Ok(machine) => machine,
            Err(error) => return Answer::Refused(error.into()),
        };
        let outcome = if self.strict {
            machine.run_with(memory, BUDGET, &mut Strict::new(Unwatched).with_set(Reg::R2))
        } else {
            machine.run(memory, BUDGET)
        };
        match outcome {
            Ok(outcome) => Answer::Value(outcome.value),
            Err(error @ RawError::Stopped(_)) => Answer::Stopped(error.into()),
            Err(error) => Answer::Refused(error.into()),
        }
    }
}

/// Sees nothing.
struct Unwatched;

impl Hook for Unwatched {
    const ACTIVE: bool = false;

    fn before(&mut self, _: &At<'_>) -> Result<(), Trap> {
        Ok(())
    }
}

/// The helpers that the suite's programs call. Number 5 is `unwind`, which runtimes that have it register for the suite: here as in
/// the kernel nothing unwinds, and it hands back its argument.
pub fn helpers() -> BTreeMap<i32, Closure> {
    let unwind: Closure = Arc::new(|_, args| Ok(args[0]));
    BTreeMap::from([(5, unwind)])
}
