//! What an event brings beside its context.

use crate::{Redirect, Skb};

/// The circumstances of one run: set by who raises the event, changed by helpers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `bpf_get_attach_cookie`.
    pub cookie: u64,
    /// `bpf_get_func_ip`: address of the probed function; 0 for uprobes without one.
    pub func_ip: u64,
    /// How many arguments the traced function has (`bpf_get_func_arg_cnt`); `None`: as many as the target's BTF says.
    pub func_arg_count: Option<u32>,
    /// The value that cgroup programs share with `bpf_get_retval` and `bpf_set_retval`.
    pub retval: i32,
    /// What the last redirect helper asked for.
    pub redirect: Option<Redirect>,
    /// What the socket buffer brings beside its bytes and fields.
    pub skb: Skb,
    /// Bytes of the header that TCP options take without those of programs: 40 is the most that there may be.
    pub tcp_options: u32,
    /// Whether the run is the return probe of a session (`bpf_session_is_return`).
    pub session_return: bool,
    /// Address of the number that the two probes of a session share, once one asked for it.
    pub session_cookie: Option<u64>,
    /// The sysctl that is read or written.
    pub sysctl: Sysctl,
}

/// A sysctl, as `cgroup/sysctl` programs see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sysctl {
    /// Its path under `/proc/sys`, such as `net/ipv4/tcp_mem`.
    pub name: String,
    /// The value that it has.
    pub current: Vec<u8>,
    /// The value that is written.
    pub new: Vec<u8>,
    /// Whether a program wrote `new`.
    pub replaced: bool,
}
