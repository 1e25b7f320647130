//! Bodies: the CPU, and random numbers.

use crate::call::helpers;

helpers! {
    7 "bpf_get_prandom_u32" => |c| Ok(u64::from(c.world().random.next_u32())),
    8 "bpf_get_smp_processor_id" => |c| Ok(u64::from(c.world().cpu)),
    42 "bpf_get_numa_node_id" => |c| Ok(u64::from(c.world().numa_node)),
}
