//! `BPF_MAP_TYPE_LRU_HASH` and `BPF_MAP_TYPE_LRU_PERCPU_HASH`: hash maps that give up elements when they need room.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use skep_linux::{Errno, MapType};
use skep_memory::Region;
use skep_program::MapDef;

use crate::flags::{BPF_EXIST, BPF_F_NO_COMMON_LRU};
use crate::hash::*;
use crate::lru::{Elements, Lru};
use crate::sys::BatchOps;
use crate::table::{Hasher, Table};
use crate::values::Values;
use crate::{Base, Batch, Caller, CreateOptions, Found, Map, Visit};

/// A hash map that gives up elements when it needs room, chosen as the kernel chooses them.
///
/// System calls count as coming from CPU 0.
#[derive(Debug)]
pub struct LruHash {
    inner: Inner,
    lru: Lru,
    percpu: bool,
}

#[derive(Debug)]
struct Inner {
    base: Base,
    table: Table,
    values: Values,
}

impl Elements for Inner {
    fn marked(&self, slot: u32) -> bool {
        self.table.mark(slot).load(Ordering::Relaxed) != 0
    }

    fn unmark(&self, slot: u32) {
        self.table.mark(slot).store(0, Ordering::Relaxed);
    }

    fn evict(&self, slot: u32) -> bool {
        let bucket = self.table.lock(self.table.hash_of(slot));
        let there = bucket.unlink(slot);
        if there {
            self.values.free_all_fields(&self.base, slot as usize);
        }
        there
    }
}

impl Inner {
    fn set_mark(&self, slot: u32) {
        let mark = self.table.mark(slot);
        if mark.load(Ordering::Relaxed) == 0 {
            mark.store(1, Ordering::Relaxed);
        }
    }
}

/// Capacity in effect: with lists per CPU, a multiple of the number of CPUs.
fn capacity(def: &MapDef, cpus: u32) -> u32 {
    if def.flags & BPF_F_NO_COMMON_LRU == 0 {
        return def.max_entries;
    }
    def.max_entries.checked_next_multiple_of(cpus).unwrap_or(def.max_entries - def.max_entries % cpus)
}

impl LruHash {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<LruHash, Errno> {
        check_hash(def)?;
        let percpu = def.map_type == MapType::LruPercpuHash;
        let max_entries = capacity(def, options.cpus);
        let slots = max_entries as usize;
        let hasher = Hasher::Bytes(options.hash_seed(def));
        let cpus = if percpu { options.cpus } else { 1 };
        Ok(LruHash {
            inner: Inner {
                table: Table::new(def.key_size as usize, slots, buckets(max_entries)?, hasher, options.max_bytes)?,
                values: Values::new(def.value_size as usize, slots, cpus, options.max_bytes)?,
                base: Base::new(def, options, max_entries),
            },
            lru: Lru::new(max_entries, options.cpus, def.flags & BPF_F_NO_COMMON_LRU != 0),
            percpu,
        })
    }

    fn key<'k>(&self, key: &'k [u8]) -> Result<&'k [u8], Errno> {
        if key.len() == self.inner.base.key_size() { Ok(key) } else { Err(Errno::EINVAL) }
    }

    /// Lookup by a program: the element counts as used.
    #[inline]
    fn touch(&self, key: &[u8]) -> Result<Option<usize>, Errno> {
        let key = self.key(key)?;
        let found = self.inner.table.find(self.inner.table.hash(key), key);
        Ok(found.map(|at| {
            self.inner.set_mark(at.slot);
            at.slot as usize
        }))
    }

    fn cpu(&self, caller: Caller) -> u32 {
        if self.percpu { caller.cpu % self.inner.values.cpus() } else { 0 }
    }

    /// Update of a plain LRU map: the new element is taken before the flags are tested, so a refused update may evict one too.
    fn replace(&self, cpu: u32, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        let inner = &self.inner;
        let hash = inner.table.hash(key);
        let new = self.lru.take(cpu, inner).ok_or(Errno::ENOMEM)?;
        inner.table.rewrite(new, hash, key);
        inner.values.write(&inner.base, new as usize, 0, value);
        let bucket = inner.table.lock(hash);
        let old = bucket.find(hash, key);
        if let Err(e) = check_flags(old.is_some(), flags) {
            drop(bucket);
            self.free(new);
            return Err(e);
        }
        bucket.push(new);
        if let Some(old) = old {
            inner.set_mark(new);
            bucket.unlink(old);
            drop(bucket);
            self.free(old);
        }
        Ok(())
    }

    /// Update of a per-CPU LRU map: an element that is there is written in place.
    fn write_percpu(&self, cpu: u32, key: &[u8], flags: u64, write: impl FnOnce(u32, bool)) -> Result<(), Errno> {
        if flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        let inner = &self.inner;
        let hash = inner.table.hash(key);
        let mut spare = None;
        if flags != BPF_EXIST {
            spare = Some(self.lru.take(cpu, inner).ok_or(Errno::ENOMEM)?);
        }
        let bucket = inner.table.lock(hash);
        let old = bucket.find(hash, key);
        let result = check_flags(old.is_some(), flags);
        if result.is_ok() {
            if let Some(old) = old {
                inner.set_mark(old);
                write(old, false);
            } else if let Some(new) = spare.take() {
                inner.table.rewrite(new, hash, key);
                write(new, true);
                bucket.push(new);
            }
        }
        drop(bucket);
        if let Some(spare) = spare {
            self.lru.give(spare, inner);
        }
        result
    }

    fn remove(&self, key: &[u8], take: impl FnOnce(u32)) -> Result<(), Errno> {
        let key = self.key(key)?;
        let hash = self.inner.table.hash(key);
        let bucket = self.inner.table.lock(hash);
        let slot = bucket.find(hash, key).ok_or(Errno::ENOENT)?;
        take(slot);
        bucket.unlink(slot);
        drop(bucket);
        self.free(slot);
        Ok(())
    }

    fn free(&self, slot: u32) {
        self.inner.values.free_all_fields(&self.inner.base, slot as usize);
        self.lru.give(slot, &self.inner);
    }

    fn read(&self, slot: u32, out: &mut [u8]) {
        if self.percpu {
            read_pieces(&self.inner.base, &self.inner.values, slot, out);
        } else {
            self.inner.values.read(&self.inner.base, slot as usize, 0, out);
        }
    }
}

impl Map for LruHash {
    fn base(&self) -> &Base {
        &self.inner.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn regions(&self) -> Vec<Region> {
        vec![self.inner.values.region(&self.inner.base), self.inner.table.region(&self.inner.base)]
    }

    fn lookup(&self, caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        Ok(self.touch(key)?.map(|slot| Found::Slot(self.inner.values.slot(slot, self.cpu(caller)))))
    }

    fn lookup_addr(&self, caller: Caller, key: &[u8]) -> Result<Option<u64>, Errno> {
        Ok(self.touch(key)?.map(|slot| self.inner.values.addr(slot, self.cpu(caller))))
    }

    fn lookup_percpu(&self, cpu: u32, key: &[u8]) -> Result<Option<Found>, Errno> {
        if !self.percpu {
            return Err(Errno::EOPNOTSUPP);
        }
        if cpu >= self.inner.values.cpus() {
            return Ok(None);
        }
        Ok(self.touch(key)?.map(|slot| Found::Slot(self.inner.values.slot(slot, cpu))))
    }

    fn update(&self, caller: Caller, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let key = self.key(key)?;
        if !self.percpu {
            return self.replace(caller.cpu, key, value, flags);
        }
        self.write_percpu(caller.cpu, key, flags, |slot, new| {
            write_one_cpu(&self.inner.base, &self.inner.values, slot, self.cpu(caller), value, new);
        })
    }

    fn delete(&self, _caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.remove(key, |_| ())
    }

    fn visit(&self, caller: Caller, cursor: &mut u64) -> Result<Option<Visit>, Errno> {
        Ok(step(&self.inner.table, cursor).map(|slot| Visit {
            key: self.inner.table.key(slot),
            key_slot: Some(self.inner.table.key_slot(slot)),
            value: self.inner.values.slot(slot as usize, self.cpu(caller)),
        }))
    }

    fn user_value_size(&self) -> usize {
        let values = &self.inner.values;
        if self.percpu { values.stride() * values.cpus() as usize } else { self.inner.base.value_size() }
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        let table = &self.inner.table;
        let hash = table.hash(key);
        loop {
            let at = table.find(hash, key).ok_or(Errno::ENOENT)?;
            self.read(at.slot, value);
            if table.still(at) {
                return Ok(());
            }
        }
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if !self.percpu {
            return self.replace(0, key, value, flags);
        }
        self.write_percpu(0, key, flags, |slot, _| write_pieces(&self.inner.base, &self.inner.values, slot, value))
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(key, |_| ())
    }

    fn op_lookup_and_delete(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        self.remove(key, |slot| self.read(slot, value))
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.inner.table.next_key(key)
    }

    fn batch_ops(&self) -> BatchOps {
        BatchOps::HASH
    }

    fn op_lookup_batch(&self, from: Option<&[u8]>, count: u32, _flags: u64, delete: bool) -> Result<Batch, Errno> {
        let read = |slot| {
            let mut value = vec![0; self.user_value_size()];
            self.read(slot, &mut value);
            Ok(value)
        };
        batch_by_bucket(&self.inner.table, from, count, delete, read, |slot| self.free(slot))
    }
}
