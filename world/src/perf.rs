//! Performance counters and recorded branches.

/// What `bpf_perf_prog_read_value` and kin answer from. The counters of `bpf_perf_event_read` are in perf event arrays.
#[derive(Debug, Clone, Default)]
pub struct Perf {
    /// The event that a `perf_event` program runs for.
    pub current: Counter,
    /// Branches recorded with the sample of a `perf_event` program; `None` if the event records none.
    pub sample_branches: Option<Vec<Branch>>,
    /// What the branch recorder of the CPU holds.
    pub branches: Vec<Branch>,
}

/// `struct bpf_perf_event_value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Its value.
    pub counter: u64,
    /// Nanoseconds for which it was enabled.
    pub enabled: u64,
    /// Nanoseconds for which it ran.
    pub running: u64,
}

/// `struct perf_branch_entry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Branch {
    /// Where it left.
    pub from: u64,
    /// Where it went.
    pub to: u64,
    /// The word of flags (mispredicted, predicted, cycles, type ...).
    pub flags: u64,
}
