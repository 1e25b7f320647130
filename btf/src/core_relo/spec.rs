//! The way that a relocation takes: as the numbers of its access string, and as the named fields and indexes they mean.

use super::{CoreError, MAX_SPEC, Stop};
use crate::{Btf, CoreRelo, CoreReloKind, Type, TypeId};

/// A turning point of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accessor {
    /// For a named field, the struct or union that has it; for an index, the type of an element; for an enum's value, the enum.
    pub(crate) type_id: TypeId,
    /// The member, element or value.
    pub(crate) index: u32,
    /// Whether it is reached by its name: a field.
    pub(crate) named: bool,
}

/// A way from a root type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) kind: CoreReloKind,
    pub(crate) root: TypeId,
    pub(crate) accessors: Vec<Accessor>,
    /// Every step, through anonymous members too.
    pub(crate) raw: Vec<u32>,
    pub(crate) bit_offset: u32,
}

impl Spec {
    pub(crate) fn new(kind: CoreReloKind, root: TypeId) -> Spec {
        Spec { kind, root, accessors: Vec::new(), raw: Vec::new(), bit_offset: 0 }
    }

    /// Goes on by some elements or bits.
    pub(crate) fn advance(&mut self, times: u32, bits: u64) -> Result<(), Stop> {
        let moved = u64::from(times).checked_mul(bits).and_then(|by| by.checked_add(u64::from(self.bit_offset)));
        self.bit_offset = moved.and_then(|at| u32::try_from(at).ok()).ok_or(Stop::TooFar)?;
        Ok(())
    }

    /// The name of the member or enum value that an accessor names.
    pub(crate) fn name(btf: &Btf, accessor: Accessor) -> &str {
        match btf.get(accessor.type_id) {
            Some(Type::Struct(c) | Type::Union(c)) => c.member(accessor.index).map_or("", |m| m.name),
            Some(Type::Enum(e)) => e.value(accessor.index).map_or("", |v| v.name),
            _ => "",
        }
    }

    /// The words that loaders use for it.
    pub(crate) fn describe(&self, btf: &Btf) -> String {
        let mut text = root_text(btf, self.kind, self.root);
        if self.kind.is_enumval() {
            if let Some(Type::Enum(e)) = btf.get(btf.resolve(self.root))
                && let Some(value) = self.raw.first().and_then(|index| e.value(*index))
            {
                let number = if e.is_signed() { value.value.to_string() } else { (value.value as u64).to_string() };
                text += &format!("::{} = {number}", value.name);
            }
        } else if self.kind.is_field() {
            for (nth, accessor) in self.accessors.iter().enumerate() {
                if accessor.named {
                    text += &format!(".{}", Self::name(btf, *accessor));
                } else if nth > 0 || accessor.index > 0 {
                    text += &format!("[{}]", accessor.index);
                }
            }
            let raw: Vec<String> = self.raw.iter().map(u32::to_string).collect();
            text += &format!(" ({} @ offset {}", raw.join(":"), self.bit_offset / 8);
            if !self.bit_offset.is_multiple_of(8) {
                text += &format!(".{}", self.bit_offset % 8);
            }
            text.push(')');
        }
        text
    }
}

fn root_text(btf: &Btf, kind: CoreReloKind, root: TypeId) -> String {
    let name = btf.name(root);
    let name = if name.is_empty() { "<anon>" } else { name };
    format!("<{kind}> [{}] {} {name}", root.0, btf.kind(root).label())
}

/// The words for a relocation whose way cannot be followed.
pub(super) fn describe_root(btf: &Btf, relo: &CoreRelo) -> String {
    format!("{} + {}", root_text(btf, relo.kind, relo.type_id), relo.access)
}

fn numbers(access: &str) -> Option<Vec<u32>> {
    let each = access.split(':').map(|part| part.parse::<u32>().ok().filter(|n| i32::try_from(*n).is_ok()));
    each.collect()
}

/// Follows the access string of a relocation through the program's own types.
pub(super) fn parse_spec(local: &Btf, relo: &CoreRelo) -> Result<Spec, CoreError> {
    let malformed = || CoreError::Access { relo: describe_root(local, relo), access: relo.access.clone() };
    if local.get(relo.type_id).is_none() {
        let error = crate::BtfError::NoSuchType { id: relo.type_id, count: local.len() };
        return Err(CoreError::Btf { relo: describe_root(local, relo), error });
    }
    let mut spec = Spec::new(relo.kind, relo.type_id);
    if relo.kind.is_type() {
        return if relo.access == "0" { Ok(spec) } else { Err(malformed()) };
    }
    spec.raw = numbers(&relo.access).ok_or_else(malformed)?;
    if spec.raw.len() > MAX_SPEC {
        return Err(CoreError::TooLong { relo: describe_root(local, relo) });
    }
    let id = local.resolve(relo.type_id);
    let first = spec.raw[0];
    if relo.kind.is_enumval() {
        return match local.get(id) {
            Some(Type::Enum(e)) if spec.raw.len() == 1 && first < e.value_count() => {
                spec.accessors.push(Accessor { type_id: id, index: first, named: true });
                Ok(spec)
            }
            _ => Err(malformed()),
        };
    }
    follow(local, &mut spec, id).map_err(|step| match step {
        Fault::Stop(stop) => stop.of(describe_root(local, relo)),
        Fault::Step { step, at } => {
            CoreError::Step { relo: describe_root(local, relo), access: relo.access.clone(), step, at, kind: local.kind(at) }
        }
    })?;
    Ok(spec)
}

enum Fault {
    Stop(Stop),
    Step { step: usize, at: TypeId },
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Fault {
        Fault::Stop(stop)
    }
}

impl From<crate::BtfError> for Fault {
    fn from(error: crate::BtfError) -> Fault {
        Fault::Stop(Stop::Btf(error))
    }
}

fn follow(btf: &Btf, spec: &mut Spec, mut id: TypeId) -> Result<(), Fault> {
    spec.accessors.push(Accessor { type_id: id, index: spec.raw[0], named: false });
    spec.advance(spec.raw[0], u64::from(btf.size_of(id)?) * 8)?;
    for step in 1..spec.raw.len() {
        let index = spec.raw[step];
        id = btf.resolve(id);
        match btf.ty(id)? {
            Type::Struct(composite) | Type::Union(composite) => {
                let member = composite.member(index).ok_or(Fault::Step { step, at: id })?;
                spec.advance(1, u64::from(composite.field_bits(index).0))?;
                if !member.name.is_empty() {
                    spec.accessors.push(Accessor { type_id: id, index, named: true });
                }
                id = member.ty;
            }
            Type::Array(array) => {
                let flexible = spec.accessors.last().is_some_and(|last| is_flexible(btf, *last, array.count));
                if !flexible && index >= array.count {
                    return Err(Fault::Step { step, at: id });
                }
                id = btf.resolve(array.element);
                spec.accessors.push(Accessor { type_id: id, index, named: false });
                spec.advance(index, u64::from(btf.size_of(id)?) * 8)?;
            }
            _ => return Err(Fault::Step { step, at: id }),
        }
    }
    Ok(())
}

/// Whether an array of `count` elements that was reached by `last` has no bounds: it is the last member of its struct and says 0.
pub(super) fn is_flexible(btf: &Btf, last: Accessor, count: u32) -> bool {
    let is_last = || match btf.get(last.type_id) {
        Some(Type::Struct(c) | Type::Union(c)) => last.index + 1 == c.member_count(),
        _ => false,
    };
    last.named && count == 0 && is_last()
}
