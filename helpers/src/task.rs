//! Bodies: the current task.

use skep_linux::Errno;

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    14 "bpf_get_current_pid_tgid" => |c| {
        let task = &c.world().task;
        Ok(u64::from(task.tgid) << 32 | u64::from(task.pid))
    },
    15 "bpf_get_current_uid_gid" => |c| {
        let task = &c.world().task;
        Ok(u64::from(task.gid) << 32 | u64::from(task.uid))
    },
    16 "bpf_get_current_comm" => get_current_comm,
    35 "bpf_get_current_task" => current,
    120 "bpf_get_ns_current_pid_tgid" => get_ns_current_pid_tgid,
    158 "bpf_get_current_task_btf" => current,
}

/// Address of the `task_struct` of the current task.
pub(crate) fn current_task(c: &mut Call<'_>) -> Result<u64, Fail> {
    let made = c.world().current_task();
    let addr = made.map_err(|error| c.not_simulated(format_args!("struct task_struct: {error}")))?;
    reach(c, addr);
    Ok(addr)
}

/// Makes a kernel object reachable that the engine may not have seen yet.
pub(crate) fn reach(c: &mut Call<'_>, addr: u64) {
    let parts = c.parts();
    if parts.memory.find(addr).is_none() {
        let regions: Vec<_> = parts.world.objects.regions(0).collect();
        for region in regions {
            if parts.memory.find(region.start()).is_none() {
                parts.memory.add(region);
            }
        }
    }
}

fn current(c: &mut Call<'_>) -> Done {
    current_task(c)
}

/// Whether argument `n` points to the current task.
pub(crate) fn is_current(c: &mut Call<'_>, n: usize) -> bool {
    current_task(c).is_ok_and(|task| task == c.arg(n))
}

/// `(buf, size)`: the name, cut to the buffer and padded with zeros.
fn get_current_comm(c: &mut Call<'_>) -> Done {
    let size = u64::from(c.arg32(2));
    let mut comm = c.world().task.comm.clone().into_bytes();
    comm.truncate(15.min(size.saturating_sub(1) as usize));
    c.fill(1, size, 0)?;
    c.write(1, &comm)?;
    Ok(0)
}

/// `(dev, ino, nsdata, size)`: pid and tgid in the pid namespace that the two numbers name.
fn get_ns_current_pid_tgid(c: &mut Call<'_>) -> Done {
    const SIZE: u64 = 8;
    let [dev, ino, _, size, _] = c.args;
    let ns = c.world().task.pid_namespace.clone();
    let found = size as u32 as u64 == SIZE && u64::from(dev as u32) == dev && ns.dev == dev && ns.inode == ino;
    if !found {
        c.fill(3, u64::from(size as u32), 0)?;
        return Err(Errno::EINVAL.into());
    }
    c.store(3, 0, 4, u64::from(ns.pid))?;
    c.store(3, 4, 4, u64::from(ns.tgid))?;
    Ok(0)
}
