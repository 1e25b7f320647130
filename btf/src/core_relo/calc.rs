//! The answer to a relocation, from where its way leads.

use super::spec::Spec;
use super::{Candidate, Stop};
use crate::{Btf, CoreReloKind, Int, Type, TypeId};

/// What is to be done with the instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// The target has no such field, type or value: the instruction becomes a call of [`super::POISON_CALL`], which is refused if it
    /// can be reached. Both halves of a wide load are replaced.
    Poison,
    /// The immediate (of arithmetic, or of a wide load) or the offset (of a load or store) becomes this.
    Value(u64),
}

/// The bytes that a load or store moves, where they differ between program and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemSize {
    /// Bytes the instruction should move now.
    pub from: u32,
    /// Bytes it must move in the target.
    pub to: u32,
    /// Whether that may be done: for pointers and for unsigned integers. If not, a load or store is poisoned.
    pub allowed: bool,
}

/// The answer to a relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// What the instruction holds before, worked out from the program's own types.
    pub expected: u64,
    /// Whether an instruction that holds something else is an error.
    pub check_expected: bool,
    /// What becomes of the instruction.
    pub patch: Patch,
    /// Set when the field has another size in the target; concerns loads and stores alone.
    pub mem_size: Option<MemSize>,
    /// The first candidate of the target that was found; `None` when there is none, or the question is about the program's own types.
    pub target: Option<Candidate>,
}

impl Resolution {
    pub(super) fn local_type_id(id: TypeId) -> Resolution {
        let value = u64::from(id.0);
        Resolution { expected: value, check_expected: false, patch: Patch::Value(value), mem_size: None, target: None }
    }

    /// The new value; `None` when the instruction is poisoned.
    pub fn value(&self) -> Option<u64> {
        match self.patch {
            Patch::Poison => None,
            Patch::Value(value) => Some(value),
        }
    }
}

/// One side's part of the answer.
struct Side {
    value: u64,
    /// The bytes and the type of a field whose offset is asked.
    access: Option<(u32, TypeId)>,
    check: bool,
}

impl Side {
    fn value(value: u64, check: bool) -> Side {
        Side { value, access: None, check }
    }
}

/// Works the answer out for the program's own way and the way found in a target, if one was.
pub(super) fn calculate(local: &Btf, spec: &Spec, found: Option<(&Btf, &Spec)>) -> Result<Resolution, Stop> {
    let before = match spec.kind {
        kind if kind.is_field() => field(local, spec)?,
        kind if kind.is_type() => type_value(local, spec)?,
        _ => enum_value(local, spec),
    };
    let mut resolution =
        Resolution { expected: before.value, check_expected: before.check, patch: Patch::Poison, mem_size: None, target: None };
    let Some((target, found)) = found else {
        let asks_if = matches!(spec.kind, CoreReloKind::FieldExists | CoreReloKind::EnumvalExists) || spec.kind.is_type();
        if asks_if {
            resolution.patch = Patch::Value(0);
        }
        return Ok(resolution);
    };
    let after = match spec.kind {
        kind if kind.is_field() => field(target, found)?,
        kind if kind.is_type() => type_value(target, found)?,
        _ => enum_value(target, found),
    };
    resolution.patch = Patch::Value(after.value);
    let (from, to) = (before.access.map_or(0, |a| a.0), after.access.map_or(0, |a| a.0));
    if from != to {
        let allowed = match (before.access, after.access) {
            (Some((_, a)), Some((_, b))) => may_resize(local, a, target, b),
            _ => false,
        };
        resolution.mem_size = Some(MemSize { from, to, allowed });
    }
    Ok(resolution)
}

/// Zero extension keeps the meaning of pointers and unsigned integers.
fn may_resize(local: &Btf, a: TypeId, target: &Btf, b: TypeId) -> bool {
    let unsigned = |int: Int<'_>| int.encoding != crate::IntEncoding::Signed;
    match (local.get(a), target.get(b)) {
        (Some(Type::Ptr(_)), Some(Type::Ptr(_))) => true,
        (Some(Type::Int(a)), Some(Type::Int(b))) => unsigned(a) && unsigned(b),
        _ => false,
    }
}

/// The size of what a load of the field moves: of an array, one element.
fn element_size(btf: &Btf, id: TypeId) -> Result<u32, Stop> {
    let mut id = btf.resolve(id);
    while let Some(Type::Array(array)) = btf.get(id) {
        id = btf.resolve(array.element);
    }
    Ok(btf.size_of(id)?)
}

fn field(btf: &Btf, spec: &Spec) -> Result<Side, Stop> {
    if spec.kind == CoreReloKind::FieldExists {
        return Ok(Side::value(1, true));
    }
    let last = spec.accessors[spec.accessors.len() - 1];
    if !last.named {
        return match spec.kind {
            CoreReloKind::FieldByteOffset => Ok(Side {
                value: u64::from(spec.bit_offset / 8),
                access: Some((element_size(btf, last.type_id)?, last.type_id)),
                check: true,
            }),
            CoreReloKind::FieldByteSize => Ok(Side::value(u64::from(btf.size_of(last.type_id)?), true)),
            _ => Err(Stop::ArrayElement),
        };
    }
    let (Type::Struct(composite) | Type::Union(composite)) = btf.ty(last.type_id)? else {
        return Err(Stop::ArrayElement);
    };
    let member_type = composite.member(last.index).map_or(TypeId::VOID, |m| m.ty);
    let field_type = btf.resolve(member_type);
    let width = composite.field_bits(last.index).1;
    let (byte_offset, byte_size) = match width {
        0 => (spec.bit_offset / 8, btf.size_of(field_type)?),
        width => bitfield_load(spec.bit_offset, width, btf.size_of(field_type)?)?,
    };
    let bits = if width == 0 { u64::from(byte_size) * 8 } else { u64::from(width) };
    let bitfield = width != 0;
    Ok(match spec.kind {
        CoreReloKind::FieldByteOffset => Side {
            value: u64::from(byte_offset),
            access: if bitfield { None } else { Some((element_size(btf, field_type)?, field_type)) },
            check: !bitfield,
        },
        CoreReloKind::FieldByteSize => Side::value(u64::from(byte_size), !bitfield),
        CoreReloKind::FieldSigned => Side::value(
            u64::from(match btf.ty(field_type)? {
                Type::Enum(e) => e.is_signed(),
                Type::Int(int) => int.is_signed(),
                _ => false,
            }),
            true,
        ),
        CoreReloKind::FieldLshiftU64 => {
            let end = u64::from(spec.bit_offset) + bits - u64::from(byte_offset) * 8;
            Side::value(u64::from(64u32.wrapping_sub(end as u32)), !bitfield)
        }
        CoreReloKind::FieldRshiftU64 => Side::value(u64::from(64u32.wrapping_sub(bits as u32)), true),
        CoreReloKind::FieldExists
        | CoreReloKind::TypeIdLocal
        | CoreReloKind::TypeIdTarget
        | CoreReloKind::TypeExists
        | CoreReloKind::TypeSize
        | CoreReloKind::EnumvalExists
        | CoreReloKind::EnumvalValue
        | CoreReloKind::TypeMatches => Side::value(1, true),
    })
}

/// The aligned load, no smaller than the declared type, that holds the whole bitfield.
fn bitfield_load(bit_offset: u32, width: u32, declared: u32) -> Result<(u32, u32), Stop> {
    let mut size = declared.max(1);
    loop {
        let offset = bit_offset / 8 / size * size;
        if u64::from(bit_offset) + u64::from(width) - u64::from(offset) * 8 <= u64::from(size) * 8 {
            return Ok((offset, size));
        }
        if size >= 8 {
            return Err(Stop::Bitfield { width, bit_offset });
        }
        size *= 2;
    }
}

fn type_value(btf: &Btf, spec: &Spec) -> Result<Side, Stop> {
    Ok(match spec.kind {
        // Linkers renumber types without rewriting instructions.
        CoreReloKind::TypeIdTarget | CoreReloKind::TypeIdLocal => Side::value(u64::from(spec.root.0), false),
        CoreReloKind::TypeSize => Side::value(u64::from(btf.size_of(spec.root)?), true),
        CoreReloKind::TypeExists
        | CoreReloKind::TypeMatches
        | CoreReloKind::FieldByteOffset
        | CoreReloKind::FieldByteSize
        | CoreReloKind::FieldExists
        | CoreReloKind::FieldSigned
        | CoreReloKind::FieldLshiftU64
        | CoreReloKind::FieldRshiftU64
        | CoreReloKind::EnumvalExists
        | CoreReloKind::EnumvalValue => Side::value(1, true),
    })
}

fn enum_value(btf: &Btf, spec: &Spec) -> Side {
    if spec.kind == CoreReloKind::EnumvalExists {
        return Side::value(1, true);
    }
    let accessor = spec.accessors[0];
    let value = match btf.get(accessor.type_id) {
        // A 32-bit value is extended by sign even when the enum is unsigned.
        Some(Type::Enum(e)) => e.value(accessor.index).map_or(0, |v| match e.is_64() {
            true => v.value as u64,
            false => i64::from(v.value as i32) as u64,
        }),
        _ => 0,
    };
    Side::value(value, true)
}
