//! The calling thread, as programs that it runs see it: where it runs, whose network it has, who it is, what time it is.

use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity, unshare};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, getgid, getpid, gettid, getuid};
use skep_linux::Errno;

/// Who a thread is to programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Its name.
    pub comm: String,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Id of its cgroup in the second hierarchy; 1 (the root) where that is not mounted.
    pub cgroup_id: u64,
    /// The CPU that it is on: one that may change, unless it is pinned.
    pub cpu: usize,
}

/// The kernel's clocks, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: u64,
    /// `CLOCK_BOOTTIME`.
    pub boot: u64,
    /// `CLOCK_TAI`.
    pub tai: u64,
}

fn errno(error: nix::errno::Errno) -> Errno {
    Errno(error as i32)
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// `EINVAL` if there is no such CPU, or if it is off.
pub fn pin_thread(cpu: usize) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    set.set(cpu).map_err(errno)?;
    sched_setaffinity(Pid::from_raw(0), &set).map_err(errno)
}

/// The CPUs that the calling thread may run on, by number; number 0 where the kernel does not say.
pub fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0));
    allowed.map_or(vec![0], |set| (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true)).collect())
}

/// Gives the calling thread a network of its own, for as long as it lives: no device but a loopback that is down. What programs that
/// it runs send reaches nobody.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`.
pub fn isolate_network() -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(errno)
}

/// A capability that `bpf(2)` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// `CAP_BPF`.
    Bpf,
    /// `CAP_PERFMON`.
    Perfmon,
    /// `CAP_NET_ADMIN`.
    NetAdmin,
    /// `CAP_SYS_ADMIN`.
    SysAdmin,
}

impl From<Capability> for caps::Capability {
    fn from(capability: Capability) -> caps::Capability {
        match capability {
            Capability::Bpf => caps::Capability::CAP_BPF,
            Capability::Perfmon => caps::Capability::CAP_PERFMON,
            Capability::NetAdmin => caps::Capability::CAP_NET_ADMIN,
            Capability::SysAdmin => caps::Capability::CAP_SYS_ADMIN,
        }
    }
}

/// Runs with no capability but these: the calling thread gets the others back afterwards.
///
/// # Errors
/// `EPERM` if the thread does not have all of these.
pub fn with_capabilities<T>(keep: &[Capability], run: impl FnOnce() -> T) -> Result<T, Errno> {
    /// Gives them back, also where the function panics.
    struct Before(caps::CapsHashSet);
    impl Drop for Before {
        fn drop(&mut self) {
            // What a thread is permitted, it may take.
            let _ = caps::set(None, caps::CapSet::Effective, &self.0);
        }
    }
    let keep = keep.iter().map(|capability| caps::Capability::from(*capability)).collect();
    let before = Before(caps::read(None, caps::CapSet::Effective).map_err(|_| Errno::EPERM)?);
    caps::set(None, caps::CapSet::Effective, &keep).map_err(|_| Errno::EPERM)?;
    let result = run();
    drop(before);
    Ok(result)
}

/// Whether users without `CAP_BPF` may load programs: `kernel.unprivileged_bpf_disabled` is 0.
pub fn unprivileged_may_load() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled").is_ok_and(|text| text.trim() == "0")
}

/// Who the calling thread is.
pub fn who() -> Who {
    let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
    Who {
        pid: gettid().as_raw() as u32,
        tgid: getpid().as_raw() as u32,
        comm: comm.trim_end_matches('\n').to_owned(),
        uid: getuid().as_raw(),
        gid: getgid().as_raw(),
        cgroup_id: cgroup_id().unwrap_or(1),
        cpu: sched_getcpu().unwrap_or(0),
    }
}

/// The id of a cgroup is the inode number of its folder.
fn cgroup_id() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let text = std::fs::read_to_string("/proc/thread-self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().find(|root| {
        // Only the second hierarchy has this file.
        std::path::Path::new(root).join("cgroup.controllers").exists()
    })?;
    Some(std::fs::metadata(format!("{root}{path}")).ok()?.ino())
}

/// What time it is.
pub fn times() -> Times {
    let read = |clock| clock_gettime(clock).map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64);
    Times { monotonic: read(ClockId::CLOCK_MONOTONIC), boot: read(ClockId::CLOCK_BOOTTIME), tai: read(ClockId::CLOCK_TAI) }
}
