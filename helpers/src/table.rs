//! From the number of a helper, or the name of a kfunc, to its body.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::HelperFn;
use crate::call::{HelperBody, KfuncBody};
use crate::{arena, control, cpu, map, perf, print, probe, ringbuf, string, task, time};

/// Helpers by family: the families of the rows in `skep-linux`.
const FAMILIES: &[(&str, &[HelperBody])] = &[
    ("control", control::HELPERS),
    ("cpu", cpu::HELPERS),
    ("map", map::HELPERS),
    ("perf", perf::HELPERS),
    ("print", print::HELPERS),
    ("probe", probe::HELPERS),
    ("ringbuf", ringbuf::HELPERS),
    ("string", string::HELPERS),
    ("task", task::HELPERS),
    ("time", time::HELPERS),
];

/// Kfuncs by family.
const KFUNC_FAMILIES: &[(&str, &[KfuncBody])] = &[("arena", arena::KFUNCS), ("probe", probe::KFUNCS), ("string", string::KFUNCS)];

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
