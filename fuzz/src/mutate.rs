//! Mutations of bytes.

use fastrand::Rng;

use crate::areas::{Area, Kind, Map};
use crate::insn;

/// Changes that a case gets at most.
const MOST_CHANGES: u32 = 6;
/// Bytes that are inserted or taken out at once.
const MOST_MOVED: usize = 64;

/// Bytes and where in them what lies.
#[derive(Debug, Clone)]
pub struct Mutable {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their areas.
    pub map: Map,
}

fn load(bytes: &[u8], size: usize) -> u64 {
    bytes[..size].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn store(bytes: &mut [u8], size: usize, value: u64) {
    bytes[..size].copy_from_slice(&value.to_le_bytes()[..size]);
}

/// A number that readers tend to get wrong.
fn interesting(rng: &mut Rng, size: usize, len: usize) -> u64 {
    let bits = size as u32 * 8;
    let most = u64::MAX >> (64 - bits);
    match rng.u32(..10) {
        0 => 0,
        1 => 1,
        2 => most,
        3 => most >> 1,
        4 => (most >> 1) + 1,
        5 => 1 << rng.u32(..bits),
        6 => (1 << rng.u32(..bits)) - 1,
        7 => len as u64,
        8 => (len as u64).wrapping_sub(rng.u64(..16)),
        _ => rng.u64(..=most.min(256)),
    }
}

/// A type's third word: kind, count of members and the flag.
fn kind_word(rng: &mut Rng) -> u64 {
    rng.u64(..24) << 24 | rng.u64(..6) | if rng.u32(..4) == 0 { 1 << 31 } else { 0 }
}

fn change_field(bytes: &mut [u8], area: &Area, rng: &mut Rng) {
    let (stride, fields) = (area.kind.stride(), area.kind.fields());
    let record = area.range.start + stride * rng.usize(..area.range.len().div_ceil(stride));
    // Most changes of code leave instructions: others are refused at once.
    if area.kind == Kind::Code
        && rng.u32(..8) != 0
        && let Some(new) = insn::mutate(bytes, record, rng)
    {
        bytes[record..record + 8].copy_from_slice(&new);
        return;
    }
    let field = fields[rng.usize(..fields.len())];
    let at = record + field.offset;
    let len = bytes.len();
    let Some(place) = bytes.get_mut(at..at + field.size) else { return };
    let old = load(place, field.size);
    let new = match rng.u32(..8) {
        0 | 1 => interesting(rng, field.size, len),
        2 => old.wrapping_add(rng.u64(1..=8)),
        3 => old.wrapping_sub(rng.u64(1..=8)),
        4 => old ^ 1 << rng.u32(..field.size as u32 * 8),
        5 | 6 => match area.kind {
            Kind::BtfTypes => kind_word(rng),
            _ => rng.u64(..=old.saturating_mul(2).max(4)),
        },
        _ => old.wrapping_mul(2),
    };
    store(place, field.size, new);
}

/// The same field of another record.
fn copy_field(bytes: &mut [u8], area: &Area, rng: &mut Rng) {
    let (stride, fields) = (area.kind.stride(), area.kind.fields());
    let records = area.range.len() / stride;
    if records < 2 {
        return;
    }
    let field = fields[rng.usize(..fields.len())];
    let mut place = || area.range.start + stride * rng.usize(..records) + field.offset;
    let (from, to) = (place(), place());
    if from.max(to) + field.size <= bytes.len() {
        bytes.copy_within(from..from + field.size, to);
    }
}

/// One record, or several, in the place of others.
fn copy_records(bytes: &mut [u8], area: &Area, rng: &mut Rng) {
    let stride = area.kind.stride();
    let records = area.range.len() / stride;
    if records < 2 {
        return;
    }
    let count = 1 + rng.usize(..records.min(8) - 1);
    let mut place = || area.range.start + stride * rng.usize(..=records - count);
    let (from, to) = (place(), place());
    if from.max(to) + count * stride <= bytes.len() {
        bytes.copy_within(from..from + count * stride, to);
    }
}

fn random_bytes(bytes: &mut [u8], area: &Area, rng: &mut Rng) {
    let end = area.range.end.min(bytes.len());
    if area.range.start >= end {
        return;
    }
    let at = rng.usize(area.range.start..end);
    let count = rng.usize(1..=8).min(end - at);
    for byte in &mut bytes[at..at + count] {
        *byte = if rng.bool() { rng.u8(..) } else { *byte ^ 1 << rng.u32(..8) };
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let count = rng.usize(1..=MOST_MOVED);
    let unit = if rng.bool() { 8 } else { 1 };
    let filler = rng.u8(..);
    let new: Vec<u8> = (0..count.next_multiple_of(unit)).map(|_| if filler < 128 { filler } else { rng.u8(..) }).collect();
    bytes.splice(at..at, new);
}

fn remove(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let unit = if rng.bool() { 8 } else { 1 };
    let count = (rng.usize(1..=MOST_MOVED)).next_multiple_of(unit).min(bytes.len() - at);
    bytes.drain(at..at + count);
}

/// A piece of another input over, or into, this one.
fn splice(bytes: &mut Vec<u8>, area: &Area, other: &Mutable, rng: &mut Rng) {
    let alike: Vec<&Area> = other.map.areas().filter(|theirs| theirs.kind == area.kind).collect();
    let Some(theirs) = (!alike.is_empty()).then(|| alike[rng.usize(..alike.len())]) else { return };
    let stride = area.kind.stride();
    let aligned = |at: usize| at / stride * stride;
    let from = theirs.range.start + aligned(rng.usize(..theirs.range.len()));
    let len = rng.usize(1..=8 * stride).next_multiple_of(stride).min(theirs.range.end - from);
    let to = area.range.start + aligned(rng.usize(..area.range.len()));
    if to > bytes.len() {
        return;
    }
    let end = if rng.u32(..4) == 0 { to } else { (to + len).min(bytes.len()) };
    bytes.splice(to..end, other.bytes[from..from + len].iter().copied());
}

/// Changes one thing.
fn change(bytes: &mut Vec<u8>, map: &Map, other: &Mutable, rng: &mut Rng) {
    let Some(area) = map.choose(rng) else { return insert(bytes, 0, rng) };
    match rng.u32(..100) {
        0..55 => change_field(bytes, area, rng),
        55..68 => copy_field(bytes, area, rng),
        68..78 => copy_records(bytes, area, rng),
        78..88 => random_bytes(bytes, area, rng),
        88..94 => splice(bytes, area, other, rng),
        94..96 => bytes.truncate(rng.usize(..=bytes.len())),
        96..98 => insert(bytes, area.range.start.min(bytes.len()), rng),
        _ => remove(bytes, area.range.start.min(bytes.len()), rng),
    }
}

/// A mutated copy of `from`; pieces may come from `other`.
pub fn mutate(from: &Mutable, other: &Mutable, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = from.bytes.clone();
    let changes = 1 + rng.u32(..MOST_CHANGES).min(rng.u32(..MOST_CHANGES));
    for _ in 0..changes {
        change(&mut bytes, &from.map, other, rng);
    }
    bytes
}
