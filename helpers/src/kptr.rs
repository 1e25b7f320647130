//! Bodies: kernel pointers in map values and objects.

use std::sync::atomic::Ordering;

use skep_memory::Access;

use crate::HeldKind;
use crate::call::{Call, Done, helpers};

helpers! {
    194 "bpf_kptr_xchg" => xchg,
}

/// `(slot, ptr)`: what was in the slot. The reference to the one goes into it, that to the other to the program.
fn xchg(c: &mut Call<'_>) -> Done {
    let (slot, new, by) = (c.arg(1), c.arg(2), c.name);
    if new != 0 && c.parts().held.release_object(new).is_none() {
        return Err(c.bad(2, format_args!("{new:#x} is no object that this run holds")));
    }
    let old = c
        .memory()
        .check(slot, 8, Access::Write)
        .map(|(region, at)| region.block.atomic64(at).map(|word| word.swap(new, Ordering::AcqRel)));
    let old = match old {
        Ok(Some(old)) => old,
        Ok(None) => return Err(c.bad(1, "a pointer that is not aligned")),
        Err(fault) => return Err(c.bad(1, fault)),
    };
    if old != 0 {
        let parts = c.parts();
        let kind = if parts.world.heap.get(old).is_some() { HeldKind::Allocation } else { HeldKind::Object("kptr") };
        parts.held.acquire(kind, old, by);
    }
    Ok(old)
}
