//! Who loads a program: root, and those who have a few capabilities alone.

use skep_kernel::{Capability, unprivileged_may_load, with_capabilities};
use skep_linux::Errno;
use skep_verifier::Privileges;

/// Who loads the programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// All capabilities.
    #[default]
    Root,
    /// None.
    Nobody,
    /// `CAP_BPF`.
    Bpf,
    /// `CAP_BPF` and `CAP_NET_ADMIN`.
    BpfNet,
    /// `CAP_BPF` and `CAP_PERFMON`.
    BpfPerfmon,
}

impl User {
    /// All but root, who lack something.
    pub const FEW: [User; 4] = [User::Nobody, User::Bpf, User::BpfNet, User::BpfPerfmon];

    /// The capabilities that are not given up; `None` for all.
    pub const fn keeps(self) -> Option<&'static [Capability]> {
        match self {
            User::Root => None,
            User::Nobody => Some(&[]),
            User::Bpf => Some(&[Capability::Bpf]),
            User::BpfNet => Some(&[Capability::Bpf, Capability::NetAdmin]),
            User::BpfPerfmon => Some(&[Capability::Bpf, Capability::Perfmon]),
        }
    }

    /// The same, as skep is told.
    pub fn privileges(self) -> Privileges {
        let has = |capability| self.keeps().is_none_or(|keep| keep.contains(&capability));
        Privileges {
            bpf: has(Capability::Bpf),
            perfmon: has(Capability::Perfmon),
            net_admin: has(Capability::NetAdmin),
            sys_admin: has(Capability::SysAdmin),
        }
    }

    /// The name of a user: `root`, `nobody`, `bpf`, `bpf-net`, `bpf-perfmon`.
    pub fn named(name: &str) -> Option<User> {
        let names = ["root", "nobody", "bpf", "bpf-net", "bpf-perfmon"];
        let users = [User::Root].into_iter().chain(User::FEW);
        users.zip(names).find(|(_, of)| *of == name).map(|(user, _)| user)
    }

    /// Runs with no more than the capabilities of the user.
    ///
    /// # Errors
    /// `EPERM` if the thread does not have them.
    pub fn runs<T>(self, run: impl FnOnce() -> T) -> Result<T, Errno> {
        match self.keeps() {
            None => Ok(run()),
            Some(keep) => with_capabilities(keep, run),
        }
    }

    /// What the host lacks for this user to load programs.
    pub fn lacks(self) -> Option<&'static str> {
        (self == User::Nobody && !unprivileged_may_load()).then_some("kernel.unprivileged_bpf_disabled=0")
    }
}
