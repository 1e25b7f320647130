//! Time.

/// The clocks of the kernel. All times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// `CLOCK_MONOTONIC`: `bpf_ktime_get_ns`.
    pub monotonic: u64,
    /// Added for `CLOCK_BOOTTIME`: time spent suspended.
    pub suspended: u64,
    /// Added for `CLOCK_TAI` and wall-clock time.
    pub epoch: u64,
    /// Ticks per second for `bpf_jiffies64`.
    pub hz: u64,
}
