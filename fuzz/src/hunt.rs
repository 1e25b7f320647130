//! Many programs, put to both verifiers by several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use skep_linux::Target;

use crate::mutants::{BLOCK, Bases, Block};
use crate::programs::{Generated, Ground, generate_for};
use crate::verdicts::{Difference, Judges, Said, User};

/// Where programs come from.
#[derive(Debug)]
pub enum Source {
    /// Random ones: the program of each seed.
    Generated(Box<Ground>),
    /// Real ones, as they are: seeds are their numbers.
    Loads(Bases),
    /// Real ones, changed.
    Mutants(Bases),
}

/// A program that was put to both.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Its seed.
    pub seed: u64,
    /// The program.
    pub case: &'a Generated,
    /// Who was asked.
    pub judges: &'a Judges,
    /// What the kernel says.
    pub kernel: Said,
    /// What skep says.
    pub skep: Said,
    /// How they differ.
    pub difference: Option<Difference>,
}

/// The cases of a few seeds that have the same maps.
enum Cases<'a> {
    Generated(&'a Ground),
    Loads(&'a Bases),
    Mutants(Block<'a>),
}

impl Source {
    /// Seeds in a row that have the same maps.
    const fn block(&self) -> u64 {
        match self {
            Source::Generated(_) | Source::Mutants(_) => BLOCK,
            Source::Loads(_) => 1,
        }
    }

    fn cases(&self, block: u64) -> Option<(Cases<'_>, skep_program::Program)> {
        match self {
            Source::Generated(ground) => Some((Cases::Generated(ground), ground.shell())),
            Source::Loads(bases) => Some((Cases::Loads(bases), bases.load(block)?.shell)),
            Source::Mutants(bases) => {
                let block = Block::new(bases, block)?;
                let shell = block.shell.as_ref().clone();
                Some((Cases::Mutants(block), shell))
            }
        }
    }

    /// What stands behind a seed.
    pub fn origin(&self, seed: u64) -> String {
        match self {
            Source::Generated(_) => String::new(),
            Source::Loads(bases) => bases.id(seed).unwrap_or_default().to_owned(),
            Source::Mutants(bases) => Block::new(bases, seed / BLOCK).map_or_else(String::new, |block| block.base.id.clone()),
        }
    }

    /// Puts the programs of these seeds to both verifiers, as this user, on so many threads. Returns how many seeds have none, or one whose maps the
    /// kernel does not make.
    pub fn ask(&self, target: &Target, user: User, seeds: Range<u64>, jobs: usize, each: impl Fn(Asked<'_>) + Sync) -> u64 {
        let size = self.block();
        let (next, none) = (AtomicU64::new(seeds.start / size), AtomicU64::new(0));
        let cpus = skep_kernel::cpus();
        let work = |thread: usize| {
            // A network of its own and a CPU that stays the same: programs may be run here. Without the right to have them nothing can be
            // loaded either.
            let _ = skep_kernel::isolate_network();
            let _ = cpus.get(thread % cpus.len().max(1)).map(|cpu| skep_kernel::pin_thread(*cpu));
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                let here = (block * size).max(seeds.start)..((block + 1) * size).min(seeds.end);
                if here.start >= seeds.end {
                    return;
                }
                let made =
                    self.cases(block).and_then(|(cases, shell)| Some((cases, Judges::new(target.clone(), user, &shell).ok()?)));
                let Some((cases, judges)) = made else {
                    none.fetch_add(here.end - here.start, Ordering::Relaxed);
                    continue;
                };
                for seed in here {
                    let asked = cases.case(seed, user).and_then(|case| Some((case.program()?, case)));
                    let Some((program, case)) = asked else {
                        none.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    let (kernel, skep, difference) = judges.ask(&program);
                    each(Asked { seed, case: &case, judges: &judges, kernel, skep, difference });
                }
            }
        };
        std::thread::scope(|scope| {
            let work = &work;
            (0..jobs.max(1)).for_each(|thread| {
                scope.spawn(move || work(thread));
            });
        });
        none.into_inner()
    }
}

impl Cases<'_> {
    fn case(&self, seed: u64, user: User) -> Option<Generated> {
        match self {
            Cases::Generated(ground) => Some(generate_for(ground, seed, user.privileges())),
            Cases::Loads(bases) => bases.load(seed),
            Cases::Mutants(block) => Some(block.mutant(seed)),
        }
    }
}
