//! `BPF_MAP_TYPE_PROG_ARRAY`: programs by index, for tail calls.

use std::any::Any;
use std::sync::Arc;

use skep_linux::Errno;
use skep_program::MapDef;

use crate::array::{index_of, next_index};
use crate::slots::{Slots, check_fd_array, number};
use crate::{Base, CreateOptions, Map};

/// Programs by index. A program is a number that its owner gave it; where the kernel takes a descriptor and answers an id, this map
/// takes and answers that number.
#[derive(Debug)]
pub struct ProgArray {
    base: Base,
    slots: Slots,
}

impl ProgArray {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<ProgArray, Errno> {
        check_fd_array(def)?;
        Ok(ProgArray { slots: Slots::new(def.max_entries, options)?, base: Base::new(def, options, def.max_entries) })
    }

    /// The program at an index; `None` where there is none, or no such index: a tail call falls through.
    #[inline]
    pub fn get(&self, index: u32) -> Option<u32> {
        self.slots.get(index).map(|id| id as u32)
    }

    /// Puts a program at an index; `E2BIG` beyond the last.
    pub fn set(&self, index: u32, program: u32) -> Result<(), Errno> {
        self.slots.set(index, u64::from(program)).map(drop)
    }
}

impl Map for ProgArray {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        let program = self.get(index_of(key)?).ok_or(Errno::ENOENT)?;
        value.copy_from_slice(&program.to_le_bytes());
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let index = self.slots.target(key, flags)?;
        self.set(index, number(value)?)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.slots.clear(index_of(key)?).map(drop)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        next_index(key, self.slots.len())
    }
}
