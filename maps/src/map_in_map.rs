//! `BPF_MAP_TYPE_ARRAY_OF_MAPS` and `BPF_MAP_TYPE_HASH_OF_MAPS`: maps by index or key, all of one shape.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use skep_linux::{Errno, MapType};
use skep_program::MapDef;

use crate::array::{index_of, next_index};
use crate::flags::*;
use crate::hash::Hash;
use crate::slots::check_fd_array;
use crate::sys::BatchOps;
use crate::{Base, Batch, Caller, CreateOptions, Found, Map, create};

/// The shape that inner maps must have.
#[derive(Debug)]
struct Shape(Arc<MapDef>);

impl Shape {
    /// The shape of the template: an inner map that the options bring or that the definition describes. `EBADF` if there is none,
    /// `EINVAL` for a template that holds maps itself, `ENOTSUPP` for types that cannot be inner maps.
    fn new(def: &MapDef, options: &CreateOptions) -> Result<Shape, Errno> {
        let template = match (&options.inner, &def.inner) {
            (Some(map), _) => map.def().clone(),
            (None, Some(inner)) => {
                let options = CreateOptions { inner: None, id: None, ..options.clone() };
                create(inner, &options).map_err(|e| e.errno())?.def().clone()
            }
            (None, None) => return Err(Errno::EBADF),
        };
        match template.map_type {
            MapType::ArrayOfMaps | MapType::HashOfMaps => Err(Errno::EINVAL),
            MapType::ProgArray | MapType::StructOps | MapType::CgroupStorage | MapType::PercpuCgroupStorage => {
                Err(Errno::ENOTSUPP)
            }
            _ => Ok(Shape(template)),
        }
    }

    /// Type, sizes, flags and special fields must be equal. The capacity may differ, except where programs count on it: arrays without
    /// `BPF_F_INNER_MAP`, and XDP socket maps.
    fn fits(&self, map: &MapDef) -> bool {
        let shape = &self.0;
        let special = |def: &MapDef| {
            let mut fields: Vec<_> = def.special.iter().map(|f| (f.offset, f.size, f.kind)).collect();
            fields.sort_by_key(|f| f.0);
            fields
        };
        let capacity_counts = match shape.map_type {
            MapType::Array => shape.flags & BPF_F_INNER_MAP == 0,
            MapType::Xskmap => true,
            _ => false,
        };
        shape.map_type == map.map_type
            && shape.key_size == map.key_size
            && shape.value_size == map.value_size
            && shape.flags == map.flags
            && special(shape) == special(map)
            && (!capacity_counts || shape.max_entries == map.max_entries)
    }

    fn check(&self, map: &dyn Map) -> Result<(), Errno> {
        if self.fits(map.def()) { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// An array of maps.
///
/// There are no descriptors in a simulated world: user space puts maps in with [`Map::user_update_map`], and `BPF_MAP_UPDATE_ELEM`
/// answers `EBADF`. Lookups by user space answer the inner map's id.
#[derive(Debug)]
pub struct ArrayOfMaps {
    base: Base,
    shape: Shape,
    maps: RwLock<HashMap<u32, Arc<dyn Map>>>,
}

impl ArrayOfMaps {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<ArrayOfMaps, Errno> {
        check_fd_array(def)?;
        let shape = Shape::new(def, options)?;
        Ok(ArrayOfMaps { base: Base::new(def, options, def.max_entries), shape, maps: RwLock::default() })
    }

    fn index(&self, key: &[u8]) -> Result<u32, Errno> {
        let index = index_of(key)?;
        if index < self.base.def().max_entries { Ok(index) } else { Err(Errno::E2BIG) }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<u32, Arc<dyn Map>>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<u32, Arc<dyn Map>>> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Map for ArrayOfMaps {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn lookup(&self, _caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        Ok(self.read().get(&index_of(key)?).cloned().map(Found::Map))
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        let id = self.read().get(&index_of(key)?).map(|map| map.base().id()).ok_or(Errno::ENOENT)?;
        value.copy_from_slice(&id.to_le_bytes());
        Ok(())
    }

    fn op_update(&self, key: &[u8], _value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != BPF_ANY {
            return Err(Errno::EINVAL);
        }
        self.index(key)?;
        Err(Errno::EBADF)
    }

    fn op_update_map(&self, key: &[u8], map: Arc<dyn Map>, flags: u64) -> Result<(), Errno> {
        if flags != BPF_ANY {
            return Err(Errno::EINVAL);
        }
        let index = self.index(key)?;
        self.shape.check(map.as_ref())?;
        self.write().insert(index, map);
        Ok(())
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        let index = self.index(key)?;
        self.write().remove(&index).map(drop).ok_or(Errno::ENOENT)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        next_index(key, self.base.def().max_entries)
    }

    fn batch_ops(&self) -> BatchOps {
        BatchOps::ARRAY
    }
}

/// Maps by id, and how many keys hold each.
type Users = HashMap<u32, (Arc<dyn Map>, u32)>;

/// A hash map of maps. As for [`ArrayOfMaps`], maps are put in with [`Map::user_update_map`]. Inner maps are told apart by their
/// ids.
#[derive(Debug)]
pub struct HashOfMaps {
    /// Ids of maps by key: what user space reads.
    ids: Hash,
    shape: Shape,
    /// The maps in use, and how often. Written together with `ids`.
    maps: RwLock<Users>,
}

impl HashOfMaps {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<HashOfMaps, Errno> {
        if def.value_size != 4 {
            return Err(Errno::EINVAL);
        }
        crate::hash::check_hash(def)?;
        let shape = Shape::new(def, options)?;
        Ok(HashOfMaps { ids: Hash::create(def, options)?, shape, maps: RwLock::default() })
    }

    fn write(&self) -> RwLockWriteGuard<'_, Users> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self, key: &[u8]) -> Result<u32, Errno> {
        let mut id = [0; 4];
        self.ids.op_lookup(key, &mut id, 0)?;
        Ok(u32::from_le_bytes(id))
    }
}

/// One key less holds this map.
fn release(maps: &mut Users, id: u32) {
    if let Some((_, users)) = maps.get_mut(&id) {
        *users -= 1;
        if *users == 0 {
            maps.remove(&id);
        }
    }
}

impl Map for HashOfMaps {
    fn base(&self) -> &Base {
        self.ids.base()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn lookup(&self, _caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        match self.id(key) {
            Ok(id) => Ok(maps.get(&id).map(|(map, _)| Found::Map(map.clone()))),
            Err(Errno::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        self.ids.op_lookup(key, value, flags)
    }

    fn op_update(&self, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EBADF)
    }

    fn op_update_map(&self, key: &[u8], map: Arc<dyn Map>, flags: u64) -> Result<(), Errno> {
        self.shape.check(map.as_ref())?;
        let mut maps = self.write();
        let old = self.id(key).ok();
        let id = map.base().id();
        self.ids.op_update(key, &id.to_le_bytes(), flags)?;
        maps.entry(id).or_insert((map, 0)).1 += 1;
        if let Some(old) = old {
            release(&mut maps, old);
        }
        Ok(())
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        let mut maps = self.write();
        let id = self.id(key)?;
        self.ids.op_delete(key)?;
        release(&mut maps, id);
        Ok(())
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.ids.op_next_key(key)
    }

    fn batch_ops(&self) -> BatchOps {
        BatchOps::HASH
    }

    fn op_lookup_batch(&self, from: Option<&[u8]>, count: u32, flags: u64, delete: bool) -> Result<Batch, Errno> {
        let mut maps = self.write();
        let batch = self.ids.op_lookup_batch(from, count, flags, delete)?;
        if delete {
            for (_, value) in &batch.entries {
                release(&mut maps, index_of(value)?);
            }
        }
        Ok(batch)
    }
}
