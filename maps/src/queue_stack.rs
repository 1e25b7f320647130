//! `BPF_MAP_TYPE_QUEUE` and `BPF_MAP_TYPE_STACK`: values without keys, first in first out, or last in first out.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::{Errno, MapType};
use skep_program::MapDef;

use crate::flags::*;
use crate::values::Values;
use crate::{Base, Caller, CreateOptions, Found, Map};

/// A queue or a stack. With `BPF_EXIST` a push to a full one drops the oldest value.
#[derive(Debug)]
pub struct QueueStack {
    base: Base,
    values: Values,
    stack: bool,
    /// Index of the next push, and of the oldest value; equal if there is none.
    ends: Mutex<(u32, u32)>,
}

impl QueueStack {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<QueueStack, Errno> {
        const FLAGS: u32 = BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK;
        const VALUE_MAX: u32 = 4 << 20;
        if def.max_entries == 0 || def.key_size != 0 || def.value_size == 0 {
            return Err(Errno::EINVAL);
        }
        if def.flags & !FLAGS != 0 || !access_ok(def.flags) {
            return Err(Errno::EINVAL);
        }
        if def.value_size > VALUE_MAX || def.max_entries >= u32::MAX / def.value_size {
            return Err(Errno::E2BIG);
        }
        Ok(QueueStack {
            values: Values::new(def.value_size as usize, def.max_entries as usize + 1, 1, options.max_bytes)?,
            base: Base::new(def, options, def.max_entries),
            stack: def.map_type == MapType::Stack,
            ends: Mutex::default(),
        })
    }

    /// All values, in the order in which they were pushed.
    pub fn values(&self) -> Vec<Vec<u8>> {
        let (head, tail) = &*self.ends();
        let mut values = Vec::new();
        let mut index = *tail;
        while index != *head {
            let mut value = vec![0; self.base.def().value_size as usize];
            self.values.read(&self.base, index as usize, 0, &mut value);
            values.push(value);
            index = self.after(index);
        }
        values
    }

    fn ends(&self) -> MutexGuard<'_, (u32, u32)> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index after `i`, around the end.
    fn after(&self, i: u32) -> u32 {
        if i == self.base.def().max_entries { 0 } else { i + 1 }
    }

    fn take(&self, value: &mut [u8], keep: bool) -> Result<(), Errno> {
        let (head, tail) = &mut *self.ends();
        if head == tail {
            value.fill(0);
            return Err(Errno::ENOENT);
        }
        let index = match self.stack {
            false => *tail,
            true => head.checked_sub(1).unwrap_or(self.base.def().max_entries),
        };
        self.values.read(&self.base, index as usize, 0, value);
        match (keep, self.stack) {
            (true, _) => {}
            (false, false) => *tail = self.after(index),
            (false, true) => *head = index,
        }
        Ok(())
    }
}

impl Map for QueueStack {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn lookup(&self, _caller: Caller, _key: &[u8]) -> Result<Option<Found>, Errno> {
        Ok(None)
    }

    fn update(&self, _caller: Caller, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn delete(&self, _caller: Caller, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn push(&self, value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags & BPF_NOEXIST != 0 || flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        let (head, tail) = &mut *self.ends();
        let next = self.after(*head);
        if next == *tail {
            if flags & BPF_EXIST == 0 {
                return Err(Errno::E2BIG);
            }
            *tail = self.after(*tail);
        }
        self.values.write(&self.base, *head as usize, 0, value);
        *head = next;
        Ok(())
    }

    fn pop(&self, value: &mut [u8]) -> Result<(), Errno> {
        self.take(value, false)
    }

    fn peek(&self, value: &mut [u8]) -> Result<(), Errno> {
        self.take(value, true)
    }

    fn op_lookup(&self, _key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        self.take(value, true)
    }

    fn op_update(&self, _key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.push(value, flags)
    }

    fn op_delete(&self, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn op_lookup_and_delete(&self, _key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        self.take(value, false)
    }

    fn op_next_key(&self, _key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }
}
