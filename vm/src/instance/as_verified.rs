//! A program that runs without tests is linked to what it was verified with.

use std::sync::Arc;

use skep_linux::kfuncs::{Role, kfunc};
use skep_maps::Map;
use skep_program::{MapDef, Program, Verified};

use super::Entry;

/// The maps have the shapes, and those that are constants the bytes, that the verifier was told of.
///
/// # Errors
/// What differs.
pub(super) fn check(program: &Verified<Program>, own: &[usize], maps: &[Entry], cpus: u32) -> Result<(), String> {
    for (def, entry) in program.maps.iter().zip(own.iter().filter_map(|at| maps.get(*at))) {
        if !same_shape(&def.on_cpus(cpus), entry.map.def()) {
            return Err(format!("map `{}` has another shape", def.name));
        }
        if def.frozen && !same_bytes(def, entry.map.as_ref()) {
            return Err(format!("map `{}` holds other constants", def.name));
        }
    }
    Ok(())
}

/// What Linux claims of the program, and so the verifier does, is true of every run.
///
/// # Errors
/// What is claimed and not true: the error of a resilient lock counts as a negative number of 64 bits, and is an `int` whose upper half is 0.
/// A pointer to which it is added may be anywhere.
pub(super) fn check_claims(program: &Program) -> Result<(), String> {
    let claims_too_much = |name: &str| match kfunc(name).map(|row| row.role) {
        Some(Role::Lock | Role::LockIrqSave) => true,
        Some(_) | None => false,
    };
    match program.kfuncs.iter().find(|kfunc| claims_too_much(&kfunc.name)) {
        Some(kfunc) => {
            Err(format!("the upper half of what {}() returns is 0, and Linux takes it for a negative number", kfunc.name))
        }
        None => Ok(()),
    }
}

fn same_shape(one: &Arc<MapDef>, other: &Arc<MapDef>) -> bool {
    let shape = |def: &MapDef| (def.map_type, def.key_size, def.value_size, def.max_entries, def.flags, def.frozen);
    let same_inner = match (&one.inner, &other.inner) {
        (None, None) => true,
        (Some(one), Some(other)) => same_shape(one, other),
        (Some(_), None) | (None, Some(_)) => false,
    };
    Arc::ptr_eq(one, other) || shape(one) == shape(other) && one.special == other.special && same_inner
}

fn same_bytes(def: &MapDef, map: &dyn Map) -> bool {
    let Ok(value) = map.direct_value() else { return false };
    let live = value.block.bytes(value.offset, value.len);
    let (known, rest) = live.split_at(def.initial.as_ref().map_or(0, Vec::len).min(live.len()));
    known == def.initial.as_deref().unwrap_or_default() && rest.iter().all(|byte| *byte == 0)
}
