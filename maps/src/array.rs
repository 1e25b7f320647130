//! `BPF_MAP_TYPE_ARRAY` and `BPF_MAP_TYPE_PERCPU_ARRAY`: values by index, all there from the start.

use std::any::Any;
use std::sync::Arc;

use skep_linux::{Errno, MapType};
use skep_memory::Region;
use skep_program::MapDef;

use crate::flags::*;
use crate::sys::BatchOps;
use crate::values::Values;
use crate::{Base, Caller, Cells, CreateOptions, Found, Map, Slot, Visit};

/// The largest per-CPU value that the kernel gives, in bytes (`PCPU_MIN_UNIT_SIZE`).
pub(crate) const PERCPU_VALUE_MAX: u32 = 32768;

/// An array, or a per-CPU array.
#[derive(Debug)]
pub struct Array {
    base: Base,
    values: Values,
    percpu: bool,
}

/// What the kernel asks of all maps that are arrays inside.
pub(crate) fn check_array(def: &MapDef) -> Result<(), Errno> {
    const FLAGS: u32 = BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_ACCESS_MASK | BPF_F_PRESERVE_ELEMS | BPF_F_INNER_MAP;
    let percpu = def.map_type == MapType::PercpuArray;
    if def.max_entries == 0 || def.key_size != 4 || def.value_size == 0 {
        return Err(Errno::EINVAL);
    }
    if def.flags & !FLAGS != 0 || !access_ok(def.flags) || (percpu && def.flags & BPF_F_NUMA_NODE != 0) {
        return Err(Errno::EINVAL);
    }
    if def.map_type != MapType::Array && def.flags & (BPF_F_MMAPABLE | BPF_F_INNER_MAP) != 0 {
        return Err(Errno::EINVAL);
    }
    if def.map_type != MapType::PerfEventArray && def.flags & BPF_F_PRESERVE_ELEMS != 0 {
        return Err(Errno::EINVAL);
    }
    if def.value_size > i32::MAX as u32 {
        return Err(Errno::E2BIG);
    }
    if percpu && def.value_size.next_multiple_of(8) > PERCPU_VALUE_MAX {
        return Err(Errno::E2BIG);
    }
    Ok(())
}

/// The index that a key of an array is. Keys have 4 bytes; a shorter one is no index.
#[inline]
pub(crate) fn index_of(key: &[u8]) -> Result<u32, Errno> {
    match key.first_chunk::<4>() {
        Some(bytes) => Ok(u32::from_le_bytes(*bytes)),
        None => Err(Errno::EINVAL),
    }
}

/// `next_key` of everything that counts from 0 to `max_entries`.
pub(crate) fn next_index(key: Option<&[u8]>, max_entries: u32) -> Result<Vec<u8>, Errno> {
    let index = key.map(index_of).transpose()?.unwrap_or(u32::MAX);
    match index {
        i if i >= max_entries => Ok(vec![0; 4]),
        i if i == max_entries - 1 => Err(Errno::ENOENT),
        i => Ok((i + 1).to_le_bytes().to_vec()),
    }
}

impl Array {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Array, Errno> {
        check_array(def)?;
        let percpu = def.map_type == MapType::PercpuArray;
        let cpus = if percpu { options.cpus } else { 1 };
        let values = Values::new(def.value_size as usize, def.max_entries as usize, cpus, options.max_bytes)?;
        Ok(Array { base: Base::new(def, options, def.max_entries), values, percpu })
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Result<Option<usize>, Errno> {
        let index = index_of(key)?;
        Ok((index < self.base.def().max_entries).then_some(index as usize))
    }

    #[inline]
    fn cpu(&self, caller: Caller) -> u32 {
        if self.percpu { caller.cpu % self.values.cpus() } else { 0 }
    }

    /// The tests before an update, for either side: the element to write.
    fn target(&self, key: &[u8], flags: u64, lock: u64) -> Result<usize, Errno> {
        if flags & !lock > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        let index = self.find(key)?.ok_or(Errno::E2BIG)?;
        if flags & BPF_NOEXIST != 0 {
            return Err(Errno::EEXIST);
        }
        self.base.lock_flag(flags)?;
        Ok(index)
    }
}

impl Map for Array {
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
        vec![self.values.region(&self.base)]
    }

    fn direct_value(&self) -> Result<Slot, Errno> {
        if self.percpu || self.base.def().max_entries != 1 {
            return Err(Errno::ENOTSUPP);
        }
        Ok(self.values.slot(0, 0))
    }

    fn cells(&self) -> Option<Cells> {
        let (first, stride) = (self.values.addr(0, 0), self.values.stride() as u64);
        (!self.percpu).then_some(Cells { first, stride, count: self.base.def().max_entries })
    }

    fn lookup(&self, caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        Ok(self.find(key)?.map(|index| Found::Slot(self.values.slot(index, self.cpu(caller)))))
    }

    fn lookup_addr(&self, caller: Caller, key: &[u8]) -> Result<Option<u64>, Errno> {
        Ok(self.find(key)?.map(|index| self.values.addr(index, self.cpu(caller))))
    }

    fn lookup_percpu(&self, cpu: u32, key: &[u8]) -> Result<Option<Found>, Errno> {
        if !self.percpu {
            return Err(Errno::EOPNOTSUPP);
        }
        if cpu >= self.values.cpus() {
            return Ok(None);
        }
        Ok(self.find(key)?.map(|index| Found::Slot(self.values.slot(index, cpu))))
    }

    fn update(&self, caller: Caller, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let index = self.target(key, flags, BPF_F_LOCK)?;
        let cpu = self.cpu(caller);
        let write = || self.values.write(&self.base, index, cpu, value);
        if flags & BPF_F_LOCK != 0 && !self.percpu {
            self.values.locked(&self.base, index, cpu, write)?;
        } else {
            write();
        }
        self.values.free_fields(&self.base, index, cpu);
        Ok(())
    }

    fn delete(&self, _caller: Caller, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn visit(&self, caller: Caller, cursor: &mut u64) -> Result<Option<Visit>, Errno> {
        if *cursor >= u64::from(self.base.def().max_entries) {
            return Ok(None);
        }
        let index = *cursor as usize;
        *cursor += 1;
        let key = (index as u32).to_le_bytes().to_vec();
        Ok(Some(Visit { key, key_slot: None, value: self.values.slot(index, self.cpu(caller)) }))
    }

    fn user_value_size(&self) -> usize {
        if self.percpu { self.values.stride() * self.values.cpus() as usize } else { self.base.value_size() }
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        let index = self.find(key)?.ok_or(Errno::ENOENT)?;
        if self.percpu {
            for (cpu, piece) in value.chunks_mut(self.values.stride()).enumerate() {
                self.values.read_long(&self.base, index, cpu as u32, piece);
            }
        } else if flags & BPF_F_LOCK != 0 {
            self.values.locked(&self.base, index, 0, || self.values.read(&self.base, index, 0, value))?;
        } else {
            self.values.read(&self.base, index, 0, value);
        }
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if !self.percpu {
            return self.update(Caller { cpu: 0 }, key, value, flags);
        }
        let index = self.target(key, flags, 0)?;
        for (cpu, piece) in value.chunks(self.values.stride()).enumerate() {
            self.values.write_long(&self.base, index, cpu as u32, piece);
            self.values.free_fields(&self.base, index, cpu as u32);
        }
        Ok(())
    }

    fn op_delete(&self, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        next_index(key, self.base.def().max_entries)
    }

    fn batch_ops(&self) -> BatchOps {
        BatchOps::ARRAY
    }
}
