//! Bodies: timers, work queues and task work. The fields in map values stay as they are; what is in them is in the world, by their address.

use std::sync::Arc;

use skep_linux::Errno;
use skep_maps::{Caller, Map};
use skep_memory::{Block, Region, RegionKind};
use skep_program::SpecialKind;
use skep_world::{LaterCall, LaterKind, TimerClock};

use crate::call::{Call, Done, Fail, helpers, kfuncs};
use crate::{Machine, Stop, Trap};

helpers! {
    169 "bpf_timer_init" => timer_init,
    170 "bpf_timer_set_callback" => set_callback,
    171 "bpf_timer_start" => timer_start,
    172 "bpf_timer_cancel" => timer_cancel,
}

kfuncs! {
    "bpf_wq_init" => wq_init,
    "bpf_wq_set_callback_impl" => |c| {
        no_flags(c, 3)?;
        set_callback(c)
    },
    "bpf_wq_start" => wq_start,
    "bpf_task_work_schedule_signal_impl" => task_work,
    "bpf_task_work_schedule_resume_impl" => task_work,
}

/// `BPF_F_TIMER_ABS` and `BPF_F_TIMER_CPU_PIN`.
const ABSOLUTE: u64 = 1;
const PINNED: u64 = 2;

fn no_flags(c: &Call<'_>, n: usize) -> Result<(), Fail> {
    if c.arg32(n) == 0 { Ok(()) } else { Err(Errno::EINVAL.into()) }
}

/// Puts something into the field of argument 1 in the map of argument 2.
fn init(c: &mut Call<'_>, kind: LaterKind, clock: TimerClock) -> Done {
    let (field, map) = (c.arg(1), c.arg(2));
    c.map(2)?;
    c.writable(1, 8)?;
    crate::alloc::sweep(&mut c.parts());
    let later = &mut c.world().later;
    if later.get(field).is_some() {
        return Err(Errno::EBUSY.into());
    }
    later.insert(field, LaterCall::new(kind, map, clock));
    Ok(0)
}

/// `(timer, map, flags)`.
fn timer_init(c: &mut Call<'_>) -> Done {
    let clock = match c.arg(3) {
        0 => TimerClock::Real,
        1 => TimerClock::Monotonic,
        7 => TimerClock::Boot,
        _other_clocks_and_flags => return Err(Errno::EINVAL.into()),
    };
    init(c, LaterKind::Timer, clock)
}

/// `(wq, map, flags)`.
fn wq_init(c: &mut Call<'_>) -> Done {
    no_flags(c, 3)?;
    init(c, LaterKind::Work, TimerClock::Monotonic)
}

/// What is in the field of argument 1; `EINVAL` if nothing is.
fn in_field<'c>(c: &'c mut Call<'_>) -> Result<&'c mut LaterCall, Fail> {
    let field = c.arg(1);
    c.world().later.get(field).ok_or(Fail::Errno(Errno::EINVAL))
}

/// `(timer, callback)`.
fn set_callback(c: &mut Call<'_>) -> Done {
    let callback = c.arg(2);
    in_field(c)?.callback = Some(callback);
    Ok(0)
}

/// `(timer, nsecs, flags)`.
fn timer_start(c: &mut Call<'_>) -> Done {
    let [field, nanoseconds, flags, ..] = c.args;
    if flags & !(ABSOLUTE | PINNED) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let timer = in_field(c)?;
    if timer.callback.is_none() {
        return Err(Errno::EINVAL.into());
    }
    let clock = timer.clock;
    let world = c.world();
    let now = if flags & ABSOLUTE != 0 { 0 } else { clock.now(&world.clock) };
    world.later.start(field, now.saturating_add(nanoseconds));
    Ok(0)
}

/// `(timer)`: 1 if it was started. It has no function any more.
fn timer_cancel(c: &mut Call<'_>) -> Done {
    let field = c.arg(1);
    in_field(c)?;
    if c.world().later.running == Some(field) {
        return Err(Errno::EDEADLK.into());
    }
    let timer = in_field(c)?;
    timer.callback = None;
    Ok(timer.due.take().is_some().into())
}

/// `(wq, flags)`.
fn wq_start(c: &mut Call<'_>) -> Done {
    no_flags(c, 2)?;
    let field = c.arg(1);
    let work = in_field(c)?;
    if work.callback.is_none() {
        return Err(Errno::EINVAL.into());
    }
    // Work that waits already is not queued again.
    if work.due.is_none() {
        c.world().later.start(field, 0);
    }
    Ok(0)
}

/// `(task, tw, map, callback)`: the function runs once.
fn task_work(c: &mut Call<'_>) -> Done {
    let [_, field, map, callback, _] = c.args;
    crate::task::task(c, 1)?;
    c.map(3)?;
    c.writable(2, 8)?;
    crate::alloc::sweep(&mut c.parts());
    let later = &mut c.world().later;
    if later.get(field).is_some() {
        return Err(Errno::EBUSY.into());
    }
    let mut work = LaterCall::new(LaterKind::TaskWork, map, TimerClock::Monotonic);
    work.callback = Some(callback);
    later.insert(field, work);
    later.start(field, 0);
    Ok(0)
}

/// Calls the function of the timer or work in a field, which is then not started any more.
///
/// # Errors
/// What ends the function, or a field whose value is gone.
pub fn fire(machine: &mut dyn Machine, field: u64) -> Result<(), Stop> {
    let later = &mut machine.parts().world.later;
    let Some(call) = later.get(field) else {
        return Ok(());
    };
    call.due = None;
    let (kind, handle, callback) = (call.kind, call.map, call.callback);
    if kind == LaterKind::TaskWork {
        later.remove(field);
    }
    let Some(callback) = callback else {
        return Ok(());
    };
    let map = machine.map(handle).ok_or_else(|| Trap::Illegal("a timer of a map that is gone".into()))?;
    let (value, key) = element(&*map, kind, field)?;
    let lent = key.lend(machine);
    machine.parts().world.later.running = Some(field);
    let done = machine.call(callback, [handle, lent, value, 0, 0]);
    let parts = machine.parts();
    parts.world.later.running = None;
    if let Key::Bytes(block) = key {
        parts.memory.remove(block.addr());
    }
    done.map(drop)
}

/// The key that a function is called with: where the map keeps it, or a copy.
enum Key {
    At(u64),
    Bytes(Arc<Block>),
}

impl Key {
    /// Makes it reachable, and gives its address.
    fn lend(&self, machine: &mut dyn Machine) -> u64 {
        match self {
            Key::At(addr) => *addr,
            Key::Bytes(block) => {
                let kind = RegionKind::Lent("a map key".into());
                machine.parts().memory.add(Region::whole(kind, block.clone(), false));
                block.addr()
            }
        }
    }
}

/// The element that a field lies in: the address of its value, and its key.
fn element(map: &dyn Map, kind: LaterKind, field: u64) -> Result<(u64, Key), Trap> {
    let wanted = match kind {
        LaterKind::Timer => SpecialKind::Timer,
        LaterKind::Work => SpecialKind::Workqueue,
        LaterKind::TaskWork => SpecialKind::TaskWork,
    };
    let mut cursor = 0;
    let offsets: Vec<u64> = map.def().special.iter().filter(|f| f.kind == wanted).map(|f| u64::from(f.offset)).collect();
    while let Ok(Some(visit)) = map.visit(Caller { cpu: 0 }, &mut cursor) {
        let value = visit.value.addr();
        if offsets.iter().any(|offset| value + offset == field) {
            let key = visit.key_slot.map_or_else(|| Key::Bytes(Block::from_bytes(&visit.key)), |slot| Key::At(slot.addr()));
            return Ok((value, key));
        }
    }
    Err(Trap::Illegal(format!("no value of map {} has a timer or work at {field:#x}", map.def().name)))
}
