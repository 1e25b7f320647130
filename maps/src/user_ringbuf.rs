//! `BPF_MAP_TYPE_USER_RINGBUF`: samples from user space to programs.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use skep_linux::Errno;
use skep_program::MapDef;

use crate::ring::{BUSY, DISCARD, HEADER, Ring, check_ring, footprint};
use crate::{Base, CreateOptions, Map, Slot};

/// What `bpf_user_ringbuf_drain` finds next.
#[derive(Debug, Clone)]
pub enum Sample {
    /// A sample for the callback. [`UserRingBuf::release`] moves on.
    Data(Slot),
    /// A sample that its producer discarded was passed over. It counts towards the limit of one drain, but not as drained.
    Discarded,
    /// Nothing more, or the producer is still writing.
    Nothing,
    /// What the producer wrote is no sample; the drain ends with this error.
    Bad(Errno),
}

/// A ring buffer that user space writes and programs drain. Its producer side is [`write`](UserRingBuf::write), or
/// [`reserve`](UserRingBuf::reserve) and [`submit`](UserRingBuf::submit); its consumer side is what `bpf_user_ringbuf_drain` does between
/// two callbacks.
#[derive(Debug)]
pub struct UserRingBuf {
    base: Base,
    ring: Ring,
    producing: Mutex<()>,
    draining: AtomicBool,
}

/// The most samples that one drain takes (`BPF_MAX_USER_RINGBUF_SAMPLES`).
pub const BPF_MAX_USER_RINGBUF_SAMPLES: u32 = 128 * 1024;
/// The most bytes that a dynptr, and so a sample, has.
const DYNPTR_MAX: u64 = (1 << 24) - 1;

impl UserRingBuf {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<UserRingBuf, Errno> {
        check_ring(def)?;
        Ok(UserRingBuf {
            ring: Ring::new(def.max_entries, options)?,
            base: Base::new(def, options, def.max_entries),
            producing: Mutex::default(),
            draining: AtomicBool::new(false),
        })
    }

    /// Room for a sample, as libbpf's producer finds it: `E2BIG` if it is larger than the ring, `ENOSPC` if there is no room now,
    /// `EINVAL` if the producer's position was forged to lie between records.
    pub fn reserve(&self, size: u32) -> Result<Slot, Errno> {
        let len = footprint(u64::from(size));
        if size & (BUSY | DISCARD) != 0 || len > self.ring.size() {
            return Err(Errno::E2BIG);
        }
        let _one = self.producing.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.ring.producer.load(Ordering::Relaxed);
        if !position.is_multiple_of(8) {
            return Err(Errno::EINVAL);
        }
        if self.ring.available().saturating_add(len) > self.ring.size() {
            return Err(Errno::ENOSPC);
        }
        self.ring.data.store(self.ring.offset(position) + 4, 4, 0);
        self.ring.length_word(position).store(size | BUSY, Ordering::Relaxed);
        let offset = self.ring.offset(position) + HEADER as usize;
        self.ring.unfold(offset, size as usize);
        self.ring.producer.store(position.wrapping_add(len), Ordering::Release);
        Ok(Slot { block: self.ring.data.clone(), offset, len: size as usize })
    }

    /// Makes a reserved sample visible to programs.
    pub fn submit(&self, sample: &Slot) -> Result<(), Errno> {
        self.close(sample, 0)
    }

    /// Gives a reserved sample up: programs pass over it.
    pub fn discard(&self, sample: &Slot) -> Result<(), Errno> {
        self.close(sample, DISCARD)
    }

    fn close(&self, sample: &Slot, mark: u32) -> Result<(), Errno> {
        let ours = Arc::ptr_eq(&sample.block, &self.ring.data) && sample.offset >= HEADER as usize;
        let header = if ours { (sample.offset - HEADER as usize) as u64 } else { self.ring.size() };
        if header >= self.ring.size() || header % 8 != 0 {
            return Err(Errno::EINVAL);
        }
        let word = self.ring.length_word(header);
        if word.load(Ordering::Relaxed) & BUSY == 0 {
            return Err(Errno::EINVAL);
        }
        self.ring.fold(sample.offset, sample.len);
        word.store(sample.len as u32 | mark, Ordering::Release);
        Ok(())
    }

    /// Reserves, fills and submits a sample.
    pub fn write(&self, data: &[u8]) -> Result<(), Errno> {
        let slot = self.reserve(u32::try_from(data.len()).map_err(|_| Errno::E2BIG)?)?;
        slot.block.write(slot.offset, data);
        self.submit(&slot)
    }

    /// Writes raw header and positions, as a producer may that maps the ring by itself and errs: what lies at the producer's position, and
    /// how far it moves.
    pub fn forge(&self, header: u32, advance: u64) {
        let _one = self.producing.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.ring.producer.load(Ordering::Relaxed);
        self.ring.length_word(position & !7).store(header, Ordering::Relaxed);
        self.ring.producer.store(position.wrapping_add(advance), Ordering::Release);
    }

    /// Begins a drain: `EBUSY` if another one is under way. [`end`](UserRingBuf::end) must follow.
    pub fn begin(&self) -> Result<(), Errno> {
        if self.draining.swap(true, Ordering::Acquire) { Err(Errno::EBUSY) } else { Ok(()) }
    }

    /// Ends a drain.
    pub fn end(&self) {
        self.draining.store(false, Ordering::Release);
    }

    /// The next sample, in a drain.
    pub fn next_sample(&self) -> Sample {
        let producer = self.ring.producer.load(Ordering::Acquire);
        if !producer.is_multiple_of(8) {
            return Sample::Bad(Errno::EINVAL);
        }
        let consumer = self.ring.consumer.load(Ordering::Acquire);
        if consumer >= producer {
            return Sample::Nothing;
        }
        let word = self.ring.length_word(consumer).load(Ordering::Acquire);
        let len = u64::from(word & !(BUSY | DISCARD));
        if footprint(len) > producer - consumer {
            return Sample::Bad(Errno::EINVAL);
        }
        if footprint(len) > self.ring.size() || len > DYNPTR_MAX {
            return Sample::Bad(Errno::E2BIG);
        }
        if word & DISCARD != 0 {
            self.ring.consumer.store(consumer + footprint(len), Ordering::Release);
            return Sample::Discarded;
        }
        if word & BUSY != 0 {
            return Sample::Nothing;
        }
        // A sample may begin at the very end of the ring; it then lies whole in the second half of the block.
        let offset = self.ring.offset(consumer) + HEADER as usize;
        self.ring.unfold(offset, len as usize);
        Sample::Data(Slot { block: self.ring.data.clone(), offset, len: len as usize })
    }

    /// Moves on after the callback has seen a sample of `len` bytes.
    pub fn release(&self, len: usize) {
        self.ring.consumer.fetch_add(footprint(len as u64), Ordering::Release);
    }
}

impl Map for UserRingBuf {
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
