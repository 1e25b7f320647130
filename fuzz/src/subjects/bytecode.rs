//! Bare instructions: decoder, encoder, disassembler, interpreter.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use skep::Closure;
use skep::raw::{self, RawError, RawOutcome};
use skep_isa::{Code, NoNames, RawInsn, Slot, asm};

use super::{Case, Pool, Subject, Verdict, asm::raw as slots};
use crate::areas::{Kind, Map};
use crate::seeds::Seed;

/// Instructions that a run may execute.
const BUDGET: u64 = 5_000;

/// Numbers up to which there are helpers.
const HELPERS: i32 = 220;

pub(super) struct Bare {
    pool: Pool,
    helpers: BTreeMap<i32, Closure>,
}

/// A helper that adds up what it gets.
fn sum() -> Closure {
    Arc::new(|_, args| Ok(args.iter().fold(0, |sum, arg| sum.wrapping_add(*arg))))
}

impl Bare {
    pub(super) fn new(seeds: &[Seed]) -> Bare {
        let helpers = (1..HELPERS).map(|id| (id, sum())).collect();
        Bare { pool: Pool::new(seeds, |bytes| Map::of_one_kind(Kind::Code, bytes.len())), helpers }
    }

    fn execute(&self, insns: &[RawInsn], memory: &[u8]) -> Result<RawOutcome, RawError> {
        raw::Machine::new(insns, &self.helpers)?.run(memory, BUDGET)
    }
}

/// What decodes encodes to the same slots, and its text assembles to them too.
fn round_trip(code: &Code) -> Option<String> {
    for (slot, insn) in code.iter() {
        let there = &code.raw()[slot..slot + insn.slots()];
        match insn.encode() {
            Ok(encoded) if &encoded[..] == there => {}
            other => return Some(format!("slot {slot}: {there:?} is decoded as {insn:?} and encoded as {other:?}")),
        }
    }
    let whole = code.slots().iter().all(|slot| !matches!(slot, Slot::Refused(_)));
    let text = code.listing(&NoNames).to_string();
    match asm::kernel::assemble(&text) {
        Ok(again) if whole && again != code.raw() => Some(format!("the listing assembles to other slots:\n{text}")),
        Err(error) if whole && !code.is_empty() => Some(format!("the listing does not assemble: {error}\n{text}")),
        Ok(_) | Err(_) => None,
    }
}

impl Subject for Bare {
    fn seeds(&self) -> usize {
        self.pool.seeds.len()
    }

    fn case(&self, rng: &mut Rng) -> Case {
        self.pool.case(rng)
    }

    fn run(&self, input: &[u8], rng: &mut Rng) -> Verdict {
        let insns = slots(input);
        if let Some(broken) = round_trip(&Code::decode_each(&insns)) {
            return Verdict::Broken(broken);
        }
        let memory: Vec<u8> = (0..rng.usize(..128)).map(|_| rng.u8(..)).collect();
        match self.execute(&insns, &memory) {
            Ok(outcome) if outcome.executed > BUDGET => Verdict::Broken(format!("{} of {BUDGET} executed", outcome.executed)),
            other => Verdict::of(other),
        }
    }
}
