//! What a verdict depends on besides the program and its target.

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
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who loads the program.
    pub privileges: Privileges,
    /// 0: no log; 1: the path to the error; 2: every instruction with its state, as the kernel's levels.
    pub log_level: u8,
    /// Work after which the answer is "undecided": one unit is about the work of one instruction. The kernel has no such limit.
    pub work_limit: u64,
    /// Count how often each slot is processed.
    pub count_insns: bool,
}

impl Options {
    /// More than any program of those that Linux decides within two minutes needs.
    pub const WORK_LIMIT: u64 = 400_000_000;
}

impl Default for Options {
    fn default() -> Options {
        Options { privileges: Privileges::ALL, log_level: 0, work_limit: Options::WORK_LIMIT, count_insns: false }
    }
}
