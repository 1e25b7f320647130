//! Arrays of things that are not bytes: each slot is empty or holds a number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use skep_linux::Errno;
use skep_memory::Block;
use skep_program::MapDef;

use crate::CreateOptions;
use crate::array::{check_array, index_of};
use crate::flags::{BPF_ANY, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use crate::values::allocate;

/// Slots by index; an empty one is 0 in memory, others hold their number plus one.
#[derive(Debug)]
pub(crate) struct Slots {
    block: Arc<Block>,
    len: u32,
}

/// What the kernel asks of arrays whose values are descriptors.
pub(crate) fn check_fd_array(def: &MapDef) -> Result<(), Errno> {
    if def.value_size != 4 || def.flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG) != 0 {
        return Err(Errno::EINVAL);
    }
    check_array(def)
}

/// The number that a 4-byte value is.
pub(crate) fn number(value: &[u8]) -> Result<u32, Errno> {
    index_of(value)
}

impl Slots {
    pub(crate) fn new(len: u32, options: &CreateOptions) -> Result<Slots, Errno> {
        Ok(Slots { block: allocate(len as usize * 8, options.max_bytes)?, len })
    }

    #[inline]
    fn word(&self, index: u32) -> Option<&AtomicU64> {
        if index >= self.len {
            return None;
        }
        self.block.atomic64(index as usize * 8)
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<u64> {
        self.word(index)?.load(Ordering::Acquire).checked_sub(1)
    }

    /// Fills a slot and gives what was in it; `E2BIG` beyond the last.
    pub(crate) fn set(&self, index: u32, number: u64) -> Result<Option<u64>, Errno> {
        let word = self.word(index).ok_or(Errno::E2BIG)?;
        Ok(word.swap(number.wrapping_add(1), Ordering::AcqRel).checked_sub(1))
    }

    /// Empties a slot and gives what was in it; `E2BIG` beyond the last, `ENOENT` if it was empty.
    pub(crate) fn clear(&self, index: u32) -> Result<u64, Errno> {
        let word = self.word(index).ok_or(Errno::E2BIG)?;
        word.swap(0, Ordering::AcqRel).checked_sub(1).ok_or(Errno::ENOENT)
    }

    /// The tests of `BPF_MAP_UPDATE_ELEM` on arrays of descriptors, in the kernel's order: flags, then index.
    pub(crate) fn target(&self, key: &[u8], flags: u64) -> Result<u32, Errno> {
        if flags != BPF_ANY {
            return Err(Errno::EINVAL);
        }
        let index = index_of(key)?;
        if index < self.len { Ok(index) } else { Err(Errno::E2BIG) }
    }
}
