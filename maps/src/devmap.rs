//! `BPF_MAP_TYPE_DEVMAP` and `BPF_MAP_TYPE_DEVMAP_HASH`: network devices to redirect packets to.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use skep_linux::Errno;
use skep_memory::Region;
use skep_program::MapDef;

use crate::array::{index_of, next_index};
use crate::flags::*;
use crate::hash::{Hash, buckets};
use crate::slots::Slots;
use crate::table::Hasher;
use crate::values::Values;
use crate::{Base, Caller, CreateOptions, Found, Map};

/// A device to send to, and the program that runs there first: `struct bpf_devmap_val`.
///
/// Where the kernel takes a descriptor of a program and answers an id, these maps take and answer the number that the program's owner
/// gave it. Whether the device exists is for the world to say, before it is put here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevmapEntry {
    /// The device.
    pub ifindex: u32,
    /// The program, if values have room for one and it is not 0.
    pub program: Option<u32>,
}

impl DevmapEntry {
    pub(crate) fn parse(value: &[u8]) -> Result<DevmapEntry, Errno> {
        let program = value.get(4..8).map(index_of).transpose()?.filter(|id| *id as i32 > 0);
        Ok(DevmapEntry { ifindex: index_of(value)?, program })
    }

    /// As it is kept: a program number that is not positive is none.
    fn bytes(self, len: usize) -> Vec<u8> {
        let mut bytes = self.ifindex.to_le_bytes().to_vec();
        bytes.extend(self.program.unwrap_or(0).to_le_bytes());
        bytes.truncate(len);
        bytes
    }
}

fn check(def: &MapDef, most: u32) -> Result<(), Errno> {
    const FLAGS: u32 = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;
    let fits = (1..=most).contains(&def.max_entries) && def.key_size == 4 && matches!(def.value_size, 4 | 8);
    if fits && def.flags & !FLAGS == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Devices by index.
#[derive(Debug)]
pub struct Devmap {
    base: Base,
    values: Values,
    /// Which indices have a device.
    there: Slots,
    writing: Mutex<()>,
}

impl Devmap {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Devmap, Errno> {
        check(def, u32::MAX)?;
        Ok(Devmap {
            values: Values::new(def.value_size as usize, def.max_entries as usize, 1, options.max_bytes)?,
            there: Slots::new(def.max_entries, options)?,
            base: Base::new(def, options, def.max_entries),
            writing: Mutex::default(),
        })
    }

    /// The device at an index, as `bpf_redirect_map` finds it.
    pub fn entry(&self, index: u32) -> Option<DevmapEntry> {
        self.there.get(index)?;
        let mut value = vec![0; self.base.value_size()];
        self.values.read(&self.base, index as usize, 0, &mut value);
        DevmapEntry::parse(&value).ok()
    }

    /// All devices, in the order of a broadcast.
    pub fn entries(&self) -> impl Iterator<Item = DevmapEntry> {
        (0..self.there.len()).filter_map(|index| self.entry(index))
    }

    fn find(&self, key: &[u8]) -> Result<Option<usize>, Errno> {
        let index = index_of(key)?;
        Ok(self.there.get(index).map(|_| index as usize))
    }

    fn write(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        let index = index_of(key)?;
        if index >= self.there.len() {
            return Err(Errno::E2BIG);
        }
        if flags == BPF_NOEXIST {
            return Err(Errno::EEXIST);
        }
        let entry = DevmapEntry::parse(value)?;
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if entry.ifindex != 0 {
            self.values.write(&self.base, index as usize, 0, &entry.bytes(value.len()));
            return self.there.set(index, 0).map(drop);
        }
        if entry.program.is_some() {
            return Err(Errno::EINVAL);
        }
        self.there.clear(index).map(drop).or(Ok(()))
    }

    fn remove(&self, key: &[u8]) -> Result<(), Errno> {
        let index = index_of(key)?;
        if index >= self.there.len() {
            return Err(Errno::EINVAL);
        }
        self.there.clear(index).map(drop).or(Ok(()))
    }
}

impl Map for Devmap {
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

    fn lookup(&self, _caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        Ok(self.find(key)?.map(|index| Found::Slot(self.values.slot(index, 0))))
    }

    fn delete(&self, _caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        let index = self.find(key)?.ok_or(Errno::ENOENT)?;
        self.values.read(&self.base, index, 0, value);
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.write(key, value, flags)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        next_index(key, self.there.len())
    }
}

/// Devices by a key of 4 bytes, often their own index.
#[derive(Debug)]
pub struct DevmapHash {
    hash: Hash,
}

impl DevmapHash {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<DevmapHash, Errno> {
        check(def, 1 << 31)?;
        let buckets = buckets(def.max_entries).map_err(|_| Errno::ENOMEM)?;
        Ok(DevmapHash { hash: Hash::build(def, options, buckets, Hasher::Index)? })
    }

    /// The device of a key, as `bpf_redirect_map` finds it.
    pub fn entry(&self, key: u32) -> Option<DevmapEntry> {
        let mut value = vec![0; self.hash.base().value_size()];
        self.hash.op_lookup(&key.to_le_bytes(), &mut value, 0).ok()?;
        DevmapEntry::parse(&value).ok()
    }

    /// All devices, in the order of a broadcast.
    pub fn entries(&self) -> impl Iterator<Item = DevmapEntry> {
        let mut cursor = 0;
        std::iter::from_fn(move || self.hash.visit(Caller { cpu: 0 }, &mut cursor).ok()?)
            .filter_map(|visit| DevmapEntry::parse(&visit.value.bytes()).ok())
    }
}

impl Map for DevmapHash {
    fn base(&self) -> &Base {
        self.hash.base()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn regions(&self) -> Vec<Region> {
        self.hash.regions()
    }

    fn lookup(&self, caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        self.hash.lookup(caller, key)
    }

    fn delete(&self, caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.hash.delete(caller, key)
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        self.hash.op_lookup(key, value, flags)
    }

    /// `BPF_EXIST` does not ask for the key to be there.
    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let entry = DevmapEntry::parse(value)?;
        if flags > BPF_EXIST || entry.ifindex == 0 {
            return Err(Errno::EINVAL);
        }
        self.hash.op_update(key, &entry.bytes(value.len()), flags & BPF_NOEXIST)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.hash.op_delete(key)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.hash.op_next_key(key)
    }
}
