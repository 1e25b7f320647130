//! Bodies: performance events.

use skep_linux::Errno;
use skep_maps::PerfEventArray;
use skep_world::{Branch, Counter, Record, Sink};

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    22 "bpf_perf_event_read" => perf_event_read,
    25 "bpf_perf_event_output" => perf_event_output,
    55 "bpf_perf_event_read_value" => perf_event_read_value,
    56 "bpf_perf_prog_read_value" => perf_prog_read_value,
    111 "bpf_skb_output" => object_output,
    119 "bpf_read_branch_records" => read_branch_records,
    121 "bpf_xdp_output" => object_output,
    176 "bpf_get_branch_snapshot" => get_branch_snapshot,
}

/// `BPF_F_INDEX_MASK`.
const INDEX_MASK: u64 = 0xffff_ffff;
/// `BPF_F_CTXLEN_MASK`: bytes of the packet that follow the record.
const PACKET_MASK: u64 = 0xfffff << 32;
const PACKET_SHIFT: u32 = 32;
/// `sizeof(struct perf_branch_entry)`.
const BRANCH_SIZE: u64 = 24;
/// `sizeof(struct bpf_perf_event_value)`.
const VALUE_SIZE: u64 = 24;
/// `BPF_F_GET_BRANCH_RECORDS_SIZE`.
const GET_SIZE: u64 = 1;

/// The perf event array that argument `n` names.
fn with_events<T>(c: &Call<'_>, n: usize, f: impl FnOnce(&PerfEventArray, &str) -> T) -> Result<T, Fail> {
    let map = c.map(n)?;
    let events = map.as_any().downcast_ref::<PerfEventArray>().ok_or_else(|| c.bad(n, "not a perf event array"))?;
    Ok(f(events, &map.def().name))
}

/// `(ctx, map, flags, data, size)`.
fn perf_event_output(c: &mut Call<'_>) -> Done {
    let (flags, size) = (c.arg(3), c.arg(5));
    let has_packet = c.parts().context.packet.is_some();
    let allowed = if has_packet { INDEX_MASK | PACKET_MASK } else { INDEX_MASK };
    if flags & !allowed != 0 {
        return Err(Errno::EINVAL.into());
    }
    let extra = ((flags & PACKET_MASK) >> PACKET_SHIFT) as usize;
    let packet = match &c.parts().context.packet {
        Some(packet) if extra <= packet.end - packet.data => packet.block.bytes(packet.data, extra),
        Some(_) => return Err(Errno::EFAULT.into()),
        None => Vec::new(),
    };
    let mut data = c.bytes(4, size)?;
    data.extend(packet);
    emit(c, flags, data)
}

/// `(ctx, map, flags, data, size)` with a kernel struct as context. Bytes of the packet behind it are not modelled.
fn object_output(c: &mut Call<'_>) -> Done {
    let (flags, size) = (c.arg(3), c.arg(5));
    if flags & !(INDEX_MASK | PACKET_MASK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & PACKET_MASK != 0 {
        return Err(c.not_simulated("packet bytes of a kernel struct"));
    }
    let data = c.bytes(4, size)?;
    emit(c, flags, data)
}

/// Puts a record into the buffer of the event that the flags choose in the map that is argument 2.
fn emit(c: &mut Call<'_>, flags: u64, data: Vec<u8>) -> Done {
    let caller = c.caller();
    let (cpu, map) = with_events(c, 2, |events, name| (events.output(caller, flags), name.to_owned()))?;
    let cpu = cpu?;
    c.world().output.records.push(Record { sink: Sink::Perf, map, cpu, data });
    Ok(0)
}

/// The counter that the flags choose in the map that is argument 1.
fn counter(c: &mut Call<'_>, flags: u64) -> Result<Counter, Fail> {
    let caller = c.caller();
    let (counter, enabled, running) = with_events(c, 1, |events, _| events.counter(caller, flags))??;
    Ok(Counter { counter, enabled, running })
}

/// `(map, flags)`: the value of the counter.
fn perf_event_read(c: &mut Call<'_>) -> Done {
    let flags = c.arg(2);
    Ok(counter(c, flags)?.counter)
}

/// Writes a counter as `struct bpf_perf_event_value`; on an error the buffer is zeroed.
fn put_counter(c: &mut Call<'_>, n: usize, size: u64, value: Result<Counter, Fail>) -> Done {
    let value = if size == VALUE_SIZE { value } else { Err(Errno::EINVAL.into()) };
    match value {
        Ok(value) => {
            let words = [value.counter, value.enabled, value.running];
            c.write(n, &words.map(u64::to_le_bytes).concat())?;
            Ok(0)
        }
        Err(Fail::Errno(errno)) => {
            c.fill(n, size, 0)?;
            Err(errno.into())
        }
        Err(stop) => Err(stop),
    }
}

/// `(map, flags, buf, size)`.
fn perf_event_read_value(c: &mut Call<'_>) -> Done {
    let (flags, size) = (c.arg(2), u64::from(c.arg32(4)));
    let value = counter(c, flags);
    put_counter(c, 3, size, value)
}

/// `(ctx, buf, size)`.
fn perf_prog_read_value(c: &mut Call<'_>) -> Done {
    let size = u64::from(c.arg32(3));
    let value = c.world().perf.current;
    put_counter(c, 2, size, Ok(value))
}

fn branch_bytes(branches: &[Branch]) -> Vec<u8> {
    branches.iter().flat_map(|b| [b.from, b.to, b.flags]).flat_map(u64::to_le_bytes).collect()
}

/// `(ctx, buf, size, flags)`: the bytes that were written, or that there are.
fn read_branch_records(c: &mut Call<'_>) -> Done {
    let (size, flags) = (u64::from(c.arg32(3)), c.arg(4));
    if flags & !GET_SIZE != 0 {
        return Err(Errno::EINVAL.into());
    }
    let branches = c.world().perf.sample_branches.clone().ok_or(Errno::ENOENT)?;
    if flags & GET_SIZE != 0 {
        return Ok(branches.len() as u64 * BRANCH_SIZE);
    }
    if c.arg(2) == 0 || size % BRANCH_SIZE != 0 {
        return Err(Errno::EINVAL.into());
    }
    put_branches(c, 2, size, &branches)
}

/// `(entries, size, flags)`: the bytes that were written.
fn get_branch_snapshot(c: &mut Call<'_>) -> Done {
    let (size, flags) = (u64::from(c.arg32(2)), c.arg(3));
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let branches = c.world().perf.branches.clone();
    if branches.is_empty() || size < BRANCH_SIZE {
        return Err(Errno::ENOENT.into());
    }
    put_branches(c, 1, size - size % BRANCH_SIZE, &branches)
}

fn put_branches(c: &mut Call<'_>, n: usize, size: u64, branches: &[Branch]) -> Done {
    let mut bytes = branch_bytes(branches);
    bytes.truncate(size as usize);
    c.write(n, &bytes)?;
    Ok(bytes.len() as u64)
}
