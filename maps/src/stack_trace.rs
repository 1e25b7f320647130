//! `BPF_MAP_TYPE_STACK_TRACE`: call stacks by the hash of their addresses.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::Errno;
use skep_program::MapDef;

use crate::array::index_of;
use crate::flags::*;
use crate::jhash::jhash;
use crate::{Base, Caller, CreateOptions, Map};

/// Frames to pass over, in the flags of `bpf_get_stackid`.
pub const BPF_F_SKIP_FIELD_MASK: u64 = 0xff;
/// The user's stack, not the kernel's.
pub const BPF_F_USER_STACK: u64 = 1 << 8;
/// Stacks with the same hash are the same.
pub const BPF_F_FAST_STACK_CMP: u64 = 1 << 9;
/// A stack that is in the way is replaced.
pub const BPF_F_REUSE_STACKID: u64 = 1 << 10;

/// `kernel.perf_event_max_stack`, the default of Linux: frames that a stack may have.
const FRAMES_MAX: u32 = 127;
/// Bytes of `struct bpf_stack_build_id`, and its `status` for an address without a build id (`BPF_STACK_BUILD_ID_IP`).
const BUILD_ID_SIZE: usize = 32;
const BUILD_ID_IP: u32 = 2;

/// Call stacks by id.
#[derive(Debug)]
pub struct StackTrace {
    base: Base,
    buckets: u32,
    stacks: Mutex<BTreeMap<u32, Stack>>,
}

#[derive(Debug)]
struct Stack {
    hash: u32,
    frames: Vec<u64>,
}

impl StackTrace {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<StackTrace, Errno> {
        const FLAGS: u32 = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_STACK_BUILD_ID;
        let frame = if def.flags & BPF_F_STACK_BUILD_ID != 0 { BUILD_ID_SIZE as u32 } else { 8 };
        let fits = def.max_entries != 0 && def.key_size == 4 && def.value_size >= 8 && def.value_size.is_multiple_of(8);
        if def.flags & !FLAGS != 0 || !fits || !def.value_size.is_multiple_of(frame) || def.value_size / frame > FRAMES_MAX {
            return Err(Errno::EINVAL);
        }
        let buckets = def.max_entries.checked_next_power_of_two().ok_or(Errno::E2BIG)?;
        // The kernel allocates all stacks at once; here they are made as they come, within the same limit.
        let bytes = u64::from(def.value_size) * u64::from(def.max_entries);
        if bytes > options.max_bytes {
            return Err(Errno::ENOMEM);
        }
        Ok(StackTrace { base: Base::new(def, options, def.max_entries), buckets, stacks: Mutex::default() })
    }

    fn stacks(&self) -> MutexGuard<'_, BTreeMap<u32, Stack>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build_ids(&self) -> bool {
        self.base.def().flags & BPF_F_STACK_BUILD_ID != 0
    }

    fn frames_max(&self) -> usize {
        self.base.value_size() / if self.build_ids() { BUILD_ID_SIZE } else { 8 }
    }

    /// `bpf_get_stackid`: puts a call stack in (`frames` has the innermost first, and none is passed over yet) and gives its id.
    /// `EINVAL` for unknown flags, `EFAULT` if no frame is left, `EEXIST` if another stack is in the way, `ENOMEM` if the map is full.
    pub fn record(&self, frames: &[u64], flags: u64) -> Result<u32, Errno> {
        let known = BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID;
        if flags & !known != 0 {
            return Err(Errno::EINVAL);
        }
        let skip = (flags & BPF_F_SKIP_FIELD_MASK) as usize;
        let seen = &frames[..frames.len().min((self.frames_max() + skip).min(FRAMES_MAX as usize))];
        let frames = seen.get(skip..).filter(|f| !f.is_empty()).ok_or(Errno::EFAULT)?;
        let bytes: Vec<u8> = frames.iter().flat_map(|f| f.to_le_bytes()).collect();
        let hash = jhash(&bytes, 0);
        let id = hash & (self.buckets - 1);
        let mut stacks = self.stacks();
        if let Some(there) = stacks.get(&id) {
            let fast = flags & BPF_F_FAST_STACK_CMP != 0;
            if there.hash == hash && (fast || there.frames == frames) {
                return Ok(id);
            }
            if flags & BPF_F_REUSE_STACKID == 0 {
                return Err(Errno::EEXIST);
            }
        }
        // A replaced stack is given back after the new one was taken.
        if stacks.len() >= self.base.def().max_entries as usize {
            return Err(Errno::ENOMEM);
        }
        stacks.insert(id, Stack { hash, frames: frames.to_vec() });
        Ok(id)
    }

    /// The frames of a stack, the innermost first.
    pub fn frames(&self, id: u32) -> Option<Vec<u64>> {
        self.stacks().get(&id).map(|stack| stack.frames.clone())
    }

    fn remove(&self, key: &[u8]) -> Result<(), Errno> {
        let id = index_of(key)?;
        if id >= self.buckets {
            return Err(Errno::E2BIG);
        }
        self.stacks().remove(&id).map(drop).ok_or(Errno::ENOENT)
    }
}

impl Map for StackTrace {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn delete(&self, _caller: Caller, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_lookup(&self, key: &[u8], value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        let frames = self.frames(index_of(key)?).ok_or(Errno::ENOENT)?;
        value.fill(0);
        if !self.build_ids() {
            for (place, frame) in value.chunks_exact_mut(8).zip(frames) {
                place.copy_from_slice(&frame.to_le_bytes());
            }
            return Ok(());
        }
        for (place, frame) in value.chunks_exact_mut(BUILD_ID_SIZE).zip(frames) {
            place[..4].copy_from_slice(&BUILD_ID_IP.to_le_bytes());
            place[BUILD_ID_SIZE - 8..].copy_from_slice(&frame.to_le_bytes());
        }
        Ok(())
    }

    fn op_update(&self, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_lookup_and_delete(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), Errno> {
        self.op_lookup(key, value, flags)?;
        self.remove(key)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let stacks = self.stacks();
        let after = key.map(index_of).transpose()?.filter(|id| stacks.contains_key(id));
        let from = after.map_or(0, |id| id + 1);
        let next = stacks.range(from..).next().ok_or(Errno::ENOENT)?;
        Ok(next.0.to_le_bytes().to_vec())
    }
}
