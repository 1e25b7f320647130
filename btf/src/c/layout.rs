//! How a struct must be written in C so that its members come to lie where BTF says.

use std::collections::HashMap;

use crate::{Btf, Composite, Kind, Member, Type, TypeId};

/// A piece of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// The member with this index.
    Member(u32),
    /// Unnamed bits from one place to another, in bits from the start.
    Padding(u64, u64),
}

/// How a body is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Members and the padding between them.
    Body {
        /// With `__attribute__((packed))`.
        packed: bool,
        /// With `__attribute__((aligned(..)))` of so many bytes.
        aligned: Option<u32>,
        /// Members and padding, in the order of their offsets.
        pieces: Vec<Piece>,
        /// Bytes to which C aligns it, written so.
        align: u32,
    },
    /// No C struct has members there: it is written as so many bytes.
    Opaque(u32),
}

impl Plan {
    fn align(&self) -> u32 {
        match self {
            Plan::Body { align, .. } => *align,
            Plan::Opaque(_) => 1,
        }
    }
}

/// Plans of all structs asked about so far.
#[derive(Debug, Default)]
pub(super) struct Plans(HashMap<TypeId, Plan>);

/// A member as C lays it out.
struct Part {
    index: u32,
    /// Bits from the start of the struct.
    at: u64,
    /// Bits of the member.
    bits: u64,
    /// Bits of the type of a bitfield.
    unit: Option<u64>,
    /// Bytes.
    align: u64,
}

impl Plans {
    /// The plan for a struct or union. Recursion is as deep as types nest, which the parser bounds.
    pub(super) fn plan(&mut self, btf: &Btf, composite: Composite<'_>) -> &Plan {
        let id = composite.id();
        if !self.0.contains_key(&id) {
            let plan = self.work_out(btf, composite);
            self.0.insert(id, plan);
        }
        &self.0[&id]
    }

    fn work_out(&mut self, btf: &Btf, composite: Composite<'_>) -> Plan {
        let opaque = Plan::Opaque(composite.size());
        let parts: Option<Vec<_>> = (0..).zip(composite.members()).map(|(index, m)| self.part(btf, index, m)).collect();
        let Some(mut parts) = parts else { return opaque };
        // Compilers other than C's may tell members in another order.
        parts.sort_by_key(|part| part.at);
        let size = u64::from(composite.size());
        let lay = if composite.is_union() { lay_union } else { lay_struct };
        lay(&parts, size, false).or_else(|| lay(&parts, size, true)).unwrap_or(opaque)
    }

    fn part(&mut self, btf: &Btf, index: u32, member: Member<'_>) -> Option<Part> {
        let bytes = u64::from(btf.size_of(member.ty).ok()?);
        let align = u64::from(self.align(btf, member.ty)?);
        let at = u64::from(member.bit_offset);
        match member.bitfield {
            None => Some(Part { index, at, bits: 8 * bytes, unit: None, align }),
            Some(width) => {
                let scalar = matches!(btf.kind(btf.resolve(member.ty)), Kind::Int | Kind::Enum | Kind::Enum64);
                // C has no name for a bitfield of no bits; old types could have such integers.
                let fits = scalar && width != 0 && u64::from(width) <= 8 * bytes;
                fits.then_some(Part { index, at, bits: u64::from(width), unit: Some(8 * bytes), align })
            }
        }
    }

    /// Bytes to which C aligns the type as it is written; `None` for what has no size.
    fn align(&mut self, btf: &Btf, id: TypeId) -> Option<u32> {
        let mut at = id;
        loop {
            match btf.get(at)? {
                Type::Struct(composite) | Type::Union(composite) => return Some(self.plan(btf, composite).align()),
                Type::Array(array) => at = array.element,
                Type::Typedef(tag) | Type::TypeTag(tag) => at = tag.to,
                Type::Volatile(to) | Type::Const(to) | Type::Restrict(to) => at = to.to,
                Type::Int(_) | Type::Ptr(_) | Type::Enum(_) | Type::Float(_) => return btf.align_of(at).ok(),
                Type::Void
                | Type::Fwd(_)
                | Type::Func(_)
                | Type::FuncProto(_)
                | Type::Var(_)
                | Type::Datasec(_)
                | Type::DeclTag(_) => return None,
            }
        }
    }
}

/// The widths of unnamed bitfields that fill a place: none of them leaves a `long`.
pub(super) fn fillers(mut from: u64, to: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bits = (to - from).min(64 - from % 64);
        from += bits;
        (bits > 0).then_some(bits)
    })
}

/// Most padding that is written: what a struct leaves out beyond that makes it opaque.
const MOST_PADDING: u64 = 1 << 20;

fn lay_struct(parts: &[Part], size: u64, packed: bool) -> Option<Plan> {
    let (mut end, mut align) = (0u64, 1u64);
    let mut pieces = Vec::with_capacity(parts.len());
    for part in parts {
        // Where the member would come to lie without padding before it.
        let natural = match part.unit {
            Some(unit) if !packed => {
                if part.at / unit != (part.at + part.bits - 1) / unit {
                    return None;
                }
                if end / unit == (end + part.bits - 1) / unit { end } else { end.next_multiple_of(8 * part.align) }
            }
            Some(_) => end,
            None => {
                let align = if packed { 8 } else { 8 * part.align };
                if !part.at.is_multiple_of(align) {
                    return None;
                }
                end.next_multiple_of(align)
            }
        };
        if part.at < end || part.at - end > MOST_PADDING {
            return None;
        }
        if natural != part.at {
            pieces.push(Piece::Padding(end, part.at));
        }
        pieces.push(Piece::Member(part.index));
        end = part.at + part.bits;
        if !packed {
            align = align.max(part.align);
        }
    }
    if end > 8 * size || !size.is_multiple_of(align) || 8 * size - end > MOST_PADDING {
        return None;
    }
    if end.next_multiple_of(8 * align) != 8 * size {
        pieces.push(Piece::Padding(end, 8 * size));
    }
    Some(Plan::Body { packed, aligned: None, pieces, align: align as u32 })
}

fn lay_union(parts: &[Part], size: u64, packed: bool) -> Option<Plan> {
    if parts.iter().any(|part| part.at != 0) {
        return None;
    }
    let most = parts.iter().map(|part| part.bits.div_ceil(8)).max().unwrap_or(0);
    let align = if packed { 1 } else { parts.iter().map(|part| part.align).max().unwrap_or(1) };
    let pieces = parts.iter().map(|part| Piece::Member(part.index)).collect();
    let natural = most.next_multiple_of(align);
    if natural == size {
        return Some(Plan::Body { packed, aligned: None, pieces, align: align as u32 });
    }
    // A union has no place for padding; a stricter alignment makes it larger.
    let aligned = (align.ilog2()..=12).map(|shift| 1u64 << shift).find(|a| most.next_multiple_of(*a) == size)?;
    Some(Plan::Body { packed, aligned: Some(aligned as u32), pieces, align: aligned as u32 })
}
