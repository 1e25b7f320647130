//! CO-RE: what an instruction that depends on the kernel's types must say for one kernel.
//!
//! A relocation names a root type and a way into it in the program's own types. Types of the target with the same name (flavors taken
//! away) are its candidates; the way is searched by field name in each, and the question is answered from where it leads. Candidates
//! that lead nowhere drop out; those that are left must agree.

mod calc;
mod compat;
mod matches;
mod search;
mod spec;

use std::collections::HashMap;

pub use calc::{MemSize, Patch, Resolution};
pub use compat::types_are_compatible;
pub use matches::types_match;

use crate::index::essential_name;
use crate::{Btf, BtfError, CoreRelo, CoreReloKind, Kind, TypeId};
use spec::{Spec, parse_spec};

/// What loaders write in place of an instruction that cannot be relocated: a call of a helper that does not exist.
pub const POISON_CALL: i32 = 195_896_080;

/// Most accessors of a way, and of the way found in a target.
pub(crate) const MAX_SPEC: usize = 64;

/// Members and types that one question may look at.
pub(crate) const MAX_STEPS: u32 = 1_000_000;

/// A relocation that cannot be answered: not the same as an answer of "does not exist".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// The access string is not numbers separated by colons, or not "0" where a type is asked about.
    #[error("{relo}: access string `{access}` is malformed")]
    Access {
        /// The relocation.
        relo: String,
        /// The string.
        access: String,
    },
    /// The access string does not lead through the program's own type.
    #[error("{relo}: step {step} of `{access}` leads out of type {at} of kind {kind}")]
    Step {
        /// The relocation.
        relo: String,
        /// The string.
        access: String,
        /// Which number of the string, from 0.
        step: usize,
        /// The type reached.
        at: TypeId,
        /// Its kind.
        kind: Kind,
    },
    /// A way that is longer than loaders follow.
    #[error("{relo}: more than 64 steps")]
    TooLong {
        /// The relocation.
        relo: String,
    },
    /// The root type has no name to search by.
    #[error("{relo}: an anonymous type cannot be relocated")]
    Anonymous {
        /// The relocation.
        relo: String,
    },
    /// Two candidates lead to different places.
    #[error("{relo}: ambiguous: bit offset {first} in {first_type}, {second} in {second_type}")]
    AmbiguousOffset {
        /// The relocation.
        relo: String,
        /// Bits from the start of the first candidate.
        first: u32,
        /// The first candidate.
        first_type: TypeId,
        /// Bits from the start of the second candidate.
        second: u32,
        /// The second candidate.
        second_type: TypeId,
    },
    /// Two candidates give different answers.
    #[error("{relo}: ambiguous: {first:?} by {first_type}, {second:?} by {second_type}")]
    AmbiguousValue {
        /// The relocation.
        relo: String,
        /// The first candidate's answer; `None` when it asks to poison.
        first: Option<u64>,
        /// The first candidate.
        first_type: TypeId,
        /// The second candidate's answer.
        second: Option<u64>,
        /// The second candidate.
        second_type: TypeId,
    },
    /// No load of at most 8 bytes holds the bitfield.
    #[error("{relo}: no load holds the bitfield of {width} bits at bit {bit_offset}")]
    Bitfield {
        /// The relocation.
        relo: String,
        /// Bits of the field.
        width: u32,
        /// Bits from the start of the struct.
        bit_offset: u32,
    },
    /// The question is not for an element of an array.
    #[error("{relo}: cannot be asked of an array element")]
    ArrayElement {
        /// The relocation.
        relo: String,
    },
    /// Types nest too deeply to be compared.
    #[error("{relo}: types nest too deeply to be compared")]
    TooDeep {
        /// The relocation.
        relo: String,
    },
    /// An offset that does not fit in 32 bits.
    #[error("{relo}: offset is too big")]
    TooFar {
        /// The relocation.
        relo: String,
    },
    /// The types do not answer.
    #[error("{relo}: {error}")]
    Btf {
        /// The relocation.
        relo: String,
        /// Why.
        error: BtfError,
    },
}

/// Why a search or comparison stopped, before the relocation is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    TooLong,
    TooDeep,
    TooFar,
    ArrayElement,
    Bitfield { width: u32, bit_offset: u32 },
    Btf(BtfError),
}

impl From<BtfError> for Stop {
    fn from(error: BtfError) -> Stop {
        Stop::Btf(error)
    }
}

impl Stop {
    fn of(self, relo: String) -> CoreError {
        match self {
            Stop::TooLong => CoreError::TooLong { relo },
            Stop::TooDeep => CoreError::TooDeep { relo },
            Stop::TooFar => CoreError::TooFar { relo },
            Stop::ArrayElement => CoreError::ArrayElement { relo },
            Stop::Bitfield { width, bit_offset } => CoreError::Bitfield { relo, width, bit_offset },
            Stop::Btf(error) => CoreError::Btf { relo, error },
        }
    }
}

/// The types of the kernel that is relocated for.
#[derive(Debug, Clone)]
pub struct Targets {
    kernel: Btf,
    modules: Vec<Btf>,
}

impl Targets {
    /// The kernel's own types, and those of its modules as split BTF upon them. Modules are searched for a type only when the kernel has
    /// no type of that name.
    pub fn new(kernel: Btf, modules: Vec<Btf>) -> Targets {
        Targets { kernel, modules }
    }

    fn btf(&self, module: Option<usize>) -> &Btf {
        match module {
            Some(index) => &self.modules[index],
            None => &self.kernel,
        }
    }
}

impl From<Btf> for Targets {
    fn from(kernel: Btf) -> Targets {
        Targets::new(kernel, Vec::new())
    }
}

impl From<&Btf> for Targets {
    fn from(kernel: &Btf) -> Targets {
        Targets::new(kernel.clone(), Vec::new())
    }
}

/// A type of the target that may be the one meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which module has it; `None` for the kernel itself.
    pub module: Option<usize>,
    /// The type.
    pub id: TypeId,
}

/// Answers the relocations of one object. It remembers which candidates of a type earlier relocations ruled out, as loaders do, so ask in
/// the order of the object.
#[derive(Debug, Clone)]
pub struct Resolver<'a> {
    local: &'a Btf,
    targets: &'a Targets,
    candidates: HashMap<TypeId, Vec<Candidate>>,
}

impl<'a> Resolver<'a> {
    /// Relocations from `local`, the object's own types, to `targets`.
    pub fn new(local: &'a Btf, targets: &'a Targets) -> Resolver<'a> {
        Resolver { local, targets, candidates: HashMap::new() }
    }

    /// Answers one relocation.
    ///
    /// # Errors
    /// A relocation that is malformed, ambiguous, or cannot be expressed. That the target has no such field or type is no error: it is
    /// answered by [`Patch::Poison`], or by 0 where existence or size is asked.
    pub fn resolve(&mut self, relo: &CoreRelo) -> Result<Resolution, CoreError> {
        let spec = parse_spec(self.local, relo)?;
        if relo.kind == CoreReloKind::TypeIdLocal {
            return Ok(Resolution::local_type_id(relo.type_id));
        }
        if self.local.name(relo.type_id).is_empty() {
            return Err(CoreError::Anonymous { relo: describe(self.local, relo) });
        }
        let (local, targets) = (self.local, self.targets);
        let candidates = self.candidates.entry(relo.type_id).or_insert_with(|| find_candidates(local, relo.type_id, targets));
        let (resolution, left) = choose(local, &spec, targets, candidates)?;
        if !left.is_empty() {
            *candidates = left;
        }
        Ok(resolution)
    }
}

/// Answers one relocation by itself: see [`Resolver::resolve`].
///
/// # Errors
/// As [`Resolver::resolve`].
pub fn resolve(local: &Btf, relo: &CoreRelo, targets: &Targets) -> Result<Resolution, CoreError> {
    Resolver::new(local, targets).resolve(relo)
}

/// What a relocation asks, in the words loaders use, such as `<byte_off> [7] struct task_struct.tgid (0:2 @ offset 16)`.
pub fn describe(local: &Btf, relo: &CoreRelo) -> String {
    match parse_spec(local, relo) {
        Ok(spec) => spec.describe(local),
        Err(_) => spec::describe_root(local, relo),
    }
}

/// Whether two kinds may stand for each other: the same, or both enums.
pub(crate) fn kinds_are_compatible(a: Kind, b: Kind) -> bool {
    a == b || (a.is_enum() && b.is_enum())
}

fn find_candidates(local: &Btf, id: TypeId, targets: &Targets) -> Vec<Candidate> {
    let (kind, name) = (local.kind(id), essential_name(local.name(id)));
    let in_btf = |btf: &Btf, module: Option<usize>, least: TypeId| {
        let found = btf.find_essential(name).filter(|id| *id >= least && kinds_are_compatible(kind, btf.kind(*id)));
        found.map(|id| Candidate { module, id }).collect::<Vec<_>>()
    };
    let found = in_btf(&targets.kernel, None, TypeId(1));
    if !found.is_empty() {
        return found;
    }
    (0..).zip(&targets.modules).flat_map(|(nth, btf)| in_btf(btf, Some(nth), btf.first_id())).collect()
}

/// Asks every candidate; returns the answer they agree on and the candidates that have one.
fn choose(
    local: &Btf,
    spec: &Spec,
    targets: &Targets,
    candidates: &[Candidate],
) -> Result<(Resolution, Vec<Candidate>), CoreError> {
    let named = |stop: Stop| stop.of(spec.describe(local));
    let mut chosen: Option<(Resolution, u32, Candidate)> = None;
    let mut left = Vec::new();
    for candidate in candidates {
        let target = targets.btf(candidate.module);
        let Some(found) = search::search(local, spec, target, candidate.id).map_err(named)? else { continue };
        let mut resolution = calc::calculate(local, spec, Some((target, &found))).map_err(named)?;
        resolution.target = Some(*candidate);
        match &chosen {
            None => chosen = Some((resolution, found.bit_offset, *candidate)),
            Some((_, first, before)) if *first != found.bit_offset => {
                return Err(CoreError::AmbiguousOffset {
                    relo: spec.describe(local),
                    first: *first,
                    first_type: before.id,
                    second: found.bit_offset,
                    second_type: candidate.id,
                });
            }
            Some((agreed, _, before)) if agreed.value() != resolution.value() => {
                return Err(CoreError::AmbiguousValue {
                    relo: spec.describe(local),
                    first: agreed.value(),
                    first_type: before.id,
                    second: resolution.value(),
                    second_type: candidate.id,
                });
            }
            Some(_) => {}
        }
        left.push(*candidate);
    }
    match chosen {
        Some((resolution, ..)) => Ok((resolution, left)),
        None => Ok((calc::calculate(local, spec, None).map_err(named)?, left)),
    }
}
