//! Bodies: performance events.

use skep_linux::Errno;
use skep_maps::Map;
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

/// `BPF_F_INDEX_MASK`, of which the largest is `BPF_F_CURRENT_CPU`.
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

/// The slot that the flags name.
fn index(c: &mut Call<'_>, map: &dyn Map, flags: u64) -> Result<u32, Errno> {
    let index = match flags & INDEX_MASK {
        INDEX_MASK => u64::from(c.world().cpu),
        index => index,
    };
    match u64::from(map.def().max_entries) {
        max if index >= max => Err(Errno::E2BIG),
        _ => Ok(index as u32),
    }
}

/// `(ctx, map, flags, data, size)`. Each slot up to the number of CPUs has the reader of its CPU, whose events run on that CPU alone.
fn perf_event_output(c: &mut Call<'_>) -> Done {
    let (map, flags, size) = (c.map(2)?, c.arg(3), c.arg(5));
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
    emit(c, &*map, flags, data)
}

/// `(ctx, map, flags, data, size)` with a kernel struct as context. Bytes of the packet behind it are not modelled.
fn object_output(c: &mut Call<'_>) -> Done {
    let (map, flags, size) = (c.map(2)?, c.arg(3), c.arg(5));
    if flags & !(INDEX_MASK | PACKET_MASK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & PACKET_MASK != 0 {
        return Err(c.not_simulated("packet bytes of a kernel struct"));
    }
    let data = c.bytes(4, size)?;
    emit(c, &*map, flags, data)
}

fn emit(c: &mut Call<'_>, map: &dyn Map, flags: u64, data: Vec<u8>) -> Done {
    let index = index(c, map, flags)?;
    let world = c.world();
    if index >= world.cpus {
        return Err(Errno::ENOENT.into());
    }
    if index != world.cpu {
        return Err(Errno::EOPNOTSUPP.into());
    }
    world.output.records.push(Record { sink: Sink::Perf, map: map.def().name.clone(), cpu: index, data });
    Ok(0)
}

/// The counter in the slot that the flags name.
fn counter(c: &mut Call<'_>, n: usize, flags: u64) -> Result<Counter, Fail> {
    let map = c.map(n)?;
    if flags & !INDEX_MASK != 0 {
        return Err(Errno::EINVAL.into());
    }
    let index = index(c, &*map, flags)?;
    let key = (map.def().name.clone(), index);
    c.world().perf.counters.get(&key).copied().ok_or(Fail::Errno(Errno::ENOENT))
}

/// `(map, flags)`: the value of the counter.
fn perf_event_read(c: &mut Call<'_>) -> Done {
    let flags = c.arg(2);
    Ok(counter(c, 1, flags)?.counter)
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
    let value = counter(c, 1, flags);
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
