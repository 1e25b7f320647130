//! `BPF_MAP_TYPE_RINGBUF`: records from programs to user space, in the order of their reservation.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use skep_linux::Errno;
use skep_program::MapDef;

use crate::ring::{BUSY, DISCARD, HEADER, Ring, check_ring, footprint};
use crate::{Base, CreateOptions, Map, Slot};

/// Flags of `bpf_ringbuf_output`, `submit` and `discard`: wake no reader.
pub const BPF_RB_NO_WAKEUP: u64 = 1;
/// Flags of `bpf_ringbuf_output`, `submit` and `discard`: wake readers.
pub const BPF_RB_FORCE_WAKEUP: u64 = 2;

/// A ring buffer. Its producer side is what helpers call, its consumer side is [`drain`](RingBuf::drain). Records stay until they
/// are drained, and a full ring drops, exactly when the kernel's does.
#[derive(Debug)]
pub struct RingBuf {
    base: Base,
    ring: Ring,
    /// Serializes reservations and holds the position of the oldest record that is not finished.
    pending: Mutex<u64>,
    /// Serializes consumers.
    consuming: Mutex<()>,
}

impl RingBuf {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<RingBuf, Errno> {
        check_ring(def)?;
        Ok(RingBuf {
            ring: Ring::new(def.max_entries, options)?,
            base: Base::new(def, options, def.max_entries),
            pending: Mutex::new(0),
            consuming: Mutex::new(()),
        })
    }

    /// `bpf_ringbuf_reserve`: the memory of a record, with what the ring held there before. `None` if the flags are not 0, the record
    /// is too large, or there is no room.
    pub fn reserve(&self, size: u64, flags: u64) -> Option<Slot> {
        if flags != 0 { None } else { self.open(size) }
    }

    fn open(&self, size: u64) -> Option<Slot> {
        const RECORD_MAX: u64 = (u32::MAX / 4) as u64;
        if size > RECORD_MAX || footprint(size) > self.ring.size() {
            return None;
        }
        let consumer = self.ring.consumer.load(Ordering::Acquire);
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.ring.producer.load(Ordering::Relaxed);
        while *pending < position {
            let word = self.ring.length_word(*pending).load(Ordering::Acquire);
            if word & BUSY != 0 {
                break;
            }
            *pending += footprint(u64::from(word & !DISCARD));
        }
        let after = position + footprint(size);
        if after - consumer >= self.ring.size() || after - *pending >= self.ring.size() {
            return None;
        }
        self.ring.write_page_offset(position);
        self.ring.length_word(position).store(size as u32 | BUSY, Ordering::Relaxed);
        let offset = self.ring.offset(position) + HEADER as usize;
        self.ring.unfold(offset, size as usize);
        self.ring.producer.store(after, Ordering::Release);
        Some(Slot { block: self.ring.data.clone(), offset, len: size as usize })
    }

    /// Whether an address lies in this ring: helpers that get a record alone find its map by this.
    pub fn holds(&self, addr: u64) -> bool {
        addr.checked_sub(self.ring.data.addr()).is_some_and(|at| at < self.ring.data.len() as u64)
    }

    /// `bpf_ringbuf_submit`: `addr` is that of a reserved record. `EINVAL` if no open record is there.
    pub fn submit(&self, addr: u64) -> Result<(), Errno> {
        self.close(addr, 0)
    }

    /// `bpf_ringbuf_discard`: as `submit`, and no reader will see the record.
    pub fn discard(&self, addr: u64) -> Result<(), Errno> {
        self.close(addr, DISCARD)
    }

    fn close(&self, addr: u64, mark: u32) -> Result<(), Errno> {
        let at = addr.checked_sub(self.ring.data.addr() + HEADER).filter(|at| at % 8 == 0 && *at < self.ring.size());
        let word = self.ring.length_word(at.ok_or(Errno::EINVAL)?);
        let len = word.load(Ordering::Acquire);
        if len & BUSY == 0 {
            return Err(Errno::EINVAL);
        }
        self.ring.fold((addr - self.ring.data.addr()) as usize, (len & !BUSY) as usize);
        word.store(len & !BUSY | mark, Ordering::Release);
        Ok(())
    }

    /// `bpf_ringbuf_output`: `EINVAL` for unknown flags, `EAGAIN` if there is no room.
    pub fn output(&self, data: &[u8], flags: u64) -> Result<(), Errno> {
        if flags & !(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP) != 0 {
            return Err(Errno::EINVAL);
        }
        let slot = self.open(data.len() as u64).ok_or(Errno::EAGAIN)?;
        slot.block.write(slot.offset, data);
        self.submit(slot.addr())
    }

    /// `bpf_ringbuf_query`: 0 bytes not yet read, 1 size of the ring, 2 position of the reader, 3 position of the writer; 0 for
    /// other questions.
    pub fn query(&self, what: u64) -> u64 {
        match what {
            0 => self.ring.available(),
            1 => self.ring.size(),
            2 => self.ring.consumer.load(Ordering::Acquire),
            3 => self.ring.producer.load(Ordering::Acquire),
            _ => 0,
        }
    }

    /// The next finished record, as a reader in user space takes it: discarded records are passed over, and an open one ends it.
    pub fn next_record(&self) -> Option<Vec<u8>> {
        let _one = self.consuming.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let position = self.ring.consumer.load(Ordering::Relaxed);
            if position == self.ring.producer.load(Ordering::Acquire) {
                return None;
            }
            let word = self.ring.length_word(position).load(Ordering::Acquire);
            if word & BUSY != 0 {
                return None;
            }
            let len = (word & !DISCARD) as usize;
            let record = (word & DISCARD == 0).then(|| {
                let offset = self.ring.offset(position) + HEADER as usize;
                self.ring.data.bytes(offset, len)
            });
            self.ring.consumer.store(position + footprint(len as u64), Ordering::Release);
            if record.is_some() {
                return record;
            }
        }
    }

    /// All finished records.
    pub fn drain(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.next_record()).collect()
    }
}

impl Map for RingBuf {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn op_lookup(&self, _key: &[u8], _value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn op_update(&self, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn op_delete(&self, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn op_next_key(&self, _key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOTSUPP)
    }
}
