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

/// Knows the types of records.
pub(super) struct Decoder {
    /// By map.
    named: BTreeMap<String, (Arc<Btf>, TypeId)>,
    /// Types that records may have: those of maps' values and those that variables point to.
    candidates: Vec<TypeId>,
    own: Option<Arc<Btf>>,
}

impl Decoder {
    /// Takes `--record MAP=TYPE`, and looks for other types in the object.
    pub(super) fn new(object: &Object, types: &Types, named: &[String]) -> Result<Decoder, Wrong> {
        let mut decoder = Decoder { named: BTreeMap::new(), candidates: Vec::new(), own: types.object.clone() };
        for text in named {
            let Assignment { path, value } = Assignment::parse(text)?;
            decoder.named.insert(path, types.find(&value)?);
        }
        let Some(btf) = &types.object else { return Ok(decoder) };
        for map in object.maps().filter(|map| map.value_type_id != 0) {
            let ty = btf.resolve(TypeId(map.value_type_id));
            match map.map_type {
                MapType::Ringbuf | MapType::PerfEventArray => drop(decoder.named.insert(map.name.clone(), (btf.clone(), ty))),
                _ if btf.kind(ty) == Kind::Struct => decoder.candidates.push(ty),
                _ => {}
            }
        }
        decoder.candidates.extend(btf.own_ids().filter_map(|id| pointee(btf, id)));
        decoder.candidates.sort_unstable();
        decoder.candidates.dedup();
        Ok(decoder)
    }

    /// Takes what programs emitted since the last time.
    pub(super) fn take(&self, instance: &mut Instance) -> Result<Vec<Record>, Wrong> {
        let is_stream = |map_type| matches!(map_type, MapType::Ringbuf | MapType::PerfEventArray);
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
        let (btf, ty) = match self.named.get(map) {
            Some((btf, ty)) => (btf, *ty),
            None => (self.own.as_ref()?, self.guess(bytes.len())?),
        };
        Some((type_name(btf, ty), read(btf, ty, bytes)?))
    }

    /// The one type that a record of so many bytes can have: of its size; failing that, one whose last member is cut off.
    fn guess(&self, len: usize) -> Option<TypeId> {
        let btf = self.own.as_ref()?;
        let one = |fits: &dyn Fn(TypeId) -> bool| {
            let mut fitting = self.candidates.iter().copied().filter(|ty| fits(*ty));
            let first = fitting.next()?;
            fitting.next().is_none().then_some(first)
        };
        one(&|ty| btf.size_of(ty).is_ok_and(|size| size as usize == len)).or_else(|| {
            one(&|ty| tail(btf, ty).is_some_and(|start| start <= len && btf.size_of(ty).is_ok_and(|size| len < size as usize)))
        })
    }
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
