//! The system calls on maps: permissions, flags and sizes, in the kernel's order, before the type's own operation.

use std::sync::Arc;

use skep_linux::{Errno, MapType};

use crate::flags::BPF_F_LOCK;
use crate::{Batch, Map};

/// Which batch commands a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOps {
    /// `BPF_MAP_LOOKUP_BATCH`.
    pub lookup: bool,
    /// `BPF_MAP_LOOKUP_AND_DELETE_BATCH`.
    pub lookup_and_delete: bool,
    /// `BPF_MAP_UPDATE_BATCH`.
    pub update: bool,
    /// `BPF_MAP_DELETE_BATCH`.
    pub delete: bool,
}

impl BatchOps {
    /// None of them.
    pub const NONE: BatchOps = BatchOps { lookup: false, lookup_and_delete: false, update: false, delete: false };
    /// Lookup and update.
    pub const ARRAY: BatchOps = BatchOps { lookup: true, lookup_and_delete: false, update: true, delete: false };
    /// All but lookup-and-delete.
    pub const TRIE: BatchOps = BatchOps { lookup: true, lookup_and_delete: false, update: true, delete: true };
    /// All.
    pub const HASH: BatchOps = BatchOps { lookup: true, lookup_and_delete: true, update: true, delete: true };
}

/// `EINVAL` unless the key has the map's size.
fn key_fits(map: &dyn Map, key: &[u8]) -> Result<(), Errno> {
    if key.len() == map.def().key_size as usize { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Flags that lookups know: only `BPF_F_LOCK`, and only where values have a lock.
fn lookup_flags(map: &dyn Map, flags: u64) -> Result<(), Errno> {
    if flags & !BPF_F_LOCK != 0 { Err(Errno::EINVAL) } else { map.base().lock_flag(flags) }
}

pub(crate) fn lookup(map: &dyn Map, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
    if flags & !BPF_F_LOCK != 0 {
        return Err(Errno::EINVAL);
    }
    map.base().may_read()?;
    map.base().lock_flag(flags)?;
    key_fits(map, key)?;
    if value.len() != map.user_value_size() {
        return Err(Errno::EINVAL);
    }
    map.op_lookup(key, value, flags)
}

pub(crate) fn update(map: &dyn Map, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
    map.base().may_write()?;
    map.base().lock_flag(flags)?;
    key_fits(map, key)?;
    if value.len() != map.user_value_size() {
        return Err(Errno::EINVAL);
    }
    map.op_update(key, value, flags)
}

pub(crate) fn update_map(map: &dyn Map, key: &[u8], inner: Arc<dyn Map>, flags: u64) -> Result<(), Errno> {
    map.base().may_write()?;
    map.base().lock_flag(flags)?;
    key_fits(map, key)?;
    map.op_update_map(key, inner, flags)
}

pub(crate) fn delete(map: &dyn Map, key: &[u8]) -> Result<(), Errno> {
    map.base().may_write()?;
    key_fits(map, key)?;
    map.op_delete(key)
}

pub(crate) fn lookup_and_delete(map: &dyn Map, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
    if flags & !BPF_F_LOCK != 0 {
        return Err(Errno::EINVAL);
    }
    map.base().may_read()?;
    map.base().may_write()?;
    if flags != 0 && matches!(map.def().map_type, MapType::Queue | MapType::Stack) {
        return Err(Errno::EINVAL);
    }
    map.base().lock_flag(flags)?;
    key_fits(map, key)?;
    map.op_lookup_and_delete(key, value, flags)
}

pub(crate) fn next_key(map: &dyn Map, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
    map.base().may_read()?;
    if let Some(key) = key {
        key_fits(map, key)?;
    }
    map.op_next_key(key)
}

pub(crate) fn user_lookup_batch(
    map: &dyn Map,
    from: Option<&[u8]>,
    count: u32,
    flags: u64,
    delete: bool,
) -> Result<Batch, Errno> {
    map.base().may_read()?;
    if delete {
        map.base().may_write()?;
    }
    let ops = map.batch_ops();
    if !(if delete { ops.lookup_and_delete } else { ops.lookup }) {
        return Err(Errno::ENOTSUPP);
    }
    lookup_flags(map, flags)?;
    if count == 0 {
        return Ok(Batch::default());
    }
    map.op_lookup_batch(from, count, flags, delete)
}

/// A batch lookup that walks by `next_key`: the cursor is the last key.
pub(crate) fn lookup_batch(map: &dyn Map, from: Option<&[u8]>, count: u32, flags: u64) -> Result<Batch, Errno> {
    if let Some(from) = from {
        key_fits(map, from)?;
    }
    let mut last = from.map(<[u8]>::to_vec);
    let mut batch = Batch::default();
    while batch.entries.len() < count as usize {
        let key = match map.op_next_key(last.as_deref()) {
            Ok(key) => key,
            Err(Errno::ENOENT) => {
                batch.error = Some(Errno::ENOENT);
                break;
            }
            Err(e) => return Err(e),
        };
        let mut value = vec![0; map.user_value_size()];
        match map.op_lookup(&key, &mut value, flags) {
            Ok(()) => batch.entries.push((key.clone(), value)),
            Err(Errno::ENOENT) => {}
            Err(e) => return Err(e),
        }
        last = Some(key);
    }
    if !batch.entries.is_empty() {
        batch.next = last;
    }
    Ok(batch)
}

pub(crate) fn update_batch(map: &dyn Map, entries: &[(&[u8], &[u8])], flags: u64) -> (u32, Option<Errno>) {
    let ready = map.base().may_write().and_then(|()| {
        if !map.batch_ops().update {
            return Err(Errno::ENOTSUPP);
        }
        lookup_flags(map, flags)
    });
    if let Err(e) = ready {
        return (0, Some(e));
    }
    each(entries.iter(), |(key, value)| {
        key_fits(map, key)?;
        if value.len() == map.user_value_size() { map.op_update(key, value, flags) } else { Err(Errno::EINVAL) }
    })
}

pub(crate) fn delete_batch(map: &dyn Map, keys: &[&[u8]], flags: u64) -> (u32, Option<Errno>) {
    let ready = map.base().may_write().and_then(|()| {
        if !map.batch_ops().delete {
            return Err(Errno::ENOTSUPP);
        }
        lookup_flags(map, flags)
    });
    if let Err(e) = ready {
        return (0, Some(e));
    }
    each(keys.iter(), |key| key_fits(map, key).and_then(|()| map.op_delete(key)))
}

/// Does them in order until one fails: how many were done, and the error.
fn each<T>(items: impl Iterator<Item = T>, mut one: impl FnMut(T) -> Result<(), Errno>) -> (u32, Option<Errno>) {
    let mut done = 0;
    for item in items {
        if let Err(e) = one(item) {
            return (done, Some(e));
        }
        done += 1;
    }
    (done, None)
}
