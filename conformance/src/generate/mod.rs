//! Inputs generated from a seed: packets, contexts and map entries that a program is likely to look at.

mod context;
mod facts;
mod fixture;
mod net;
mod packet;
mod random;
mod transport;

use crate::oracle::{Bytes, Case, Set, Shape, shape};
use facts::Facts;
use fixture::Table;
pub(crate) use random::Random;

/// Makes cases for a program.
#[derive(Debug)]
pub struct Generator {
    shape: Option<Shape>,
    tables: Vec<Table>,
    seed: u64,
    /// Bytes of the context that the program reads.
    reach: usize,
}

/// A packet.
pub(crate) fn frame(random: &mut Random) -> Vec<u8> {
    packet::packet(random, &mut Facts::default())
}

impl Generator {
    /// For the program of the set that is run.
    pub fn new(set: &Set, seed: u64) -> Generator {
        let shape = set.programs.first().and_then(|program| shape(program.prog_type));
        let defs = set.programs.iter().flat_map(|program| &program.maps).chain(&set.others);
        let reach = set.programs.first().map_or(0, |program| program.context_reach());
        Generator { shape, tables: fixture::tables(defs), seed, reach }
    }

    /// The case of this number. It depends on nothing but the number, the seed, and the type, the maps and the instructions of the program.
    pub fn case(&self, index: usize) -> Case {
        let mut random = Random::new(self.seed, index as u64);
        let mut facts = Facts::default();
        let (packet, context) = self.event(&mut random, &mut facts);
        let mut case = Case { packet: packet.map(Bytes), context: context.map(Bytes), fills: Vec::new() };
        // Maps are empty, or as they were created, in one case of four.
        if random.chance(75) {
            case.fills = self.tables.iter().flat_map(|table| table.fills(&mut random, &facts)).collect();
        }
        case
    }

    fn event(&self, random: &mut Random, facts: &mut Facts) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        let Some(shape) = self.shape else {
            return (None, None);
        };
        match shape {
            Shape::Skb => {
                let packet = packet::packet(random, facts);
                let context = context::skb(random, packet.len());
                (Some(packet), context)
            }
            Shape::Xdp => {
                let packet = packet::packet(random, facts);
                let context = context::xdp(random, packet.len());
                (Some(packet), context)
            }
            Shape::FlowDissector | Shape::Netfilter => (Some(packet::packet(random, facts)), None),
            Shape::SkLookup => {
                let addresses = match random.chance(50) {
                    true => (facts.v6(random), facts.v6(random)),
                    false => {
                        let wide = |four: [u8; 4]| std::array::from_fn(|i| four.get(i).copied().unwrap_or(0));
                        (wide(facts.v4(random)), wide(facts.v4(random)))
                    }
                };
                let ports = (facts.port(random), facts.port(random));
                (None, Some(context::sk_lookup(random, addresses, ports)))
            }
            Shape::Args => (None, Some(context::args(random, self.reach))),
            Shape::Memory => (None, Some(context::memory(random, self.reach))),
        }
    }
}
