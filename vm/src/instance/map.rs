//! A map as an application reads and writes it.

use std::sync::Arc;

use skep_btf::value::{SetError, ValueError};
use skep_btf::{Btf, Layout, Literal, Type, TypeId, Value};
use skep_linux::Errno;
use skep_maps::{Map, QueueStack, RingBuf};
use skep_program::MapDef;

/// A map, shared with the instances that use it.
#[derive(Debug, Clone)]
pub struct MapRef {
    def: Arc<MapDef>,
    map: Arc<dyn Map>,
}

/// A key and its value, as bytes.
pub type MapEntry = (Vec<u8>, Vec<u8>);

/// An operation on a map that failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MapError {
    /// What the system call would have answered.
    #[error("map `{map}`: {errno}")]
    Errno {
        /// The map.
        map: String,
        /// The answer.
        errno: Errno,
    },
    /// The object does not say what the map's keys or values are.
    #[error("map `{map}` has no BTF for its keys and values")]
    NoTypes {
        /// The map.
        map: String,
    },
    /// A name that is no variable of the map.
    #[error("map `{map}` has no variable `{name}`")]
    NoVariable {
        /// The map.
        map: String,
        /// The name.
        name: String,
    },
    /// A value that does not fit its type.
    #[error("map `{map}`: {error}")]
    Set {
        /// The map.
        map: String,
        /// Why.
        error: SetError,
    },
    /// Bytes that are no value of their type.
    #[error("map `{map}`: {error}")]
    Value {
        /// The map.
        map: String,
        /// Why.
        error: ValueError,
    },
}

impl MapRef {
    pub(super) fn new(def: Arc<MapDef>, map: Arc<dyn Map>) -> MapRef {
        MapRef { def, map }
    }

    /// What it was created from.
    pub fn def(&self) -> &MapDef {
        &self.def
    }

    /// The map itself, with all operations of its type.
    pub fn inner(&self) -> &Arc<dyn Map> {
        &self.map
    }

    fn errno(&self, errno: Errno) -> MapError {
        MapError::Errno { map: self.def.name.clone(), errno }
    }

    /// The value of a key, as bytes; `None` if there is none. Per-CPU values come one after the other.
    ///
    /// # Errors
    /// What the system call answers, but for `ENOENT`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MapError> {
        match self.map.user_lookup(key, 0) {
            Ok(value) => Ok(Some(value)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.errno(errno)),
        }
    }

    /// Sets the value of a key, as bytes.
    ///
    /// # Errors
    /// What the system call answers.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<(), MapError> {
        self.map.user_update(key, value, 0).map_err(|errno| self.errno(errno))
    }

    /// Puts a map into a map of maps.
    ///
    /// # Errors
    /// What the system call answers: `EINVAL` for a map of another shape.
    pub fn set_inner(&self, key: &[u8], inner: &MapRef) -> Result<(), MapError> {
        self.map.user_update_map(key, inner.map.clone(), 0).map_err(|errno| self.errno(errno))
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    /// What the system call answers, but for `ENOENT`.
    pub fn delete(&self, key: &[u8]) -> Result<bool, MapError> {
        match self.map.user_delete(key) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.errno(errno)),
        }
    }

    /// All keys and values, in the map's own order. Queues and stacks have no keys; their values come in the order in which they were
    /// pushed.
    ///
    /// # Errors
    /// What the system calls answer.
    pub fn entries(&self) -> Result<Vec<MapEntry>, MapError> {
        if let Some(values) = self.map.as_any().downcast_ref::<QueueStack>().map(QueueStack::values) {
            return Ok(values.into_iter().map(|value| (Vec::new(), value)).collect());
        }
        let mut entries = Vec::new();
        let mut key = match self.map.next_key(None) {
            Ok(key) => key,
            Err(Errno::ENOENT) => return Ok(entries),
            Err(errno) => return Err(self.errno(errno)),
        };
        loop {
            // An entry that another thread removed in between is passed over.
            if let Some(value) = self.get(&key)? {
                entries.push((key.clone(), value));
            }
            key = match self.map.next_key(Some(&key)) {
                Ok(key) => key,
                Err(Errno::ENOENT) => return Ok(entries),
                Err(errno) => return Err(self.errno(errno)),
            };
        }
    }

    fn types(&self) -> Result<(&Btf, TypeId, TypeId), MapError> {
        match &self.def.btf {
            Some(btf) if self.def.value_type_id != 0 => Ok((btf, TypeId(self.def.key_type_id), TypeId(self.def.value_type_id))),
            Some(_) | None => Err(MapError::NoTypes { map: self.def.name.clone() }),
        }
    }

    /// The bytes of a key given as a literal: a number, a text, a record.
    fn key(&self, literal: impl Into<Literal>) -> Result<Vec<u8>, MapError> {
        let mut bytes = vec![0; self.def.key_size as usize];
        let (btf, key, _) = self.types()?;
        let literal = literal.into();
        match (key.is_void(), literal) {
            // Maps of variables have one key, without a type.
            (true, Literal::Number(number)) => {
                let number = number.to_le_bytes();
                let len = bytes.len().min(number.len());
                bytes[..len].copy_from_slice(&number[..len]);
            }
            (_, literal) => Layout::new(btf, key).set(&mut bytes, "", literal).map_err(|error| self.bad_set(error))?,
        }
        Ok(bytes)
    }

    fn bad_set(&self, error: SetError) -> MapError {
        MapError::Set { map: self.def.name.clone(), error }
    }

    fn bad_value(&self, error: ValueError) -> MapError {
        MapError::Value { map: self.def.name.clone(), error }
    }

    /// The value of a key, both by their BTF types; `None` if there is none.
    ///
    /// # Errors
    /// No types, a key that does not fit, or what the system call answers.
    pub fn value(&self, key: impl Into<Literal>) -> Result<Option<Value>, MapError> {
        let Some(bytes) = self.get(&self.key(key)?)? else {
            return Ok(None);
        };
        let (btf, _, value) = self.types()?;
        btf.read(value, &bytes).map(Some).map_err(|error| self.bad_value(error))
    }

    /// Sets the value of a key, both by their BTF types.
    ///
    /// # Errors
    /// As [`MapRef::value`].
    pub fn set_value(&self, key: impl Into<Literal>, value: impl Into<Literal>) -> Result<(), MapError> {
        self.set_field(key, "", value)
    }

    /// Sets one field of the value of a key; the others keep what they have, or 0.
    ///
    /// # Errors
    /// As [`MapRef::value`], and a path that leads nowhere.
    pub fn set_field(&self, key: impl Into<Literal>, path: &str, value: impl Into<Literal>) -> Result<(), MapError> {
        let key = self.key(key)?;
        let (btf, _, ty) = self.types()?;
        let mut bytes = self.get(&key)?.unwrap_or_else(|| vec![0; self.map.user_value_size()]);
        Layout::new(btf, ty).set(&mut bytes, path, value).map_err(|error| self.bad_set(error))?;
        self.set(&key, &bytes)
    }

    /// Where a variable lies in a map of variables, its type, and what of the path leads on from it.
    fn place<'p>(&self, path: &'p str) -> Result<(std::ops::Range<usize>, TypeId, &'p str), MapError> {
        let (btf, _, ty) = self.types()?;
        let end = path.find(['.', '[', '-']).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        let rest = rest.strip_prefix('.').or_else(|| rest.strip_prefix("->")).unwrap_or(rest);
        let none = || MapError::NoVariable { map: self.def.name.clone(), name: name.to_owned() };
        let Some(Type::Datasec(section)) = btf.get(ty) else {
            return Err(none());
        };
        let var = section.vars().find(|var| btf.name(var.ty) == name).ok_or_else(none)?;
        let start = var.offset as usize;
        let ty = btf.referred(var.ty).ok_or_else(none)?;
        Ok((start..start.saturating_add(var.size as usize), ty, rest))
    }

    /// The bytes of a map of variables, with room for the variable.
    fn variables(&self, range: &std::ops::Range<usize>) -> Result<Vec<u8>, MapError> {
        let bytes = self.get(&[0; 4])?.unwrap_or_default();
        match range.end <= bytes.len() {
            true => Ok(bytes),
            false => Err(self.errno(Errno::E2BIG)),
        }
    }

    /// A variable of a map of variables (`.data`, `.bss`, `.rodata`), or a field of it, by path.
    ///
    /// # Errors
    /// No such variable or field.
    pub fn variable(&self, path: &str) -> Result<Value, MapError> {
        let (range, ty, rest) = self.place(path)?;
        let bytes = self.variables(&range)?;
        let (btf, _, _) = self.types()?;
        let read = match rest.is_empty() {
            true => btf.read(ty, &bytes[range]),
            false => Layout::new(btf, ty).get(&bytes[range], rest),
        };
        read.map_err(|error| self.bad_value(error))
    }

    /// Sets a variable of a map of variables, or a field of it, by path.
    ///
    /// # Errors
    /// No such variable or field, a value that does not fit it; `EPERM` for variables that are read-only since they were loaded.
    pub fn set_variable(&self, path: &str, value: impl Into<Literal>) -> Result<(), MapError> {
        let (range, ty, rest) = self.place(path)?;
        let mut bytes = self.variables(&range)?;
        let (btf, _, _) = self.types()?;
        Layout::new(btf, ty).set(&mut bytes[range], rest, value).map_err(|error| self.bad_set(error))?;
        self.set(&[0; 4], &bytes)
    }

    /// The finished records of a ring buffer; none of other maps.
    pub(super) fn drain(&self) -> Vec<Vec<u8>> {
        self.map.as_any().downcast_ref::<RingBuf>().map(RingBuf::drain).unwrap_or_default()
    }
}
