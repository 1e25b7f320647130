//! What an event brings beside its context.

use crate::Redirect;

/// The circumstances of one run: set by who raises the event, changed by helpers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `bpf_get_attach_cookie`.
    pub cookie: u64,
    /// `bpf_get_func_ip`: address of the probed function; 0 for uprobes without one.
    pub func_ip: u64,
    /// Arguments of the traced function, for `bpf_get_func_arg`.
    pub func_args: Vec<u64>,
    /// What the traced function returned, in programs that run when it has returned.
    pub func_ret: Option<u64>,
    /// The value that cgroup programs share with `bpf_get_retval` and `bpf_set_retval`.
    pub retval: i32,
    /// What the last redirect helper asked for.
    pub redirect: Option<Redirect>,
    /// Whether the run is the return probe of a session (`bpf_session_is_return`).
    pub session_return: bool,
}
