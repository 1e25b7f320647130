//! Bodies: locks, and sections that must not be left open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use skep_linux::Errno;
use skep_memory::{Access, Block, Memory};

use crate::HeldKind;
use crate::call::{Call, Done, helpers, kfuncs};

helpers! {
    93 "bpf_spin_lock" => |c| {
        lock(c, true)?;
        Ok(0)
    },
    94 "bpf_spin_unlock" => unlock,
}

kfuncs! {
    "bpf_rcu_read_lock" => |c| enter(c, HeldKind::Rcu),
    "bpf_rcu_read_unlock" => |c| leave(c, HeldKind::Rcu),
    "bpf_preempt_disable" => |c| enter(c, HeldKind::Preempt),
    "bpf_preempt_enable" => |c| leave(c, HeldKind::Preempt),
    "bpf_local_irq_save" => |c| irq_save(c, 1),
    "bpf_local_irq_restore" => |c| irq_restore(c, 1),
    "bpf_res_spin_lock" => |c| lock(c, false),
    "bpf_res_spin_unlock" => unlock,
    "bpf_res_spin_lock_irqsave" => |c| {
        let refused = lock(c, false)?;
        if refused == 0 {
            irq_save(c, 2)?;
        }
        Ok(refused)
    },
    "bpf_res_spin_unlock_irqrestore" => |c| {
        unlock(c)?;
        irq_restore(c, 2)
    },
}

/// How long a lock is waited for that another thread holds. A plain one that stays taken ends the run; it is what the kernel grants a
/// resilient one.
const PATIENCE: Duration = Duration::from_millis(250);
/// A resilient lock that stays taken is an error number, and the program may try again as often as its budget allows.
const RESILIENT_PATIENCE: Duration = Duration::from_millis(2);
/// Interrupts are on: bit 9 of the flags register.
const IRQ_ON: u64 = 0x200;

fn enter(c: &mut Call<'_>, kind: HeldKind) -> Done {
    let by = c.name;
    c.parts().held.acquire(kind, 0, by);
    Ok(0)
}

fn leave(c: &mut Call<'_>, kind: HeldKind) -> Done {
    match c.parts().held.release(kind, 0) {
        Some(_) => Ok(0),
        None => Err(c.bad(0, "no section of this kind is open")),
    }
}

/// Argument `n` points to where the state of interrupts is kept: on outside of all sections.
fn irq_save(c: &mut Call<'_>, n: usize) -> Done {
    let flags = if c.parts().held.count_of(HeldKind::Irq) == 0 { IRQ_ON } else { 0 };
    c.store(n, 0, 8, flags)?;
    let (addr, by) = (c.arg(n), c.name);
    c.parts().held.acquire(HeldKind::Irq, addr, by);
    Ok(0)
}

fn irq_restore(c: &mut Call<'_>, n: usize) -> Done {
    let addr = c.arg(n);
    match c.parts().held.release(HeldKind::Irq, addr) {
        Some(_) => Ok(0),
        None => Err(c.bad(n, "interrupts were not saved here")),
    }
}

/// The word of a lock, and where it lies.
fn word(memory: &Memory, addr: u64) -> Option<(Arc<Block>, usize)> {
    let (region, at) = memory.check(addr, 4, Access::Write).ok()?;
    region.block.atomic32(at).map(|_| (region.block.clone(), at))
}

/// Sets a word from 0 to 1, unless it stays taken.
fn take(word: &AtomicU32, patience: Duration) -> bool {
    let free = || word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
    if free() {
        return true;
    }
    let started = Instant::now();
    while started.elapsed() < patience {
        std::thread::yield_now();
        if free() {
            return true;
        }
    }
    false
}

/// Sets the word of a lock from 0 to 1. Taking a lock twice is an error number for resilient locks, and a deadlock for plain ones.
fn lock(c: &mut Call<'_>, plain: bool) -> Done {
    let addr = c.arg(1);
    if c.parts().held.count(HeldKind::Lock, addr) != 0 {
        return if plain { Err(c.bad(1, "the program holds this lock already")) } else { Err(Errno::EDEADLK.into()) };
    }
    let (block, at) = word(c.memory(), addr).ok_or_else(|| c.bad(1, format_args!("no lock at {addr:#x}")))?;
    let patience = if plain { PATIENCE } else { RESILIENT_PATIENCE };
    if !block.atomic32(at).is_some_and(|word| take(word, patience)) {
        return if plain { Err(c.bad(1, "the lock stays taken")) } else { Err(Errno::ETIMEDOUT.into()) };
    }
    let by = c.name;
    c.parts().held.acquire(HeldKind::Lock, addr, by);
    Ok(0)
}

fn unlock(c: &mut Call<'_>) -> Done {
    let addr = c.arg(1);
    if c.parts().held.release(HeldKind::Lock, addr).is_none() {
        return Err(c.bad(1, "the program does not hold this lock"));
    }
    free(c.memory(), addr).ok_or_else(|| c.not_simulated("a lock whose memory is gone"))?;
    Ok(0)
}

/// Clears the word of a lock.
pub(crate) fn free(memory: &Memory, addr: u64) -> Option<()> {
    let (block, at) = word(memory, addr)?;
    block.atomic32(at)?.store(0, Ordering::Release);
    Some(())
}
