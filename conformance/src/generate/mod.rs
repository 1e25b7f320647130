//! Inputs generated from a seed.

mod random;

use crate::oracle::{Bytes, Case, Set, Shape, shape};
use random::Random;

/// Makes cases for a program.
#[derive(Debug)]
pub struct Generator {
    shape: Option<Shape>,
    seed: u64,
}

impl Generator {
    /// For the program that is run.
    pub fn new(set: &Set, seed: u64) -> Generator {
        let shape = set.programs.first().and_then(|program| shape(program.prog_type));
        Generator { shape, seed }
    }

    /// The case of this number. It depends on nothing but the number, the seed and the program.
    pub fn case(&self, index: usize) -> Case {
        let mut random = Random::new(self.seed, index as u64);
        let mut case = Case::default();
        if let Some(Shape::Skb | Shape::Xdp | Shape::FlowDissector | Shape::Netfilter) = self.shape {
            let len = 14 + random.below(200);
            case.packet = Some(Bytes((0..len).map(|_| random.next() as u8).collect()));
        }
        case
    }
}
