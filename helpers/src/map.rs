//! Bodies: maps.

use std::sync::Arc;

use skep_linux::contexts::XDP_SOCK;
use skep_linux::{Errno, MapType};
use skep_maps::flags::BPF_F_LOCK;
use skep_maps::{Found, Map};
use skep_memory::{Block, RegionKind};

use crate::call::{Call, Done, Fail, helpers};
use crate::small::Small;
use crate::sock::Sock;

helpers! {
    1 "bpf_map_lookup_elem" => lookup,
    2 "bpf_map_update_elem" => update,
    3 "bpf_map_delete_elem" => delete,
    87 "bpf_map_push_elem" => push,
    88 "bpf_map_pop_elem" => |c| take(c, |map, value| map.pop(value)),
    89 "bpf_map_peek_elem" => |c| take(c, |map, value| map.peek(value)),
    195 "bpf_map_lookup_percpu_elem" => lookup_percpu,
}

/// The bytes that argument `n` points to.
fn small(c: &mut Call<'_>, n: usize, len: u32) -> Result<Small, Fail> {
    match Small::few(len as usize) {
        Some(mut few) => {
            c.read(n, few.as_mut())?;
            Ok(few)
        }
        None => c.bytes(n, u64::from(len)).map(Small::Many),
    }
}

/// The pointer that a program gets for what a lookup found.
pub(crate) fn pointer(c: &mut Call<'_>, map: &Arc<dyn Map>, found: Option<Found>) -> Done {
    match found {
        None => Ok(0),
        Some(Found::Slot(slot)) => {
            if c.memory().find(slot.addr()).is_none() {
                c.memory().add(slot.region(&map.def().name));
            }
            Ok(slot.addr())
        }
        Some(Found::Map(inner)) => Ok(c.machine.adopt(inner)),
        Some(Found::Object(id)) => object(c, map, id),
    }
}

/// The pointer to a kernel object that a map names: to a socket by its cookie, to an AF_XDP socket by its queue.
fn object(c: &mut Call<'_>, map: &Arc<dyn Map>, id: u64) -> Done {
    match map.def().map_type {
        MapType::Sockmap | MapType::Sockhash => c.hold_socket(&Sock::World(id)),
        MapType::Xskmap => {
            let queue = Block::zeroed(XDP_SOCK.size as usize);
            queue.store(0, XDP_SOCK.size as usize, id);
            Ok(c.lend(RegionKind::Kernel(XDP_SOCK.name.into()), queue, false))
        }
        _other => Err(c.not_simulated(format_args!("object {id} of map {}", map.def().name))),
    }
}

/// `(map, key)`.
fn lookup(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    let key = small(c, 2, map.def().key_size)?;
    let caller = c.caller();
    if let Ok(Some(addr)) = map.lookup_addr(caller, &key) {
        return Ok(addr);
    }
    let found = map.lookup(caller, &key).unwrap_or(None);
    pointer(c, &map, found)
}

/// `(map, key, cpu)`.
fn lookup_percpu(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    let key = small(c, 2, map.def().key_size)?;
    let found = map.lookup_percpu(c.arg32(3), &key).unwrap_or(None);
    pointer(c, &map, found)
}

/// `(map, key, value, flags)`.
fn update(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    let key = small(c, 2, map.def().key_size)?;
    let value = small(c, 3, map.def().value_size)?;
    let caller = c.caller();
    match map.update(caller, &key, &value, c.arg(4)) {
        Err(Errno::EBUSY) if c.arg(4) & BPF_F_LOCK != 0 => Err(c.bad(4, "the lock of the value stays taken")),
        updated => updated.map(|()| 0).map_err(Fail::from),
    }
}

/// `(map, key)`.
fn delete(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    let key = small(c, 2, map.def().key_size)?;
    let caller = c.caller();
    map.delete(caller, &key)?;
    Ok(0)
}

/// `(map, value, flags)`.
fn push(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    let value = small(c, 2, map.def().value_size)?;
    map.push(&value, c.arg(3))?;
    Ok(0)
}

/// `(map, value)`: pop and peek write the value, also when there is none; a bloom filter reads it.
fn take(c: &mut Call<'_>, how: fn(&dyn Map, &mut [u8]) -> Result<(), Errno>) -> Done {
    let map = c.map(1)?;
    let mut value = small(c, 2, map.def().value_size)?;
    let taken = how(&*map, value.as_mut());
    c.write(2, &value)?;
    taken?;
    Ok(0)
}
