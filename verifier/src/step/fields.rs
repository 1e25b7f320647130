//! Special fields of what a register points to.

use std::sync::Arc;

use skep_btf::TypeId;
use skep_linux::SpecialKind;
use skep_program::Holds;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::prep::Prep;
use crate::setting::Setting;
use crate::state::{Flags, Kind, Reg, TypesOf};
use crate::types::record::Link;

/// A special field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) kind: SpecialKind,
    /// Bytes from the start.
    pub(super) offset: u32,
    /// Of a list or tree: the program's struct of its items, and where in them the node lies.
    pub(super) items: Option<(TypeId, u32)>,
}

/// The special fields of a value or object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    /// The first field of a kind.
    pub(super) fn find(&self, kind: SpecialKind) -> Option<&Field> {
        self.0.iter().find(|field| field.kind == kind)
    }

    /// The field of a kind that begins at an offset.
    pub(super) fn at(&self, offset: i64, kind: SpecialKind) -> Option<&Field> {
        self.0.iter().find(|field| i64::from(field.offset) == offset && field.kind == kind)
    }
}

impl Walk<'_> {
    /// The special fields of the map value or object of the program that a register points to; none of anything else.
    pub(super) fn fields_of(&self, reg: &Reg) -> Result<Fields, Fault> {
        let program = self.setting.program;
        match reg.kind {
            Kind::MapValue { map, .. } if reg.flags == Flags::NONE => {
                let Some(map) = self.setting.map(map) else { return Err(Fault::bug("a map that the program does not have")) };
                let same_types = match (&map.btf, &program.btf) {
                    (Some(map), Some(program)) => Arc::ptr_eq(map, program) || map.raw() == program.raw(),
                    _other => false,
                };
                let field = |field: &skep_program::SpecialField| {
                    let items = match field.to {
                        Holds::Items { .. } if !same_types => return Err(Fault::not_modelled("lists of another object's items")),
                        Holds::Items { item, node } => Some((item, node)),
                        Holds::Nothing | Holds::Struct(_) => None,
                    };
                    Ok(Field { kind: field.kind, offset: field.offset, items })
                };
                map.special.iter().map(field).collect::<Result<_, _>>().map(Fields)
            }
            Kind::Btf { types: TypesOf::Program, id } if reg.flags.has(Flags::ALLOC) => {
                let Some(record) = self.prep.objects(self.setting)?.get(id) else { return Ok(Fields::default()) };
                let field = |field: &crate::types::record::Field| {
                    let items = match field.to {
                        Link::Items { item, node } => Some((item, node)),
                        Link::Nothing | Link::Pointee { .. } => None,
                    };
                    Field { kind: field.kind, offset: field.offset, items }
                };
                Ok(Fields(record.fields.iter().map(field).collect()))
            }
            _other => Ok(Fields::default()),
        }
    }
}

/// It points to a value or object with a lock: such pointers are told apart.
pub(super) fn may_hold_lock(setting: &Setting<'_>, prep: &Prep, reg: &Reg) -> bool {
    let lock = |kind: SpecialKind| matches!(kind, SpecialKind::SpinLock | SpecialKind::ResSpinLock);
    match reg.kind {
        Kind::MapValue { map, .. } if reg.flags == Flags::NONE => {
            setting.map(map).is_some_and(|map| map.special.iter().any(|field| lock(field.kind)))
        }
        Kind::Btf { types: TypesOf::Program, id } if reg.flags.has(Flags::ALLOC) => {
            let records = prep.objects(setting);
            records
                .map_or(true, |records| records.get(id).is_some_and(|record| record.fields.iter().any(|field| lock(field.kind))))
        }
        _other => false,
    }
}
