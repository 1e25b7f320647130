//! Records of ring buffers and perf event arrays, by their types.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep::{Btf, Instance, MapType, Object, Value};
use skep_btf::{Kind, Type, TypeId};

use super::error::Wrong;
use super::syntax::Assignment;
use super::types::Types;
use crate::names::type_name;

/// A record that a program emitted.
pub(super) struct Record {
    /// The map.
    pub(super) map: String,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Its type and its value by it, where the type is known.
    pub(super) decoded: Option<(String, Value)>,
}

/// A type, and where it is.
type Typed = (Arc<Btf>, TypeId);

/// Knows the types of records.
pub(super) struct Decoder {
    /// By map.
    named: BTreeMap<String, Typed>,
    /// Types that other records may have: those of maps' values and those that variables point to.
    candidates: Vec<Typed>,
}

impl Decoder {
    /// Takes `--record MAP=TYPE`, and looks for other types in the object and in `--types`.
    pub(super) fn new(object: &Object, types: &Types, named: &[String]) -> Result<Decoder, Wrong> {
        let mut decoder = Decoder { named: BTreeMap::new(), candidates: Vec::new() };
        for btf in types.given.iter().chain(&types.object) {
            let mut structs: Vec<TypeId> = btf.own_ids().filter_map(|id| pointee(btf, id)).collect();
            if types.object.as_ref().is_some_and(|own| Arc::ptr_eq(own, btf)) {
                structs.extend(object.maps().map(|map| btf.resolve(TypeId(map.value_type_id))));
                structs.retain(|ty| btf.kind(*ty) == Kind::Struct);
            }
            structs.sort_unstable();
            structs.dedup();
            decoder.candidates.extend(structs.into_iter().map(|ty| (btf.clone(), ty)));
        }
        let streams = object.maps().filter(|map| is_stream(map.map_type) && map.value_type_id != 0);
        for (map, btf) in streams.filter_map(|map| Some((map, types.object.clone()?))) {
            decoder.named.insert(map.name.clone(), (btf, TypeId(map.value_type_id)));
        }
        for text in named {
            let Assignment { path, value } = Assignment::parse(text)?;
            if !object.maps().any(|map| map.name == path && is_stream(map.map_type)) {
                return Err(Wrong::NoStream(path));
            }
            decoder.named.insert(path, types.find(&value)?);
        }
        Ok(decoder)
    }

    /// Takes what programs emitted since the last time.
    pub(super) fn take(&self, instance: &mut Instance) -> Result<Vec<Record>, Wrong> {
        let maps: Vec<String> =
            instance.maps().filter(|map| is_stream(map.def().map_type)).map(|map| map.def().name.clone()).collect();
        let mut records = Vec::new();
        for map in maps {
            for bytes in instance.records(&map)? {
                let decoded = self.decode(&map, &bytes);
                records.push(Record { map: map.clone(), bytes, decoded });
            }
        }
        Ok(records)
    }

    fn decode(&self, map: &str, bytes: &[u8]) -> Option<(String, Value)> {
        let (btf, ty) = self.named.get(map).or_else(|| self.guess(bytes.len()))?;
        Some((type_name(btf, *ty), read(btf, *ty, bytes)?))
    }

    /// The one type that a record of so many bytes can have: of its size; failing that, one whose last member is cut off.
    fn guess(&self, len: usize) -> Option<&Typed> {
        let size = |(btf, ty): &Typed| btf.size_of(*ty).ok().map(|size| size as usize);
        let cut = |(btf, ty): &Typed| tail(btf, *ty).is_some_and(|start| start <= len);
        let one = |fits: &dyn Fn(&&Typed) -> bool| {
            let mut fitting = self.candidates.iter().filter(|typed| fits(typed));
            let first = fitting.next()?;
            fitting.next().is_none().then_some(first)
        };
        let exact = |typed: &&Typed| size(typed) == Some(len);
        match self.candidates.iter().any(|typed| exact(&typed)) {
            true => one(&exact),
            false => one(&|typed| size(typed).is_some_and(|size| len < size) && cut(typed)),
        }
    }
}

fn is_stream(map_type: MapType) -> bool {
    matches!(map_type, MapType::Ringbuf | MapType::PerfEventArray)
}

/// The struct that a variable points to: how objects keep the types of their records for readers.
fn pointee(btf: &Btf, id: TypeId) -> Option<TypeId> {
    let Type::Var(var) = btf.get(id)? else { return None };
    let Type::Ptr(to) = btf.get(btf.resolve(var.ty))? else { return None };
    let to = btf.resolve(to.to);
    (btf.kind(to) == Kind::Struct).then_some(to)
}

/// Where the array at the end of a struct begins.
fn tail(btf: &Btf, ty: TypeId) -> Option<usize> {
    let Type::Struct(record) = btf.get(ty)? else { return None };
    let last = record.members().last()?;
    (btf.kind(btf.resolve(last.ty)) == Kind::Array).then_some(last.bit_offset as usize / 8)
}

/// Reads a record; one that ends within the array at the end of its type is read as far as it goes.
fn read(btf: &Btf, ty: TypeId, bytes: &[u8]) -> Option<Value> {
    let size = btf.size_of(ty).ok()? as usize;
    if bytes.len() >= size {
        return btf.read(ty, bytes).ok();
    }
    let start = tail(btf, ty).filter(|start| *start <= bytes.len())?;
    let mut padded = bytes.to_vec();
    padded.resize(size, 0);
    let mut value = btf.read(ty, &padded).ok()?;
    if let Value::Struct(fields) = &mut value
        && let Some((_, last)) = fields.last_mut()
    {
        cut(last, &bytes[start..], size - start);
    }
    Some(value)
}

/// Leaves of an array what was sent of it. Of text that is all of it, NULs inside included: its length is that of the record.
fn cut(array: &mut Value, sent: &[u8], size: usize) {
    match array {
        Value::Text(text) => {
            let end = sent.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            *text = sent[..end].to_vec();
        }
        Value::Array(items) if !items.is_empty() => {
            let each = size / items.len();
            items.truncate(sent.len().checked_div(each).unwrap_or(0));
        }
        Value::Array(_)
        | Value::Unsigned(_)
        | Value::Signed(_)
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Enum { .. }
        | Value::Pointer(_)
        | Value::Struct(_)
        | Value::Bytes(_) => {}
    }
}
