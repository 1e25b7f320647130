//! The older values of cgroups: `BPF_MAP_TYPE_CGROUP_STORAGE` and `BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE`.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::{Errno, MapType};
use skep_memory::{Block, Region, RegionKind, Shape};
use skep_program::MapDef;

use crate::array::PERCPU_VALUE_MAX;
use crate::flags::*;
use crate::local_storage::VALUE_MAX;
use crate::values::{locked, read_value, write_value};
use crate::{Base, CreateOptions, Map, Slot};

/// Values that exist while a program is attached to a cgroup: attaching makes them, and programs reach theirs with
/// `bpf_get_local_storage`. Keys are the cgroup's id alone, or `struct bpf_cgroup_storage_key`: the id and the attach type.
#[derive(Debug)]
pub struct CgroupStorage {
    base: Base,
    percpu: bool,
    /// The last one attached comes first.
    values: Mutex<Vec<(Key, Arc<Block>)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    cgroup: u64,
    /// 0 where keys do not have it.
    attach_type: u32,
}

/// `sizeof(struct bpf_cgroup_storage_key)`: id, attach type, padding.
const LONG_KEY: u32 = 16;

impl CgroupStorage {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<CgroupStorage, Errno> {
        let percpu = def.map_type == MapType::PercpuCgroupStorage;
        let most = if percpu { VALUE_MAX.min(PERCPU_VALUE_MAX) } else { VALUE_MAX };
        if !matches!(def.key_size, 8 | LONG_KEY) || def.value_size == 0 {
            return Err(Errno::EINVAL);
        }
        if def.value_size > most {
            return Err(Errno::E2BIG);
        }
        if def.flags & !(BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK) != 0 || !access_ok(def.flags) || def.max_entries != 0 {
            return Err(Errno::EINVAL);
        }
        Ok(CgroupStorage { base: Base::new(def, options, 0), percpu, values: Mutex::default() })
    }

    fn values(&self) -> MutexGuard<'_, Vec<(Key, Arc<Block>)>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, cgroup: u64, attach_type: u32) -> Key {
        Key { cgroup, attach_type: if self.base.def().key_size == LONG_KEY { attach_type } else { 0 } }
    }

    fn parse(&self, key: &[u8]) -> Result<Key, Errno> {
        let cgroup = key.first_chunk::<8>().ok_or(Errno::EINVAL)?;
        let attach_type = key.get(8..12).map(crate::array::index_of).transpose()?.unwrap_or(0);
        Ok(self.key(u64::from_le_bytes(*cgroup), attach_type))
    }

    fn stride(&self) -> usize {
        self.base.value_size().next_multiple_of(8)
    }

    fn block(&self) -> Result<Arc<Block>, Errno> {
        let cpus = if self.percpu { self.base.cpus() as usize } else { 1 };
        Block::try_zeroed(self.stride() * cpus).ok_or(Errno::ENOMEM)
    }

    fn find(&self, key: Key) -> Option<Arc<Block>> {
        self.values().iter().find(|(k, _)| *k == key).map(|(_, block)| block.clone())
    }

    /// What attaching a program to a cgroup does: a value of zeroes, unless there is one.
    pub fn attach(&self, cgroup: u64, attach_type: u32) -> Result<(), Errno> {
        let key = self.key(cgroup, attach_type);
        let block = self.block()?;
        let mut values = self.values();
        if values.iter().all(|(k, _)| *k != key) {
            values.insert(0, (key, block));
        }
        Ok(())
    }

    /// What detaching it does.
    pub fn detach(&self, cgroup: u64, attach_type: u32) {
        let key = self.key(cgroup, attach_type);
        self.values().retain(|(k, _)| *k != key);
    }

    /// `bpf_get_local_storage`: the value of the cgroup that a program runs for, on its CPU. `None` if the program is not attached.
    pub fn local(&self, cgroup: u64, attach_type: u32, cpu: u32) -> Option<Slot> {
        let block = self.find(self.key(cgroup, attach_type))?;
        let offset = if self.percpu { (cpu % self.base.cpus()) as usize * self.stride() } else { 0 };
        Some(Slot { block, offset, len: self.base.value_size() })
    }
}

impl Map for CgroupStorage {
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
        let shape = Shape::Cells { stride: self.stride() as u64, len: self.base.value_size() as u64 };
        let region = |block: &Arc<Block>| Region {
            kind: RegionKind::MapValue(self.base.def().name.as_str().into()),
            block: block.clone(),
            offset: 0,
            len: block.len(),
            shape,
            writable: self.base.prog_writes(),
        };
        self.values().iter().map(|(_, block)| region(block)).collect()
    }

    fn user_value_size(&self) -> usize {
        if self.percpu { self.stride() * self.base.cpus() as usize } else { self.base.value_size() }
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        let block = self.find(self.parse(key)?).ok_or(Errno::ENOENT)?;
        if self.percpu {
            block.read(0, value);
        } else if flags & BPF_F_LOCK != 0 {
            locked(&self.base, &block, 0, || read_value(&self.base, &block, 0, value))?;
        } else {
            read_value(&self.base, &block, 0, value);
        }
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let known = if self.percpu { BPF_EXIST } else { BPF_F_LOCK | BPF_EXIST };
        if flags & !known != 0 {
            return Err(Errno::EINVAL);
        }
        let key = self.parse(key)?;
        let block = self.find(key).ok_or(Errno::ENOENT)?;
        if self.percpu {
            block.write(0, value);
            return Ok(());
        }
        if flags & BPF_F_LOCK != 0 {
            return locked(&self.base, &block, 0, || write_value(&self.base, &block, 0, value));
        }
        let new = self.block()?;
        write_value(&self.base, &new, 0, value);
        if let Some((_, block)) = self.values().iter_mut().find(|(k, _)| *k == key) {
            *block = new;
        }
        Ok(())
    }

    fn op_delete(&self, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let key = key.map(|k| self.parse(k)).transpose()?;
        let values = self.values();
        let at = match key {
            None => 0,
            Some(key) => values.iter().position(|(k, _)| *k == key).ok_or(Errno::ENOENT)? + 1,
        };
        let (next, _) = values.get(at).ok_or(Errno::ENOENT)?;
        let mut bytes = next.cgroup.to_le_bytes().to_vec();
        bytes.extend(next.attach_type.to_le_bytes());
        bytes.resize(self.base.key_size().max(bytes.len()), 0);
        bytes.truncate(self.base.key_size());
        Ok(bytes)
    }
}
