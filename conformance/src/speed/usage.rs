//! What this thread and this process have used, as Linux counts it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time that this thread ran on a processor. Unlike the time of a clock on the wall it does not grow while others run there.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Bytes of memory that this process had at most at one time since it began, or since [`forget_peak`].
///
/// # Errors
/// `/proc/self/status` cannot be read, or does not say it.
pub fn peak_memory() -> std::io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = field.and_then(|field| field.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    number.map(|kib| kib << 10).ok_or_else(|| std::io::Error::other("/proc/self/status has no VmHWM"))
}

/// Counts the memory of this process at most from now on.
///
/// # Errors
/// `/proc/self/clear_refs` cannot be written.
pub fn forget_peak() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_touched_counts() {
        // Far more than all other tests of this process together.
        const MUCH: u64 = 512 << 20;
        let touched = vec![1u8; MUCH as usize];
        assert!(peak_memory().unwrap() >= MUCH);
        drop(std::hint::black_box(touched));
        forget_peak().unwrap();
        assert!(peak_memory().unwrap() < MUCH);
    }

    #[test]
    fn time_of_others_does_not_count() {
        let before = cpu_time();
        std::thread::sleep(Duration::from_millis(50));
        let slept = cpu_time();
        let sum: u64 = std::hint::black_box(0..1_000_000u64).sum();
        assert!(std::hint::black_box(sum) > 0 && cpu_time() > slept);
        assert!(slept - before < Duration::from_millis(40));
    }
}
