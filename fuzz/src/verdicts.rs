//! One program, two verdicts: skep's and the kernel's.

use std::cell::RefCell;
use std::sync::Arc;

use skep_isa::{Code, Insn, Wide};
use skep_kernel::{LoadError, Loaded, LogLevel, Map, MapError, Types};
use skep_linux::{Errno, MapType, Target};
use skep_program::Program;
use skep_verifier::{NotModelled, Options, Verdict, verify};

pub use skep_conformance::verdicts::User;

use crate::faults::Faults;
use crate::programs::{Generated, Lines};

/// What a verifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Accepted, after so many instructions.
    Accept(u64),
    /// Refused, after so many instructions, with this as its last line.
    Reject(u64, String),
    /// No verdict, and why.
    None(String),
}

impl Said {
    /// Whether both are verdicts, and the same, after as many instructions and in the same words.
    pub fn agrees(&self, kernel: &Said) -> bool {
        !matches!(self, Said::None(_)) && !matches!(kernel, Said::None(_)) && difference(kernel, self).is_none()
    }
}

/// How two verdicts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Difference {
    /// The kernel refuses, skep accepts.
    FalseAccept,
    /// The kernel accepts, skep refuses.
    FalseReject,
    /// Both say the same, after other numbers of instructions.
    Insns,
    /// Both refuse, in other words.
    Message,
    /// skep fails.
    Bug,
}

/// Processed instructions of a program that takes long.
pub(crate) const LONG: u64 = 4_000;

/// Where maps and types of the host are kept between programs that have the same. Each thread has its own.
#[derive(Debug)]
pub struct Judges {
    target: Target,
    user: User,
    faults: Faults,
    maps: Vec<Arc<Map>>,
    types: RefCell<Types>,
}

impl Judges {
    /// The kernel of this host, and skep for it, for programs with the maps of this one.
    ///
    /// # Errors
    /// A map that the kernel does not make.
    pub fn new(target: Target, user: User, shell: &Program) -> Result<Judges, MapError> {
        let mut types = Types::default();
        let mut maps = Vec::with_capacity(shell.maps.len());
        for def in &shell.maps {
            maps.push(Arc::new(Map::from_def(def, types.get(def.btf.as_ref()))?));
        }
        // Who loads the program may not be allowed to load its types.
        types.get(shell.btf.as_ref());
        Ok(Judges { faults: Faults::new(&target), target, user, maps, types: RefCell::new(types) })
    }

    /// Skep alone, for programs that no kernel is asked about.
    pub fn without_kernel(target: Target, user: User) -> Judges {
        Judges { faults: Faults::new(&target), target, user, maps: Vec::new(), types: RefCell::default() }
    }

    /// What the kernel says.
    pub fn kernel(&self, program: &Program) -> Said {
        if let Some(fault) = self.faults.of(program) {
            return Said::None(fault.to_owned());
        }
        let maps = match self.maps_for(program) {
            Ok(maps) => maps,
            Err(error) => return Said::None(error.to_string()),
        };
        let load = || Loaded::with_types(program, maps, &mut self.types.borrow_mut(), LogLevel::Stats);
        let loaded = match self.user.runs(load) {
            Ok(loaded) => loaded,
            Err(errno) => return Said::None(format!("capabilities cannot be given up: {errno}")),
        };
        match loaded {
            Ok(loaded) => Said::Accept(loaded.processed().unwrap_or(0)),
            Err(error) => match (&error, error.processed()) {
                // A hook that this host lets nobody attach to: the verifier itself says why it refuses.
                (LoadError::Refused { log, errno: Errno::EPERM }, _) if last_words(log).is_empty() => {
                    Said::None(error.to_string())
                }
                // The verifier does not look at a program whose arena nobody has mapped.
                (LoadError::Refused { log, .. }, Some(0)) if last_words(log).starts_with("arena's user address") => {
                    Said::None(last_words(log))
                }
                (LoadError::Refused { log, .. }, Some(insns)) => Said::Reject(insns, last_words(log)),
                (other, _) => Said::None(other.to_string()),
            },
        }
    }

    /// The maps, new where the kernel remembers which program was the first to name one, and takes others of that kind alone.
    fn maps_for(&self, program: &Program) -> Result<Vec<Arc<Map>>, MapError> {
        let mut maps = self.maps.clone();
        for (_, insn) in Code::decode_each(&program.insns).iter() {
            if let Insn::LoadWide { value: Wide::MapIndex(index), .. } = insn
                && let Some((def, map)) =
                    usize::try_from(index).ok().and_then(|at| Some((program.maps.get(at)?, maps.get_mut(at)?)))
                && def.map_type == MapType::ProgArray
            {
                *map = Arc::new(Map::from_def(def, None)?);
            }
        }
        Ok(maps)
    }

    /// What skep says.
    pub fn skep(&self, program: &Program) -> Said {
        let report = verify(
            program,
            &self.target,
            &Options { work_limit: 4 * LONG, privileges: self.user.privileges(), ..Options::default() },
        );
        let insns = u64::from(report.stats.insns_processed);
        match report.verdict {
            Verdict::Accept => Said::Accept(insns),
            Verdict::Reject(reject) => Said::Reject(insns, last_words(&reject.why.to_string())),
            Verdict::Undecided(undecided) => match undecided.what {
                NotModelled::Bug(what) => Said::None(format!("BUG {what}")),
                other => Said::None(other.to_string()),
            },
        }
    }

    /// Both, and how they differ. The kernel is not asked about programs that take long.
    pub fn ask(&self, program: &Program) -> (Said, Said, Option<Difference>) {
        let skep = self.skep(program);
        let kernel = match &skep {
            Said::Accept(insns) | Said::Reject(insns, _) if *insns > LONG => Said::None("takes long".into()),
            Said::None(why) if why.contains("work limit") => Said::None("takes long".into()),
            _short => self.kernel(program),
        };
        let difference = difference(&kernel, &skep);
        (kernel, skep, difference)
    }

    /// The fewest lines that differ in the same way.
    pub fn minimise(&self, generated: &Generated, wanted: Difference) -> Lines {
        let differs = |lines: &Lines| generated.with(lines).is_some_and(|program| self.ask(&program).2 == Some(wanted));
        generated.lines.fewest(differs)
    }
}

fn difference(kernel: &Said, skep: &Said) -> Option<Difference> {
    match (kernel, skep) {
        // Where Linux finds a fault of its own, skep does too: it claims nothing.
        (Said::Reject(_, said), Said::None(why)) if why.starts_with("BUG") && said.starts_with("verifier bug") => None,
        (_, Said::None(why)) if why.starts_with("BUG") => Some(Difference::Bug),
        (Said::None(_), _) | (_, Said::None(_)) => None,
        (Said::Reject(..), Said::Accept(_)) => Some(Difference::FalseAccept),
        (Said::Accept(_), Said::Reject(..)) => Some(Difference::FalseReject),
        (Said::Accept(a), Said::Accept(b)) => (a != b).then_some(Difference::Insns),
        (Said::Reject(a, said), Said::Reject(b, words)) => match (a == b, same(said, words)) {
            (false, _) => Some(Difference::Insns),
            (true, false) => Some(Difference::Message),
            (true, true) => None,
        },
    }
}

/// Whether two refusals have the same words. A number in the words of a fault of the kernel's own is of a program that it has changed.
fn same(said: &str, words: &str) -> bool {
    let fault = |text: &str| text.starts_with("verifier bug").then(|| text.replace(|c: char| c.is_ascii_digit(), ""));
    let noted = words.is_empty() && is_note(said);
    said == words || noted || fault(said).is_some_and(|text| fault(words) == Some(text))
}

/// The last line before the counts that is no state.
fn last_words(log: &str) -> String {
    let words = |line: &&str| !line.trim().is_empty() && !is_count(line) && !is_state(line);
    let line = log.lines().rev().find(words).unwrap_or_default();
    // Some words end without a new line, and the counts follow.
    line.split(COUNTS[2]).next().unwrap_or_default().trim().to_owned()
}

/// What lines of counts begin with.
const COUNTS: [&str; 4] = ["processed ", "stack depth ", "verification time ", "mark_precise: "];

fn is_count(line: &str) -> bool {
    COUNTS.iter().any(|count| line.starts_with(count))
}

/// What the kernel notes on its way, also of programs that it refuses without a word: that it looks at a function, that it does not need to,
/// and what of static functions does not fit their types.
fn is_note(line: &str) -> bool {
    let ends = [" is global and assumed valid.", " is not a scalar", " is safe for any args that match its prototype"];
    let size = line.contains(" reference type('") && line.contains("size cannot be determined");
    line.starts_with("Validating ") || size || ends.iter().any(|end| line.ends_with(end))
}

/// `cur state: R0=...`, `12: (95) exit` and the like.
fn is_state(line: &str) -> bool {
    line.starts_with("cur state:") || line.starts_with("old state:")
}
