//! The memory of values: one block, one region, cells that do not move.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skep_linux::Errno;
use skep_memory::{Block, Region, RegionKind, Shape};
use skep_program::SpecialKind;

use crate::{Base, Slot};

/// Cells of equal size for `count` values, once per CPU for per-CPU maps: the cells of CPU 0 come first, then those of CPU 1.
#[derive(Debug)]
pub(crate) struct Values {
    block: Arc<Block>,
    len: usize,
    stride: usize,
    count: usize,
    cpus: usize,
}

impl Values {
    /// `ENOMEM` if they take more than `max_bytes` or than the host has.
    pub(crate) fn new(len: usize, count: usize, cpus: u32, max_bytes: u64) -> Result<Values, Errno> {
        let stride = len.next_multiple_of(8);
        let cpus = cpus as usize;
        let bytes = stride.checked_mul(count).and_then(|b| b.checked_mul(cpus)).ok_or(Errno::ENOMEM)?;
        let block = allocate(bytes, max_bytes)?;
        Ok(Values { block, len, stride, count, cpus })
    }

    pub(crate) fn region(&self, base: &Base) -> Region {
        Region {
            kind: RegionKind::MapValue(base.def().name.as_str().into()),
            block: self.block.clone(),
            offset: 0,
            len: self.block.len(),
            shape: Shape::Cells { stride: self.stride as u64, len: self.len as u64 },
            writable: base.prog_writes(),
        }
    }

    pub(crate) fn slot(&self, index: usize, cpu: u32) -> Slot {
        Slot { block: self.block.clone(), offset: self.offset(index, cpu), len: self.len }
    }

    #[inline]
    pub(crate) fn addr(&self, index: usize, cpu: u32) -> u64 {
        self.block.addr() + self.offset(index, cpu) as u64
    }

    #[inline]
    fn offset(&self, index: usize, cpu: u32) -> usize {
        (cpu as usize * self.count + index) * self.stride
    }

    pub(crate) fn cpus(&self) -> u32 {
        self.cpus as u32
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Copies a value in, its special fields excepted.
    pub(crate) fn write(&self, base: &Base, index: usize, cpu: u32, value: &[u8]) {
        write_value(base, &self.block, self.offset(index, cpu), value);
    }

    /// As `write`, with the bytes up to the next multiple of 8, as user space gives per-CPU values.
    pub(crate) fn write_long(&self, base: &Base, index: usize, cpu: u32, value: &[u8]) {
        let at = self.offset(index, cpu);
        if base.has_special() {
            write_value(base, &self.block, at, &value[..self.len]);
        } else {
            self.block.write(at, value);
        }
    }

    /// Copies a value out; special fields read as zero.
    pub(crate) fn read(&self, base: &Base, index: usize, cpu: u32, out: &mut [u8]) {
        read_value(base, &self.block, self.offset(index, cpu), out);
    }

    /// As `read`, with the bytes up to the next multiple of 8.
    pub(crate) fn read_long(&self, base: &Base, index: usize, cpu: u32, out: &mut [u8]) {
        let at = self.offset(index, cpu);
        if base.has_special() {
            out.fill(0);
            read_value(base, &self.block, at, &mut out[..self.len]);
        } else {
            self.block.read(at, out);
        }
    }

    /// Runs `copy` while holding the value's `bpf_spin_lock`; see the function [`locked`].
    pub(crate) fn locked<R>(&self, base: &Base, index: usize, cpu: u32, copy: impl FnOnce() -> R) -> Result<R, Errno> {
        locked(base, &self.block, self.offset(index, cpu), copy)
    }

    /// Sets the plain bytes to zero.
    pub(crate) fn zero(&self, base: &Base, index: usize, cpu: u32) {
        let at = self.offset(index, cpu);
        for (from, to) in base.plain() {
            self.block.fill(at + from, to - from, 0);
        }
    }

    /// Lets go what special fields hold.
    pub(crate) fn free_fields(&self, base: &Base, index: usize, cpu: u32) {
        free_fields(base, &self.block, self.offset(index, cpu));
    }

    /// The same on every CPU.
    pub(crate) fn free_all_fields(&self, base: &Base, index: usize) {
        if base.has_special() {
            for cpu in 0..self.cpus() {
                self.free_fields(base, index, cpu);
            }
        }
    }
}

/// A zeroed block, unless it is larger than `max_bytes` or than the host has.
pub(crate) fn allocate(bytes: usize, max_bytes: u64) -> Result<Arc<Block>, Errno> {
    if bytes as u64 > max_bytes {
        return Err(Errno::ENOMEM);
    }
    Block::try_zeroed(bytes).ok_or(Errno::ENOMEM)
}

/// Copies a value in, its special fields excepted.
pub(crate) fn write_value(base: &Base, block: &Block, at: usize, value: &[u8]) {
    for (from, to) in base.plain() {
        block.write(at + from, &value[*from..*to]);
    }
}

/// Copies a value out; special fields read as zero.
pub(crate) fn read_value(base: &Base, block: &Block, at: usize, out: &mut [u8]) {
    if base.has_special() {
        out.fill(0);
    }
    for (from, to) in base.plain() {
        block.read(at + from, &mut out[*from..*to]);
    }
}

/// How long a value's lock is waited for. Locks are held for a few instructions; one that stays taken belongs to the program that asks, or
/// is a number that something wrote.
const PATIENCE: Duration = Duration::from_millis(20);

/// Runs `copy` while holding the `bpf_spin_lock` of the value at `at`: its word is 0 when free and 1 when held. `EBUSY` if it stays taken,
/// where the kernel would wait for ever.
pub(crate) fn locked<R>(base: &Base, block: &Block, at: usize, copy: impl FnOnce() -> R) -> Result<R, Errno> {
    let word = base.spin_lock().and_then(|lock| block.atomic32(at + lock));
    if let Some(word) = word {
        let take = || word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !take() {
            let started = Instant::now();
            while !take() {
                if started.elapsed() > PATIENCE {
                    return Err(Errno::EBUSY);
                }
                std::thread::yield_now();
            }
        }
    }
    let result = copy();
    if let Some(word) = word {
        word.store(0, Ordering::Release);
    }
    Ok(result)
}

/// Lets go what the special fields of the value at `at` hold: they are announced, then cleared. Locks, reference counts and nodes
/// of lists and trees hold nothing.
pub(crate) fn free_fields(base: &Base, block: &Arc<Block>, at: usize) {
    for field in &base.def().special {
        let holds = match field.kind {
            SpecialKind::Timer
            | SpecialKind::Workqueue
            | SpecialKind::TaskWork
            | SpecialKind::KptrUntrusted
            | SpecialKind::KptrRef
            | SpecialKind::KptrPercpu
            | SpecialKind::Uptr
            | SpecialKind::ListHead
            | SpecialKind::RbRoot => true,
            SpecialKind::SpinLock
            | SpecialKind::ResSpinLock
            | SpecialKind::ListNode
            | SpecialKind::RbNode
            | SpecialKind::Refcount => false,
        };
        if holds {
            let slot = Slot { block: block.clone(), offset: at + field.offset as usize, len: field.size as usize };
            if let Some(tell) = base.on_free() {
                tell(field, slot.clone());
            }
            block.fill(slot.offset, slot.len, 0);
        }
    }
}
