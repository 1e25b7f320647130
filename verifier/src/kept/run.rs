//! What must be known of a run to judge it.

use std::collections::BTreeMap;

use skep_btf::TypeId;

use crate::state::{MapRef, TypesOf};

/// Where the packet of a run lies, as addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketPlace {
    /// First byte of metadata; equal to `data` if there is none.
    pub meta: u64,
    /// First byte of the packet.
    pub data: u64,
    /// After the last byte that programs reach.
    pub end: u64,
}

/// A run that stands before an instruction. Addresses are what registers hold.
pub trait Run {
    /// Frames of the function that is verified by itself, and of those that it called.
    fn frames(&self) -> usize;

    /// `r0` to `r10` of a frame; those that a call has spoilt may be what they were at the call. Frame 0 is the outermost.
    fn registers(&self, frame: usize) -> [u64; 11];

    /// The stack of a frame, the byte right below the frame pointer last.
    fn stack(&self, frame: usize) -> [u8; 512];

    /// The context.
    fn context(&self) -> u64;

    /// The packet, if there is one.
    fn packet(&self) -> Option<PacketPlace>;

    /// Where values of a map begin from `low` to `high`, both included; `None` where that is not known.
    fn values(&self, map: MapRef, low: u64, high: u64) -> Option<Vec<u64>>;

    /// Whether this names the map; `None` where that is not known.
    fn is_map(&self, map: MapRef, addr: u64) -> Option<bool>;

    /// Whether an object of this type begins here; `None` where that is not known.
    fn is_object(&self, types: TypesOf, id: TypeId, addr: u64) -> Option<bool>;

    /// Whether this names the function of this number.
    fn is_function(&self, subprog: u32, addr: u64) -> bool;

    /// First address and end of the memory around an address that one pointer may reach.
    fn piece(&self, addr: u64) -> Option<(u64, u64)>;

    /// How many references, locks, sections of RCU and without preemption are held.
    fn held(&self) -> Held;
}

/// What a run holds, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Things that must be given back by their pointer, iterators among them.
    pub references: usize,
    /// Locks.
    pub locks: usize,
    /// Sections of RCU.
    pub rcu: usize,
    /// Sections without preemption.
    pub preempt: usize,
}

/// The part of a state that a run is outside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The number of frames.
    Frames,
    /// A register.
    Reg {
        /// Frame.
        frame: usize,
        /// Number.
        reg: usize,
    },
    /// A slot of the stack.
    Slot {
        /// Frame.
        frame: usize,
        /// Number: 0 is right below the frame pointer.
        spi: usize,
    },
    /// What is held.
    Held,
}

/// A run is outside of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {claim}, and it is {found}", match place {
    Where::Frames => "frames".to_owned(),
    Where::Reg { frame, reg } => format!("r{reg} of frame {frame}"),
    Where::Slot { frame, spi } => format!("fp-{} of frame {frame}", (spi + 1) * 8),
    Where::Held => "held".to_owned(),
})]
pub struct Escape {
    /// Where.
    pub place: Where,
    /// What the state says.
    pub claim: String,
    /// What the run has there.
    pub found: String,
}

/// How much was judged, in registers and slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// States that runs were held against.
    pub states: u64,
    /// Held against a claim.
    pub judged: u64,
    /// Not read any more, or never written.
    pub dead: u64,
    /// Read, and may be anything: no verdict depended on it.
    pub free: u64,
    /// What is claimed cannot be judged, by what it is.
    pub open: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: &Tally) {
        self.states += other.states;
        self.judged += other.judged;
        self.dead += other.dead;
        self.free += other.free;
        for (what, count) in &other.open {
            *self.open.entry(what).or_default() += count;
        }
    }
}
