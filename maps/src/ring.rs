//! The ring that both ring buffer maps are: positions, record headers, and memory in which a record never breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use skep_linux::Errno;
use skep_memory::Block;
use skep_program::MapDef;

use crate::CreateOptions;
use crate::flags::BPF_F_NUMA_NODE;
use crate::values::allocate;

/// Set in a header's length while the record is being written.
pub(crate) const BUSY: u32 = 1 << 31;
/// Set in a header's length if the record is to be skipped.
pub(crate) const DISCARD: u32 = 1 << 30;
/// Bytes of a record header: length, then the page offset that the kernel keeps there.
pub(crate) const HEADER: u64 = 8;
const PAGE: u32 = 4096;
/// Pages before the data in the kernel's object; a header says how many pages its record is from the object's start.
const PAGES_BEFORE_DATA: u32 = 3;

/// A ring of `size` bytes (a power of two). The kernel maps its data twice in a row, so that a record that goes beyond the end goes on
/// at the start; here the block has twice the size, and the part beyond the end is copied when a record is opened or closed.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) data: Arc<Block>,
    size: u64,
    pub(crate) producer: AtomicU64,
    pub(crate) consumer: AtomicU64,
}

/// What the kernel asks of both kinds.
pub(crate) fn check_ring(def: &MapDef) -> Result<(), Errno> {
    let pages = def.max_entries.is_power_of_two() && def.max_entries.is_multiple_of(PAGE);
    if def.flags & !BPF_F_NUMA_NODE != 0 || def.key_size != 0 || def.value_size != 0 || !pages {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// Bytes that a record of `len` bytes takes.
pub(crate) fn footprint(len: u64) -> u64 {
    (len + HEADER).next_multiple_of(8)
}

impl Ring {
    pub(crate) fn new(size: u32, options: &CreateOptions) -> Result<Ring, Errno> {
        Ok(Ring {
            data: allocate(size as usize * 2, options.max_bytes)?,
            size: u64::from(size),
            producer: AtomicU64::new(0),
            consumer: AtomicU64::new(0),
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Where a position lies in the block.
    pub(crate) fn offset(&self, position: u64) -> usize {
        (position & (self.size - 1)) as usize
    }

    /// The length word of the header at a position.
    pub(crate) fn length_word(&self, position: u64) -> &AtomicU32 {
        self.data.atomic32(self.offset(position)).expect("records begin at multiples of 8")
    }

    pub(crate) fn write_page_offset(&self, position: u64) {
        let at = self.offset(position);
        self.data.store(at + 4, 4, u64::from(PAGES_BEFORE_DATA) + at as u64 / u64::from(PAGE));
    }

    /// Bytes of `len` at `offset` that lie beyond the end of the ring.
    fn beyond(&self, offset: usize, len: usize) -> usize {
        (offset + len).saturating_sub(self.size as usize)
    }

    /// Brings what the start of the ring holds to where a record that goes beyond the end sees it.
    pub(crate) fn unfold(&self, offset: usize, len: usize) {
        self.data.copy_within(0, self.size as usize, self.beyond(offset, len));
    }

    /// Brings what was written beyond the end to the start of the ring.
    pub(crate) fn fold(&self, offset: usize, len: usize) {
        self.data.copy_within(self.size as usize, 0, self.beyond(offset, len));
    }

    /// `producer - consumer`, as `BPF_RB_AVAIL_DATA` says it.
    pub(crate) fn available(&self) -> u64 {
        let consumer = self.consumer.load(Ordering::Acquire);
        self.producer.load(Ordering::Acquire).wrapping_sub(consumer)
    }
}
