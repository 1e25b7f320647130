//! From the number of a helper, or the name of a kfunc, to its body.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::HelperFn;
use crate::call::{HelperBody, KfuncBody};

/// Helpers by family: the families of the rows in `skep-linux`.
const FAMILIES: &[(&str, &[HelperBody])] = &[
    ("cgroup", crate::cgroup::HELPERS),
    ("control", crate::control::HELPERS),
    ("cpu", crate::cpu::HELPERS),
    ("csum", crate::csum::HELPERS),
    ("dynptr", crate::dynptr::HELPERS),
    ("kptr", crate::kptr::HELPERS),
    ("lirc", crate::lirc::HELPERS),
    ("lock", crate::lock::HELPERS),
    ("lsm", crate::lsm::HELPERS),
    ("lwt", crate::lwt::HELPERS),
    ("map", crate::map::HELPERS),
    ("perf", crate::perf::HELPERS),
    ("print", crate::print::HELPERS),
    ("probe", crate::probe::HELPERS),
    ("redirect", crate::redirect::HELPERS),
    ("ringbuf", crate::ringbuf::HELPERS),
    ("route", crate::route::HELPERS),
    ("skb", crate::skb::HELPERS),
    ("sock", crate::sock::HELPERS),
    ("sockmap", crate::sockmap::HELPERS),
    ("stack", crate::stack::HELPERS),
    ("storage", crate::storage::HELPERS),
    ("string", crate::string::HELPERS),
    ("syscall", crate::syscall::HELPERS),
    ("sysctl", crate::sysctl::HELPERS),
    ("task", crate::task::HELPERS),
    ("tcp", crate::tcp::HELPERS),
    ("time", crate::time::HELPERS),
    ("timer", crate::timer::HELPERS),
    ("trace", crate::trace::HELPERS),
    ("tunnel", crate::tunnel::HELPERS),
    ("xdp", crate::xdp::HELPERS),
];

/// Kfuncs by family.
const KFUNC_FAMILIES: &[(&str, &[KfuncBody])] = &[
    ("alloc", crate::alloc::KFUNCS),
    ("arena", crate::arena::KFUNCS),
    ("cgroup", crate::cgroup::KFUNCS),
    ("cpumask", crate::cpumask::KFUNCS),
    ("dynptr", crate::dynptr::KFUNCS),
    ("iter", crate::iter::KFUNCS),
    ("kernel", crate::kernel::KFUNCS),
    ("lock", crate::lock::KFUNCS),
    ("lsm", crate::lsm::KFUNCS),
    ("print", crate::print::KFUNCS),
    ("probe", crate::probe::KFUNCS),
    ("string", crate::string::KFUNCS),
    ("task", crate::task::KFUNCS),
    ("xattr", crate::xattr::KFUNCS),
    ("timer", crate::timer::KFUNCS),
];

/// The body of helper `id`, the number in a call instruction; `None` if skep has none.
pub fn helper(id: u32) -> Option<HelperFn> {
    static BY_ID: OnceLock<HashMap<u32, HelperFn>> = OnceLock::new();
    BY_ID.get_or_init(|| helpers().map(|(_, id, _, body)| (id, body)).collect()).get(&id).copied()
}

/// The body of the kfunc of this name; `None` if skep has none.
pub fn kfunc(name: &str) -> Option<HelperFn> {
    static BY_NAME: OnceLock<HashMap<&'static str, HelperFn>> = OnceLock::new();
    BY_NAME.get_or_init(|| kfuncs().map(|(_, name, body)| (name, body)).collect()).get(name).copied()
}

/// Family, number, name and body of every helper that has one.
pub fn helpers() -> impl Iterator<Item = (&'static str, u32, &'static str, HelperFn)> {
    FAMILIES.iter().flat_map(|(family, rows)| rows.iter().map(|(id, name, body)| (*family, *id, *name, *body)))
}

/// Family, name and body of every kfunc that has one.
pub fn kfuncs() -> impl Iterator<Item = (&'static str, &'static str, HelperFn)> {
    KFUNC_FAMILIES.iter().flat_map(|(family, rows)| rows.iter().map(|(name, body)| (*family, *name, *body)))
}
