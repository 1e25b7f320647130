//! Reads through a pointer to a struct: what lies at an offset, and how far a pointer that is found there can be trusted.

use skep_btf::{Array, Btf, Composite, Type, TypeId};
use skep_linux::trust::{TRUST, Trust};

use super::record::Record;
use super::{Flags, is_composite, shown};
use crate::fault::Fault;
use crate::why::Types;

/// What lies at an offset in a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// A number, or a part of one.
    Scalar,
    /// A pointer to something else than a struct: memory of unknown size that may be read with guarded loads
    /// ([`Flags::RDONLY`] and [`Flags::UNTRUSTED`]).
    Memory,
    /// A pointer to a struct.
    Pointer(Pointer<'a>),
}

/// A pointer that is a member of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer<'a> {
    /// The struct that it points to, in the same BTF.
    pub to: TypeId,
    /// [`Flags::USER`], [`Flags::PERCPU`] or [`Flags::RCU`] by its tag; [`Flags::UNTRUSTED`] if a union of several members, or an
    /// array without length, was entered on the way.
    pub flags: Flags,
    /// The name of the member.
    pub field: &'a str,
}

/// A walk in progress: where it stands in the innermost struct.
struct Walk {
    offset: i64,
    size: u32,
    /// A union of several members was entered, or an array without length: nobody knows what really lies there.
    loose: bool,
}

/// One level of a walk.
enum Step<'a> {
    Done(Found<'a>),
    /// Into the struct of this id, where the offset now counts from its start.
    Into(TypeId),
}

/// What an access of `size` bytes at `offset` of a struct reaches.
///
/// # Errors
/// [`Types`] in the kernel's words; [`Fault::Unknown`] for an endless array of structs without bytes.
pub fn walk(btf: &Btf, id: TypeId, offset: u32, size: u32) -> Result<Found<'_>, Fault> {
    let mut walk = Walk { offset: i64::from(offset), size, loose: false };
    let mut at = id;
    loop {
        match walk.step(btf, at)? {
            Step::Done(found) => return Ok(found),
            Step::Into(inner) => at = inner,
        }
    }
}

/// As [`walk`], for an object that a program allocated and whose special fields are these: they may not be touched, and pointers in it
/// are numbers.
///
/// # Errors
/// As [`walk`], and [`Types::DirectAccess`].
pub fn walk_object<'a>(btf: &'a Btf, id: TypeId, record: &Record, offset: u32, size: u32) -> Result<Found<'a>, Fault> {
    if let Some(field) = record.overlap(offset, size) {
        return Err(Types::DirectAccess(field.label()).into());
    }
    Ok(match walk(btf, id, offset, size)? {
        Found::Pointer(_) => Found::Scalar,
        other => other,
    })
}

/// Whether a pointer to `offset` in struct `id` is one to struct `wanted`, embedded there, first member in first member. `strict` allows
/// the struct itself alone.
pub fn embedded(btf: &Btf, id: TypeId, offset: u32, wanted: TypeId, strict: bool) -> bool {
    if offset == 0 && id == wanted {
        return true;
    }
    if strict {
        return false;
    }
    let mut walk = Walk { offset: i64::from(offset), size: 1, loose: false };
    let mut at = id;
    loop {
        let stands = walk.offset;
        match walk.step(btf, at) {
            Ok(Step::Into(inner)) => {
                // The way through the elements of an endless array does not stop at each.
                if walk.offset == 0 && stands_at_member(btf, at, stands) && inner == wanted {
                    return true;
                }
                at = inner;
            }
            Ok(Step::Done(_)) | Err(_) => return false,
        }
    }
}

/// Whether the offset lies in the struct, and so was not reduced by the size of an element behind it.
fn stands_at_member(btf: &Btf, id: TypeId, offset: i64) -> bool {
    matches!(btf.get(btf.resolve(id)), Some(Type::Struct(s) | Type::Union(s)) if offset < i64::from(s.size()))
}

impl Walk {
    fn step<'a>(&mut self, btf: &'a Btf, id: TypeId) -> Result<Step<'a>, Fault> {
        let id = btf.resolve(id);
        let (Some(Type::Struct(within)) | Some(Type::Union(within))) = btf.get(id) else {
            return Err(Types::NotStruct(shown(btf.name(id)).into_owned()).into());
        };
        self.loose |= within.is_union() && within.member_count() != 1;
        if self.offset + i64::from(self.size) > i64::from(within.size()) {
            return self.behind(btf, within);
        }
        for index in 0..within.member_count() {
            let Some(member) = within.member(index) else { continue };
            let (bit_offset, bits) = within.field_bits(index);
            let start = bit_offset / 8;
            let end = self.offset + i64::from(self.size);
            if end <= i64::from(start) {
                break;
            }
            if bits != 0 {
                // A bitfield is read whole, with what lies around it, or not at all.
                if self.offset <= i64::from(start) && i64::from((bit_offset + bits).div_ceil(8)) <= end {
                    return Ok(Step::Done(Found::Scalar));
                }
                continue;
            }
            if self.offset < i64::from(start) {
                break;
            }
            let Ok(bytes) = btf.size_of(member.ty) else {
                return Err(Types::NoSize(shown(member.name).into_owned()).into());
            };
            if self.offset < i64::from(start) + i64::from(bytes) {
                return self.member(btf, within, Member { name: member.name, ty: member.ty, start, end: start + bytes });
            }
        }
        Err(Types::NoField { name: shown(within.name()).into_owned(), offset: self.offset }.into())
    }

    /// Behind the end of a struct there may be more elements of the array without length that it ends with.
    fn behind<'a>(&mut self, btf: &'a Btf, within: Composite<'a>) -> Result<Step<'a>, Fault> {
        let beyond = Types::BeyondStruct { name: shown(within.name()).into_owned(), offset: self.offset, size: self.size };
        let last = within.member_count().checked_sub(1);
        let Some((last, member)) = last.and_then(|last| Some((last, within.member(last)?))) else { return Err(beyond.into()) };
        let start = i64::from(within.field_bits(last).0 / 8);
        let Some(Type::Array(Array { count: 0, element, .. })) = btf.get(btf.resolve(member.ty)).filter(|_| self.offset >= start)
        else {
            return Err(beyond.into());
        };
        let element = btf.resolve(element);
        match btf.get(element) {
            Some(Type::Int(_)) => Ok(Step::Done(Found::Scalar)),
            Some(Type::Struct(s) | Type::Union(s)) if s.size() == 0 => {
                Err(Fault::not_modelled("an array without length of structs without bytes"))
            }
            Some(Type::Struct(s) | Type::Union(s)) => {
                self.offset = (self.offset - start) % i64::from(s.size());
                self.loose = true;
                Ok(Step::Into(element))
            }
            _ => Err(beyond.into()),
        }
    }

    /// In a member. An array is as many members as it has elements, but a number may be read across them.
    fn member<'a>(&mut self, btf: &'a Btf, within: Composite<'a>, member: Member<'a>) -> Result<Step<'a>, Fault> {
        let named = flat(btf, member.ty);
        let ty = btf.resolve(named);
        let bytes = i64::from(btf.size_of(ty).unwrap_or(1).max(1));
        let start = i64::from(member.start) + (self.offset - i64::from(member.start)) / bytes * bytes;
        let into = self.offset - start;
        if is_composite(btf, ty) {
            self.offset = into;
            return Ok(Step::Into(named));
        }
        if let Some(Type::Ptr(pointer)) = btf.get(ty) {
            if into != 0 || i64::from(self.size) != bytes {
                return Err(Types::PartOfPointer {
                    member: shown(member.name).into_owned(),
                    at: start as u32,
                    name: shown(within.name()).into_owned(),
                    offset: self.offset,
                    size: self.size,
                }
                .into());
            }
            return Ok(Step::Done(self.pointer(btf, pointer.to, member.name)));
        }
        if self.offset + i64::from(self.size) > i64::from(member.end) && !self.loose {
            return Err(Types::BeyondMember {
                member: shown(member.name).into_owned(),
                end: member.end,
                name: shown(within.name()).into_owned(),
                offset: self.offset,
                size: self.size,
            }
            .into());
        }
        Ok(Step::Done(Found::Scalar))
    }

    fn pointer<'a>(&self, btf: &Btf, to: TypeId, field: &'a str) -> Found<'a> {
        let target = btf.resolve(to);
        if !is_composite(btf, target) {
            return Found::Memory;
        }
        let loose = if self.loose { Flags::UNTRUSTED } else { Flags::NONE };
        Found::Pointer(Pointer {
            to: target,
            flags: loose.with(tag(btf, to)),
            field: if field.is_empty() { "(anon)" } else { field },
        })
    }
}

/// A member that an access begins in.
struct Member<'a> {
    name: &'a str,
    ty: TypeId,
    start: u32,
    end: u32,
}

/// The type behind aliases, or the element of an array, whose aliases are left on: the kernel knows the struct by that id.
fn flat(btf: &Btf, id: TypeId) -> TypeId {
    let mut named = btf.resolve(id);
    while let Some(Type::Array(array)) = btf.get(btf.resolve(named)) {
        named = array.element;
    }
    named
}

/// What the tag directly behind a pointer says of the memory.
pub(super) fn tag(btf: &Btf, to: TypeId) -> Flags {
    match btf.get(to) {
        Some(Type::TypeTag(tag)) if !tag.attribute => match tag.name {
            "user" => Flags::USER,
            "percpu" => Flags::PERCPU,
            "rcu" => Flags::RCU,
            _ => Flags::NONE,
        },
        _ => Flags::NONE,
    }
}

/// Marks of pointers that the kernel trusts.
pub(super) const TRUSTWORTHY: Flags = Flags::ALLOC.with(Flags::TRUSTED).with(Flags::NON_OWNING);

/// Whether a pointer with these marks is one that the kernel trusts; `referenced`: the program holds a reference to what it points to.
pub fn is_trusted(flags: Flags, referenced: bool) -> bool {
    referenced || flags.any(TRUSTWORTHY) && flags.without(TRUSTWORTHY) == Flags::NONE
}

/// What a pointer that was loaded through another is marked with. `from` is the struct that it was loaded from, `through` the marks of
/// the pointer to that, `trusted` whether [`is_trusted`] says so of it, `rcu_section` whether what RCU guards stays where it is.
pub fn trust(btf: &Btf, from: TypeId, found: &Pointer<'_>, through: Flags, trusted: bool, rcu_section: bool) -> Flags {
    const LOST: Flags = TRUSTWORTHY.with(Flags::RCU);
    if through.has(Flags::UNTRUSTED) {
        return Flags::UNTRUSTED;
    }
    if !trusted && !through.has(Flags::RCU) {
        return found.flags.without(LOST);
    }
    let listed = |trust| is_listed(btf, from, found, trust);
    if listed(Trust::Trusted) {
        return found.flags.with(Flags::TRUSTED);
    }
    if listed(Trust::TrustedOrNull) {
        return found.flags.with(Flags::TRUSTED).with(Flags::MAYBE_NULL);
    }
    if !rcu_section || through.has(Flags::MAYBE_NULL) {
        return Flags::UNTRUSTED;
    }
    if listed(Trust::Rcu) {
        return found.flags.with(Flags::RCU);
    }
    if listed(Trust::RcuOrNull) {
        return found.flags.without(Flags::UNTRUSTED).with(Flags::RCU).with(Flags::MAYBE_NULL);
    }
    if found.flags.has(Flags::RCU) {
        return found.flags.with(Flags::MAYBE_NULL);
    }
    if found.flags.any(Flags::PERCPU.with(Flags::USER)) { found.flags } else { found.flags.without(LOST) }
}

/// Whether a field is in one of the kernel's lists of trusted fields.
fn is_listed(btf: &Btf, from: TypeId, found: &Pointer<'_>, trust: Trust) -> bool {
    let name = btf.name(from);
    let list = TRUST.iter().find(|row| row.trust == trust).map(|row| format!("{name}{}", row.suffix));
    let Some(list) = list.filter(|list| list.len() < 64) else { return false };
    let Some(Type::Struct(list) | Type::Union(list)) = btf.find(&list, btf.kind(from)).and_then(|id| btf.get(id)) else {
        return false;
    };
    list.members().any(|member| {
        member.name == found.field
            && matches!(btf.get(member.ty), Some(Type::Ptr(pointer)) if btf.resolve(pointer.to) == found.to)
    })
}
