//! Readers of what programs write: ring buffers and perf event arrays.

use std::os::fd::{AsFd, OwnedFd};

use skep_linux::{Errno, MapType};

use crate::Map;
use crate::sys::{self, Mapping};

/// Set in the header of a record that the program has reserved and not yet committed.
const BUSY: u32 = 1 << 31;
/// Set in the header of a record that the program discarded.
const DISCARD: u32 = 1 << 30;
/// Bytes of a record's header: length with the two flags, and the page offset that the kernel keeps for itself.
const RECORD_HEADER: usize = 8;

/// Takes the records out of a `BPF_MAP_TYPE_RINGBUF`.
#[derive(Debug)]
pub struct RingReader {
    /// One writable page: how far this reader has come.
    consumer: Mapping,
    /// How far programs have come.
    producer: Mapping,
    /// The ring, twice over, so that records do not break at its end.
    data: Mapping,
    /// Bytes of the ring, a power of two.
    size: usize,
}

impl RingReader {
    /// Maps the ring. `EINVAL` for any other type of map.
    pub fn new(map: &Map) -> Result<RingReader, Errno> {
        if map.map_type() != Some(MapType::Ringbuf) {
            return Err(Errno::EINVAL);
        }
        let (page, size) = (sys::page_size(), map.shape()?.0 as usize);
        let consumer = Mapping::new(map.as_fd(), page, 0, true, 0)?;
        let producer = Mapping::new(map.as_fd(), page, page, false, 0)?;
        let data = Mapping::new(map.as_fd(), size * 2, page * 2, false, 0)?;
        Ok(RingReader { consumer, producer, data, size })
    }

    /// All records that are committed, oldest first; they leave the ring. Discarded ones are passed over.
    pub fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut at = self.consumer.load(0);
        let end = self.producer.load(0);
        while at < end {
            let offset = at as usize & (self.size - 1);
            let header = self.data.load(offset) as u32;
            if header & BUSY != 0 {
                break;
            }
            let len = (header & !(BUSY | DISCARD)) as usize;
            if header & DISCARD == 0 {
                let mut record = vec![0; len.min(self.size)];
                self.data.read(offset + RECORD_HEADER, &mut record);
                records.push(record);
            }
            at += (len + RECORD_HEADER).next_multiple_of(8) as u64;
            self.consumer.store(0, at);
        }
        records
    }
}

/// Pages of a perf ring's data: a power of two.
const PERF_PAGES: usize = 64;
/// Offsets in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;
const PERF_RECORD_LOST: u32 = 2;
const PERF_RECORD_SAMPLE: u32 = 9;

/// What a perf ring held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PerfSample {
    /// Bytes that a program wrote, with the padding that the kernel adds: the length of the data is 4 modulo 8.
    Raw {
        /// The ring's CPU.
        cpu: u32,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Samples that the ring had no room for.
    Lost {
        /// The ring's CPU.
        cpu: u32,
        /// How many.
        count: u64,
    },
}

/// Takes samples out of a `BPF_MAP_TYPE_PERF_EVENT_ARRAY`: one ring per CPU, put into the map's slots when it is made.
#[derive(Debug)]
pub struct PerfReader {
    rings: Vec<(u32, Mapping, OwnedFd)>,
}

impl PerfReader {
    /// Opens an event on every CPU that is there and puts it into the map, as far as the map has slots.
    pub fn new(map: &Map) -> Result<PerfReader, Errno> {
        let slots = map.shape()?.0;
        let mut rings = Vec::new();
        for cpu in 0..slots.min(sys::possible_cpus() as u32) {
            let event = match sys::perf_bpf_output(cpu) {
                Ok(event) => event,
                Err(Errno::ENODEV) => continue, // the CPU is off
                Err(e) => return Err(e),
            };
            let ring = Mapping::new(event.as_fd(), (1 + PERF_PAGES) * sys::page_size(), 0, true, 0)?;
            map.set_fd(&cpu.to_ne_bytes(), event.as_fd(), 0)?;
            sys::perf_enable(event.as_fd())?;
            rings.push((cpu, ring, event));
        }
        Ok(PerfReader { rings })
    }

    /// All samples, CPU after CPU, in the order of each; they leave the rings.
    pub fn drain(&mut self) -> Vec<PerfSample> {
        self.rings.iter().flat_map(|(cpu, ring, _)| drain_ring(*cpu, ring)).collect()
    }
}

fn drain_ring(cpu: u32, ring: &Mapping) -> Vec<PerfSample> {
    let page = sys::page_size();
    let size = PERF_PAGES * page;
    // Copies bytes that may wrap around the end of the ring.
    let copy = |at: u64, len: usize| {
        let start = at as usize & (size - 1);
        let mut out = vec![0; len];
        let first = len.min(size - start);
        ring.read(page + start, &mut out[..first]);
        ring.read(page, &mut out[first..]);
        out
    };
    let mut samples = Vec::new();
    let mut at = ring.load(DATA_TAIL);
    let head = ring.load(DATA_HEAD);
    while at < head {
        // struct perf_event_header: type, misc, size
        let header = copy(at, 8);
        let kind = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let len = usize::from(u16::from_le_bytes([header[6], header[7]]));
        if len < 8 {
            break;
        }
        let body = copy(at + 8, len - 8);
        let word = |i: usize| body.get(i..i + 8).map_or(0, |b| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b)));
        match kind {
            PERF_RECORD_SAMPLE => {
                let size = (word(0) as u32 as usize).min(body.len().saturating_sub(4));
                samples.push(PerfSample::Raw { cpu, data: body[4..4 + size].to_vec() });
            }
            PERF_RECORD_LOST => samples.push(PerfSample::Lost { cpu, count: word(8) }),
            _ => {} // throttling and the like, which say nothing of what programs wrote
        }
        at += len as u64;
    }
    ring.store(DATA_TAIL, head);
    samples
}
