//! What programs send out.

use std::collections::BTreeMap;

use crate::Effect;

/// Everything that left a program during its runs, in order.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Lines of `bpf_trace_printk`.
    pub printk: Vec<String>,
    /// Records of perf event arrays; ring buffers keep theirs in the map.
    pub records: Vec<Record>,
    /// What programs wrote to their streams: 1 is for output, 2 for errors.
    pub streams: BTreeMap<u32, Vec<u8>>,
    /// What iterator programs wrote to their `seq_file`.
    pub seq: Vec<u8>,
    /// What programs did to the rest of the kernel.
    pub effects: Vec<Effect>,
}

/// A record a program emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it went.
    pub sink: Sink,
    /// Name of the map.
    pub map: String,
    /// CPU it was emitted on.
    pub cpu: u32,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Kinds of record streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sink {
    /// `bpf_perf_event_output` and kin.
    Perf,
    /// `bpf_ringbuf_output`, `bpf_ringbuf_submit`.
    Ringbuf,
}
