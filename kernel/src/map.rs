//! A map in the kernel, as user space reaches it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use skep_linux::{Errno, MapType};

use crate::sys::{self, Batch, MapFd, Mapping};

/// A map in the kernel. Keys have the map's key size. Values have the map's value size, except those of per-CPU maps, which are
/// one piece per possible CPU, each rounded up to 8 bytes. Slices of any other length are answered with `EINVAL` here.
#[derive(Debug)]
pub struct Map {
    fd: MapFd,
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What a batch lookup brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPage {
    /// Keys and their values.
    pub entries: Vec<Entry>,
    /// Where the next page begins.
    pub next: Vec<u8>,
    /// `ENOENT` where the end was reached; other errors come with the entries that were read before.
    pub end: Option<Errno>,
}

impl Map {
    pub(crate) fn new(fd: MapFd) -> Map {
        Map { fd }
    }

    /// A map from a descriptor that came from elsewhere (a pin, another process).
    pub fn adopt(fd: OwnedFd) -> Result<Map, Errno> {
        MapFd::adopt(fd).map(Map::new)
    }

    /// Its type, if skep knows it.
    pub fn map_type(&self) -> Option<MapType> {
        MapType::from_u32(self.fd.map_type())
    }

    /// Bytes of a key.
    pub fn key_len(&self) -> usize {
        self.fd.key_len()
    }

    /// Bytes of a value as user space sees it: all CPUs' pieces of a per-CPU value.
    pub fn value_len(&self) -> usize {
        self.fd.value_len()
    }

    /// Its id, as maps of maps answer lookups.
    pub fn id(&self) -> Result<u32, Errno> {
        sys::map_info(self.as_fd()).map(|i| i.id)
    }

    /// Capacity and creation flags as the kernel keeps them.
    pub fn shape(&self) -> Result<(u32, u32), Errno> {
        sys::map_info(self.as_fd()).map(|i| (i.max_entries, i.map_flags))
    }

    /// `BPF_MAP_LOOKUP_ELEM`.
    pub fn lookup(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0; self.value_len()];
        self.fd.elem(sys::MAP_LOOKUP_ELEM, key, Some(&mut value), flags)?;
        Ok(value)
    }

    /// `BPF_MAP_LOOKUP_ELEM` where the value says what to look for: bloom filters. `ENOENT` if it is surely absent.
    pub fn peek(&self, key: &[u8], value: &[u8], flags: u64) -> Result<Vec<u8>, Errno> {
        let mut value = value.to_vec();
        self.fd.elem(sys::MAP_LOOKUP_ELEM, key, Some(&mut value), flags)?;
        Ok(value)
    }

    /// `BPF_MAP_UPDATE_ELEM`.
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let mut value = value.to_vec();
        self.fd.elem(sys::MAP_UPDATE_ELEM, key, Some(&mut value), flags)
    }

    /// Puts a descriptor (of a program, map, event, cgroup or socket) into a slot, in the width of the map's values.
    pub fn set_fd(&self, key: &[u8], fd: BorrowedFd<'_>, flags: u64) -> Result<(), Errno> {
        let mut value = vec![0; self.value_len().max(4)];
        value[..4].copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
        self.update(key, &value, flags)
    }

    /// `BPF_MAP_DELETE_ELEM`.
    pub fn delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.fd.elem(sys::MAP_DELETE_ELEM, key, None, 0)
    }

    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`.
    pub fn lookup_and_delete(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0; self.value_len()];
        self.fd.elem(sys::MAP_LOOKUP_AND_DELETE_ELEM, key, Some(&mut value), flags)?;
        Ok(value)
    }

    /// `BPF_MAP_GET_NEXT_KEY`; `None` asks for the first key. `ENOENT` after the last.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.fd.next_key(key)
    }

    /// All keys in the kernel's order. Ends early, and without an error, where another writer makes the walk begin anew more
    /// often than the map has room for keys.
    pub fn keys(&self) -> Result<Vec<Vec<u8>>, Errno> {
        let limit = sys::map_info(self.as_fd())?.max_entries as usize;
        let mut keys: Vec<Vec<u8>> = Vec::new();
        while keys.len() < limit {
            match self.next_key(keys.last().map(Vec::as_slice)) {
                Ok(key) => keys.push(key),
                Err(Errno::ENOENT) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(keys)
    }

    /// All keys and values in the kernel's order. Keys without a value (empty slots of prog arrays and maps of maps) are left out.
    pub fn entries(&self) -> Result<Vec<Entry>, Errno> {
        let mut entries = Vec::new();
        for key in self.keys()? {
            match self.lookup(&key, 0) {
                Ok(value) => entries.push((key, value)),
                Err(Errno::ENOENT) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(entries)
    }

    /// The values of an array, one after the other, in as few system calls as there are. `ENOTSUPP` for types without batches.
    pub fn read_array(&self) -> Result<Vec<u8>, Errno> {
        let count = sys::map_info(self.as_fd())?.max_entries;
        let n = count as usize;
        let (mut keys, mut values) = (vec![0; n * self.key_len()], vec![0; n * self.value_len()]);
        let mut next = Vec::new();
        let (keys, elems) = (&mut keys[..], Some(&mut values[..]));
        let batch = Batch { token: None, next: &mut next, keys, values: elems, count, elem_flags: 0, flags: 0 };
        match self.fd.batch(sys::MAP_LOOKUP_BATCH, batch) {
            Ok(_) | Err((Errno::ENOENT, _)) => Ok(values),
            Err((e, _)) => Err(e),
        }
    }

    /// `BPF_MAP_LOOKUP_BATCH`, or `BPF_MAP_LOOKUP_AND_DELETE_BATCH` if `delete`: up to `count` entries from `from`, which an
    /// earlier page named.
    pub fn lookup_batch(&self, from: Option<&[u8]>, count: u32, flags: u64, delete: bool) -> Result<BatchPage, Errno> {
        let n = count as usize;
        let (mut keys, mut values) = (vec![0; n * self.key_len()], vec![0; n * self.value_len()]);
        let mut next = Vec::new();
        let cmd = if delete { sys::MAP_LOOKUP_AND_DELETE_BATCH } else { sys::MAP_LOOKUP_BATCH };
        let batch = Batch {
            token: from,
            next: &mut next,
            keys: &mut keys,
            values: Some(&mut values),
            count,
            elem_flags: flags,
            flags: 0,
        };
        let (end, filled) = match self.fd.batch(cmd, batch) {
            Ok(filled) => (None, filled),
            Err((Errno::ENOENT, filled)) => (Some(Errno::ENOENT), filled),
            Err((e, _)) => return Err(e),
        };
        let keys = keys.chunks(self.key_len().max(1)).map(<[u8]>::to_vec);
        let values = values.chunks(self.value_len().max(1)).map(<[u8]>::to_vec);
        let entries = keys.zip(values).take(filled as usize).collect();
        Ok(BatchPage { entries, next, end })
    }

    /// `BPF_MAP_UPDATE_BATCH`: the count of entries that were written, and the error that ended it early.
    pub fn update_batch(&self, entries: &[(&[u8], &[u8])], flags: u64) -> (u32, Option<Errno>) {
        let mut keys: Vec<u8> = entries.iter().flat_map(|(k, _)| k.iter().copied()).collect();
        let mut values: Vec<u8> = entries.iter().flat_map(|(_, v)| v.iter().copied()).collect();
        self.write_batch(sys::MAP_UPDATE_BATCH, &mut keys, Some(&mut values), entries.len(), flags)
    }

    /// `BPF_MAP_DELETE_BATCH`: the count of entries that were deleted, and the error that ended it early.
    pub fn delete_batch(&self, keys: &[&[u8]], flags: u64) -> (u32, Option<Errno>) {
        let mut all: Vec<u8> = keys.concat();
        self.write_batch(sys::MAP_DELETE_BATCH, &mut all, None, keys.len(), flags)
    }

    fn write_batch(
        &self,
        cmd: u32,
        keys: &mut [u8],
        values: Option<&mut [u8]>,
        count: usize,
        elem_flags: u64,
    ) -> (u32, Option<Errno>) {
        let mut next = Vec::new();
        let count = count as u32;
        match self.fd.batch(cmd, Batch { token: None, next: &mut next, keys, values, count, elem_flags, flags: 0 }) {
            Ok(n) => (n, None),
            Err((e, n)) => (n, Some(e)),
        }
    }

    /// `BPF_MAP_FREEZE`: user space can write to it no more.
    pub fn freeze(&self) -> Result<(), Errno> {
        self.fd.freeze()
    }

    /// Maps the memory of an arena (at the address that its `map_extra` names, or where the kernel likes) or of a
    /// `BPF_F_MMAPABLE` array. `EOPNOTSUPP` for an arena with `BPF_F_SEGV_ON_FAULT`: reading its unallocated pages kills the reader.
    pub fn mmap(&self) -> Result<MappedMap, Errno> {
        const SEGV_ON_FAULT: u32 = 1 << 17;
        let info = sys::map_info(self.as_fd())?;
        if info.map_flags & SEGV_ON_FAULT != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let page = sys::page_size();
        let arena = info.map_type == MapType::Arena as u32;
        let bytes = if arena {
            (info.max_entries as usize).checked_mul(page)
        } else {
            (info.value_size as usize).next_multiple_of(8).checked_mul(info.max_entries as usize)
        };
        let len = bytes.and_then(|b| b.checked_next_multiple_of(page)).filter(|l| *l > 0).ok_or(Errno::EINVAL)?;
        let at = if arena { info.map_extra } else { 0 };
        Mapping::new(self.as_fd(), len, 0, true, at).map(|mapping| MappedMap { mapping })
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.fd()
    }
}

/// Memory of a map, shared with programs.
#[derive(Debug)]
pub struct MappedMap {
    mapping: Mapping,
}

impl MappedMap {
    /// Its address in this process.
    pub fn addr(&self) -> u64 {
        self.mapping.addr()
    }

    /// Its length in bytes: whole pages.
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Always false: an empty mapping does not exist.
    pub fn is_empty(&self) -> bool {
        self.mapping.len() == 0
    }

    /// Copies `len` bytes from `offset`. Pages of an arena that nobody has allocated are allocated by this.
    ///
    /// # Panics
    /// If the range is not in the mapping.
    pub fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.mapping.read(offset, &mut out);
        out
    }

    /// Writes bytes from `offset`.
    ///
    /// # Panics
    /// If the range is not in the mapping.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.mapping.write(offset, bytes);
    }
}
