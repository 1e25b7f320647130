//! Bodies: ring buffers.

use std::sync::Arc;

use skep_linux::Errno;
use skep_maps::{BPF_MAX_USER_RINGBUF_SAMPLES, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, Map, RingBuf, Sample, UserRingBuf};
use skep_memory::{Block, Region, RegionKind, Shape};

use crate::HeldKind;
use crate::call::{Call, Done, Fail, helpers};
use crate::dynptr::{Dynptr, Kind};

helpers! {
    130 "bpf_ringbuf_output" => output,
    131 "bpf_ringbuf_reserve" => reserve,
    132 "bpf_ringbuf_submit" => |c| finish(c, RingBuf::submit),
    133 "bpf_ringbuf_discard" => |c| finish(c, RingBuf::discard),
    134 "bpf_ringbuf_query" => query,
    198 "bpf_ringbuf_reserve_dynptr" => reserve_dynptr,
    199 "bpf_ringbuf_submit_dynptr" => |c| finish_dynptr(c, RingBuf::submit),
    200 "bpf_ringbuf_discard_dynptr" => |c| finish_dynptr(c, RingBuf::discard),
    209 "bpf_user_ringbuf_drain" => drain,
}

/// `DYNPTR_MAX_SIZE`.
const DYNPTR_MAX: u32 = (1 << 24) - 1;

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

/// `(ringbuf, size, flags, ptr)`.
fn reserve_dynptr(c: &mut Call<'_>) -> Done {
    let (size, flags) = (c.arg32(2), c.arg(3));
    Dynptr::NULL.store(c, 4)?;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    if size > DYNPTR_MAX {
        return Err(Errno::E2BIG.into());
    }
    match open(c, 1, size.into(), 0)? {
        0 => Err(Errno::EINVAL.into()),
        record => {
            Dynptr::new(Kind::Ringbuf, record, size).store(c, 4)?;
            Ok(0)
        }
    }
}

/// `(ptr, flags)`. A null dynptr, which a reservation that failed leaves, is nothing to end.
fn finish_dynptr(c: &mut Call<'_>, how: fn(&RingBuf, u64) -> Result<(), Errno>) -> Done {
    let dynptr = Dynptr::load(c, 1)?;
    if !dynptr.is_null() {
        close(c, 1, dynptr.data, how)?;
        Dynptr::NULL.store(c, 1)?;
    }
    Ok(0)
}

/// `(map, callback, callback_ctx, flags)`: calls the function with each sample as a dynptr; the number of samples it saw.
fn drain(c: &mut Call<'_>) -> Done {
    if c.arg(4) & !(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let map = c.map(1)?;
    let ring = map.as_any().downcast_ref::<UserRingBuf>().ok_or_else(|| c.bad(1, "not a user ring buffer"))?;
    ring.begin()?;
    let dynptr = Block::zeroed(16);
    c.lend(RegionKind::Lent("a dynptr".into()), dynptr.clone(), false);
    let drained = samples(c, ring, &map.def().name, &dynptr);
    c.memory().remove(dynptr.addr());
    ring.end();
    drained
}

fn samples(c: &mut Call<'_>, ring: &UserRingBuf, name: &str, dynptr: &Block) -> Done {
    let (callback, passed) = (c.arg(2), c.arg(3));
    let mut seen = 0;
    for _ in 0..BPF_MAX_USER_RINGBUF_SAMPLES {
        match ring.next_sample() {
            Sample::Data(slot) => {
                let (addr, len) = (slot.addr(), slot.len);
                let kind = RegionKind::Lent(format!("a sample of user ring buffer {name}").into());
                c.memory().add(Region { kind, shape: Shape::Flat, block: slot.block, offset: slot.offset, len, writable: true });
                dynptr.write(0, &Dynptr::new(Kind::Local, addr, len as u32).bytes());
                let stop = c.machine.call(callback, [dynptr.addr(), passed, 0, 0, 0]);
                c.memory().remove(addr);
                ring.release(len);
                seen += 1;
                if stop? != 0 {
                    break;
                }
            }
            Sample::Discarded => {}
            Sample::Nothing => break,
            Sample::Bad(errno) => return Err(errno.into()),
        }
    }
    Ok(seen)
}
