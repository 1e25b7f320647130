//! Behaviours of the verifier that changed between releases, one row each.
//!
//! A row says what a kernel does, not what it is called: a distribution's kernel may do it under an older number.

use crate::target::Release;

/// A behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// A name for people.
    pub name: &'static str,
    /// The first release that behaves so.
    pub since: Release,
    /// The first release that behaves so no more.
    pub until: Option<Release>,
    /// Where it is told: the commit, or the documentation.
    pub cite: &'static str,
}

impl Feature {
    const fn new(name: &'static str, since: (u16, u16), cite: &'static str) -> Feature {
        Feature { name, since: Release::new(since.0, since.1), until: None, cite }
    }

    /// Whether mainline of this release behaves so.
    pub const fn in_release(&self, release: Release) -> bool {
        let over = match self.until {
            Some(until) => until.at_most(release),
            None => false,
        };
        self.since.at_most(release) && !over
    }
}

/// Calls between functions of a program.
pub const SUBPROGRAM_CALLS: Feature = Feature::new("calls between functions of a program", (4, 16), "cc8b0b92a169");
/// Instructions on the low halves of registers that compare (`JMP32`).
pub const JMP32: Feature = Feature::new("32-bit jumps", (5, 1), "092ed0968bb6");
/// A million processed instructions instead of 131,072.
pub const MILLION_INSNS: Feature = Feature::new("a million processed instructions", (5, 2), "c04c0d2b968a");
/// Loops that end.
pub const BOUNDED_LOOPS: Feature = Feature::new("loops that end", (5, 3), "2589726d12a1");
/// Global functions are verified by themselves.
pub const GLOBAL_FUNCTIONS: Feature = Feature::new("global functions verified by themselves", (5, 6), "51c39bb1d5d1");
/// Tail calls in programs of several functions.
pub const TAIL_CALLS_IN_SUBPROGRAMS: Feature = Feature::new("tail calls beside subprograms", (5, 10), "e411901c0b77");
/// Atomic instructions beyond the addition.
pub const ATOMICS: Feature = Feature::new("atomic exchange, compare and fetch", (5, 12), "5ffa25502b5a");
/// Kernel functions called by their BTF id.
pub const KFUNCS: Feature = Feature::new("calls of kernel functions", (5, 13), "e6ac2450d6de");
/// Open-coded iterators.
pub const OPEN_CODED_ITERATORS: Feature = Feature::new("open-coded iterators", (6, 4), "06accc8779c1");
/// Sign-extending loads and moves, signed division, byte swaps, 32-bit offsets of jumps.
pub const CPU_V4: Feature = Feature::new("instructions of version 4", (6, 6), "1f9a1ea821ff");
/// `bpf_throw`.
pub const EXCEPTIONS: Feature = Feature::new("exceptions", (6, 7), "f18b03fabaa9");
/// `may_goto`.
pub const MAY_GOTO: Feature = Feature::new("may_goto", (6, 9), "011832b97b31");
/// Arenas and casts between their address spaces.
pub const ARENAS: Feature = Feature::new("arenas", (6, 9), "317460317a02");
/// Spills around calls marked `bpf_fastcall` are removed.
pub const FASTCALL: Feature = Feature::new("bpf_fastcall", (6, 12), "5b5f51bff1b6");
/// Private stacks of programs that trace.
pub const PRIVATE_STACK: Feature = Feature::new("private stacks", (6, 13), "a76ab5731e32");
/// Load-acquire and store-release.
pub const LOAD_ACQUIRE: Feature = Feature::new("load-acquire and store-release", (6, 15), "880442305a39");
/// Pointers that kernel functions take must be trusted, unless their rows say otherwise. 6.18 itself did not ask for it, but its later
/// updates do, which was asked of 6.18.44.
pub const TRUSTED_KFUNC_ARGS: Feature = Feature::new("trusted arguments of kernel functions", (6, 18), "Linux 6.18.44");

/// Every row.
pub const FEATURES: &[Feature] = &[
    SUBPROGRAM_CALLS,
    JMP32,
    MILLION_INSNS,
    BOUNDED_LOOPS,
    GLOBAL_FUNCTIONS,
    TAIL_CALLS_IN_SUBPROGRAMS,
    ATOMICS,
    KFUNCS,
    OPEN_CODED_ITERATORS,
    CPU_V4,
    EXCEPTIONS,
    MAY_GOTO,
    ARENAS,
    FASTCALL,
    PRIVATE_STACK,
    LOAD_ACQUIRE,
    TRUSTED_KFUNC_ARGS,
];
