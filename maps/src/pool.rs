//! Free slots of hash maps without LRU.

use std::sync::{Mutex, PoisonError};

/// Slots that no element uses. Freed slots come back at once, the last freed first; a slot that a replacement freed serves the next
/// replacement, as in the kernel.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Mutex<Free>,
    max_entries: u32,
}

#[derive(Debug)]
struct Free {
    /// Slots that deletions freed.
    deleted: Vec<u32>,
    /// Slots for replacements: an element is replaced by a new one before it is freed.
    spare: Vec<u32>,
    /// Slots from here on were never used.
    fresh: u32,
    live: u32,
}

/// Replacements that can be under way at the same time.
const SPARE: u32 = 64;

impl Pool {
    /// Number of slots that a map with so many entries needs.
    pub(crate) fn slots(max_entries: u32) -> usize {
        max_entries as usize + SPARE as usize
    }

    pub(crate) fn new(max_entries: u32) -> Pool {
        let spare = (0..SPARE).rev().map(|i| max_entries + i).collect();
        Pool { free: Mutex::new(Free { deleted: Vec::new(), spare, fresh: 0, live: 0 }), max_entries }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a new key; `None` when the map is full.
    pub(crate) fn take(&self) -> Option<u32> {
        let mut free = self.lock();
        if free.live == self.max_entries {
            return None;
        }
        free.live += 1;
        if let Some(slot) = free.deleted.pop() {
            return Some(slot);
        }
        free.fresh += 1;
        Some(free.fresh - 1)
    }

    /// A slot to replace an element with. Waits for other threads' replacements to end if too many are under way.
    pub(crate) fn take_spare(&self) -> u32 {
        loop {
            if let Some(slot) = self.lock().spare.pop() {
                return slot;
            }
            std::thread::yield_now();
        }
    }

    /// Gives back the slot of a replaced element.
    pub(crate) fn replaced(&self, slot: u32) {
        self.lock().spare.push(slot);
    }

    /// Gives back the slot of a deleted element.
    pub(crate) fn deleted(&self, slot: u32) {
        let mut free = self.lock();
        free.live -= 1;
        free.deleted.push(slot);
    }
}
