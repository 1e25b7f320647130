//! References that are taken and given up, and pointers that are not valid any more.

use crate::explore::Walk;
use crate::state::{Flags, Kind, RefKind, Reg};

impl Walk<'_> {
    /// A new reference, taken here.
    pub(super) fn acquire_reference(&mut self) -> u32 {
        let id = self.new_id();
        let pc = self.pc as u32;
        self.state.refs.acquire(RefKind::Pointer, id, pc);
        id
    }

    /// Gives a reference up, with all copies of its pointer; `false` if it is not held.
    pub(super) fn release_reference(&mut self, id: u32) -> bool {
        let held = self.state.refs.release_pointer(id);
        if held {
            self.invalidate(|reg| reg.ref_id == id);
        }
        held
    }

    /// Pointers into the packet: it may have moved.
    pub(super) fn forget_packet(&mut self) {
        self.invalidate(|reg| reg.is_packet_any() || matches!(reg.kind, Kind::Mem { .. }) && reg.flags.has(Flags::OF_PACKET));
    }

    /// Registers that hold what is not valid any more: numbers that nobody knows, to those who may see pointers as numbers.
    pub(super) fn invalidate(&mut self, which: impl Fn(&Reg) -> bool) {
        let leak = self.setting.may_leak();
        self.state.change_all(which, |reg| {
            *reg = if leak { Reg { subreg_def: reg.subreg_def, ..Reg::UNKNOWN } } else { Reg::NOT_INIT };
        });
    }
}
