//! Bodies: values that belong to tasks, cgroups, inodes and sockets.

use std::sync::Arc;

use skep_linux::Errno;
use skep_maps::{Found, LocalStorage, Map};

use crate::call::{Call, Done, Fail, helpers};
use crate::object::field;
use crate::sock::Sock;

helpers! {
    107 "bpf_sk_storage_get" => |c| get(c, socket),
    108 "bpf_sk_storage_delete" => |c| delete(c, socket),
    145 "bpf_inode_storage_get" => |c| get(c, inode),
    146 "bpf_inode_storage_delete" => |c| delete(c, inode),
    156 "bpf_task_storage_get" => |c| get(c, task),
    157 "bpf_task_storage_delete" => |c| delete(c, task),
    210 "bpf_cgrp_storage_get" => |c| get(c, cgroup),
    211 "bpf_cgrp_storage_delete" => |c| delete(c, cgroup),
}

/// The number of the object that argument 2 points to, by which maps know it.
type Number = fn(&mut Call<'_>) -> Result<u64, Fail>;

/// A task by its thread id.
fn task(c: &mut Call<'_>) -> Result<u64, Fail> {
    Ok(crate::task::task(c, 2)?.pid.into())
}

/// A cgroup by its id.
fn cgroup(c: &mut Call<'_>) -> Result<u64, Fail> {
    crate::cgroup::id(c, 2)
}

/// An inode by its number; by its address if it has none.
fn inode(c: &mut Call<'_>) -> Result<u64, Fail> {
    let addr = c.arg(2);
    let number = field(c, 2, addr, "inode", "i_ino")?;
    Ok(if number == 0 { addr } else { number })
}

/// A socket by its cookie; a kernel object that is one by its address.
fn socket(c: &mut Call<'_>) -> Result<u64, Fail> {
    match c.socket(2)? {
        None | Some(Sock::Object(_)) => Ok(c.arg(2)),
        Some(sock) => c.cookie(&sock),
    }
}

fn storage(map: &Arc<dyn Map>) -> Option<&LocalStorage> {
    map.as_any().downcast_ref::<LocalStorage>()
}

/// `(map, object, value, flags)`: the value of the object, which may be made; NULL if there is none.
fn get(c: &mut Call<'_>, number: Number) -> Done {
    let [_, object, value, flags, _] = c.args;
    let map = c.map(1)?;
    let storage = storage(&map).ok_or_else(|| c.bad(1, "not a storage of kernel objects"))?;
    if object == 0 {
        return Ok(0);
    }
    let number = number(c)?;
    let bytes = match value {
        0 => None,
        _given => Some(c.bytes(3, map.def().value_size.into())?),
    };
    let found = storage.get(number, bytes.as_deref(), flags).map(Found::Slot);
    crate::map::pointer(c, &map, found)
}

/// `(map, object)`.
fn delete(c: &mut Call<'_>, number: Number) -> Done {
    let map = c.map(1)?;
    let storage = storage(&map).ok_or_else(|| c.bad(1, "not a storage of kernel objects"))?;
    if c.arg(2) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let number = number(c)?;
    storage.remove(number)?;
    Ok(0)
}
