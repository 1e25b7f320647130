//! `BPF_MAP_TYPE_SOCKHASH`: sockets by key.

use std::any::Any;
use std::sync::Arc;

use skep_linux::Errno;
use skep_program::MapDef;

use crate::flags::*;
use crate::hash::{Hash, buckets};
use crate::object_array::{object_of, write_object};
use crate::table::Hasher;
use crate::{Base, Caller, CreateOptions, Found, Map};

/// Sockets by key. As for [`ObjectArray`](crate::ObjectArray), a socket is the number that the world gave it, and the world says
/// whether the kernel would take it.
#[derive(Debug)]
pub struct Sockhash {
    base: Base,
    /// The sockets' numbers.
    objects: Hash,
}

impl Sockhash {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Sockhash, Errno> {
        const FLAGS: u32 = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;
        const KEY_MAX: u32 = 512;
        let fits = def.max_entries != 0 && def.key_size != 0 && matches!(def.value_size, 4 | 8);
        if !fits || def.flags & !FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        if def.key_size > KEY_MAX {
            return Err(Errno::E2BIG);
        }
        let buckets = buckets(def.max_entries).map_err(|_| Errno::EINVAL)?;
        let wide = Arc::new(MapDef { value_size: 8, ..MapDef::clone(def) });
        Ok(Sockhash {
            objects: Hash::build(&wide, options, buckets, Hasher::Bytes(0))?,
            base: Base::new(def, options, def.max_entries),
        })
    }

    /// The socket of a key; `EINVAL` if the key has not the map's size.
    pub fn get(&self, key: &[u8]) -> Result<Option<u64>, Errno> {
        if key.len() != self.base.key_size() {
            return Err(Errno::EINVAL);
        }
        let mut object = [0; 8];
        match self.objects.op_lookup(key, &mut object, 0) {
            Ok(()) => Ok(Some(u64::from_le_bytes(object))),
            Err(Errno::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Sets the socket of a key, as `BPF_MAP_UPDATE_ELEM` with a descriptor of it does, and as `bpf_sock_hash_update` does.
    pub fn set(&self, key: &[u8], object: u64, flags: u64) -> Result<(), Errno> {
        if flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        self.objects.op_update(key, &object.to_le_bytes(), flags)
    }
}

impl Map for Sockhash {
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
        Ok(self.get(key)?.map(Found::Object))
    }

    fn update_object(&self, key: &[u8], object: u64, flags: u64) -> Result<(), Errno> {
        self.set(key, object, flags)
    }

    fn delete(&self, caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.objects.delete(caller, key)
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        if value.len() != 8 {
            return Err(Errno::ENOSPC);
        }
        write_object(self.get(key)?.ok_or(Errno::ENOENT)?, value)
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.set(key, object_of(value)?, flags)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.objects.op_delete(key)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.objects.op_next_key(key)
    }
}
