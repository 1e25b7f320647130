//! What a program does, so that it can be counted how much of what is accepted.

/// A family of pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names say what the pieces do
pub enum Family {
    Arithmetic,
    Branches,
    Loops,
    MayGoto,
    Spills,
    MapValues,
    Packets,
    Contexts,
    Atomics,
    Ordered,
    Helpers,
    Records,
    Sockets,
    Kfuncs,
    Objects,
    Sections,
    Locks,
    Iterators,
    Dynptrs,
    Slices,
    Callbacks,
    Later,
    Locals,
    Globals,
    Allocated,
    Lists,
    Trees,
    Kptrs,
    TailCalls,
    Sleepable,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 30] = [
        Family::Arithmetic,
        Family::Branches,
        Family::Loops,
        Family::MayGoto,
        Family::Spills,
        Family::MapValues,
        Family::Packets,
        Family::Contexts,
        Family::Atomics,
        Family::Ordered,
        Family::Helpers,
        Family::Records,
        Family::Sockets,
        Family::Kfuncs,
        Family::Objects,
        Family::Sections,
        Family::Locks,
        Family::Iterators,
        Family::Dynptrs,
        Family::Slices,
        Family::Callbacks,
        Family::Later,
        Family::Locals,
        Family::Globals,
        Family::Allocated,
        Family::Lists,
        Family::Trees,
        Family::Kptrs,
        Family::TailCalls,
        Family::Sleepable,
    ];

    /// What its pieces are.
    pub const fn what(self) -> &'static str {
        match self {
            Family::Arithmetic => "arithmetic, byte order, sign extension",
            Family::Branches => "branches on numbers",
            Family::Loops => "loops with a counter",
            Family::MayGoto => "loops by may_goto",
            Family::Spills => "stores to the stack and loads from it",
            Family::MapValues => "values of maps",
            Family::Packets => "packet pointers",
            Family::Contexts => "fields of the context",
            Family::Atomics => "atomic operations",
            Family::Ordered => "load-acquire, store-release",
            Family::Helpers => "helpers by their rows",
            Family::Records => "ring buffer records",
            Family::Sockets => "sockets that helpers acquire",
            Family::Kfuncs => "kernel functions by their rows",
            Family::Objects => "kernel objects that kernel functions acquire",
            Family::Sections => "RCU, preemption and interrupt sections",
            Family::Locks => "spin locks, resilient ones too",
            Family::Iterators => "open-coded iterators",
            Family::Dynptrs => "dynptrs",
            Family::Slices => "pointers into dynptrs",
            Family::Callbacks => "callbacks that run within a call",
            Family::Later => "callbacks that run later",
            Family::Locals => "calls of static functions",
            Family::Globals => "calls of global functions",
            Family::Allocated => "objects that the program allocates",
            Family::Lists => "lists",
            Family::Trees => "trees",
            Family::Kptrs => "kernel pointers in map values",
            Family::TailCalls => "tail calls",
            Family::Sleepable => "sleepable programs",
        }
    }
}

/// A set of families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Families(u64);

impl Families {
    /// Adds one.
    pub fn add(&mut self, family: Family) {
        self.0 |= 1 << family as u32;
    }

    /// Whether it is there.
    pub const fn has(self, family: Family) -> bool {
        self.0 & (1 << family as u32) != 0
    }
}
