//! The task a program runs in.

/// What helpers say of the current task. Its `task_struct` is a typed kernel object made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Thread id (`pid` in the kernel's words).
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Name, at most 15 bytes.
    pub comm: String,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Id of its cgroup.
    pub cgroup_id: u64,
}
