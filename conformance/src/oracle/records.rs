//! What programs write to ring buffers and perf event arrays.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_kernel::{Map, PerfReader, PerfSample, RingReader};
use skep_linux::MapType;
use skep_program::MapDef;

use super::{Bytes, HostError};

#[derive(Debug)]
enum Reader {
    Ring(RingReader),
    Perf(PerfReader),
}

/// The readers of all maps that have records.
#[derive(Debug, Default)]
pub(super) struct Readers(Vec<(String, Reader)>);

impl Readers {
    pub(super) fn new(maps: &[(Arc<MapDef>, Arc<Map>)]) -> Result<Readers, HostError> {
        let mut readers = Vec::new();
        for (def, map) in maps {
            let failed = |errno| HostError::Records { map: def.name.clone(), errno };
            match def.map_type {
                MapType::Ringbuf => {
                    readers.push((def.name.clone(), Reader::Ring(RingReader::new(map).map_err(failed)?)));
                }
                MapType::PerfEventArray => {
                    readers.push((def.name.clone(), Reader::Perf(PerfReader::new(map).map_err(failed)?)));
                }
                _without_records => {}
            }
        }
        Ok(Readers(readers))
    }

    /// Takes all records. Those of maps without any are left out.
    pub(super) fn drain(&mut self) -> BTreeMap<String, Vec<Bytes>> {
        let mut all = BTreeMap::new();
        for (name, reader) in &mut self.0 {
            let records: Vec<Bytes> = match reader {
                Reader::Ring(ring) => ring.drain().into_iter().map(Bytes).collect(),
                Reader::Perf(perf) => perf.drain().into_iter().filter_map(raw).collect(),
            };
            if !records.is_empty() {
                all.insert(name.clone(), records);
            }
        }
        all
    }
}

/// The rings are emptied after each run, and far larger than what one run writes: nothing is lost.
fn raw(sample: PerfSample) -> Option<Bytes> {
    match sample {
        PerfSample::Raw { data, .. } => Some(Bytes(data)),
        PerfSample::Lost { .. } => None,
    }
}
