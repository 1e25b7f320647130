//! `BPF_MAP_TYPE_HASH` and `BPF_MAP_TYPE_PERCPU_HASH`.

use std::any::Any;
use std::sync::Arc;

use skep_linux::{Errno, MapType};
use skep_memory::Region;
use skep_program::MapDef;

use crate::array::{PERCPU_VALUE_MAX, index_of};
use crate::flags::*;
use crate::pool::Pool;
use crate::sys::BatchOps;
use crate::table::{Hasher, Table};
use crate::values::Values;
use crate::{Base, Batch, Caller, CreateOptions, Found, Map, Slot, Visit};

/// Key and value together stay below this, in bytes: `KMALLOC_MAX_SIZE` less what the kernel puts before them.
const ELEMENT_MAX: u64 = (4 << 20) - 48;

/// A hash map, or a per-CPU hash map.
#[derive(Debug)]
pub struct Hash {
    base: Base,
    table: Table,
    values: Values,
    pool: Pool,
    percpu: bool,
}

/// What the kernel asks of all maps that are hash tables inside.
pub(crate) fn check_hash(def: &MapDef) -> Result<(), Errno> {
    const FLAGS: u32 = BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK | BPF_F_ZERO_SEED;
    let percpu = matches!(def.map_type, MapType::PercpuHash | MapType::LruPercpuHash);
    let lru = matches!(def.map_type, MapType::LruHash | MapType::LruPercpuHash);
    let own_lists = def.flags & BPF_F_NO_COMMON_LRU != 0;
    if def.flags & !FLAGS != 0 || !access_ok(def.flags) || (!lru && own_lists) {
        return Err(Errno::EINVAL);
    }
    if lru && def.flags & BPF_F_NO_PREALLOC != 0 {
        return Err(Errno::ENOTSUPP);
    }
    if def.flags & BPF_F_NUMA_NODE != 0 && (percpu || own_lists) {
        return Err(Errno::EINVAL);
    }
    if def.max_entries == 0 || def.key_size == 0 || def.value_size == 0 {
        return Err(Errno::EINVAL);
    }
    if u64::from(def.key_size) + u64::from(def.value_size) >= ELEMENT_MAX {
        return Err(Errno::E2BIG);
    }
    if percpu && def.value_size.next_multiple_of(8) > PERCPU_VALUE_MAX {
        return Err(Errno::E2BIG);
    }
    Ok(())
}

/// Number of chains for so many entries; `E2BIG` where the kernel's table would not fit 32 bits.
pub(crate) fn buckets(max_entries: u32) -> Result<u32, Errno> {
    const BUCKET: u32 = 16;
    let buckets = max_entries.checked_next_power_of_two().ok_or(Errno::E2BIG)?;
    if buckets > u32::MAX / BUCKET { Err(Errno::E2BIG) } else { Ok(buckets) }
}

/// `EEXIST` or `ENOENT` if the update's flags do not agree with whether the key is there.
pub(crate) fn check_flags(exists: bool, flags: u64) -> Result<(), Errno> {
    match flags & !BPF_F_LOCK {
        BPF_NOEXIST if exists => Err(Errno::EEXIST),
        BPF_EXIST if !exists => Err(Errno::ENOENT),
        _ => Ok(()),
    }
}

/// Copies a per-CPU value for user space, piece by piece.
pub(crate) fn read_pieces(base: &Base, values: &Values, slot: u32, out: &mut [u8]) {
    for (cpu, piece) in out.chunks_mut(values.stride()).enumerate() {
        values.read_long(base, slot as usize, cpu as u32, piece);
    }
}

/// Writes a per-CPU value from user space, piece by piece.
pub(crate) fn write_pieces(base: &Base, values: &Values, slot: u32, value: &[u8]) {
    for (cpu, piece) in value.chunks(values.stride()).enumerate() {
        values.write_long(base, slot as usize, cpu as u32, piece);
        values.free_fields(base, slot as usize, cpu as u32);
    }
}

/// Writes a per-CPU value of a program: a new element has zeroes on the other CPUs.
pub(crate) fn write_one_cpu(base: &Base, values: &Values, slot: u32, cpu: u32, value: &[u8], new: bool) {
    values.write(base, slot as usize, cpu, value);
    if !new {
        values.free_fields(base, slot as usize, cpu);
        return;
    }
    for other in (0..values.cpus()).filter(|c| *c != cpu) {
        values.zero(base, slot as usize, other);
    }
}

/// One step of a walk over a table. The cursor holds the bucket (high half) and the link to the next node in it (low half, 0 for the
/// bucket's head); the next node is chosen before the caller sees this one.
pub(crate) fn step(table: &Table, cursor: &mut u64) -> Option<u32> {
    let (mut bucket, link) = ((*cursor >> 32) as u32, *cursor as u32);
    let slot = match link.checked_sub(1) {
        Some(slot) => slot,
        None if bucket >= table.buckets() => return None,
        None => {
            let Some((found, slot)) = table.first_from(bucket) else {
                *cursor = u64::from(table.buckets()) << 32;
                return None;
            };
            bucket = found;
            slot
        }
    };
    *cursor = match table.next(slot) {
        Some(next) => u64::from(bucket) << 32 | u64::from(next + 1),
        None => u64::from(bucket + 1) << 32,
    };
    Some(slot)
}

/// The walk of `BPF_MAP_LOOKUP_BATCH` over a hash table: whole buckets; the cursor is the number of the next bucket. `read` gives the
/// value of a node under its bucket's lock; with `delete` the nodes leave the table and `free` gets them after, the last read first.
pub(crate) fn batch_by_bucket(
    table: &Table,
    from: Option<&[u8]>,
    count: u32,
    delete: bool,
    read: impl Fn(u32) -> Result<Vec<u8>, Errno>,
    free: impl Fn(u32),
) -> Result<Batch, Errno> {
    let start = from.map(index_of).transpose()?.unwrap_or(0);
    let mut batch = Batch::default();
    if start >= table.buckets() {
        batch.error = Some(Errno::ENOENT);
        return Ok(batch);
    }
    let mut bucket = start;
    while let Some((found, _)) = table.first_from(bucket) {
        let locked = table.lock(found);
        let nodes = locked.nodes();
        if nodes.len() > count as usize - batch.entries.len() {
            if batch.entries.is_empty() {
                return Err(Errno::ENOSPC);
            }
            batch.next = Some(found.to_le_bytes().to_vec());
            return Ok(batch);
        }
        let read = nodes.iter().map(|slot| Ok((table.key(*slot), read(*slot)?))).collect::<Result<Vec<_>, Errno>>();
        match read {
            Ok(entries) => batch.entries.extend(entries),
            Err(errno) if batch.entries.is_empty() => return Err(errno),
            // What was read, and deleted, so far is not lost: the next call begins here.
            Err(_) => {
                batch.next = Some(found.to_le_bytes().to_vec());
                return Ok(batch);
            }
        }
        if delete {
            for slot in &nodes {
                locked.unlink(*slot);
            }
        }
        drop(locked);
        if delete {
            nodes.iter().rev().for_each(|slot| free(*slot));
        }
        bucket = found + 1;
    }
    batch.next = Some(table.buckets().to_le_bytes().to_vec());
    batch.error = Some(Errno::ENOENT);
    Ok(batch)
}

impl Hash {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Hash, Errno> {
        check_hash(def)?;
        Hash::build(def, options, buckets(def.max_entries)?, Hasher::Bytes(options.hash_seed(def)))
    }

    /// A hash map whose definition somebody else has checked.
    pub(crate) fn build(def: &Arc<MapDef>, options: &CreateOptions, buckets: u32, hasher: Hasher) -> Result<Hash, Errno> {
        let percpu = def.map_type == MapType::PercpuHash;
        let cpus = if percpu { options.cpus } else { 1 };
        let slots = Pool::slots(def.max_entries);
        Ok(Hash {
            table: Table::new(def.key_size as usize, slots, buckets, hasher, options.max_bytes)?,
            values: Values::new(def.value_size as usize, slots, cpus, options.max_bytes)?,
            pool: Pool::new(def.max_entries),
            base: Base::new(def, options, def.max_entries),
            percpu,
        })
    }

    fn key<'k>(&self, key: &'k [u8]) -> Result<&'k [u8], Errno> {
        if key.len() == self.base.key_size() { Ok(key) } else { Err(Errno::EINVAL) }
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Result<Option<usize>, Errno> {
        let key = self.key(key)?;
        Ok(self.table.find(self.table.hash(key), key).map(|at| at.slot as usize))
    }

    fn cpu(&self, caller: Caller) -> u32 {
        if self.percpu { caller.cpu % self.values.cpus() } else { 0 }
    }

    /// Update of an ordinary hash map, from either side: the element is replaced by a new one.
    fn replace(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let hash = self.table.hash(key);
        if flags & BPF_F_LOCK != 0 {
            let old = self.table.find(hash, key);
            check_flags(old.is_some(), flags)?;
            if let Some(at) = old {
                return self.write_locked(at.slot, value);
            }
        }
        let bucket = self.table.lock(hash);
        let old = bucket.find(hash, key);
        check_flags(old.is_some(), flags)?;
        if let Some(old) = old.filter(|_| flags & BPF_F_LOCK != 0) {
            return self.write_locked(old, value);
        }
        let new = match old {
            Some(_) => self.pool.take_spare(),
            None => self.pool.take().ok_or(Errno::E2BIG)?,
        };
        self.table.rewrite(new, hash, key);
        self.values.write(&self.base, new as usize, 0, value);
        bucket.push(new);
        if let Some(old) = old {
            bucket.unlink(old);
            self.values.free_fields(&self.base, old as usize, 0);
            self.pool.replaced(old);
        }
        Ok(())
    }

    fn write_locked(&self, slot: u32, value: &[u8]) -> Result<(), Errno> {
        let slot = slot as usize;
        self.values.locked(&self.base, slot, 0, || self.values.write(&self.base, slot, 0, value))
    }

    /// Update of a per-CPU hash map: an element that is there is written in place.
    fn write_percpu(&self, key: &[u8], flags: u64, write: impl FnOnce(u32, bool)) -> Result<(), Errno> {
        if flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        let hash = self.table.hash(key);
        let bucket = self.table.lock(hash);
        let old = bucket.find(hash, key);
        check_flags(old.is_some(), flags)?;
        if let Some(old) = old {
            write(old, false);
            return Ok(());
        }
        let new = self.pool.take().ok_or(Errno::E2BIG)?;
        self.table.rewrite(new, hash, key);
        write(new, true);
        bucket.push(new);
        Ok(())
    }

    fn remove(&self, key: &[u8], take: impl FnOnce(u32) -> Result<(), Errno>) -> Result<(), Errno> {
        let key = self.key(key)?;
        let hash = self.table.hash(key);
        let bucket = self.table.lock(hash);
        let slot = bucket.find(hash, key).ok_or(Errno::ENOENT)?;
        take(slot)?;
        bucket.unlink(slot);
        self.free(slot);
        Ok(())
    }

    fn free(&self, slot: u32) {
        self.values.free_all_fields(&self.base, slot as usize);
        self.pool.deleted(slot);
    }

    fn read(&self, slot: u32, out: &mut [u8], flags: u64) -> Result<(), Errno> {
        let (base, values, index) = (&self.base, &self.values, slot as usize);
        if self.percpu {
            read_pieces(base, values, slot, out);
        } else if flags & BPF_F_LOCK != 0 {
            return values.locked(base, index, 0, || values.read(base, index, 0, out));
        } else {
            values.read(base, index, 0, out);
        }
        Ok(())
    }

    fn slot(&self, slot: u32, cpu: u32) -> Slot {
        self.values.slot(slot as usize, cpu)
    }
}

impl Map for Hash {
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
        vec![self.values.region(&self.base), self.table.region(&self.base)]
    }

    fn lookup(&self, caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        Ok(self.find(key)?.map(|slot| Found::Slot(self.values.slot(slot, self.cpu(caller)))))
    }

    fn lookup_addr(&self, caller: Caller, key: &[u8]) -> Result<Option<u64>, Errno> {
        Ok(self.find(key)?.map(|slot| self.values.addr(slot, self.cpu(caller))))
    }

    fn lookup_percpu(&self, cpu: u32, key: &[u8]) -> Result<Option<Found>, Errno> {
        if !self.percpu {
            return Err(Errno::EOPNOTSUPP);
        }
        if cpu >= self.values.cpus() {
            return Ok(None);
        }
        Ok(self.find(key)?.map(|slot| Found::Slot(self.values.slot(slot, cpu))))
    }

    fn update(&self, caller: Caller, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let key = self.key(key)?;
        if self.percpu {
            return self.write_percpu(key, flags, |slot, new| {
                write_one_cpu(&self.base, &self.values, slot, self.cpu(caller), value, new);
            });
        }
        if flags & !BPF_F_LOCK > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        self.base.lock_flag(flags)?;
        self.replace(key, value, flags)
    }

    fn delete(&self, _caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.remove(key, |_| Ok(()))
    }

    fn visit(&self, caller: Caller, cursor: &mut u64) -> Result<Option<Visit>, Errno> {
        Ok(step(&self.table, cursor).map(|slot| Visit {
            key: self.table.key(slot),
            key_slot: Some(self.table.key_slot(slot)),
            value: self.slot(slot, self.cpu(caller)),
        }))
    }

    fn user_value_size(&self) -> usize {
        if self.percpu { self.values.stride() * self.values.cpus() as usize } else { self.base.value_size() }
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        let hash = self.table.hash(key);
        loop {
            let at = self.table.find(hash, key).ok_or(Errno::ENOENT)?;
            let read = self.read(at.slot, value, flags);
            if self.table.still(at) {
                return read;
            }
        }
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if self.percpu {
            return self.write_percpu(key, flags, |slot, _| write_pieces(&self.base, &self.values, slot, value));
        }
        self.update(Caller { cpu: 0 }, key, value, flags)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(key, |_| Ok(()))
    }

    fn op_lookup_and_delete(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        self.remove(key, |slot| self.read(slot, value, flags))
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.table.next_key(key)
    }

    fn batch_ops(&self) -> BatchOps {
        BatchOps::HASH
    }

    fn op_lookup_batch(&self, from: Option<&[u8]>, count: u32, flags: u64, delete: bool) -> Result<Batch, Errno> {
        let read = |slot| {
            let mut value = vec![0; self.user_value_size()];
            self.read(slot, &mut value, flags)?;
            Ok(value)
        };
        batch_by_bucket(&self.table, from, count, delete, read, |slot| self.free(slot))
    }
}
