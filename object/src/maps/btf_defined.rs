//! Maps defined by the types of variables in `.maps`.

use std::collections::HashMap;
use std::sync::Arc;

use skep_btf::{Btf, Kind, Linkage, Member, Type, TypeId};
use skep_linux::MapType;
use skep_program::MapDef;

use super::{MAPS, MapEntry, Maps, Origin, Source, resolved, ring_size};
use crate::elf::Section;
use crate::error::{MapProblem, ObjectError, SectionProblem};
use crate::fixup::datasecs;

/// The attributes of a definition as far as they are given.
#[derive(Default)]
struct Parts {
    map_type: u32,
    max_entries: u32,
    flags: u32,
    numa_node: u32,
    map_extra: u64,
    pinning: u32,
    key: Sized,
    value: Sized,
    inner: Option<Box<Parts>>,
}

/// A size, and the type it came from.
#[derive(Default)]
struct Sized {
    size: u32,
    ty: TypeId,
}

impl Sized {
    fn set(&mut self, what: &'static str, size: u32) -> Result<(), MapProblem> {
        if self.size != 0 && self.size != size {
            return Err(MapProblem::Conflict(what, self.size, size));
        }
        self.size = size;
        Ok(())
    }

    fn set_type(&mut self, btf: &Btf, what: &'static str, member: &Member<'_>) -> Result<(), MapProblem> {
        let Some(Type::Ptr(pointer)) = btf.get(member.ty) else {
            return Err(MapProblem::NotPointer(member.name.to_owned()));
        };
        let size = btf.size_of(pointer.to).map_err(|error| MapProblem::Size { field: member.name.to_owned(), error })?;
        self.set(what, size)?;
        self.ty = pointer.to;
        Ok(())
    }
}

/// `__uint(name, number)`: a pointer to an array of that many elements.
fn number(btf: &Btf, member: &Member<'_>) -> Result<u32, MapProblem> {
    let bad = || MapProblem::NotNumber(member.name.to_owned());
    let Some(Type::Ptr(pointer)) = btf.get(btf.resolve(member.ty)) else { return Err(bad()) };
    match btf.get(pointer.to) {
        Some(Type::Array(array)) => Ok(array.count),
        _ => Err(bad()),
    }
}

/// `__ulong(name, number)`: an enum whose one value is the number; or `__uint`.
fn long(btf: &Btf, member: &Member<'_>) -> Result<u64, MapProblem> {
    let bad = || MapProblem::NotNumber(member.name.to_owned());
    match btf.get(btf.resolve(member.ty)) {
        Some(Type::Ptr(_)) => number(btf, member).map(u64::from),
        Some(Type::Enum(e)) => e.values().next().map(|value| value.value as u64).ok_or_else(bad),
        _ => Err(bad()),
    }
}

fn is_map_of_maps(map_type: u32) -> bool {
    map_type == MapType::ArrayOfMaps as u32 || map_type == MapType::HashOfMaps as u32
}

/// `__array(values, type)`.
fn values(btf: &Btf, parts: &mut Parts, member: &Member<'_>, last: bool, inner: bool) -> Result<(), MapProblem> {
    if inner {
        return Err(MapProblem::Inner("values"));
    }
    if !last {
        return Err(MapProblem::ValuesNotLast);
    }
    let of_maps = is_map_of_maps(parts.map_type);
    if !of_maps && parts.map_type != MapType::ProgArray as u32 {
        return Err(MapProblem::ValuesType);
    }
    parts.value.set("value", 4)?;
    let shape = MapProblem::ValuesShape(if of_maps { "map definition" } else { "function" });
    let element = match btf.get(member.ty) {
        Some(Type::Array(array)) if array.count == 0 => array.element,
        _ => return Err(shape),
    };
    let Some(Type::Ptr(pointer)) = btf.get(btf.resolve(element)) else { return Err(shape) };
    let (to, kind) = resolved(btf, pointer.to);
    match kind {
        Kind::FuncProto if !of_maps => {}
        Kind::Struct if of_maps => parts.inner = Some(Box::new(read(btf, to, true)?)),
        _ => return Err(shape),
    }
    Ok(())
}

/// Reads the struct of a definition.
fn read(btf: &Btf, id: TypeId, inner: bool) -> Result<Parts, MapProblem> {
    let Some(Type::Struct(definition)) = btf.get(id) else { return Err(MapProblem::NotStruct(btf.kind(id))) };
    let mut parts = Parts::default();
    let count = definition.member_count() as usize;
    for (nth, member) in definition.members().enumerate() {
        match member.name {
            "type" => parts.map_type = number(btf, &member)?,
            "max_entries" => parts.max_entries = number(btf, &member)?,
            "map_flags" => parts.flags = number(btf, &member)?,
            "numa_node" => parts.numa_node = number(btf, &member)?,
            "key_size" => parts.key.set("key", number(btf, &member)?)?,
            "value_size" => parts.value.set("value", number(btf, &member)?)?,
            "key" => parts.key.set_type(btf, "key", &member)?,
            "value" => parts.value.set_type(btf, "value", &member)?,
            "map_extra" => parts.map_extra = long(btf, &member)?,
            "pinning" if inner => return Err(MapProblem::Inner("pinning")),
            "pinning" => match number(btf, &member)? {
                pinning @ (0 | 1) => parts.pinning = pinning,
                other => return Err(MapProblem::Pinning(other)),
            },
            "values" => values(btf, &mut parts, &member, nth + 1 == count, inner)?,
            other => return Err(MapProblem::UnknownField(other.to_owned())),
        }
    }
    if parts.map_type == MapType::Unspec as u32 {
        return Err(MapProblem::NoType);
    }
    Ok(parts)
}

fn build(name: &str, parts: Parts, btf: &Arc<Btf>) -> Result<MapDef, MapProblem> {
    let map_type = MapType::from_u32(parts.map_type).ok_or(MapProblem::UnknownType(parts.map_type))?;
    let mut def = MapDef::new(name, map_type);
    (def.key_size, def.value_size) = (parts.key.size, parts.value.size);
    (def.key_type_id, def.value_type_id) = (parts.key.ty.0, parts.value.ty.0);
    def.max_entries = match map_type {
        MapType::Ringbuf | MapType::UserRingbuf => ring_size(parts.max_entries),
        _ => parts.max_entries,
    };
    (def.flags, def.numa_node, def.map_extra, def.pinning) = (parts.flags, parts.numa_node, parts.map_extra, parts.pinning);
    def.inner = parts.inner.map(|inner| build(&format!("{name}.inner"), *inner, btf)).transpose()?.map(Arc::new);
    def.special = skep_program::special_fields(btf, parts.value.ty);
    def.btf = Some(btf.clone());
    Ok(def)
}

/// The same definition under another name.
fn renamed(def: &MapDef, name: &str) -> MapDef {
    let mut def = MapDef { name: name.to_owned(), ..def.clone() };
    if let Some(inner) = &mut def.inner {
        Arc::make_mut(inner).name = format!("{name}.inner");
    }
    def
}

/// The map of a variable. Many variables may have one struct, which is read once.
fn define(
    btf: &Arc<Btf>,
    section: &Section<'_>,
    var: skep_btf::SecVar,
    known: &mut HashMap<TypeId, MapDef>,
) -> Result<MapDef, MapProblem> {
    if u64::from(var.offset) + u64::from(var.size) > section.size {
        return Err(MapProblem::OutOfSection(section.size));
    }
    let Some(Type::Var(decl)) = btf.get(var.ty) else { return Err(MapProblem::NotStruct(btf.kind(var.ty))) };
    if decl.linkage != Linkage::Global {
        return Err(MapProblem::Linkage);
    }
    let (definition, kind) = resolved(btf, decl.ty);
    if kind != Kind::Struct {
        return Err(MapProblem::NotStruct(kind));
    }
    if btf.size_of(definition).is_ok_and(|size| size > var.size) {
        return Err(MapProblem::StructSize);
    }
    if let Some(def) = known.get(&definition) {
        return Ok(renamed(def, decl.name));
    }
    let def = build(decl.name, read(btf, definition, false)?, btf)?;
    known.insert(definition, def.clone());
    Ok(def)
}

pub(super) fn collect(source: &Source<'_>, maps: &mut Maps) -> Result<(), ObjectError> {
    let Some(section) = source.elf.section(MAPS) else { return Ok(()) };
    let datasec = source.btf.and_then(|btf| Some((btf, datasecs(btf).find(|s| s.name() == MAPS)?)));
    let Some((btf, datasec)) = datasec else {
        let problem = SectionProblem::MapsWithoutBtf;
        return Err(ObjectError::Section { section: MAPS.to_owned(), offset: section.offset, problem });
    };
    let mut arena: Option<String> = None;
    let mut known = HashMap::new();
    for var in datasec.vars() {
        let error = |problem| ObjectError::Map {
            map: btf.name(var.ty).to_owned(),
            section: MAPS.to_owned(),
            offset: var.offset.into(),
            problem: Box::new(problem),
        };
        let def = define(btf, section, var, &mut known).map_err(error)?;
        if def.map_type == MapType::Arena {
            if let Some(first) = arena {
                return Err(error(MapProblem::SecondArena(first)));
            }
            arena = Some(def.name.clone());
        }
        let entry = MapEntry { def: Arc::new(def), origin: Origin::Defined, section: section.index, offset: var.offset.into() };
        maps.all.push(entry);
    }
    Ok(())
}
