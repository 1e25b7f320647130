//! Accepted programs that run: each must stay within what the verifier claimed (see [`skep_conformance::judge`]).

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use skep_conformance::judge::{Ending, Judgement, Limits, Unjudged, program};
use skep_linux::Target;
use skep_verifier::Options;

use crate::hunt::Source;
use crate::mutants::{BLOCK, Block};
use crate::programs::{Generated, Lines, generate};

/// How programs are judged.
#[derive(Debug)]
pub struct Judge {
    /// What verifies and runs them.
    pub target: Arc<Target>,
    /// How they are verified: which states are kept above all.
    pub options: Options,
    /// How long they run.
    pub limits: Limits,
}

/// What came of the programs of many seeds.
#[derive(Debug, Default)]
pub struct Sum {
    /// Programs that there are.
    pub programs: u64,
    /// Those that were accepted, and judged.
    pub judged: u64,
    /// The rest of the accepted, by why they were not.
    pub not: std::collections::BTreeMap<String, u64>,
    /// What the runs showed.
    pub all: Judgement,
    /// Seeds whose programs escape, with what they do.
    pub escapes: Vec<(u64, String)>,
}

impl Judge {
    /// What runs of a program show.
    ///
    /// # Errors
    /// Why there is nothing to judge.
    pub fn ask(&self, case: &Generated, lines: &Lines) -> Result<Judgement, Unjudged> {
        let Some(made) = case.with(lines) else { return Err(Unjudged::Refused) };
        program(&Arc::new(made), &self.target, &self.options, &self.limits)
    }

    /// The fewest lines that escape alike.
    pub fn minimise(&self, case: &Generated) -> Lines {
        let kind = |lines: &Lines| match self.ask(case, lines).ok()?.found?.1 {
            Ending::Lost(_) => Some(true),
            Ending::Trapped(_) => Some(false),
        };
        let wanted = kind(&case.lines);
        case.lines.fewest(|lines| kind(lines) == wanted)
    }

    /// Judges the programs of these seeds, on so many threads.
    pub fn all(&self, source: &Source, seeds: Range<u64>, jobs: usize) -> Sum {
        let (next, sum) = (AtomicU64::new(seeds.start), Mutex::new(Sum::default()));
        let work = || {
            loop {
                let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                if first >= seeds.end {
                    return;
                }
                let mut ours = Sum::default();
                for seed in first..(first + CHUNK).min(seeds.end) {
                    if let Some(case) = case(source, seed) {
                        ours.add(seed, self.ask(&case, &case.lines));
                    }
                }
                if let Ok(mut sum) = sum.lock() {
                    sum.merge(ours);
                }
            }
        };
        std::thread::scope(|scope| {
            (0..jobs.max(1)).for_each(|_| {
                scope.spawn(work);
            });
        });
        sum.into_inner().unwrap_or_default()
    }
}

/// Seeds that a thread takes at once.
const CHUNK: u64 = 32;

/// The program of a seed.
pub fn case(source: &Source, seed: u64) -> Option<Generated> {
    match source {
        Source::Generated(ground) => Some(generate(ground, seed)),
        Source::Loads(bases) => bases.load(seed),
        Source::Mutants(bases) => Some(Block::new(bases, seed / BLOCK)?.mutant(seed)),
    }
}

impl Sum {
    fn add(&mut self, seed: u64, came: Result<Judgement, Unjudged>) {
        self.programs += 1;
        match came {
            Err(Unjudged::Refused) => {}
            Err(why) => {
                // Numbers in the words would make each its own kind.
                let kind: String = why.to_string().chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
                *self.not.entry(kind).or_default() += 1;
            }
            Ok(judgement) => {
                self.judged += 1;
                self.all.add(&judgement);
                if let Some((case, ending)) = &judgement.found {
                    self.escapes.push((seed, format!("case {case}: {ending}")));
                }
            }
        }
    }

    fn merge(&mut self, other: Sum) {
        self.programs += other.programs;
        self.judged += other.judged;
        self.all.add(&other.all);
        self.escapes.extend(other.escapes);
        for (why, count) in other.not {
            *self.not.entry(why).or_default() += count;
        }
    }
}
