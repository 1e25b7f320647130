//! What every map can do, on its two sides: programs (helpers) and user space (`bpf(2)`).

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use skep_linux::Errno;
use skep_memory::{Block, Region, RegionKind};
use skep_program::MapDef;

use crate::{Base, sys};

/// Where a program stands when it touches a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The CPU it runs on: chooses the value in per-CPU maps. Numbers from the map's count of CPUs on begin again at 0.
    pub cpu: u32,
}

/// A value in a map: a piece of a block with a stable address.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The memory.
    pub block: Arc<Block>,
    /// Where the value begins.
    pub offset: usize,
    /// Its length in bytes.
    pub len: usize,
}

impl Slot {
    /// Address of the value as guests see it.
    #[inline]
    pub fn addr(&self) -> u64 {
        self.block.addr() + self.offset as u64
    }

    /// A copy of its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.block.bytes(self.offset, self.len)
    }

    /// A region of its own for this value, for maps that grow (local storages) after their regions were asked for.
    pub fn region(&self, map: &str) -> Region {
        Region {
            kind: RegionKind::MapValue(map.into()),
            block: self.block.clone(),
            offset: self.offset,
            len: self.len,
            shape: skep_memory::Shape::Flat,
            writable: true,
        }
    }
}

/// What a lookup by a program finds.
#[derive(Debug, Clone)]
pub enum Found {
    /// A value.
    Slot(Slot),
    /// An inner map.
    Map(Arc<dyn Map>),
    /// A kernel object (socket, device ...) by the id that the world gave it.
    Object(u64),
}

impl Found {
    /// The value, if it is one.
    pub fn slot(self) -> Option<Slot> {
        match self {
            Found::Slot(slot) => Some(slot),
            Found::Map(_) | Found::Object(_) => None,
        }
    }
}

/// An entry that a walk by `bpf_for_each_map_elem` stands on.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The key.
    pub key: Vec<u8>,
    /// Where the key lies, if the map keeps it in memory that programs may read. Arrays do not: their key is a number that the
    /// walker puts on a stack of its own.
    pub key_slot: Option<Slot>,
    /// The value, of the caller's CPU in per-CPU maps.
    pub value: Slot,
}

/// Entries that a batch lookup read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Keys and values, as the single lookup gives them.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the next call goes on (`out_batch`); `None` where the kernel writes none.
    pub next: Option<Vec<u8>>,
    /// `ENOENT` when the walk came to the end of the map.
    pub error: Option<Errno>,
}

/// A live map. All methods take `&self`: maps are shared between programs and threads.
///
/// The first group of methods is the program's side (helpers). The `op_` methods are what user space asks of this one type, and
/// the `user_` methods are the system calls: they test permissions, flags and sizes, then call the `op_` methods.
pub trait Map: Any + Debug + Send + Sync {
    /// What all types have: definition, handle, id, frozen or not.
    fn base(&self) -> &Base;

    /// For what only one type can do: callers downcast to it.
    fn as_any(&self) -> &dyn Any;

    /// What it was created from.
    fn def(&self) -> &Arc<MapDef> {
        self.base().def()
    }

    /// The `struct bpf_map` that programs hold pointers to: its address names the map.
    fn handle(&self) -> &Arc<Block> {
        self.base().handle()
    }

    /// Regions that pointers to its values (and to its keys, in walks) may reach. Maps that grow give those of today.
    fn regions(&self) -> Vec<Region> {
        Vec::new()
    }

    /// Where `BPF_PSEUDO_MAP_VALUE` (`ld_imm64` of a map value) points: the first value of an array, the start of an arena.
    /// `ENOTSUPP` for the other types.
    fn direct_value(&self) -> Result<Slot, Errno> {
        Err(Errno::ENOTSUPP)
    }

    /// Where its values lie, if they lie in a row and programs find them by index.
    fn cells(&self) -> Option<Cells> {
        None
    }

    // Programs

    /// `bpf_map_lookup_elem`.
    fn lookup(&self, _caller: Caller, _key: &[u8]) -> Result<Option<Found>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// As `lookup`, for values alone, without taking a share of their memory: the address, which lies in one of
    /// [`regions`](Map::regions). `None` also for maps whose lookups do not give values.
    fn lookup_addr(&self, caller: Caller, key: &[u8]) -> Result<Option<u64>, Errno> {
        Ok(self.lookup(caller, key)?.and_then(Found::slot).map(|slot| slot.addr()))
    }

    /// `bpf_map_lookup_percpu_elem`: the value of one CPU; `None` too if there is no such CPU.
    fn lookup_percpu(&self, _cpu: u32, _key: &[u8]) -> Result<Option<Found>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_update_elem`. `value` has `value_size` bytes, also for per-CPU maps.
    fn update(&self, _caller: Caller, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_update_elem` where the value is a kernel object: a program puts a socket into a socket map.
    fn update_object(&self, _key: &[u8], _object: u64, _flags: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_delete_elem`.
    fn delete(&self, _caller: Caller, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_push_elem`.
    fn push(&self, _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_pop_elem`. `value` has `value_size` bytes; the kernel zeroes it when the map is empty (`ENOENT`).
    fn pop(&self, _value: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_peek_elem`: as `pop`, but nothing is taken; a bloom filter reads `value` and answers whether it may hold it.
    fn peek(&self, _value: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// One step of `bpf_for_each_map_elem`. The cursor starts at 0 and means nothing to callers; `Ok(None)` ends the walk. No lock
    /// is held between steps: the callback may change the map, with the effect it has in the kernel.
    fn visit(&self, _caller: Caller, _cursor: &mut u64) -> Result<Option<Visit>, Errno> {
        Err(Errno::EINVAL)
    }

    // User space: what the type does

    /// Bytes of a value as user space sees it; per-CPU values have one piece per CPU, each rounded up to 8 bytes.
    fn user_value_size(&self) -> usize {
        self.def().value_size as usize
    }

    /// Copies the value of a key. Maps that look values up by value (bloom filter) get it in `value`.
    fn op_lookup(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno>;

    /// Sets the value of a key.
    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno>;

    /// Sets the inner map of a key; `ENOTSUPP` for maps that do not hold maps.
    fn op_update_map(&self, _key: &[u8], _map: Arc<dyn Map>, _flags: u64) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    /// Removes a key.
    fn op_delete(&self, key: &[u8]) -> Result<(), Errno>;

    /// Copies a value and removes its key; `ENOTSUPP` where the type has no such operation.
    fn op_lookup_and_delete(&self, _key: &[u8], _value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    /// The key after `key`; the first if there is none or `key` is gone. `ENOENT` at the end.
    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno>;

    /// Which batch commands the type has.
    fn batch_ops(&self) -> sys::BatchOps {
        sys::BatchOps::NONE
    }

    /// `BPF_MAP_LOOKUP_BATCH` (and `LOOKUP_AND_DELETE`) of types that do not walk by `op_next_key`.
    fn op_lookup_batch(&self, from: Option<&[u8]>, count: u32, flags: u64, delete: bool) -> Result<Batch, Errno> {
        debug_assert!(!delete, "types that walk by keys have no lookup-and-delete");
        sys::lookup_batch(self.as_dyn(), from, count, flags)
    }

    /// `self` as a trait object.
    fn as_dyn(&self) -> &dyn Map;

    // User space: the system calls

    /// `BPF_MAP_LOOKUP_ELEM`. Per-CPU values come one after the other, each rounded up to 8 bytes.
    fn user_lookup(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0; self.user_value_size()];
        sys::lookup(self.as_dyn(), key, &mut value, flags)?;
        Ok(value)
    }

    /// `BPF_MAP_LOOKUP_ELEM` of maps that are asked by value: whether a bloom filter may hold it.
    fn user_peek(&self, value: &[u8]) -> Result<(), Errno> {
        sys::lookup(self.as_dyn(), &[], &mut value.to_vec(), 0)
    }

    /// `BPF_MAP_UPDATE_ELEM`.
    fn user_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        sys::update(self.as_dyn(), key, value, flags)
    }

    /// `BPF_MAP_UPDATE_ELEM` where the value is a descriptor of a map: `EINVAL` if its shape is not that of the template.
    fn user_update_map(&self, key: &[u8], map: Arc<dyn Map>, flags: u64) -> Result<(), Errno> {
        sys::update_map(self.as_dyn(), key, map, flags)
    }

    /// `BPF_MAP_DELETE_ELEM`.
    fn user_delete(&self, key: &[u8]) -> Result<(), Errno> {
        sys::delete(self.as_dyn(), key)
    }

    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`.
    fn user_lookup_and_delete(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0; self.user_value_size()];
        sys::lookup_and_delete(self.as_dyn(), key, &mut value, flags)?;
        Ok(value)
    }

    /// `BPF_MAP_GET_NEXT_KEY`; `None` asks for the first key. `ENOENT` after the last.
    fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        sys::next_key(self.as_dyn(), key)
    }

    /// `BPF_MAP_FREEZE`.
    fn user_freeze(&self) -> Result<(), Errno> {
        self.base().freeze()
    }

    /// `BPF_MAP_LOOKUP_BATCH`, or `BPF_MAP_LOOKUP_AND_DELETE_BATCH` if `delete`: up to `count` entries from `from`, which an
    /// earlier batch gave as `next`.
    fn user_lookup_batch(&self, from: Option<&[u8]>, count: u32, flags: u64, delete: bool) -> Result<Batch, Errno> {
        sys::user_lookup_batch(self.as_dyn(), from, count, flags, delete)
    }

    /// `BPF_MAP_UPDATE_BATCH`: the number of entries written, and the error that ended it early.
    fn user_update_batch(&self, entries: &[(&[u8], &[u8])], flags: u64) -> (u32, Option<Errno>) {
        sys::update_batch(self.as_dyn(), entries, flags)
    }

    /// `BPF_MAP_DELETE_BATCH`: the number of entries deleted, and the error that ended it early.
    fn user_delete_batch(&self, keys: &[&[u8]], flags: u64) -> (u32, Option<Errno>) {
        sys::delete_batch(self.as_dyn(), keys, flags)
    }
}

/// Values in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    /// Address of the first.
    pub first: u64,
    /// Bytes from one to the next.
    pub stride: u64,
    /// How many there are.
    pub count: u32,
}
