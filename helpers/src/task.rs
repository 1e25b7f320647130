//! Bodies: the current task.

use skep_linux::Errno;
use skep_world::{Effect, Task};

use crate::HeldKind;
use crate::call::{Call, Done, Fail, helpers, kfuncs};
use crate::iter;

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
    109 "bpf_send_signal" => |c| send_signal(c, false),
    117 "bpf_send_signal_thread" => |c| send_signal(c, true),
    120 "bpf_get_ns_current_pid_tgid" => get_ns_current_pid_tgid,
    158 "bpf_get_current_task_btf" => current,
    175 "bpf_task_pt_regs" => task_pt_regs,
    180 "bpf_find_vma" => find_vma,
}

kfuncs! {
    "bpf_task_acquire" => acquire,
    "bpf_task_release" => release,
    "bpf_task_from_pid" => |c| {
        let pid = c.arg32(1);
        from_pid(c, pid)
    },
    "bpf_task_from_vpid" => |c| {
        // The number is that in the current task's namespace.
        let (vpid, task) = (c.arg32(1), c.world().task.clone());
        from_pid(c, if vpid == task.pid_namespace.pid && vpid != 0 { task.pid } else { vpid })
    },
    "bpf_send_signal_task" => send_signal_task,
    "bpf_iter_task_new" => iter_new,
    "bpf_iter_task_next" => iter::next,
    "bpf_iter_task_destroy" => iter::end,
    "bpf_iter_task_vma_new" => mappings_new,
    "bpf_iter_task_vma_next" => iter::next,
    "bpf_iter_task_vma_destroy" => iter::end,
}

/// The kind of reference that holders of tasks have.
const TASK: HeldKind = HeldKind::Object("task_struct");

/// `(task)`: the task, with a reference.
fn acquire(c: &mut Call<'_>) -> Done {
    task(c, 1)?;
    let (addr, by) = (c.arg(1), c.name);
    c.parts().held.acquire(TASK, addr, by);
    Ok(addr)
}

/// `(task)`.
fn release(c: &mut Call<'_>) -> Done {
    let addr = c.arg(1);
    match c.parts().held.release_object(addr) {
        Some(_) => Ok(0),
        None => Err(c.bad(1, format_args!("{addr:#x} is no task that this run acquired"))),
    }
}

/// The task of a number, with a reference; NULL if there is none.
fn from_pid(c: &mut Call<'_>, pid: u32) -> Done {
    let found = c.world().task_by_pid(pid);
    let found = found.map_err(|error| c.not_simulated(format_args!("struct task_struct: {error}")))?;
    let Some(addr) = found else {
        return Ok(0);
    };
    reach(c, addr);
    let by = c.name;
    c.parts().held.acquire(TASK, addr, by);
    Ok(addr)
}

/// `(it, task, flags)`: over all processes, all threads, or the threads of the process of a task.
fn iter_new(c: &mut Call<'_>) -> Done {
    const ALL_PROCESSES: u32 = 0;
    const ALL_THREADS: u32 = 1;
    const PROCESS_THREADS: u32 = 2;
    let (of, flags) = (c.arg(2), c.arg32(3));
    iter::start(c, Vec::new());
    let process = match flags {
        ALL_PROCESSES | ALL_THREADS => None,
        PROCESS_THREADS if of == 0 => return Err(Errno::EINVAL.into()),
        PROCESS_THREADS => Some(task(c, 2)?.tgid),
        _other => return Err(Errno::EINVAL.into()),
    };
    let tasks = all(c)?.into_iter().filter(|(_, tgid, leads)| match process {
        Some(process) => *tgid == process,
        None => flags == ALL_THREADS || *leads,
    });
    let tasks = tasks.map(|(addr, ..)| addr).collect();
    iter::start(c, tasks);
    Ok(0)
}

/// `(it, task, addr)`: over the mappings of a task from the one at or behind an address on.
fn mappings_new(c: &mut Call<'_>) -> Done {
    let addr = c.arg(3);
    iter::start(c, Vec::new());
    let task = task(c, 2)?;
    if task.kernel_thread {
        return Err(Errno::ENOENT.into());
    }
    let mut mappings: Vec<_> = task.mappings.into_iter().filter(|mapping| mapping.end > addr).collect();
    mappings.sort_by_key(|mapping| mapping.start);
    let made = mappings.iter().map(|mapping| c.world().mapping_object(mapping)).collect::<Result<Vec<_>, _>>();
    let objects = made.map_err(|error| c.not_simulated(format_args!("struct vm_area_struct: {error}")))?;
    iter::start(c, objects);
    Ok(0)
}

/// All tasks by number: address, process, and whether the task leads it.
pub(crate) fn all(c: &mut Call<'_>) -> Result<Vec<(u64, u32, bool)>, Fail> {
    let current = current_task(c)?;
    let world = c.world();
    let mut tasks: Vec<(u32, u32, u64)> = world.tasks.others().map(|(addr, task)| (task.tgid, task.pid, addr)).collect();
    tasks.push((world.task.tgid, world.task.pid, current));
    tasks.sort_unstable();
    Ok(tasks.into_iter().map(|(tgid, pid, addr)| (addr, tgid, tgid == pid)).collect())
}

/// `(task, sig, type, value)`.
fn send_signal_task(c: &mut Call<'_>) -> Done {
    const PID: u32 = 0;
    const TGID: u32 = 1;
    let to = task(c, 1)?;
    let (signal, kind, value) = (c.arg32(2), c.arg32(3), c.arg(4));
    match kind {
        PID | TGID => signal_to(c, &to, signal, kind == PID, value),
        _other => Err(Errno::EINVAL.into()),
    }
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

/// The task whose `task_struct` argument `n` points to.
pub(crate) fn task(c: &mut Call<'_>, n: usize) -> Result<Task, Fail> {
    let addr = c.arg(n);
    if is_current(c, n) {
        return Ok(c.world().task.clone());
    }
    let found = c.world().task_at(addr).cloned();
    found.ok_or_else(|| c.bad(n, format_args!("{addr:#x} is no task")))
}

/// `(task)`: the registers with which it entered the kernel.
fn task_pt_regs(c: &mut Call<'_>) -> Done {
    task(c, 1)?;
    let addr = c.arg(1);
    let made = c.world().task_registers(addr);
    let registers = made.map_err(|error| c.not_simulated(format_args!("struct pt_regs: {error}")))?;
    reach(c, registers);
    Ok(registers)
}

/// `(task, addr, callback, callback_ctx, flags)`: calls the function with the mapping that holds the address.
fn find_vma(c: &mut Call<'_>) -> Done {
    let [addr_of_task, addr, callback, passed, flags] = c.args;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    if addr_of_task == 0 {
        return Err(Errno::ENOENT.into());
    }
    let mapping = task(c, 1)?.mapping(addr).cloned().ok_or(Errno::ENOENT)?;
    let made = c.world().mapping_object(&mapping);
    let object = made.map_err(|error| c.not_simulated(format_args!("struct vm_area_struct: {error}")))?;
    reach(c, object);
    c.machine.call(callback, [addr_of_task, object, passed, 0, 0])?;
    Ok(0)
}

/// `(sig)`: to the current process or thread.
fn send_signal(c: &mut Call<'_>, thread: bool) -> Done {
    let signal = c.arg32(1);
    let task = c.world().task.clone();
    signal_to(c, &task, signal, thread, 0)
}

/// Sends a signal; number 0 only asks whether one could be sent.
pub(crate) fn signal_to(c: &mut Call<'_>, task: &Task, signal: u32, thread: bool, value: u64) -> Done {
    const LAST_SIGNAL: u32 = 64;
    if task.kernel_thread || task.tgid == 1 {
        return Err(Errno::EPERM.into());
    }
    if signal > LAST_SIGNAL {
        return Err(Errno::EINVAL.into());
    }
    if signal != 0 {
        let pid = if thread { task.pid } else { task.tgid };
        c.world().output.effects.push(Effect::Signal { pid, signal, thread, value });
    }
    Ok(0)
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
