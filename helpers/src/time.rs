//! Bodies: time.

use crate::call::{Call, Done, helpers};

helpers! {
    5 "bpf_ktime_get_ns" => |c| Ok(c.world().clock.read().monotonic),
    118 "bpf_jiffies64" => |c| Ok(c.world().clock.read().jiffies()),
    125 "bpf_ktime_get_boot_ns" => |c| Ok(c.world().clock.read().boot()),
    160 "bpf_ktime_get_coarse_ns" => ktime_get_coarse_ns,
    208 "bpf_ktime_get_tai_ns" => |c| Ok(c.world().clock.read().tai()),
}

/// The coarse clock moves with the tick.
fn ktime_get_coarse_ns(c: &mut Call<'_>) -> Done {
    let clock = c.world().clock.read();
    let tick = 1_000_000_000 / clock.hz.max(1);
    Ok(clock.monotonic - clock.monotonic % tick.max(1))
}
