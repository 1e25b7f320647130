//! Values that belong to kernel objects: `BPF_MAP_TYPE_SK_STORAGE`, `BPF_MAP_TYPE_INODE_STORAGE`, `BPF_MAP_TYPE_TASK_STORAGE` and
//! `BPF_MAP_TYPE_CGRP_STORAGE`.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::Errno;
use skep_memory::{Block, Region};
use skep_program::MapDef;

use crate::array::index_of;
use crate::flags::*;
use crate::hash::check_flags;
use crate::values::{free_fields, locked, read_value, write_value};
use crate::{Base, Caller, CreateOptions, Map, Slot};

/// `BPF_LOCAL_STORAGE_MAX_VALUE_SIZE`: 16 bits less what the kernel puts before a value.
pub(crate) const VALUE_MAX: u32 = u16::MAX as u32 - 128;

/// Values by kernel object. An object is the number that the world gave it; user space names it by that number where the kernel takes a
/// descriptor.
///
/// Values have blocks of their own, so the map's regions grow: [`Slot::region`] gives that of a value just found.
#[derive(Debug)]
pub struct LocalStorage {
    base: Base,
    values: Mutex<HashMap<u64, Arc<Block>>>,
}

impl LocalStorage {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<LocalStorage, Errno> {
        let flags_fit = def.flags & BPF_F_NO_PREALLOC != 0 && def.flags & !(BPF_F_NO_PREALLOC | BPF_F_CLONE) == 0;
        let sizes_fit = def.max_entries == 0 && def.key_size == 4 && def.value_size != 0;
        let typed = def.key_type_id != 0 && def.value_type_id != 0;
        if !flags_fit || !sizes_fit || !typed {
            return Err(Errno::EINVAL);
        }
        if def.value_size > VALUE_MAX {
            return Err(Errno::E2BIG);
        }
        Ok(LocalStorage { base: Base::new(def, options, 0), values: Mutex::default() })
    }

    fn values(&self) -> MutexGuard<'_, HashMap<u64, Arc<Block>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, block: &Arc<Block>) -> Slot {
        Slot { block: block.clone(), offset: 0, len: self.base.value_size() }
    }

    fn element(&self, value: Option<&[u8]>) -> Result<Arc<Block>, Errno> {
        let block = Block::try_zeroed(self.base.value_size()).ok_or(Errno::ENOMEM)?;
        if let Some(value) = value {
            write_value(&self.base, &block, 0, value);
        }
        Ok(block)
    }

    /// `bpf_sk_storage_get` and kin: the value of an object; with `BPF_LOCAL_STORAGE_GET_F_CREATE` one is made from `value` (zeroes
    /// without) if there is none. `None` too for other flags.
    pub fn get(&self, object: u64, value: Option<&[u8]>, flags: u64) -> Option<Slot> {
        if flags & !BPF_LOCAL_STORAGE_GET_F_CREATE != 0 {
            return None;
        }
        let mut values = self.values();
        if let Some(block) = values.get(&object) {
            return Some(self.slot(block));
        }
        if flags == 0 {
            return None;
        }
        let block = self.element(value).ok()?;
        let slot = self.slot(&block);
        values.insert(object, block);
        Some(slot)
    }

    /// `bpf_sk_storage_delete` and kin: `ENOENT` if the object has no value. Also what happens when an object dies.
    pub fn remove(&self, object: u64) -> Result<(), Errno> {
        let block = self.values().remove(&object).ok_or(Errno::ENOENT)?;
        free_fields(&self.base, &block, 0);
        Ok(())
    }

    /// What a socket gets from the listener it was accepted by: a copy of its value, if the map has `BPF_F_CLONE`.
    pub fn clone_value(&self, from: u64, to: u64) -> Result<(), Errno> {
        if self.base.def().flags & BPF_F_CLONE == 0 {
            return Ok(());
        }
        let Some(old) = self.values().get(&from).cloned() else { return Ok(()) };
        let mut value = vec![0; self.base.value_size()];
        locked(&self.base, &old, 0, || read_value(&self.base, &old, 0, &mut value))?;
        let copy = self.element(Some(&value))?;
        self.values().insert(to, copy);
        Ok(())
    }

    /// Sets the value of an object: a new element, except under `BPF_F_LOCK`, which writes in place.
    pub fn set(&self, object: u64, value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags & !BPF_F_LOCK > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        self.base.lock_flag(flags)?;
        let mut values = self.values();
        let old = values.get(&object).cloned();
        check_flags(old.is_some(), flags)?;
        match old {
            Some(old) if flags & BPF_F_LOCK != 0 => {
                locked(&self.base, &old, 0, || write_value(&self.base, &old, 0, value))?;
            }
            old => {
                values.insert(object, self.element(Some(value))?);
                if let Some(old) = old {
                    free_fields(&self.base, &old, 0);
                }
            }
        }
        Ok(())
    }

    /// The objects that have a value, by number.
    pub fn objects(&self) -> Vec<u64> {
        let mut objects: Vec<u64> = self.values().keys().copied().collect();
        objects.sort_unstable();
        objects
    }
}

impl Map for LocalStorage {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn regions(&self) -> Vec<Region> {
        let name = &self.base.def().name;
        self.values().values().map(|block| self.slot(block).region(name)).collect()
    }

    fn update(&self, _caller: Caller, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        let object = u64::from(index_of(key)?);
        let block = self.values().get(&object).cloned().ok_or(Errno::ENOENT)?;
        if flags & BPF_F_LOCK != 0 {
            locked(&self.base, &block, 0, || read_value(&self.base, &block, 0, value))?;
        } else {
            read_value(&self.base, &block, 0, value);
        }
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.set(u64::from(index_of(key)?), value, flags)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(u64::from(index_of(key)?))
    }

    fn op_next_key(&self, _key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOTSUPP)
    }
}
