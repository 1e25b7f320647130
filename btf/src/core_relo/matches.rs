//! `bpf_core_type_matches`: whether the target's type has everything the program's has.

use std::collections::{HashMap, HashSet};

use super::{MAX_STEPS, Stop};
use crate::index::essential_name;
use crate::{Btf, BtfError, Composite, Enum, Type, TypeId};

const MAX_LEVELS: u32 = 32;

/// Whether a type of the target matches one of the program's, whose names are known to be equal: every member that the program's struct
/// has is in the target's with the same name and a type that matches; behind a pointer, the name and the kind are enough.
///
/// # Errors
/// [`BtfError::TooManySteps`] for types that nest too deeply.
pub fn types_match(local: &Btf, local_id: TypeId, target: &Btf, target_id: TypeId) -> Result<bool, BtfError> {
    let mut comparison = Comparison { local, target, steps: MAX_STEPS };
    comparison.types(local_id, target_id, false, MAX_LEVELS).map_err(|stop| match stop {
        Stop::Btf(error) => error,
        _ => BtfError::TooManySteps { id: target_id },
    })
}

struct Comparison<'a> {
    local: &'a Btf,
    target: &'a Btf,
    steps: u32,
}

impl Comparison<'_> {
    fn names_match(&self, local_id: TypeId, target_id: TypeId) -> bool {
        essential_name(self.local.name(local_id)) == essential_name(self.target.name(target_id))
    }

    fn types(&mut self, mut local_id: TypeId, mut target_id: TypeId, mut behind: bool, level: u32) -> Result<bool, Stop> {
        if level == 0 {
            return Err(Stop::TooDeep);
        }
        for _ in 0..MAX_LEVELS {
            self.steps = self.steps.checked_sub(1).ok_or(Stop::TooDeep)?;
            (local_id, target_id) = (self.local.resolve(local_id), self.target.resolve(target_id));
            if !self.names_match(local_id, target_id) {
                return Ok(false);
            }
            let (a, b) = (self.local.ty(local_id)?, self.target.ty(target_id)?);
            match (a, b) {
                (Type::Void, Type::Void) => return Ok(true),
                (Type::Int(a), Type::Int(b)) => return Ok(a.size == b.size && a.is_signed() == b.is_signed()),
                (Type::Enum(a), Type::Enum(b)) => return Ok(enums_match(a, b)),
                (Type::Fwd(a), Type::Fwd(b)) => return Ok(a.union == b.union),
                (Type::Fwd(fwd), Type::Struct(_)) => return Ok(behind && !fwd.union),
                (Type::Fwd(fwd), Type::Union(_)) => return Ok(behind && fwd.union),
                (Type::Struct(_), Type::Fwd(fwd)) => return Ok(behind && !fwd.union),
                (Type::Union(_), Type::Fwd(fwd)) => return Ok(behind && fwd.union),
                (Type::Struct(a), Type::Struct(b)) | (Type::Union(a), Type::Union(b)) => {
                    return if behind { Ok(true) } else { self.composites(a, b, level) };
                }
                (Type::Ptr(a), Type::Ptr(b)) => {
                    behind = true;
                    (local_id, target_id) = (a.to, b.to);
                }
                (Type::Array(a), Type::Array(b)) => {
                    if a.count != b.count {
                        return Ok(false);
                    }
                    (local_id, target_id) = (a.element, b.element);
                }
                (Type::FuncProto(a), Type::FuncProto(b)) => {
                    if a.raw_params().len() != b.raw_params().len() {
                        return Ok(false);
                    }
                    for (a, b) in a.raw_params().zip(b.raw_params()) {
                        if !self.types(a.ty, b.ty, behind, level - 1)? {
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

    fn composites(&mut self, local: Composite<'_>, target: Composite<'_>, level: u32) -> Result<bool, Stop> {
        if local.member_count() > target.member_count() {
            return Ok(false);
        }
        let mut by_name: HashMap<&str, Vec<TypeId>> = HashMap::new();
        for member in target.members() {
            by_name.entry(essential_name(member.name)).or_default().push(member.ty);
        }
        for member in local.members() {
            let mut matched = false;
            for ty in by_name.get(essential_name(member.name)).into_iter().flatten() {
                if self.types(member.ty, *ty, false, level - 1)? {
                    matched = true;
                    break;
                }
            }
            if !matched {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The same size, and every name of the program's enum is in the target's; numbers do not count.
fn enums_match(local: Enum<'_>, target: Enum<'_>) -> bool {
    if local.size() != target.size() || local.value_count() > target.value_count() {
        return false;
    }
    let names: HashSet<&str> = target.values().map(|v| essential_name(v.name)).collect();
    local.values().all(|v| names.contains(essential_name(v.name)))
}
