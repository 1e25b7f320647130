//! `BPF_MAP_TYPE_PERF_EVENT_ARRAY`: perf events by index, for `bpf_perf_event_output` and `bpf_perf_event_read`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use skep_linux::Errno;
use skep_program::MapDef;

use crate::array::{index_of, next_index};
use crate::flags::{BPF_F_CURRENT_CPU, BPF_F_INDEX_MASK};
use crate::slots::check_fd_array;
use crate::{Base, Caller, CreateOptions, Map};

/// An event in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerfEvent {
    /// `PERF_COUNT_SW_BPF_OUTPUT` on a CPU: takes records.
    Output {
        /// The CPU it was opened on.
        cpu: u32,
    },
    /// A counter: read by programs.
    Counter {
        /// The CPU it was opened on.
        cpu: u32,
        /// What it counted.
        value: u64,
        /// Nanoseconds it was enabled.
        enabled: u64,
        /// Nanoseconds it was running.
        running: u64,
    },
}

impl PerfEvent {
    fn cpu(self) -> u32 {
        match self {
            PerfEvent::Output { cpu } | PerfEvent::Counter { cpu, .. } => cpu,
        }
    }
}

/// Perf events by index.
///
/// There are no descriptors of perf events in a simulated world: user space opens events with [`open`](PerfEventArray::open), and
/// `BPF_MAP_UPDATE_ELEM` answers `EBADF`.
#[derive(Debug)]
pub struct PerfEventArray {
    base: Base,
    events: Mutex<BTreeMap<u32, PerfEvent>>,
}

impl PerfEventArray {
    pub(crate) fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<PerfEventArray, Errno> {
        check_fd_array(def)?;
        Ok(PerfEventArray { base: Base::new(def, options, def.max_entries), events: Mutex::default() })
    }

    fn events(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, PerfEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event at an index; `E2BIG` beyond the last.
    pub fn open(&self, index: u32, event: PerfEvent) -> Result<(), Errno> {
        if index >= self.base.def().max_entries {
            return Err(Errno::E2BIG);
        }
        self.events().insert(index, event);
        Ok(())
    }

    /// What a usual reader does: an output event on every CPU that has an index.
    pub fn open_all(&self) {
        let count = self.base.cpus().min(self.base.def().max_entries);
        self.events().extend((0..count).map(|cpu| (cpu, PerfEvent::Output { cpu })));
    }

    /// The event that `flags` of a helper choose: `E2BIG` beyond the last index, `ENOENT` for an empty slot.
    fn chosen(&self, caller: Caller, flags: u64) -> Result<PerfEvent, Errno> {
        let index = match flags & BPF_F_INDEX_MASK {
            BPF_F_CURRENT_CPU => caller.cpu,
            index => index as u32,
        };
        if index >= self.base.def().max_entries {
            return Err(Errno::E2BIG);
        }
        self.events().get(&index).copied().ok_or(Errno::ENOENT)
    }

    /// Whether a record may be written, and to which CPU's buffer: the choice of `bpf_perf_event_output` by the index in `flags`.
    /// `EINVAL` if the event does not take records, `EOPNOTSUPP` if it is not on the caller's CPU.
    pub fn output(&self, caller: Caller, flags: u64) -> Result<u32, Errno> {
        match self.chosen(caller, flags)? {
            PerfEvent::Counter { .. } => Err(Errno::EINVAL),
            PerfEvent::Output { cpu } if cpu != caller.cpu => Err(Errno::EOPNOTSUPP),
            PerfEvent::Output { cpu } => Ok(cpu),
        }
    }

    /// Counter value, time enabled, time running: the choice of `bpf_perf_event_read` and `bpf_perf_event_read_value`.
    /// `EINVAL` for other flags than the index, or if the event is not on the caller's CPU.
    pub fn counter(&self, caller: Caller, flags: u64) -> Result<(u64, u64, u64), Errno> {
        if flags & !BPF_F_INDEX_MASK != 0 {
            return Err(Errno::EINVAL);
        }
        let event = self.chosen(caller, flags)?;
        if event.cpu() != caller.cpu {
            return Err(Errno::EINVAL);
        }
        match event {
            PerfEvent::Output { .. } => Ok((0, 0, 0)),
            PerfEvent::Counter { value, enabled, running, .. } => Ok((value, enabled, running)),
        }
    }
}

impl Map for PerfEventArray {
    fn base(&self) -> &Base {
        &self.base
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_dyn(&self) -> &dyn Map {
        self
    }

    fn op_lookup(&self, _key: &[u8], _value: &mut [u8], _flags: u64) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn op_update(&self, key: &[u8], _value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        if index_of(key)? >= self.base.def().max_entries {
            return Err(Errno::E2BIG);
        }
        Err(Errno::EBADF)
    }

    fn op_delete(&self, key: &[u8]) -> Result<(), Errno> {
        let index = index_of(key)?;
        if index >= self.base.def().max_entries {
            return Err(Errno::E2BIG);
        }
        self.events().remove(&index).map(drop).ok_or(Errno::ENOENT)
    }

    fn op_next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        next_index(key, self.base.def().max_entries)
    }
}
