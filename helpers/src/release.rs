//! The end of a run: nothing that it held stays taken.

use skep_maps::RingBuf;

use crate::{HeldKind, Machine};

/// Gives back what a run holds that ended, by a trap or because nobody verified it: locks are freed, records discarded, objects let go.
/// Then deals with what maps let go in the meantime.
pub fn release(machine: &mut dyn Machine) {
    let live = machine.parts().held.live().to_vec();
    for reference in live {
        let addr = reference.addr;
        machine.parts().held.release(reference.kind, addr);
        match reference.kind {
            HeldKind::Lock => {
                // Its memory may be gone, and the lock with it.
                crate::lock::free(machine.parts().memory, addr);
            }
            HeldKind::Record => {
                machine.parts().memory.remove(addr);
                let ring = machine.find_map(&|map| map.as_any().downcast_ref::<RingBuf>().is_some_and(|ring| ring.holds(addr)));
                if let Some(ring) = ring.as_ref().and_then(|map| map.as_any().downcast_ref::<RingBuf>()) {
                    // A record that is not open any more needs no end.
                    ring.discard(addr).ok();
                }
            }
            HeldKind::Allocation => crate::alloc::let_go(&mut machine.parts(), addr),
            HeldKind::Object(_) | HeldKind::Iterator | HeldKind::Rcu | HeldKind::Preempt | HeldKind::Irq => {}
        }
    }
    crate::alloc::sweep(&mut machine.parts());
}
