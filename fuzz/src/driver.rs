//! Runs cases in this process. A case that ends the process is left to `supervise`.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::MEMORY;
use crate::subjects::{Subject, Verdict};

/// A case must not take longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);

/// What is wrong with a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// A panic: where, and what it said.
    Panic(String),
    /// What must hold does not.
    Broken(String),
    /// It took more memory at a time than its length justifies: bytes, and bytes of the input.
    Memory(usize, usize),
    /// It took more than five seconds, or never ended.
    Hang,
    /// The process ended: by this signal or exit code.
    Died(String),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Panic(text) => write!(f, "panic at {text}"),
            Problem::Broken(text) => write!(f, "broken: {text}"),
            Problem::Memory(bytes, len) => write!(f, "{bytes} bytes of memory for an input of {len}"),
            Problem::Hang => write!(f, "took more than {} s", LONGEST.as_secs()),
            Problem::Died(how) => write!(f, "ended the process: {how}"),
        }
    }
}

/// A case that something is wrong with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Number of the case.
    pub case: u64,
    /// Name of its seed.
    pub seed: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What came of many cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Cases.
    pub cases: u64,
    /// Cases that were accepted.
    pub accepted: u64,
    /// Cases that were refused, by kind of error.
    pub refused: BTreeMap<String, u64>,
    /// The most memory that a case took, in bytes.
    pub memory: usize,
    /// Cases that something is wrong with.
    pub findings: Vec<Finding>,
}

impl Summary {
    /// Adds what came of other cases.
    pub fn merge(&mut self, other: Summary) {
        self.cases += other.cases;
        self.accepted += other.accepted;
        for (kind, count) in other.refused {
            *self.refused.entry(kind).or_default() += count;
        }
        self.memory = self.memory.max(other.memory);
        self.findings.extend(other.findings);
    }
}

thread_local! {
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The innermost place on the stack that is in a file of this workspace: paths of others are absolute.
fn caller() -> Option<String> {
    let trace = Backtrace::force_capture().to_string();
    let mut places = trace.lines().filter_map(|line| line.trim().strip_prefix("at ./"));
    places.find(|place| !place.starts_with("fuzz/")).map(str::to_owned)
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a payload that is no text")
}

fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let mut place = info.location().map(|place| format!("{}:{}", place.file(), place.line())).unwrap_or_default();
            if place.starts_with('/') {
                place = caller().unwrap_or(place);
            }
            let text = format!("{place}: {}", message(info.payload()));
            PANIC.with_borrow_mut(|last| *last = text);
        }));
    });
}

/// Makes and runs the cases of one subject.
pub struct Driver<'a> {
    name: &'a str,
    subject: &'a dyn Subject,
    seed: u64,
}

impl<'a> Driver<'a> {
    /// Cases of a subject, by a seed number. From here on panics of this process are remembered and not printed.
    pub fn new(name: &'a str, subject: &'a dyn Subject, seed: u64) -> Driver<'a> {
        remember_panics();
        Driver { name, subject, seed }
    }

    fn rng(&self, case: u64) -> Rng {
        let name = self.name.bytes().fold(0u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let mut mix = Rng::with_seed(self.seed ^ name << 32);
        let start = mix.u64(..);
        Rng::with_seed(start.wrapping_add(case.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The seed's name and the input of a case.
    pub fn input(&self, case: u64) -> (String, Vec<u8>) {
        let made = self.subject.case(&mut self.rng(case));
        (made.seed, made.input)
    }

    /// Runs one case and adds it to a summary.
    pub fn run(&self, case: u64, summary: &mut Summary) {
        let mut rng = self.rng(case);
        let mut seed = String::new();
        let before = MEMORY.current_usage();
        let started = Instant::now();
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            let made = self.subject.case(&mut rng);
            seed = made.seed;
            MEMORY.reset_peak_usage();
            (made.input.len(), self.subject.run(&made.input, &mut rng))
        }));
        let memory = MEMORY.peak_usage().saturating_sub(before);
        summary.cases += 1;
        summary.memory = summary.memory.max(memory);
        let problem = match result {
            Ok((_, Verdict::Broken(what))) => Some(Problem::Broken(what)),
            Ok((len, _)) if memory > self.subject.allowance(len) => Some(Problem::Memory(memory, len)),
            Ok((_, Verdict::Accepted)) => {
                summary.accepted += 1;
                None
            }
            Ok((_, Verdict::Refused(kind))) => {
                *summary.refused.entry(kind).or_default() += 1;
                None
            }
            Err(_) => Some(Problem::Panic(PANIC.with_borrow_mut(std::mem::take))),
        };
        let problem = problem.or_else(|| (started.elapsed() > LONGEST).then_some(Problem::Hang));
        if let Some(problem) = problem {
            summary.findings.push(Finding { case, seed, problem });
        }
    }
}
