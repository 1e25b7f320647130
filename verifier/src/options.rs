//! What a verdict depends on besides the program and its target.

use skep_linux::ProgRow;

use crate::kept::Keeper;

/// What the one who loads the program is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    /// `CAP_BPF`: loops, bounded precision, calls and more than 4,096 instructions.
    pub bpf: bool,
    /// `CAP_PERFMON`: pointers may leak, and speculation is not guarded against.
    pub perfmon: bool,
    /// `CAP_NET_ADMIN`.
    pub net_admin: bool,
    /// `CAP_SYS_ADMIN`.
    pub sys_admin: bool,
}

impl Privileges {
    /// Everything, as root has it.
    pub const ALL: Privileges = Privileges { bpf: true, perfmon: true, net_admin: true, sys_admin: true };
    /// Nothing, on a host that lets users load programs.
    pub const NONE: Privileges = Privileges { bpf: false, perfmon: false, net_admin: false, sys_admin: false };

    /// With `CAP_SYS_ADMIN` the others are given.
    #[must_use]
    pub const fn whole(self) -> Privileges {
        if self.sys_admin { Privileges::ALL } else { self }
    }

    /// The capability without which programs of this type are not loaded, if it is missing.
    pub const fn lacks_for(self, row: &ProgRow) -> Option<&'static str> {
        if !row.unprivileged && !self.bpf {
            Some("CAP_BPF")
        } else if row.net_admin && !self.net_admin {
            Some("CAP_NET_ADMIN")
        } else if row.perfmon && !self.perfmon {
            Some("CAP_PERFMON")
        } else {
            None
        }
    }
}

/// What a kernel's configuration or lockdown may deny to everybody. By default nothing is allowed that a kernel which was booted
/// securely, or built without it, denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// Programs may read the memory of the kernel; lockdown "confidentiality" denies it.
    pub read_kernel: bool,
    /// Programs may write the memory of processes; lockdown "integrity" denies it.
    pub write_user: bool,
    /// Programs may override what functions return; `CONFIG_BPF_KPROBE_OVERRIDE`.
    pub override_return: bool,
}

impl Default for Policies {
    fn default() -> Policies {
        Policies { read_kernel: true, write_user: false, override_return: false }
    }
}

/// Which states are handed out with the verdict, for a judge: see [`crate::kept`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// None.
    #[default]
    Nothing,
    /// Those that verification keeps anyway.
    States,
    /// One at every instruction of every path. Verification is slower, and its counts are not the kernel's.
    Everywhere,
    /// The same, where every number counts as relied on: paths end only where all numbers lie within the older state's. This claims most, but
    /// some loops never end so.
    Numbers,
}

impl Keep {
    pub(crate) fn keeper(self) -> Option<Box<Keeper>> {
        match self {
            Keep::Nothing => None,
            Keep::States | Keep::Everywhere | Keep::Numbers => Some(Box::new(Keeper::new(self))),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who loads the program.
    pub privileges: Privileges,
    /// What the kernel denies to everybody.
    pub policies: Policies,
    /// 0: no log; 1: the path to the error; 2: every instruction with its state, as the kernel's levels.
    pub log_level: u8,
    /// Work after which the answer is "undecided": one unit is about the work of one instruction. The kernel has no such limit.
    pub work_limit: u64,
    /// Count how often each slot is processed.
    pub count_insns: bool,
    /// States to hand out.
    pub keep: Keep,
}

impl Options {
    /// More than any program of those that Linux decides within two minutes needs.
    pub const WORK_LIMIT: u64 = 400_000_000;
}

impl Default for Options {
    fn default() -> Options {
        Options {
            privileges: Privileges::ALL,
            policies: Policies::default(),
            log_level: 0,
            work_limit: Options::WORK_LIMIT,
            count_insns: false,
            keep: Keep::Nothing,
        }
    }
}
