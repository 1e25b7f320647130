//! What every map can do, on its two sides: programs (helpers) and user space (`bpf(2)`).

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use skep_linux::Errno;
use skep_memory::{Block, Region};
use skep_program::MapDef;

/// Where a program stands when it touches a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The CPU it runs on: chooses the value in per-CPU maps.
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
    pub fn addr(&self) -> u64 {
        self.block.addr() + self.offset as u64
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

/// A live map. All methods take `&self`: maps are shared between programs and threads.
pub trait Map: Any + Debug + Send + Sync {
    /// What it was created from.
    fn def(&self) -> &Arc<MapDef>;

    /// The `struct bpf_map` that programs hold pointers to: its address names the map.
    fn handle(&self) -> &Arc<Block>;

    /// Regions that pointers to its values may reach.
    fn regions(&self) -> Vec<Region>;

    /// `bpf_map_lookup_elem`, as helper.
    fn lookup(&self, caller: Caller, key: &[u8]) -> Result<Option<Found>, Errno>;

    /// `bpf_map_update_elem`, as helper. `value` has `value_size` bytes, also for per-CPU maps.
    fn update(&self, caller: Caller, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno>;

    /// `bpf_map_delete_elem`, as helper.
    fn delete(&self, caller: Caller, key: &[u8]) -> Result<(), Errno>;

    /// `BPF_MAP_LOOKUP_ELEM`. Per-CPU values come one after the other, each rounded up to 8 bytes.
    fn user_lookup(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, Errno>;

    /// `BPF_MAP_UPDATE_ELEM`.
    fn user_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno>;

    /// `BPF_MAP_DELETE_ELEM`.
    fn user_delete(&self, key: &[u8]) -> Result<(), Errno>;

    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`.
    fn user_lookup_and_delete(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, Errno>;

    /// `BPF_MAP_GET_NEXT_KEY`; `None` asks for the first key.
    fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno>;

    /// For what only one type can do: callers downcast to it.
    fn as_any(&self) -> &dyn Any;
}
