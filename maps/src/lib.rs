//! *What it is*: the map types, one file each, with the kernel's semantics down to errno, flags and iteration order.
//!
//! *Invariant*: the address of a value does not change and its memory is not freed while the map lives. Map memory is shared
//! with other threads and is reached through [`Block`](skep_memory::Block), never through a slice.
//!
//! *Start here*: [`Map`], [`create`].
#![forbid(unsafe_code)]

mod api;
mod arena;
mod array;
mod base;
mod bloom_filter;
mod cgroup_storage;
mod cpumap;
mod create;
mod devmap;
pub mod flags;
mod hash;
mod jhash;
mod local_storage;
mod lpm_trie;
mod lru;
mod lru_hash;
mod map_in_map;
mod object_array;
mod perf_event_array;
mod pool;
mod prog_array;
mod queue_stack;
mod ring;
mod ringbuf;
mod slots;
mod sockhash;
mod stack_trace;
mod struct_ops;
mod sys;
mod table;
mod user_ringbuf;
mod values;

pub use api::{Batch, Caller, Cells, Found, Map, Slot, Visit};
pub use arena::Arena;
pub use array::Array;
pub use base::{Base, HandleLayout, OnFree};
pub use bloom_filter::BloomFilter;
pub use cgroup_storage::CgroupStorage;
pub use cpumap::{Cpumap, CpumapEntry};
pub use create::{CreateError, CreateOptions, create};
pub use devmap::{Devmap, DevmapEntry, DevmapHash};
pub use hash::Hash;
pub use local_storage::LocalStorage;
pub use lpm_trie::LpmTrie;
pub use lru_hash::LruHash;
pub use map_in_map::{ArrayOfMaps, HashOfMaps};
pub use object_array::ObjectArray;
pub use perf_event_array::{PerfEvent, PerfEventArray};
pub use prog_array::ProgArray;
pub use queue_stack::QueueStack;
pub use ringbuf::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, RingBuf};
pub use sockhash::Sockhash;
pub use stack_trace::*;
pub use struct_ops::StructOps;
pub use sys::BatchOps;
pub use user_ringbuf::{BPF_MAX_USER_RINGBUF_SAMPLES, Sample, UserRingBuf};
