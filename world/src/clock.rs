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
    /// What passes after each time that a program asks: 0, so that all of a run is one moment.
    pub step: u64,
}

impl Default for Clock {
    /// One hour after boot, at the beginning of 2025, with 250 ticks per second.
    fn default() -> Clock {
        Clock { monotonic: 3600 * 1_000_000_000, suspended: 0, epoch: 1_735_689_600 * 1_000_000_000, hz: 250, step: 0 }
    }
}

impl Clock {
    /// The clock as a program that asks finds it; the step passes.
    pub fn read(&mut self) -> Clock {
        let now = self.clone();
        self.monotonic = self.monotonic.wrapping_add(self.step);
        now
    }

    /// `CLOCK_BOOTTIME`.
    pub fn boot(&self) -> u64 {
        self.monotonic.wrapping_add(self.suspended)
    }

    /// `CLOCK_TAI`, without leap seconds.
    pub fn tai(&self) -> u64 {
        self.monotonic.wrapping_add(self.epoch)
    }

    /// `jiffies_64`, which starts so that its low half wraps five minutes after boot.
    pub fn jiffies(&self) -> u64 {
        let start = u64::from((300 * self.hz as u32).wrapping_neg());
        let ticks = u128::from(self.monotonic) * u128::from(self.hz) / 1_000_000_000;
        start.wrapping_add(ticks as u64)
    }
}
