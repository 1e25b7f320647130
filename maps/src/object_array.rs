//! Arrays of kernel objects: `BPF_MAP_TYPE_CGROUP_ARRAY`, `BPF_MAP_TYPE_XSKMAP`, `BPF_MAP_TYPE_SOCKMAP` and
//! `BPF_MAP_TYPE_REUSEPORT_SOCKARRAY`. They differ in a few answers, which are rows here.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use skep_linux::{Errno, MapType};
use skep_program::MapDef;

use crate::array::{check_array, index_of, next_index};
use crate::flags::*;
use crate::hash::check_flags;
use crate::slots::{Slots, check_fd_array};
use crate::{Base, Caller, CreateOptions, Found, Map};

/// Kernel objects by index. An object is the number that the world gave it; where the kernel takes a descriptor and answers a
/// cookie, this map takes and answers that number.
///
/// Whether a socket is of a kind and in a state that the kernel would take is for the world to say, before it is put here.
#[derive(Debug)]
pub struct ObjectArray {
    base: Base,
    slots: Slots,
    rules: &'static Rules,
    /// Serializes updates, whose flags depend on what is there. The objects of arrays that hold each object once.
    writing: Mutex<HashSet<u64>>,
}

/// What `BPF_MAP_LOOKUP_ELEM` answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reading {
    Never(Errno),
    /// The object, if values have 8 bytes; `ENOSPC` if not.
    Wide,
}

#[derive(Debug)]
struct Rules {
    map_type: MapType,
    check: fn(&MapDef) -> Result<(), Errno>,
    reading: Reading,
    /// What a lookup by a program gives if programs may look.
    program: Result<(), Errno>,
    /// Whether `BPF_NOEXIST` and `BPF_EXIST` are known.
    exist_flags: bool,
    /// Deleting beyond the last index, and deleting an empty slot.
    delete_beyond: Errno,
    delete_empty: Result<(), Errno>,
    /// Putting an object where it is already, whatever the flags.
    same_is_fine: bool,
    /// An object that is in the array already, at whatever index, cannot be put into it: `EBUSY`.
    once: bool,
}

const ROWS: [Rules; 4] = [
    Rules {
        map_type: MapType::CgroupArray,
        check: check_fd_array,
        reading: Reading::Never(Errno::ENOTSUPP),
        program: Err(Errno::EOPNOTSUPP),
        exist_flags: false,
        delete_beyond: Errno::E2BIG,
        delete_empty: Err(Errno::ENOENT),
        same_is_fine: false,
        once: false,
    },
    Rules {
        map_type: MapType::Xskmap,
        check: |def| sockets(def, &[4], BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY, u32::MAX),
        reading: Reading::Never(Errno::EOPNOTSUPP),
        program: Ok(()),
        exist_flags: true,
        delete_beyond: Errno::EINVAL,
        delete_empty: Ok(()),
        same_is_fine: true,
        once: false,
    },
    Rules {
        map_type: MapType::Sockmap,
        check: |def| sockets(def, &[4, 8], BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY, i32::MAX as u32),
        reading: Reading::Wide,
        program: Ok(()),
        exist_flags: true,
        delete_beyond: Errno::EINVAL,
        delete_empty: Err(Errno::EINVAL),
        same_is_fine: false,
        once: false,
    },
    Rules {
        map_type: MapType::ReuseportSockarray,
        check: |def| if matches!(def.value_size, 4 | 8) { check_array(def) } else { Err(Errno::EINVAL) },
        reading: Reading::Wide,
        program: Ok(()),
        exist_flags: true,
        delete_beyond: Errno::E2BIG,
        delete_empty: Err(Errno::ENOENT),
        same_is_fine: false,
        once: true,
    },
];

fn sockets(def: &MapDef, sizes: &[u32], flags: u32, most: u32) -> Result<(), Errno> {
    let fits = (1..=most).contains(&def.max_entries) && def.key_size == 4 && sizes.contains(&def.value_size);
    if fits && def.flags & !flags == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The object that a value of 4 or 8 bytes names: descriptors fit 31 bits.
pub(crate) fn object_of(value: &[u8]) -> Result<u64, Errno> {
    let mut eight = [0; 8];
    eight[..value.len().min(8)].copy_from_slice(&value[..value.len().min(8)]);
    let object = u64::from_le_bytes(eight);
    if object > i32::MAX as u64 { Err(Errno::EINVAL) } else { Ok(object) }
}

/// Writes an object's number as a value: only values of 8 bytes have room for it.
pub(crate) fn write_object(object: u64, value: &mut [u8]) -> Result<(), Errno> {
    if value.len() != 8 {
        return Err(Errno::ENOSPC);
    }
    value.copy_from_slice(&object.to_le_bytes());
    Ok(())
}

impl ObjectArray {
    /// `EINVAL` for a type that is not one of these.
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<ObjectArray, Errno> {
        let rules = ROWS.iter().find(|r| r.map_type == def.map_type).ok_or(Errno::EINVAL)?;
        (rules.check)(def)?;
        let slots = Slots::new(def.max_entries, options)?;
        Ok(ObjectArray { slots, rules, base: Base::new(def, options, def.max_entries), writing: Mutex::default() })
    }

    /// The object at an index.
    pub fn get(&self, index: u32) -> Option<u64> {
        self.slots.get(index)
    }

    /// Puts an object at an index, as `BPF_MAP_UPDATE_ELEM` with a descriptor of it does, and as `bpf_sock_map_update` does.
    pub fn set(&self, index: u32, object: u64, flags: u64) -> Result<(), Errno> {
        if flags > if self.rules.exist_flags { BPF_EXIST } else { BPF_ANY } {
            return Err(Errno::EINVAL);
        }
        if index >= self.slots.len() {
            return Err(Errno::E2BIG);
        }
        let mut held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.slots.get(index);
        if self.rules.same_is_fine && old == Some(object) {
            return Ok(());
        }
        check_flags(old.is_some(), flags)?;
        if self.rules.once {
            if !held.insert(object) {
                return Err(Errno::EBUSY);
            }
            if let Some(old) = old {
                held.remove(&old);
            }
        }
        self.slots.set(index, object).map(drop)
    }

    /// Empties every slot that holds this object, as when a socket is closed.
    pub fn forget(&self, object: u64) {
        let mut held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&object);
        for index in 0..self.slots.len() {
            if self.slots.get(index) == Some(object) {
                // The slot was full a moment ago, and writers wait: there is nothing to fail.
                self.slots.clear(index).ok();
            }
        }
    }

    fn remove(&self, key: &[u8]) -> Result<(), Errno> {
        let index = index_of(key)?;
        if index >= self.slots.len() {
            return Err(self.rules.delete_beyond);
        }
        let mut held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match self.slots.clear(index) {
            Ok(object) => {
                held.remove(&object);
                Ok(())
            }
            Err(_) => self.rules.delete_empty,
        }
    }
}

impl Map for ObjectArray {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn lookup(&self, _caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        self.rules.program?;
        Ok(self.get(index_of(key)?).map(Found::Object))
    }

    fn update_object(&self, key: &[u8], object: u64, flags: u64) -> Result<(), Errno> {
        self.set(index_of(key)?, object, flags)
    }

    fn delete(&self, _caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        match self.rules.reading {
            Reading::Never(errno) => Err(errno),
            Reading::Wide if value.len() != 8 => Err(Errno::ENOSPC),
            Reading::Wide => write_object(self.get(index_of(key)?).ok_or(Errno::ENOENT)?, value),
        }
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.set(index_of(key)?, object_of(value)?, flags)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        next_index(key, self.slots.len())
    }
}
