//! Bodies: control groups.

use skep_linux::Errno;
use skep_maps::{CgroupStorage, ObjectArray};

use crate::HeldKind;
use crate::call::{Call, Done, Fail, helpers, kfuncs};
use crate::iter;
use crate::task::reach;

helpers! {
    17 "bpf_get_cgroup_classid" => get_cgroup_classid,
    33 "bpf_skb_under_cgroup" => skb_under_cgroup,
    37 "bpf_current_task_under_cgroup" => current_task_under_cgroup,
    79 "bpf_skb_cgroup_id" => |c| id_at(c, None),
    80 "bpf_get_current_cgroup_id" => |c| Ok(c.world().task.cgroup_id),
    81 "bpf_get_local_storage" => get_local_storage,
    83 "bpf_skb_ancestor_cgroup_id" => |c| id_at(c, Some(c.arg32(2) as i32)),
    123 "bpf_get_current_ancestor_cgroup_id" => get_current_ancestor_cgroup_id,
    128 "bpf_sk_cgroup_id" => |c| id_at(c, None),
    129 "bpf_sk_ancestor_cgroup_id" => |c| id_at(c, Some(c.arg32(2) as i32)),
    151 "bpf_skb_cgroup_classid" => skb_cgroup_classid,
    186 "bpf_get_retval" => |c| Ok(c.world().event.retval as u64),
    187 "bpf_set_retval" => set_retval,
}

kfuncs! {
    "bpf_cgroup_acquire" => |c| {
        id(c, 1)?;
        let addr = c.arg(1);
        Ok(held(c, addr))
    },
    "bpf_cgroup_release" => release,
    "bpf_cgroup_from_id" => |c| {
        let id = c.arg(1);
        object(c, Some(id))
    },
    "bpf_cgroup_ancestor" => cgroup_ancestor,
    "bpf_task_under_cgroup" => task_under_cgroup,
    // There are no hierarchies of the first kind.
    "bpf_task_get_cgroup1" => |c| crate::task::task(c, 1).map(|_| 0),
    "bpf_iter_css_new" => css_new,
    "bpf_iter_css_next" => iter::next,
    "bpf_iter_css_destroy" => iter::end,
    "bpf_iter_css_task_new" => css_task_new,
    "bpf_iter_css_task_next" => iter::next,
    "bpf_iter_css_task_destroy" => iter::end,
}

/// The id of the cgroup whose `struct cgroup` argument `n` points to.
pub(crate) fn id(c: &mut Call<'_>, n: usize) -> Result<u64, Fail> {
    let addr = c.arg(n);
    let found = c.world().cgroups.at(addr);
    found.ok_or_else(|| c.bad(n, format_args!("{addr:#x} is no cgroup")))
}

fn held(c: &mut Call<'_>, addr: u64) -> u64 {
    let by = c.name;
    c.parts().held.acquire(HeldKind::Object("cgroup"), addr, by);
    addr
}

/// `(cgrp)`.
fn release(c: &mut Call<'_>) -> Done {
    let addr = c.arg(1);
    match c.parts().held.release_object(addr) {
        Some(_) => Ok(0),
        None => Err(c.bad(1, format_args!("{addr:#x} is no cgroup that this run acquired"))),
    }
}

/// Address of the `struct cgroup` of an id, which is made reachable; `None` if there is no such cgroup.
fn address(c: &mut Call<'_>, id: u64) -> Result<Option<u64>, Fail> {
    let made = c.world().cgroup_object(id);
    let found = made.map_err(|error| c.not_simulated(format_args!("struct cgroup: {error}")))?;
    if let Some(addr) = found {
        reach(c, addr);
    }
    Ok(found)
}

/// The cgroup of an id, with a reference; NULL if there is none.
fn object(c: &mut Call<'_>, id: Option<u64>) -> Done {
    let found = id.map(|id| address(c, id)).transpose()?.flatten();
    Ok(found.map_or(0, |addr| held(c, addr)))
}

/// `(cgrp, level)`: with a reference; NULL if there is none.
fn cgroup_ancestor(c: &mut Call<'_>) -> Done {
    let (id, level) = (id(c, 1)?, c.arg32(2) as i32);
    let ancestor = c.world().cgroups.ancestor(id, level);
    object(c, ancestor)
}

/// `(task, ancestor)`.
fn task_under_cgroup(c: &mut Call<'_>) -> Done {
    let (task, ancestor) = (crate::task::task(c, 1)?, id(c, 2)?);
    Ok(c.world().cgroups.is_under(task.cgroup_id, ancestor).into())
}

/// `(it, css, flags)`: over a cgroup and those below it, or those above it. The state of a cgroup's own subsystem is where the cgroup is.
fn css_new(c: &mut Call<'_>) -> Done {
    const PRE: u32 = 2;
    const POST: u32 = 3;
    const UP: u32 = 4;
    let flags = c.arg32(3);
    iter::start(c, Vec::new());
    let id = id(c, 2)?;
    let groups = &c.world().cgroups;
    let ids = match flags {
        PRE => groups.descendants(id),
        POST => post_order(&groups.descendants(id), |id| groups.path(id).len()),
        UP => groups.path(id).into_iter().rev().collect(),
        _other => return Err(Errno::EINVAL.into()),
    };
    let objects = ids.into_iter().map(|id| address(c, id)).collect::<Result<Vec<_>, _>>()?;
    iter::start(c, objects.into_iter().flatten().collect());
    Ok(0)
}

/// Each after those below it, from an order where each is before them.
fn post_order(ids: &[u64], depth: impl Fn(u64) -> usize) -> Vec<u64> {
    let (mut open, mut out): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
    for id in ids {
        while open.last().is_some_and(|last| depth(*last) >= depth(*id)) {
            out.extend(open.pop());
        }
        open.push(*id);
    }
    out.extend(open.into_iter().rev());
    out
}

/// `(it, css, flags)`: over the tasks of a cgroup.
fn css_task_new(c: &mut Call<'_>) -> Done {
    const PROCESSES: u32 = 1;
    const THREADED: u32 = 2;
    let flags = c.arg32(3);
    iter::start(c, Vec::new());
    if !matches!(flags, 0 | PROCESSES) && flags != PROCESSES | THREADED {
        return Err(Errno::EINVAL.into());
    }
    let id = id(c, 2)?;
    let tasks = crate::task::all(c)?;
    let chosen = tasks
        .into_iter()
        .filter(|(addr, _, leads)| (*leads || flags == 0) && c.world().task_at(*addr).is_some_and(|task| task.cgroup_id == id));
    let chosen = chosen.map(|(addr, ..)| addr).collect();
    iter::start(c, chosen);
    Ok(0)
}

/// `(skb)`: the class of the current task's cgroup.
fn get_cgroup_classid(c: &mut Call<'_>) -> Done {
    let world = c.world();
    let cgroup = world.cgroups.by_id.get(&world.task.cgroup_id);
    Ok(cgroup.map_or(0, |cgroup| cgroup.class_id.into()))
}

/// The cgroup of the full socket that argument 1 leads to.
fn cgroup_of_socket(c: &mut Call<'_>) -> Result<Option<u64>, Fail> {
    let Some(sock) = c.socket(1)? else {
        return Ok(None);
    };
    let sock = c.full(sock);
    if !c.facts(1, &sock)?.is_full() {
        return Ok(None);
    }
    c.cgroup_of(&sock).map(Some)
}

/// `(skb)`, `(sk)`, or with a level: the id of the socket's cgroup, or of its ancestor there; 0 if there is none.
fn id_at(c: &mut Call<'_>, level: Option<i32>) -> Done {
    let Some(cgroup) = cgroup_of_socket(c)? else {
        return Ok(0);
    };
    Ok(match level {
        Some(level) => c.world().cgroups.ancestor(cgroup, level).unwrap_or(0),
        None => cgroup,
    })
}

/// `(skb)`: the class of the socket's cgroup.
fn skb_cgroup_classid(c: &mut Call<'_>) -> Done {
    let Some(cgroup) = cgroup_of_socket(c)? else {
        return Ok(0);
    };
    Ok(c.world().cgroups.by_id.get(&cgroup).map_or(0, |cgroup| cgroup.class_id.into()))
}

/// `(skb, map, index)`: 1 if the socket's cgroup is the one there or below it.
fn skb_under_cgroup(c: &mut Call<'_>) -> Done {
    let (map, index) = (c.map(2)?, c.arg32(3));
    let cgroups = map.as_any().downcast_ref::<ObjectArray>().ok_or_else(|| c.bad(2, "not a map of cgroups"))?;
    let cgroup = cgroup_of_socket(c)?.ok_or(Errno::ENOENT)?;
    if index >= map.def().max_entries {
        return Err(Errno::E2BIG.into());
    }
    let ancestor = cgroups.get(index).ok_or(Errno::EAGAIN)?;
    Ok(c.world().cgroups.is_under(cgroup, ancestor).into())
}

/// `(map, index)`: 1 if the current task is in the cgroup there or below it.
fn current_task_under_cgroup(c: &mut Call<'_>) -> Done {
    let (map, index) = (c.map(1)?, c.arg32(2));
    let cgroups = map.as_any().downcast_ref::<ObjectArray>().ok_or_else(|| c.bad(1, "not a map of cgroups"))?;
    if index >= map.def().max_entries {
        return Err(Errno::E2BIG.into());
    }
    let ancestor = cgroups.get(index).ok_or(Errno::EAGAIN)?;
    let world = c.world();
    Ok(world.cgroups.is_under(world.task.cgroup_id, ancestor).into())
}

/// `(level)`: the id of the current task's cgroup's ancestor at a level; 0 if there is none.
fn get_current_ancestor_cgroup_id(c: &mut Call<'_>) -> Done {
    let level = c.arg32(1) as i32;
    let world = c.world();
    Ok(world.cgroups.ancestor(world.task.cgroup_id, level).unwrap_or(0))
}

/// `(retval)`.
fn set_retval(c: &mut Call<'_>) -> Done {
    c.world().event.retval = c.arg32(1) as i32;
    Ok(0)
}

/// `(map, flags)`: the value that belongs to the current task's cgroup and the program's attach type. The first call attaches.
fn get_local_storage(c: &mut Call<'_>) -> Done {
    let map = c.map(1)?;
    let storage = map.as_any().downcast_ref::<CgroupStorage>().ok_or_else(|| c.bad(1, "not a storage of cgroups"))?;
    let attach_type = c.machine.program().attach_type.map_or(0, |attach| attach as u32);
    let (cgroup, caller) = (c.world().task.cgroup_id, c.caller());
    storage.attach(cgroup, attach_type)?;
    let slot = storage.local(cgroup, attach_type, caller.cpu).ok_or_else(|| c.bad(1, "the value was detached"))?;
    if c.memory().find(slot.addr()).is_none() {
        c.memory().add(slot.region(&map.def().name));
    }
    Ok(slot.addr())
}
