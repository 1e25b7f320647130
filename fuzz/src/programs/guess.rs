//! What a generator believes that registers hold: enough to write programs that are often accepted.

use skep_isa::Reg;

/// What a register is believed to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// Nothing that may be read.
    Dead,
    /// A number, no larger than this (0 to the maximum) where that is known.
    Number(Option<u32>),
    /// The context.
    Context,
    /// The stack, at this offset.
    Stack(i16),
    /// A value of a map, at this offset.
    Value(usize, i16),
    /// A value of a map, or NULL.
    ValueOrNull(usize),
    /// The packet: so many bytes from this offset are known to be there.
    Packet(i16, i16),
    /// The end of the packet.
    PacketEnd,
    /// A ring buffer record of this size, or NULL.
    RecordOrNull(u32),
    /// A ring buffer record of this size.
    Record(u32),
}

impl Guess {
    /// It is a number.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Guess::Number(_))
    }
}

/// What a function's registers and stack are believed to hold.
#[derive(Debug, Clone)]
pub(super) struct Guesses {
    regs: [Guess; 11],
    /// By slot: whether all its bytes were written, and what was spilled there.
    slots: [Option<Guess>; 16],
}

impl Guesses {
    /// A function begins: so many arguments are numbers.
    pub(super) fn new(numbers: usize) -> Guesses {
        let mut regs = [Guess::Dead; 11];
        regs[10] = Guess::Stack(0);
        for reg in &mut regs[1..=numbers] {
            *reg = Guess::Number(None);
        }
        Guesses { regs, slots: [None; 16] }
    }

    /// What a register holds.
    pub(super) fn get(&self, reg: Reg) -> Guess {
        self.regs[reg.index()]
    }

    /// A register holds this now.
    pub(super) fn set(&mut self, reg: Reg, guess: Guess) {
        if reg != Reg::R10 {
            self.regs[reg.index()] = guess;
        }
    }

    /// What a slot (0 is below the frame pointer) holds.
    pub(super) fn slot(&self, slot: usize) -> Option<Guess> {
        self.slots[slot]
    }

    /// A slot holds this now.
    pub(super) fn set_slot(&mut self, slot: usize, guess: Option<Guess>) {
        self.slots[slot] = guess;
    }

    /// Registers for which this holds.
    pub(super) fn those(&self, holds: impl Fn(Guess) -> bool) -> Vec<Reg> {
        Reg::ALL.into_iter().filter(|reg| holds(self.get(*reg))).collect()
    }

    /// After a call.
    pub(super) fn scratch(&mut self) {
        self.regs[..6].fill(Guess::Dead);
    }

    /// Where two ways meet: what both believe.
    pub(super) fn meet(&mut self, other: &Guesses) {
        let both = |a: Guess, b: Guess| match (a, b) {
            _ if a == b => a,
            (Guess::Number(a), Guess::Number(b)) => Guess::Number(a.zip(b).map(|(a, b)| a.max(b))),
            (Guess::Packet(at, a), Guess::Packet(there, b)) if at == there => Guess::Packet(at, a.min(b)),
            _different => Guess::Dead,
        };
        for (mine, others) in self.regs.iter_mut().zip(other.regs) {
            *mine = both(*mine, others);
        }
        for (mine, others) in self.slots.iter_mut().zip(other.slots) {
            *mine = match (*mine, others) {
                (Some(a), Some(b)) => match both(a, b) {
                    Guess::Dead => Some(Guess::Number(None)).filter(|_| a.is_number() && b.is_number()),
                    guess => Some(guess),
                },
                _one => None,
            };
        }
    }
}
