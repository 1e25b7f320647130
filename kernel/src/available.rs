//! Whether this host's kernel can be asked at all.

use std::sync::OnceLock;

use skep_isa::RawInsn;
use skep_linux::{Errno, ProgType};

use crate::{Load, LoadError};

/// The kernel of this host.
#[derive(Debug, Clone, Copy)]
pub struct Kernel;

/// Why the kernel of this host cannot be asked. Reads on after "needs".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The caller may not load programs.
    #[error("root, or CAP_BPF with CAP_PERFMON and CAP_NET_ADMIN")]
    Permission,
    /// No `bpf(2)`: it was built without, or a sandbox hides it.
    #[error("a kernel with bpf(2)")]
    NoBpf,
    /// A program that every kernel accepts was not accepted.
    #[error("a kernel that loads programs (it said {errno})")]
    Refused {
        /// What it said.
        errno: Errno,
    },
}

impl Kernel {
    /// Whether programs can be loaded here: loads one. The answer is found once and kept.
    pub fn available() -> Result<(), Why> {
        static ANSWER: OnceLock<Result<(), Why>> = OnceLock::new();
        ANSWER.get_or_init(probe).clone()
    }

    /// The release as `uname -r` says it, such as `6.18.44`; empty where it cannot be read.
    pub fn release() -> String {
        std::fs::read_to_string("/proc/sys/kernel/osrelease").map(|s| s.trim().to_string()).unwrap_or_default()
    }
}

fn probe() -> Result<(), Why> {
    // The instructions are r0 = 0; exit. The type is one that takes more than CAP_BPF, as most of those that tests use.
    let insns = [RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)];
    match Load::raw(ProgType::SchedCls, &insns).load() {
        Ok(_) => Ok(()),
        Err(LoadError::Refused { errno: Errno::EPERM, .. }) => Err(Why::Permission),
        Err(LoadError::Refused { errno: Errno::ENOSYS, .. }) => Err(Why::NoBpf),
        Err(LoadError::Refused { errno, .. }) => Err(Why::Refused { errno }),
        Err(LoadError::License { .. } | LoadError::MapIndex { .. } | LoadError::Map(_)) => Err(Why::NoBpf),
    }
}
