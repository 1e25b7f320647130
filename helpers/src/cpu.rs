//! Bodies: the CPU, and random numbers.

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    7 "bpf_get_prandom_u32" => |c| Ok(u64::from(c.world().random.next_u32())),
    8 "bpf_get_smp_processor_id" => |c| Ok(u64::from(c.world().cpu)),
    42 "bpf_get_numa_node_id" => |c| Ok(u64::from(c.world().numa_node)),
    153 "bpf_per_cpu_ptr" => |c| {
        let cpu = c.arg32(2);
        if cpu >= c.world().cpus { Ok(0) } else { copy_of(c, cpu) }
    },
    154 "bpf_this_cpu_ptr" => |c| {
        let cpu = c.world().cpu;
        copy_of(c, cpu)
    },
}

/// A CPU's copy of the variable or object that argument 1 points to.
fn copy_of(c: &mut Call<'_>, cpu: u32) -> Done {
    let addr = c.arg(1);
    let world = c.world();
    let found = world.per_cpu(addr, cpu).or_else(|| world.heap.per_cpu(addr, cpu));
    found.ok_or_else(|| -> Fail { c.bad(1, format_args!("{addr:#x} is nothing that each CPU has")) })
}
