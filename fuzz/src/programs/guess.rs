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
    /// A socket: whether it must be given back.
    Sock(bool),
    /// A socket, or NULL.
    SockOrNull(bool),
    /// An object of this struct of the kernel: whether it must be given back.
    Object(u32, bool),
    /// An object, or NULL.
    ObjectOrNull(u32, bool),
    /// Memory of so many bytes.
    Mem(i16),
    /// Memory, or NULL.
    MemOrNull(i16),
    /// An object of the program's own, by the number of its struct.
    Own(usize),
    /// An object of the program's own, or NULL.
    OwnOrNull(usize),
    /// A dynptr that a function was given.
    Dynptr,
}

impl Guess {
    /// What it is when it is not NULL; `None` if it cannot be NULL.
    pub(super) const fn not_null(self) -> Option<Guess> {
        match self {
            Guess::ValueOrNull(map) => Some(Guess::Value(map, 0)),
            Guess::RecordOrNull(size) => Some(Guess::Record(size)),
            Guess::SockOrNull(held) => Some(Guess::Sock(held)),
            Guess::ObjectOrNull(of, held) => Some(Guess::Object(of, held)),
            Guess::MemOrNull(size) => Some(Guess::Mem(size)),
            Guess::OwnOrNull(item) => Some(Guess::Own(item)),
            Guess::Dead
            | Guess::Number(_)
            | Guess::Context
            | Guess::Stack(_)
            | Guess::Value(..)
            | Guess::Packet(..)
            | Guess::PacketEnd
            | Guess::Record(_)
            | Guess::Sock(_)
            | Guess::Object(..)
            | Guess::Mem(_)
            | Guess::Own(_)
            | Guess::Dynptr => None,
        }
    }

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
    /// A function begins, with these arguments.
    pub(super) fn new(args: &[Guess]) -> Guesses {
        let mut regs = [Guess::Dead; 11];
        regs[10] = Guess::Stack(0);
        for (reg, arg) in regs[1..6].iter_mut().zip(args) {
            *reg = *arg;
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

    /// Registers and slots for which this holds are not readable any more.
    pub(super) fn forget(&mut self, holds: impl Fn(Guess) -> bool) {
        self.regs[..10].iter_mut().filter(|guess| holds(**guess)).for_each(|guess| *guess = Guess::Dead);
        self.slots.iter_mut().filter(|slot| slot.is_some_and(&holds)).for_each(|slot| *slot = None);
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
