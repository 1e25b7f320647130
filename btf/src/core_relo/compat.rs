//! When a type of the target may stand for one of the program's: for a field, and for a type that is asked about as a whole.

use super::{Stop, kinds_are_compatible};
use crate::index::essential_name;
use crate::{Btf, BtfError, Type, TypeId};

/// Pointers, arrays and functions that one comparison follows.
const MAX_LEVELS: u32 = 32;

/// Whether a field of type `target_id` may be read where the program has `local_id`: structs and unions for each other, pointers, floats
/// and integers among themselves, enums and forward declarations by name where both have one, arrays by their elements.
pub(super) fn fields_are_compatible(local: &Btf, mut local_id: TypeId, target: &Btf, mut target_id: TypeId) -> bool {
    loop {
        (local_id, target_id) = (local.resolve(local_id), target.resolve(target_id));
        let (a, b) = (local.kind(local_id), target.kind(target_id));
        if a.is_composite() && b.is_composite() {
            return true;
        }
        if !kinds_are_compatible(a, b) {
            return false;
        }
        match (local.get(local_id), target.get(target_id)) {
            (Some(Type::Ptr(_)), _) | (Some(Type::Float(_)), _) => return true,
            (Some(Type::Enum(_) | Type::Fwd(_)), _) => {
                let (a, b) = (essential_name(local.name(local_id)), essential_name(target.name(target_id)));
                return a.is_empty() || b.is_empty() || a == b;
            }
            (Some(Type::Int(a)), Some(Type::Int(b))) => return a.bit_offset == 0 && b.bit_offset == 0,
            (Some(Type::Array(a)), Some(Type::Array(b))) => (local_id, target_id) = (a.element, b.element),
            _ => return false,
        }
    }
}

/// Whether two types are compatible as wholes: of the same kind, and so are the things they point to or are made of. Names, sizes and
/// members do not count.
///
/// # Errors
/// [`BtfError::TooManySteps`] for types that nest too deeply.
pub fn types_are_compatible(local: &Btf, local_id: TypeId, target: &Btf, target_id: TypeId) -> Result<bool, BtfError> {
    // The kinds of the types themselves count, before typedefs are taken away.
    if !kinds_are_compatible(local.kind(local_id), target.kind(target_id)) {
        return Ok(false);
    }
    let mut steps = super::MAX_STEPS;
    compatible(local, local_id, target, target_id, MAX_LEVELS, &mut steps).map_err(|stop| match stop {
        Stop::Btf(error) => error,
        _ => BtfError::TooManySteps { id: target_id },
    })
}

fn compatible(
    local: &Btf,
    mut local_id: TypeId,
    target: &Btf,
    mut target_id: TypeId,
    level: u32,
    steps: &mut u32,
) -> Result<bool, Stop> {
    for _ in 0..MAX_LEVELS {
        *steps = steps.checked_sub(1).ok_or(Stop::TooDeep)?;
        (local_id, target_id) = (local.resolve(local_id), target.resolve(target_id));
        if !kinds_are_compatible(local.kind(local_id), target.kind(target_id)) {
            return Ok(false);
        }
        match (local.ty(local_id)?, target.ty(target_id)?) {
            (Type::Void | Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Fwd(_), _) => return Ok(true),
            (Type::Int(a), Type::Int(b)) => return Ok(a.bit_offset == 0 && b.bit_offset == 0),
            (Type::Ptr(a), Type::Ptr(b)) => (local_id, target_id) = (a.to, b.to),
            (Type::Array(a), Type::Array(b)) => (local_id, target_id) = (a.element, b.element),
            (Type::FuncProto(a), Type::FuncProto(b)) => {
                if a.raw_params().len() != b.raw_params().len() {
                    return Ok(false);
                }
                for (a, b) in a.raw_params().zip(b.raw_params()) {
                    let level = level.checked_sub(1).ok_or(Stop::TooDeep)?;
                    if !compatible(local, a.ty, target, b.ty, level, steps)? {
                        return Ok(false);
                    }
                }
                (local_id, target_id) = (a.ret(), b.ret());
            }
            _ => return Ok(false),
        }
    }
    Err(Stop::TooDeep)
}
