//! The task a program runs in.

use std::collections::BTreeSet;

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
    /// The pid namespace that it was born in, and its numbers there.
    pub pid_namespace: PidNamespace,
    /// Return addresses in the kernel, innermost first: what `bpf_get_stackid` and kin see.
    pub kernel_stack: Vec<u64>,
    /// Return addresses in user space, innermost first.
    pub user_stack: Vec<u64>,
    /// Whether it is a thread of the kernel: it has no user memory.
    pub kernel_thread: bool,
    /// Its open descriptors.
    pub descriptors: BTreeSet<u32>,
    /// Its mappings of user memory.
    pub mappings: Vec<Mapping>,
}

/// A piece of user memory (`struct vm_area_struct`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// `vm_flags`: readable is 1, writable 2, executable 4.
    pub flags: u64,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// The build id of the file, where it has one.
    pub build_id: Option<[u8; 20]>,
}

impl Task {
    /// The mapping that holds an address of user memory.
    pub fn mapping(&self, addr: u64) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&addr))
    }
}

/// A pid namespace by the file that names it in `/proc/PID/ns`, and who the task is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PidNamespace {
    /// Device of the file.
    pub dev: u64,
    /// Its inode.
    pub inode: u64,
    /// The thread id in the namespace.
    pub pid: u32,
    /// The process id in the namespace.
    pub tgid: u32,
}

/// Stacks that no test set are as deep as usual ones, in functions that lie one after the other from the beginnings of the kernel's text
/// and of a program's.
const KERNEL_CODE: u64 = 0xffff_ffff_8100_0000;
const KERNEL_FRAMES: u64 = 16;
const USER_CODE: u64 = 0x40_1000;
const USER_FRAMES: u64 = 8;
const FUNCTION: u64 = 0x100;

impl Default for Task {
    fn default() -> Task {
        Task {
            pid: 1000,
            tgid: 1000,
            comm: "skep".to_owned(),
            uid: 0,
            gid: 0,
            cgroup_id: 1,
            pid_namespace: PidNamespace::default(),
            kernel_stack: (0..KERNEL_FRAMES).map(|frame| KERNEL_CODE + frame * FUNCTION).collect(),
            user_stack: (0..USER_FRAMES).map(|frame| USER_CODE + frame * FUNCTION).collect(),
            kernel_thread: false,
            descriptors: BTreeSet::from([0, 1, 2]),
            mappings: Vec::new(),
        }
    }
}
