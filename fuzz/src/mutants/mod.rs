//! Programs that real ones become when a few instructions are changed: recorded loads and the objects of this repository.

mod bases;
mod change;

use std::sync::Arc;

use fastrand::Rng;

pub use bases::{Base, Bases, BasesError};

use crate::programs::{Families, Generated, Label, Line, Lines};

/// Cases in a row that come from the same two programs, so that their maps and types are made once.
pub const BLOCK: u64 = 128;
/// Flags of programs that change what is kept and checked.
const FLAGS: [u32; 2] = [skep_verifier::flags::TEST_STATE_FREQ, skep_verifier::flags::TEST_REG_INVARIANTS];

/// A program to be changed, and one that pieces are taken from.
#[derive(Debug)]
pub struct Block<'a> {
    /// Where the first program came from.
    pub base: &'a Base,
    /// All but the instructions: what either program has.
    pub shell: Arc<skep_program::Program>,
    lines: Lines,
    donor: Vec<Line>,
    kfuncs: Vec<i32>,
}

impl<'a> Block<'a> {
    /// The block of a number; `None` if there is no program.
    pub fn new(bases: &'a Bases, number: u64) -> Option<Block<'a>> {
        let mut rng = Rng::with_seed(number);
        let base = pick(bases, &mut rng)?;
        let same = bases.all.iter().filter(|other| other.program.prog_type == base.program.prog_type);
        let same: Vec<&Base> = same.collect();
        let donor = same[rng.usize(..same.len())];
        let mut shell = base.program.clone();
        let maps = shell.maps.len() as i32;
        shell.maps.extend(donor.program.maps.iter().cloned());
        for kfunc in &donor.program.kfuncs {
            if !shell.kfuncs.iter().any(|known| known.id == kfunc.id) {
                shell.kfuncs.push(kfunc.clone());
            }
        }
        let kfuncs = shell.kfuncs.iter().map(|kfunc| kfunc.id).collect();
        let donor = change::donated(&Lines::of(&donor.program), maps);
        Some(Block { base, lines: Lines::of(&base.program), shell: Arc::new(shell), donor, kfuncs })
    }

    /// The case of a seed of this block.
    pub fn mutant(&self, seed: u64) -> Generated {
        let mut rng = Rng::with_seed(seed);
        let mut shell = self.shell.as_ref().clone();
        if rng.u32(..6) == 0 {
            shell.flags ^= FLAGS[rng.usize(..FLAGS.len())];
        }
        let mut change = change::Change::new(&mut rng, &self.lines, &self.donor, shell.maps.len(), &self.kfuncs);
        change.some();
        Generated { lines: change.lines, shell, families: Families::default() }
    }
}

/// One of the programs: mostly one that is accepted, since changes of others seldom are.
fn pick<'a>(bases: &'a Bases, rng: &mut Rng) -> Option<&'a Base> {
    let any = rng.u32(..6) == 0;
    let from: Vec<&Base> = bases.all.iter().filter(|base| any || base.accepted).collect();
    from.get(rng.usize(..from.len().max(1))).copied()
}

/// The highest label.
fn highest(lines: &Lines) -> u32 {
    let here = |line: &Line| if let Line::Here(Label(number)) = line { Some(*number) } else { None };
    lines.functions.iter().flatten().filter_map(here).max().unwrap_or(0)
}
