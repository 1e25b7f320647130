//! Map fixtures before the runs, and what maps hold after them.

use std::path::Path;

use serde_json::{Value as Json, json};
use skep::{Btf, Instance, Literal, MapDef, MapRef, MapType, Value};
use skep_btf::{Layout, TypeId};
use skep_linux::maps::Size;

use super::error::Wrong;
use super::json::value as to_json;
use super::scene::untyped;
use super::syntax::{Assignment, Given, element};
use crate::exit::Failure;

/// The types of keys and values, where the map has them.
struct Typed<'a> {
    btf: Option<&'a Btf>,
    key: TypeId,
    value: TypeId,
}

fn typed(def: &MapDef) -> Typed<'_> {
    Typed { btf: def.btf.as_deref(), key: TypeId(def.key_type_id), value: TypeId(def.value_type_id) }
}

fn per_cpu(map: &MapRef) -> bool {
    skep_linux::map(map.def().map_type).is_some_and(|row| row.per_cpu)
}

/// Bytes from value to value of the CPUs.
fn stride(map: &MapRef) -> usize {
    (map.def().value_size as usize).next_multiple_of(8)
}

/// `--map NAME[KEY].FIELD=VALUE`.
pub(super) fn put(instance: &mut Instance, text: &str) -> Result<(), Wrong> {
    let assignment = Assignment::parse(text)?;
    let (name, key, field) = element(&assignment.path).ok_or_else(|| Wrong::Element(text.to_owned()))?;
    let map = instance.map(name)?;
    let key = if key.is_empty() { Vec::new() } else { key_bytes(&map, &Given::parse(key)?)? };
    put_value(instance, &map, &key, field, &assignment.given()?)
}

fn put_value(instance: &mut Instance, map: &MapRef, key: &[u8], field: &str, given: &Given) -> Result<(), Wrong> {
    let not_holder = |name: &str| Wrong::NotHolder { map: map.def().name.clone(), name: name.to_owned() };
    match (map.def().map_type, given) {
        (MapType::ProgArray, Given::Named(name)) => {
            let id = instance.program_id(name)?;
            return Ok(map.set(key, &id.to_le_bytes())?);
        }
        (MapType::ArrayOfMaps | MapType::HashOfMaps, Given::Named(name)) => {
            let inner = instance.map(name)?;
            return Ok(map.set_inner(key, &inner)?);
        }
        (_, Given::Named(name)) => return Err(not_holder(name)),
        (_, _) => {}
    }
    let types = typed(map.def());
    let mut bytes = match field.is_empty() {
        true => vec![0; map.def().value_size as usize],
        false => map.get(key)?.unwrap_or_else(|| vec![0; map.def().value_size as usize]),
    };
    bytes.truncate(map.def().value_size as usize);
    write(types.btf, types.value, &mut bytes, field, given, "a value")?;
    if per_cpu(map) {
        // The same for every CPU, as bpftool does.
        let mut one = bytes;
        one.resize(stride(map), 0);
        bytes = one.repeat(instance.world().cpus.max(1) as usize);
    }
    Ok(map.set(key, &bytes)?)
}

fn key_bytes(map: &MapRef, given: &Given) -> Result<Vec<u8>, Wrong> {
    let types = typed(map.def());
    let mut bytes = vec![0; map.def().key_size as usize];
    write(types.btf, types.key, &mut bytes, "", given, "a key")?;
    Ok(bytes)
}

/// Writes a value by its type; where there is none, or where bytes are given, as it stands.
fn write(btf: Option<&Btf>, ty: TypeId, bytes: &mut [u8], field: &str, given: &Given, what: &str) -> Result<(), Wrong> {
    match (btf, given) {
        (Some(btf), Given::Literal(literal)) if !ty.is_void() => {
            // Loaders give keys of no declared type the type `int`.
            Ok(Layout::new(btf, ty).set(bytes, field, literal.clone())?)
        }
        (Some(btf), given) if !field.is_empty() && !ty.is_void() => {
            let place = btf.walk(ty, field)?.place;
            let (start, size) = (place.offset() as usize, place.size(btf)? as usize);
            let target = bytes.get_mut(start..start + size).ok_or_else(|| too_long(what, start + size))?;
            target.copy_from_slice(&untyped(field, size, given)?);
            Ok(())
        }
        (_, given) => {
            let size = bytes.len();
            bytes.copy_from_slice(&untyped(what, size, given)?);
            Ok(())
        }
    }
}

fn too_long(what: &str, size: usize) -> Wrong {
    Wrong::Length { what: what.to_owned(), len: 0, size }
}

/// `--maps FILE`: `{"NAME": [{"key": ..., "value": ...}, ...], ...}`.
pub(super) fn put_file(instance: &mut Instance, path: &Path) -> Result<(), Failure> {
    let file = path.display().to_string();
    let cannot = || format!("cannot read `{file}`");
    let bytes = std::fs::read(path).map_err(|error| Failure::usage(error).within(cannot()))?;
    let json: Json = serde_json::from_slice(&bytes).map_err(|error| Failure::usage(error).within(cannot()))?;
    let wrong = |what: String| Failure::from(Wrong::Fixture { file: file.clone(), what });
    // Our own dumps have the maps one level down.
    let maps = json.get("maps").unwrap_or(&json).as_object();
    for (name, entries) in maps.ok_or_else(|| wrong("an object of maps expected".into()))? {
        let entries = entries.as_array().ok_or_else(|| wrong(format!("map `{name}`: a list of keys and values expected")))?;
        for (nth, entry) in entries.iter().enumerate() {
            put_entry(instance, name, entry)
                .map_err(|error| Failure::from(error).within(format!("{file}, map `{name}`, entry {nth}")))?;
        }
    }
    Ok(())
}

fn put_entry(instance: &mut Instance, name: &str, entry: &Json) -> Result<(), Wrong> {
    let wrong = |what: &str| Wrong::Fixture { file: "entry".into(), what: what.to_owned() };
    let map = instance.map(name)?;
    // bpftool writes bytes as `key` and `value`, and beside them the same by type.
    let entry = entry.get("formatted").unwrap_or(entry);
    let key = match entry.get("key") {
        Some(key) => key_bytes(&map, &given(key)?)?,
        None if map.def().key_size == 0 => Vec::new(),
        None => return Err(wrong("no `key`")),
    };
    match (entry.get("value"), entry.get("values").and_then(Json::as_array)) {
        (Some(value), _) => put_value(instance, &map, &key, "", &given(value)?),
        (None, Some(values)) => {
            let types = typed(map.def());
            let mut bytes = Vec::new();
            for value in values {
                let mut one = vec![0; map.def().value_size as usize];
                write(types.btf, types.value, &mut one, "", &given(value.get("value").unwrap_or(value))?, "a value")?;
                one.resize(stride(&map), 0);
                bytes.extend(one);
            }
            Ok(map.set(&key, &bytes)?)
        }
        (None, None) => Err(wrong("no `value`")),
    }
}

/// A value of JSON: numbers, text, lists and objects are literals; a list of texts like `"0x1f"` is bytes, as bpftool writes them.
fn given(json: &Json) -> Result<Given, Wrong> {
    if let Some(bytes) = json.as_array().filter(|items| !items.is_empty()).and_then(|items| items.iter().map(byte).collect()) {
        return Ok(Given::Bytes(bytes));
    }
    match json {
        Json::String(text) if text.starts_with(['@']) || text.starts_with("hex:") => Ok(Given::parse(text)?),
        other => literal(other).map(Given::Literal),
    }
}

fn byte(json: &Json) -> Option<u8> {
    u8::from_str_radix(json.as_str()?.strip_prefix("0x")?, 16).ok()
}

fn literal(json: &Json) -> Result<Literal, Wrong> {
    Ok(match json {
        Json::Null => Literal::Number(0),
        Json::Bool(set) => Literal::Number(i128::from(*set)),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Literal::Number(number.into()),
            (None, Some(number), _) => Literal::Number(number.into()),
            (None, None, number) => Literal::Float(number.unwrap_or(f64::NAN)),
        },
        // Numbers that JSON has no room for, addresses, and names of enum values are texts.
        Json::String(text) => match Literal::parse(text) {
            Ok(literal @ (Literal::Number(_) | Literal::Name(_))) => literal,
            Ok(_) | Err(_) => Literal::Text(text.clone().into_bytes()),
        },
        Json::Array(items) => Literal::List(items.iter().map(literal).collect::<Result<_, _>>()?),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), literal(value)?)));
            Literal::Record(fields.collect::<Result<_, Wrong>>()?)
        }
    })
}

/// What a map holds.
pub(super) struct Dump {
    /// Its name.
    pub(super) name: String,
    /// Keys and values.
    pub(super) entries: Vec<Shown>,
    /// Whether all keys are there from the start: an entry that is all 0 says nothing.
    pub(super) full: bool,
}

/// A key and its value, or its values by CPU. Without a key if the map has none.
pub(super) struct Shown {
    pub(super) key: Option<Field>,
    pub(super) values: Vec<Field>,
    pub(super) per_cpu: bool,
}

impl Shown {
    pub(super) fn is_zero(&self) -> bool {
        self.values.iter().all(Field::is_zero)
    }
}

/// Bytes, and what they are by their type.
pub(super) struct Field {
    pub(super) bytes: Vec<u8>,
    pub(super) value: Option<Value>,
}

impl Field {
    fn new(btf: Option<&Btf>, ty: TypeId, bytes: Vec<u8>) -> Field {
        let value = btf.filter(|_| !ty.is_void()).and_then(|btf| btf.read(ty, &bytes).ok());
        Field { bytes, value }
    }

    /// The value by its type; failing that, its bytes, as bpftool writes them.
    pub(super) fn json(&self) -> Json {
        match &self.value {
            Some(value) => to_json(value),
            None => Json::Array(self.bytes.iter().map(|byte| json!(format!("{byte:#04x}"))).collect()),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == 0)
    }
}

/// Whether keys are indices, with or without a type.
fn indexed(map: &MapRef) -> bool {
    skep_linux::map(map.def().map_type).is_some_and(|row| row.key == Size::OneOf(&[4]))
}

/// The entries of a map.
fn dump_one(map: &MapRef) -> Result<Dump, Wrong> {
    let types = typed(map.def());
    let mut entries = Vec::new();
    for (key, value) in map.entries()? {
        let values: Vec<Field> = match per_cpu(map) {
            true => value
                .chunks(stride(map).max(1))
                .map(|one| Field::new(types.btf, types.value, one[..one.len().min(map.def().value_size as usize)].to_vec()))
                .collect(),
            false => vec![Field::new(types.btf, types.value, value)],
        };
        let mut key = Field::new(types.btf, types.key, key);
        if let (None, true, Ok(index)) = (&key.value, indexed(map), <[u8; 4]>::try_from(&key.bytes[..])) {
            key.value = Some(Value::Unsigned(u32::from_le_bytes(index).into()));
        }
        let key = (map.def().key_size > 0).then_some(key);
        entries.push(Shown { key, values, per_cpu: per_cpu(map) });
    }
    Ok(Dump { name: map.def().name.clone(), entries, full: indexed(map) })
}

/// Whether user space can get at all that the map holds.
fn listed(map: &MapRef) -> bool {
    let walked = skep_linux::map(map.def().map_type).is_some_and(|row| row.user.next_key && row.user.lookup);
    walked || matches!(map.def().map_type, MapType::Queue | MapType::Stack)
}

/// `--dump NAME`, `--dump all`: of all maps, those that hold something beside zeros, and of arrays, the entries that do.
pub(super) fn dump(instance: &Instance, names: &[String]) -> Result<Vec<Dump>, Wrong> {
    let mut dumps = Vec::new();
    for name in names {
        match name.as_str() {
            "all" => {
                for map in instance.maps().filter(listed).filter(|map| !map.def().frozen) {
                    let mut dump = dump_one(&map)?;
                    dump.entries.retain(|entry| !(dump.full && entry.is_zero()));
                    if !dump.entries.is_empty() {
                        dumps.push(dump);
                    }
                }
            }
            name => dumps.push(dump_one(&instance.map(name)?)?),
        }
    }
    Ok(dumps)
}
