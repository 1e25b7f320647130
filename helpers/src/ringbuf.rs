//! Bodies: ring buffers.

use std::sync::Arc;

use skep_linux::Errno;
use skep_maps::{Map, RingBuf};
use skep_memory::{Region, RegionKind, Shape};

use crate::HeldKind;
use crate::call::{Call, Done, Fail, helpers};

helpers! {
    130 "bpf_ringbuf_output" => output,
    131 "bpf_ringbuf_reserve" => reserve,
    132 "bpf_ringbuf_submit" => |c| finish(c, RingBuf::submit),
    133 "bpf_ringbuf_discard" => |c| finish(c, RingBuf::discard),
    134 "bpf_ringbuf_query" => query,
}

/// The ring buffer that argument `n` names.
pub(crate) fn with_ring<T>(c: &Call<'_>, n: usize, f: impl FnOnce(&Arc<dyn Map>, &RingBuf) -> T) -> Result<T, Fail> {
    let map = c.map(n)?;
    let ring = map.as_any().downcast_ref::<RingBuf>().ok_or_else(|| c.bad(n, "not a ring buffer"))?;
    Ok(f(&map, ring))
}

/// `(ringbuf, data, size, flags)`.
fn output(c: &mut Call<'_>) -> Done {
    let [_, _, size, flags, _] = c.args;
    let data = c.bytes(2, size)?;
    with_ring(c, 1, |_, ring| ring.output(&data, flags))??;
    Ok(0)
}

/// Reserves a record and makes it reachable; 0 if there is no room.
pub(crate) fn open(c: &mut Call<'_>, n: usize, size: u64, flags: u64) -> Done {
    let (slot, name) = with_ring(c, n, |map, ring| (ring.reserve(size, flags), map.def().name.clone()))?;
    let Some(slot) = slot else {
        return Ok(0);
    };
    let addr = slot.addr();
    let kind = RegionKind::Lent(format!("a record of ring buffer {name}").into());
    c.memory().add(Region { kind, block: slot.block, offset: slot.offset, len: slot.len, shape: Shape::Flat, writable: true });
    let by = c.name;
    c.parts().held.acquire(HeldKind::Record, addr, by);
    Ok(addr)
}

/// `(ringbuf, size, flags)`: a record, or NULL.
fn reserve(c: &mut Call<'_>) -> Done {
    let [_, size, flags, ..] = c.args;
    open(c, 1, size, flags)
}

/// Ends the record at an address.
pub(crate) fn close(c: &mut Call<'_>, n: usize, addr: u64, how: fn(&RingBuf, u64) -> Result<(), Errno>) -> Result<(), Fail> {
    if c.parts().held.release(HeldKind::Record, addr).is_none() {
        return Err(c.bad(n, format_args!("{addr:#x} is no record that this run reserved")));
    }
    let region = c.memory().remove(addr);
    let ring = c.machine.find_map(&|map| map.as_any().downcast_ref::<RingBuf>().is_some_and(|ring| ring.holds(addr)));
    let closed = ring.as_ref().and_then(|map| map.as_any().downcast_ref::<RingBuf>()).map(|ring| how(ring, addr));
    match closed {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Err(c.bad(n, format_args!("no open record at {addr:#x} ({region:?})"))),
    }
}

/// `(data, flags)`.
fn finish(c: &mut Call<'_>, how: fn(&RingBuf, u64) -> Result<(), Errno>) -> Done {
    let addr = c.arg(1);
    close(c, 1, addr, how)?;
    Ok(0)
}

/// `(ringbuf, flags)`.
fn query(c: &mut Call<'_>) -> Done {
    let what = c.arg(2);
    with_ring(c, 1, |_, ring| ring.query(what))
}
