//! Atomic operations.

use skep_isa::{AtomicOp, Operand, Reg as Name, Size};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Kind, Reg};
use crate::why::Mem;

use super::mem::{Access, Does};

impl Walk<'_> {
    pub(super) fn load_acquire(&mut self, size: Size, dst: Name, base: Name, off: i16) -> Result<(), Fault> {
        let through = *self.state.reg(base);
        self.load_aligned(size, false, dst, base, off, true)?;
        self.check_atomic_kind(&through, base, "loads from")
    }

    pub(super) fn store_release(&mut self, size: Size, base: Name, off: i16, src: Name) -> Result<(), Fault> {
        self.store_aligned(size, base, off, Operand::Reg(src), true)?;
        let through = *self.state.reg(base);
        self.check_atomic_kind(&through, base, "stores into")
    }

    pub(super) fn atomic(&mut self, size: Size, op: AtomicOp, base: Name, off: i16, src: Name) -> Result<(), Fault> {
        self.read(src)?;
        let through = *self.read(base)?;
        if op == AtomicOp::Cmpxchg {
            self.read(Name::R0)?;
            if self.is_guarded_pointer(Name::R0) {
                return Err(Mem::LeaksInto { reg: 0, what: "mem" }.into());
            }
        }
        if self.is_guarded_pointer(src) {
            return Err(Mem::LeaksInto { reg: src.number(), what: "mem" }.into());
        }
        self.check_atomic_kind(&through, base, "stores into")?;
        let fetched = crate::explore::fetched(op, src);
        if let Some(dst) = fetched {
            let subreg_def = if size == Size::Dw { 0 } else { self.pc as u32 + 1 };
            self.write(dst, Reg { subreg_def, ..Reg::UNKNOWN })?;
        }
        let access = Access { base, off: i32::from(off), size, does: Does::Read, strict: true };
        self.access(&access)?;
        if let Some(dst) = fetched {
            self.access(&Access { does: Does::Load { dst, signed: false }, ..access })?;
        }
        self.note_reach(&through);
        if through.kind == Kind::Arena {
            self.note_through(&through, false)?;
        }
        self.access(&Access { does: Does::Write, ..access })
    }

    /// Atomic operations reach plain memory only.
    fn check_atomic_kind(&self, reg: &Reg, base: Name, way: &'static str) -> Result<(), Fault> {
        if !reg.kind.row().atomic {
            return Err(Mem::Atomic { way, reg: base.number(), kind: reg.type_name() }.into());
        }
        Ok(())
    }
}
