//! Bodies: CPU masks. Only the bits of CPUs that there are count.

use skep_btf::Kind;
use skep_linux::Errno;

use crate::HeldKind;
use crate::call::{Call, Done, Fail, kfuncs};

kfuncs! {
    "bpf_cpumask_create" => create,
    "bpf_cpumask_acquire" => acquire,
    "bpf_cpumask_release" => release,
    "bpf_cpumask_first" => |c| first(c, |c| load(c, 1)),
    "bpf_cpumask_first_zero" => |c| first(c, |c| Ok(load(c, 1)?.iter().map(|cpu| !cpu).collect())),
    "bpf_cpumask_first_and" => |c| first(c, |c| both(c, 1, 2, |a, b| a & b)),
    "bpf_cpumask_set_cpu" => |c| set(c, Some(true)),
    "bpf_cpumask_clear_cpu" => |c| set(c, Some(false)),
    "bpf_cpumask_test_cpu" => |c| set(c, None),
    "bpf_cpumask_test_and_set_cpu" => |c| set(c, Some(true)),
    "bpf_cpumask_test_and_clear_cpu" => |c| set(c, Some(false)),
    "bpf_cpumask_setall" => |c| fill(c, true),
    "bpf_cpumask_clear" => |c| fill(c, false),
    "bpf_cpumask_and" => |c| combine(c, |a, b| a & b),
    "bpf_cpumask_or" => |c| combine(c, |a, b| a | b),
    "bpf_cpumask_xor" => |c| combine(c, |a, b| a ^ b),
    "bpf_cpumask_equal" => |c| Ok(both(c, 1, 2, |a, b| a == b)?.iter().all(|same| *same).into()),
    "bpf_cpumask_intersects" => |c| Ok(both(c, 1, 2, |a, b| a & b)?.contains(&true).into()),
    "bpf_cpumask_subset" => |c| Ok(both(c, 1, 2, |a, b| !a | b)?.iter().all(|within| *within).into()),
    "bpf_cpumask_empty" => |c| Ok((!load(c, 1)?.contains(&true)).into()),
    "bpf_cpumask_full" => |c| Ok((!load(c, 1)?.contains(&false)).into()),
    "bpf_cpumask_copy" => |c| {
        let mask = load(c, 2)?;
        store(c, 1, &mask)?;
        Ok(0)
    },
    "bpf_cpumask_any_distribute" => |c| distribute(c, |c| load(c, 1)),
    "bpf_cpumask_any_and_distribute" => |c| distribute(c, |c| both(c, 1, 2, |a, b| a & b)),
    "bpf_cpumask_weight" => |c| Ok(load(c, 1)?.iter().filter(|cpu| **cpu).count() as u64),
    "bpf_cpumask_populate" => populate,
}

/// A mask: whether each CPU is in it.
type Mask = Vec<bool>;

fn cpus(c: &mut Call<'_>) -> usize {
    c.world().cpus as usize
}

/// The mask that argument `n` points to.
fn load(c: &mut Call<'_>, n: usize) -> Result<Mask, Fail> {
    let cpus = cpus(c);
    let bytes = c.bytes(n, cpus.div_ceil(8) as u64)?;
    Ok((0..cpus).map(|cpu| bytes[cpu / 8] >> (cpu % 8) & 1 != 0).collect())
}

/// Writes the whole words of a mask.
fn store(c: &mut Call<'_>, n: usize, mask: &[bool]) -> Result<(), Fail> {
    let mut bytes = vec![0; mask.len().div_ceil(64) * 8];
    for (cpu, _) in mask.iter().enumerate().filter(|(_, there)| **there) {
        bytes[cpu / 8] |= 1 << (cpu % 8);
    }
    c.write(n, &bytes)
}

fn both(c: &mut Call<'_>, a: usize, b: usize, with: fn(bool, bool) -> bool) -> Result<Mask, Fail> {
    let (a, b) = (load(c, a)?, load(c, b)?);
    Ok(a.iter().zip(&b).map(|(a, b)| with(*a, *b)).collect())
}

/// An empty mask that the program holds.
fn create(c: &mut Call<'_>) -> Done {
    /// `NR_CPUS` of a kernel whose types do not say it, in bytes; and the count of references behind it.
    const DEFAULT: usize = 1024;
    const USAGE: usize = 4;
    let btf = c.world().target.btf().cloned();
    let known = btf.and_then(|btf| btf.size_of(btf.find("bpf_cpumask", Kind::Struct)?).ok());
    let least = cpus(c).div_ceil(64) * 8 + USAGE;
    let size = known.map_or(DEFAULT + USAGE, |size| size as usize).max(least);
    crate::alloc::allocate(c, "a CPU mask", size, None, Vec::new())
}

/// `(cpumask)`: the mask, with a reference more.
fn acquire(c: &mut Call<'_>) -> Done {
    let (addr, by) = (c.arg(1), c.name);
    let parts = c.parts();
    if parts.world.heap.acquire(addr).is_none() {
        return Err(c.bad(1, format_args!("{addr:#x} is no mask that a program made")));
    }
    parts.held.acquire(HeldKind::Allocation, addr, by);
    Ok(addr)
}

/// `(cpumask)`.
fn release(c: &mut Call<'_>) -> Done {
    let addr = c.arg(1);
    if c.parts().held.release_object(addr).is_none() {
        return Err(c.bad(1, format_args!("{addr:#x} is no mask that this run holds")));
    }
    crate::alloc::let_go(&mut c.parts(), addr);
    Ok(0)
}

/// The first CPU; the number of CPUs if there is none.
fn first(c: &mut Call<'_>, mask: fn(&mut Call<'_>) -> Result<Mask, Fail>) -> Done {
    let mask = mask(c)?;
    Ok(mask.iter().position(|there| *there).unwrap_or(mask.len()) as u64)
}

/// The next CPU after the one that the last call gave, going round.
fn distribute(c: &mut Call<'_>, mask: fn(&mut Call<'_>) -> Result<Mask, Fail>) -> Done {
    let mask = mask(c)?;
    let world = c.world();
    let from = world.last_distributed as usize + 1;
    let next = (from..mask.len()).chain(0..from.min(mask.len())).find(|cpu| mask[*cpu]);
    if let Some(next) = next {
        world.last_distributed = next as u32;
    }
    Ok(next.unwrap_or(mask.len()) as u64)
}

/// `(cpu, cpumask)`: whether the CPU was in the mask; puts it in or takes it out.
fn set(c: &mut Call<'_>, to: Option<bool>) -> Done {
    let cpu = c.arg32(1) as usize;
    if cpu >= cpus(c) {
        return Ok(0);
    }
    let (byte, bit) = ((cpu / 8) as u64, 1_u64 << (cpu % 8));
    let old = c.load(2, byte, 1)?;
    if let Some(to) = to {
        c.store(2, byte, 1, if to { old | bit } else { old & !bit })?;
    }
    Ok((old & bit != 0).into())
}

/// `(cpumask)`.
fn fill(c: &mut Call<'_>, with: bool) -> Done {
    let mask = vec![with; cpus(c)];
    store(c, 1, &mask)?;
    Ok(0)
}

/// `(dst, src1, src2)`: whether any CPU is left.
fn combine(c: &mut Call<'_>, with: fn(bool, bool) -> bool) -> Done {
    let mask = both(c, 2, 3, with)?;
    store(c, 1, &mask)?;
    Ok(mask.contains(&true).into())
}

/// `(cpumask, src, src_size)`.
fn populate(c: &mut Call<'_>) -> Done {
    let words = cpus(c).div_ceil(64) as u64 * 8;
    if c.arg(3) < words {
        return Err(Errno::EACCES.into());
    }
    let mask = load(c, 2)?;
    store(c, 1, &mask)?;
    Ok(0)
}
