//! Programs of which the verifier processes as many instructions as one likes, each of a shape that it must follow in another way.

use skep_isa::RawInsn;
use skep_linux::ProgType;
use skep_program::Program;

/// What a program is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One instruction after the other.
    Straight,
    /// A loop that counts.
    Loop,
    /// A loop in which an unknown number is spilled, tested and filled: each round forks, and the ways meet again. Rounds are long, since
    /// Linux takes no more than 8,192 ways that wait.
    Forks,
    /// A loop that calls a function.
    Calls,
}

/// `bpf_get_prandom_u32`.
const RANDOM: i32 = 7;

/// Sums in a long round.
const SUMS: u32 = 70;

const MOV: u8 = 0xb7;
const ADD: u8 = 0x07;
const AND: u8 = 0x57;
const JLT: u8 = 0xa5;
const JEQ: u8 = 0x15;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const STORE: u8 = 0x7b;
const LOAD: u8 = 0x79;

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 4] = [Shape::Straight, Shape::Loop, Shape::Forks, Shape::Calls];

    /// Processed instructions by which growth is shown.
    pub const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Straight => "straight",
            Shape::Loop => "loop",
            Shape::Forks => "forks",
            Shape::Calls => "calls",
        }
    }

    /// Instructions that are processed outside of rounds, and in one of them.
    fn cost(self) -> (u32, u32) {
        match self {
            Shape::Straight => (3, 1),
            Shape::Loop => (3, 2),
            // Ways that wait go through most of three rounds until they meet a state that was kept.
            Shape::Forks => (3, 7 * (20 + 2 * SUMS) / 2),
            Shape::Calls => (3, 6),
        }
    }

    /// A program of about so many processed instructions, and no more.
    pub fn program(self, processed: u32) -> Program {
        let (outside, round) = self.cost();
        let rounds = (processed.saturating_sub(outside) / round).max(1);
        let insn = RawInsn::new;
        let mut insns = vec![insn(MOV, 6, 0, 0, 0)];
        match self {
            Shape::Straight => insns.extend((0..rounds).map(|nth| insn(ADD, 6, 0, 0, nth as i32 & 0xff))),
            Shape::Loop => {}
            Shape::Forks => {
                insns.extend([insn(CALL, 0, 0, 0, RANDOM), insn(AND, 0, 0, 0, 7), insn(STORE, 10, 0, -8, 0)]);
                insns.extend([insn(JEQ, 0, 0, 1, 3), insn(MOV, 7, 0, 0, 1), insn(LOAD, 8, 10, -8, 0)]);
                (0..SUMS).for_each(|_| insns.extend([insn(ADD, 8, 0, 0, 3), insn(AND, 8, 0, 0, 0xff)]));
            }
            Shape::Calls => insns.extend([insn(MOV, 1, 0, 0, 5), insn(CALL, 0, 1, 0, 4)]),
        }
        if self != Shape::Straight {
            let body = insns.len() as i16 - 1;
            insns.extend([insn(ADD, 6, 0, 0, 1), insn(JLT, 6, 0, -(body + 2), rounds as i32)]);
        }
        insns.extend([insn(MOV, 0, 0, 0, 0), insn(EXIT, 0, 0, 0, 0)]);
        if self == Shape::Calls {
            insns.extend([insn(0xbf, 0, 1, 0, 0), insn(EXIT, 0, 0, 0, 0)]);
        }
        Program::bare(self.name(), ProgType::SocketFilter, insns)
    }
}

#[cfg(test)]
mod tests {
    use skep_linux::{Arch, Release, Target};
    use skep_verifier::{Options, Verdict, verify};

    use super::*;

    #[test]
    fn programs_are_accepted_and_as_long_as_asked() {
        let target = Target::new(Release::new(6, 18), Arch::X86_64);
        for shape in Shape::ALL {
            for wanted in &Shape::SIZES[1..] {
                let report = verify(&shape.program(*wanted), &target, &Options::default());
                let processed = report.stats.insns_processed;
                assert!(matches!(report.verdict, Verdict::Accept), "{shape:?} {wanted}: {processed} processed");
                assert!((wanted / 2..=*wanted).contains(&processed), "{shape:?} {wanted}: {processed} processed");
            }
        }
    }
}
