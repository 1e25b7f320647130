//! How a phase or a step ends early.

use crate::report::{NotModelled, Reject, Trail, Undecided, Verdict};
use crate::why::{self, Why};

/// The program is refused, or nobody can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refused.
    Refused(Box<Why>),
    /// Undecided.
    Unknown(Box<NotModelled>),
}

impl Fault {
    /// Something that skep does not know.
    pub fn not_modelled(what: impl Into<String>) -> Fault {
        Fault::Unknown(Box::new(NotModelled::Feature(what.into())))
    }

    /// A state that must not be: the answer is "undecided".
    pub fn bug(what: impl Into<String>) -> Fault {
        Fault::Unknown(Box::new(NotModelled::Bug(what.into())))
    }

    /// The verdict, blamed on this slot.
    pub fn verdict(self, pc: Option<usize>, trail: Trail) -> Verdict {
        match self {
            Fault::Refused(why) => Verdict::Reject(Box::new(Reject { pc, why: *why, trail })),
            Fault::Unknown(what) => Verdict::Undecided(Box::new(Undecided { pc, what: *what })),
        }
    }
}

impl From<Why> for Fault {
    fn from(why: Why) -> Fault {
        Fault::Refused(Box::new(why))
    }
}

macro_rules! from_family {
    ($($family:ident),*) => {
        $(impl From<why::$family> for Fault {
            fn from(why: why::$family) -> Fault {
                Fault::Refused(Box::new(why.into()))
            }
        })*
    };
}

from_family!(Form, Flow, Reg, Mem, Call, Kfunc, Locks, Types);

/// A refusal of a phase that follows no path, and the slot that is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The slot; `None` for the program as a whole.
    pub pc: Option<usize>,
    /// What is wrong.
    pub fault: Fault,
}

impl At {
    /// At this slot.
    pub fn slot(pc: usize, fault: impl Into<Fault>) -> At {
        At { pc: Some(pc), fault: fault.into() }
    }

    /// In the program as a whole.
    pub fn whole(fault: impl Into<Fault>) -> At {
        At { pc: None, fault: fault.into() }
    }
}
