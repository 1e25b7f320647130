//! Bodies: control groups.

use skep_linux::Errno;
use skep_maps::{CgroupStorage, ObjectArray};

use crate::call::{Call, Done, helpers};

helpers! {
    17 "bpf_get_cgroup_classid" => get_cgroup_classid,
    37 "bpf_current_task_under_cgroup" => current_task_under_cgroup,
    80 "bpf_get_current_cgroup_id" => |c| Ok(c.world().task.cgroup_id),
    81 "bpf_get_local_storage" => get_local_storage,
    123 "bpf_get_current_ancestor_cgroup_id" => get_current_ancestor_cgroup_id,
    186 "bpf_get_retval" => |c| Ok(c.world().event.retval as u64),
    187 "bpf_set_retval" => set_retval,
}

/// `(skb)`: the class of the current task's cgroup.
fn get_cgroup_classid(c: &mut Call<'_>) -> Done {
    let world = c.world();
    let cgroup = world.cgroups.by_id.get(&world.task.cgroup_id);
    Ok(cgroup.map_or(0, |cgroup| cgroup.class_id.into()))
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
