//! The way of a relocation, searched in a candidate of the target.

use super::compat::{fields_are_compatible, types_are_compatible};
use super::matches::types_match;
use super::spec::{Accessor, Spec, is_flexible};
use super::{MAX_SPEC, MAX_STEPS, Stop};
use crate::index::essential_name;
use crate::{Btf, BtfError, CoreReloKind, Type, TypeId};

/// Finds the way of `spec` from type `id` of the target; `None` when it is not there.
pub(super) fn search(local: &Btf, spec: &Spec, target: &Btf, id: TypeId) -> Result<Option<Spec>, Stop> {
    let mut found = Spec::new(spec.kind, id);
    let there = if spec.kind == CoreReloKind::TypeMatches {
        types_match(local, spec.root, target, id)?
    } else if spec.kind.is_type() {
        types_are_compatible(local, spec.root, target, id)?
    } else if spec.kind.is_enumval() {
        enum_value(local, spec, target, id, &mut found)
    } else {
        Search { local, target, found: &mut found, steps: 0 }.field(spec, id)?
    };
    Ok(there.then_some(found))
}

fn enum_value(local: &Btf, spec: &Spec, target: &Btf, id: TypeId, found: &mut Spec) -> bool {
    let id = target.resolve(id);
    let Some(Type::Enum(e)) = target.get(id) else { return false };
    let name = essential_name(Spec::name(local, spec.accessors[0]));
    let Some(index) = (0..).zip(e.values()).find(|(_, v)| essential_name(v.name) == name).map(|(index, _)| index) else {
        return false;
    };
    found.accessors.push(Accessor { type_id: id, index, named: true });
    found.raw.push(index);
    true
}

struct Search<'a> {
    local: &'a Btf,
    target: &'a Btf,
    found: &'a mut Spec,
    steps: u32,
}

impl Search<'_> {
    fn push_raw(&mut self, index: u32) -> Result<(), Stop> {
        if self.found.raw.len() == MAX_SPEC {
            return Err(Stop::TooLong);
        }
        self.found.raw.push(index);
        Ok(())
    }

    fn field(&mut self, spec: &Spec, mut id: TypeId) -> Result<bool, Stop> {
        for (nth, accessor) in spec.accessors.iter().enumerate() {
            id = self.target.resolve(id);
            if accessor.named {
                match self.member(*accessor, id)? {
                    Some(next) => id = next,
                    None => return Ok(false),
                }
                continue;
            }
            // The first index is that of the pointer the way begins with: the root is its element.
            if nth > 0 {
                let Type::Array(array) = self.target.ty(id)? else { return Ok(false) };
                let flexible = self.found.accessors.last().is_some_and(|last| is_flexible(self.target, *last, array.count));
                if !flexible && accessor.index >= array.count {
                    return Ok(false);
                }
                id = self.target.resolve(array.element);
            }
            self.push_raw(accessor.index)?;
            self.found.accessors.push(Accessor { type_id: id, index: accessor.index, named: false });
            let size = self.target.size_of(id)?;
            self.found.advance(accessor.index, u64::from(size) * 8)?;
        }
        Ok(true)
    }

    /// Searches a member by name, in anonymous members too; returns the type of the one found if it is compatible.
    fn member(&mut self, wanted: Accessor, id: TypeId) -> Result<Option<TypeId>, Stop> {
        let id = self.target.resolve(id);
        let (Type::Struct(composite) | Type::Union(composite)) = self.target.ty(id)? else { return Ok(None) };
        let name = Spec::name(self.local, wanted);
        for (index, member) in (0..).zip(composite.members()) {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(Stop::Btf(BtfError::TooManySteps { id }));
            }
            if !member.name.is_empty() && member.name != name {
                continue;
            }
            let (raw_len, bit_offset) = (self.found.raw.len(), self.found.bit_offset);
            self.push_raw(index)?;
            self.found.advance(1, u64::from(composite.field_bits(index).0))?;
            if member.name.is_empty() {
                if let Some(next) = self.member(wanted, member.ty)? {
                    return Ok(Some(next));
                }
                self.found.raw.truncate(raw_len);
                self.found.bit_offset = bit_offset;
                continue;
            }
            let local_type = match self.local.get(wanted.type_id) {
                Some(Type::Struct(c) | Type::Union(c)) => c.member(wanted.index).map_or(TypeId::VOID, |m| m.ty),
                _ => TypeId::VOID,
            };
            if !fields_are_compatible(self.local, local_type, self.target, member.ty) {
                return Ok(None);
            }
            self.found.accessors.push(Accessor { type_id: id, index, named: true });
            return Ok(Some(member.ty));
        }
        Ok(None)
    }
}
