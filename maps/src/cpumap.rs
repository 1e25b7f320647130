//! `BPF_MAP_TYPE_CPUMAP`: CPUs to redirect packets to.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skep_linux::Errno;
use skep_program::MapDef;

use crate::array::{index_of, next_index};
use crate::flags::*;
use crate::{Base, Caller, CreateOptions, Map};

/// The queue to a CPU, and the program that runs there first: `struct bpf_cpumap_val`. A program is the number that its owner gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpumapEntry {
    /// Packets that the queue holds.
    pub queue_size: u32,
    /// The program, if values have room for one and it is not 0.
    pub program: Option<u32>,
}

/// Queues by CPU.
#[derive(Debug)]
pub struct Cpumap {
    base: Base,
    entries: Mutex<Vec<Option<CpumapEntry>>>,
}

impl Cpumap {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Cpumap, Errno> {
        let fits = def.max_entries != 0 && def.key_size == 4 && matches!(def.value_size, 4 | 8);
        if !fits || def.flags & !BPF_F_NUMA_NODE != 0 {
            return Err(Errno::EINVAL);
        }
        if def.max_entries > options.nr_cpus {
            return Err(Errno::E2BIG);
        }
        let entries = Mutex::new(vec![None; def.max_entries as usize]);
        Ok(Cpumap { base: Base::new(def, options, def.max_entries), entries })
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Option<CpumapEntry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue to a CPU, as `bpf_redirect_map` finds it.
    pub fn entry(&self, cpu: u32) -> Option<CpumapEntry> {
        self.entries().get(cpu as usize).copied().flatten()
    }

    fn remove(&self, key: &[u8]) -> Result<(), Errno> {
        let index = index_of(key)? as usize;
        *self.entries().get_mut(index).ok_or(Errno::EINVAL)? = None;
        Ok(())
    }
}

impl Map for Cpumap {
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
        let entry = self.entry(index_of(key)?).ok_or(Errno::ENOENT)?;
        let mut bytes = entry.queue_size.to_le_bytes().to_vec();
        bytes.extend(entry.program.unwrap_or(0).to_le_bytes());
        value.copy_from_slice(&bytes[..value.len()]);
        Ok(())
    }

    fn op_update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        const QUEUE_MAX: u32 = 16384;
        let cpu = index_of(key)?;
        let queue_size = index_of(value)?;
        let program = value.get(4..8).map(index_of).transpose()?.filter(|id| *id as i32 > 0);
        if flags > BPF_EXIST {
            return Err(Errno::EINVAL);
        }
        if cpu >= self.base.def().max_entries {
            return Err(Errno::E2BIG);
        }
        if flags == BPF_NOEXIST {
            return Err(Errno::EEXIST);
        }
        if queue_size > QUEUE_MAX {
            return Err(Errno::EOVERFLOW);
        }
        if cpu >= self.base.cpus() {
            return Err(Errno::ENODEV);
        }
        let entry = (queue_size != 0).then_some(CpumapEntry { queue_size, program });
        self.entries()[cpu as usize] = entry;
        Ok(())
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.remove(key)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        next_index(key, self.base.def().max_entries)
    }
}
