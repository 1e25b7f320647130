//! Dynptrs: two slots of the stack each, or a pointer to one that the kernel keeps.

use skep_isa::{Reg as Name, Size};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Byte, DynptrKind, Kind, Reg, Slot};
use crate::why::Call;

use super::mem::{Access, Does};
use super::slots::{Slots, mask};

/// Slots of a dynptr.
const SLOTS: usize = 2;

/// A dynptr that an argument points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dynptr {
    /// What it is made of.
    pub of: DynptrKind,
    /// Its id, which its slices have, too.
    pub id: u32,
    /// The reference that it holds; 0 for none.
    pub ref_id: u32,
}

impl Walk<'_> {
    /// The argument points to no stack, and to no dynptr of the kernel.
    fn is_dynptr_pointer(&self, name: Name) -> Result<Reg, Fault> {
        let reg = *self.state.reg(name);
        match reg.kind {
            Kind::Stack { .. } | Kind::ConstDynptr { .. } => Ok(reg),
            _other => Err(Call::DynptrPointer(name.number() - 1).into()),
        }
    }

    /// The dynptr that a register points to; `None`, and what the log says before, if there is none.
    fn dynptr_at(&self, reg: &Reg) -> Result<Dynptr, String> {
        if let Kind::ConstDynptr { of } = reg.kind {
            return Ok(Dynptr { of, id: reg.id, ref_id: reg.ref_id });
        }
        match self.object_slots(reg, "dynptr", SLOTS) {
            Slots::Nowhere(text) => Err(text + "\n"),
            Slots::Beyond => Err(String::new()),
            Slots::At { frame, spi } => {
                let stack = &self.state.frames[frame].stack;
                let (top, below) = (stack.slot(spi), stack.slot(spi - 1));
                let whole = top.bytes.iter().chain(&below.bytes).all(|byte| *byte == Byte::Dynptr);
                match top.reg.kind {
                    Kind::DynptrSlot { of, first: true } if whole => Ok(Dynptr { of, id: top.reg.id, ref_id: top.reg.ref_id }),
                    _other => Err(String::new()),
                }
            }
        }
    }

    /// The argument is a dynptr. `changes`: the call changes it, so that it must be the program's own; `wanted`: the kind that it must be of.
    pub(super) fn use_dynptr(&mut self, name: Name, changes: bool, wanted: Option<DynptrKind>) -> Result<Dynptr, Fault> {
        let reg = self.is_dynptr_pointer(name)?;
        let arg = name.number() - 1;
        if changes && matches!(reg.kind, Kind::ConstDynptr { .. }) {
            return Err(Call::DynptrConst.into());
        }
        let dynptr = self.dynptr_at(&reg).map_err(|first| Call::DynptrAbsent { first, arg })?;
        if let Some(kind) = wanted.filter(|kind| *kind != dynptr.of) {
            return Err(Call::DynptrKind { kind: kind.name(), arg }.into());
        }
        if let Slots::At { frame, spi } = self.object_slots(&reg, "dynptr", SLOTS) {
            self.stack_read(frame, mask(spi, SLOTS));
        }
        Ok(dynptr)
    }

    /// The call makes a dynptr where the argument points to. `shares`: it holds this reference, which another holds already; 0 for a new one,
    /// if its kind holds one.
    pub(super) fn make_dynptr(&mut self, name: Name, of: DynptrKind, shares: u32) -> Result<Dynptr, Fault> {
        let reg = self.is_dynptr_pointer(name)?;
        let first = match self.object_slots(&reg, "dynptr", SLOTS) {
            _slots if matches!(reg.kind, Kind::ConstDynptr { .. }) => Some(String::new()),
            Slots::Nowhere(text) => Some(text + "\n"),
            Slots::At { .. } | Slots::Beyond => None,
        };
        if let Some(first) = first {
            return Err(Call::DynptrPresent(first).into());
        }
        for off in [0, 8] {
            self.access(&Access { base: name, off, size: Size::Dw, does: Does::Write, strict: false })?;
        }
        let Slots::At { frame, spi } = self.object_slots(&reg, "dynptr", SLOTS) else {
            return Err(Fault::bug("a dynptr beyond the stack"));
        };
        self.break_dynptr(frame, spi)?;
        self.break_dynptr(frame, spi - 1)?;
        let id = self.new_id();
        let ref_id = match of.is_counted() {
            false => 0,
            true if shares != 0 => shares,
            true => self.acquire_reference(),
        };
        for (at, first) in [(spi, true), (spi - 1, false)] {
            let reg = Reg { id, ref_id, ..Reg::pointer(Kind::DynptrSlot { of, first }) };
            *self.state.frames[frame].stack.slot_mut(at) = Slot { bytes: [Byte::Dynptr; 8], reg };
        }
        self.stack_written(frame, mask(spi, SLOTS));
        Ok(Dynptr { of, id, ref_id })
    }

    /// The argument names a dynptr that may be given up.
    pub(super) fn check_dynptr_held(&self, name: Name) -> Result<(), Fault> {
        let reg = self.state.reg(name);
        if !matches!(reg.kind, Kind::Stack { .. }) {
            return Err(Call::DynptrUnowned.into());
        }
        let number = name.number();
        let first = match self.object_slots(reg, "dynptr", SLOTS) {
            Slots::At { frame, spi } if self.state.frames[frame].stack.slot(spi).reg.ref_id != 0 => return Ok(()),
            Slots::At { .. } | Slots::Beyond => String::new(),
            Slots::Nowhere(text) => text + "\n",
        };
        Err(Call::DynptrUnacquired { first, arg: number }.into())
    }

    /// The dynptr that the argument points to is given up: with its reference, slices of it and other dynptrs of the same thing.
    pub(super) fn end_dynptr(&mut self, name: Name) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let Slots::At { frame, spi } = self.object_slots(&reg, "dynptr", SLOTS) else {
            return Err(Fault::bug("a dynptr that was there before"));
        };
        let dynptr = self.dynptr_at(&reg).map_err(|_| Fault::bug("a dynptr that was there before"))?;
        if !dynptr.of.is_counted() {
            self.clear_dynptr(frame, spi);
            return Ok(());
        }
        self.release_reference(dynptr.ref_id);
        for spi in 1..self.state.frames[frame].stack.len() {
            let slot = self.state.frames[frame].stack.slot(spi);
            if slot.bytes[0] == Byte::Dynptr
                && slot.reg.ref_id == dynptr.ref_id
                && matches!(slot.reg.kind, Kind::DynptrSlot { first: true, .. })
            {
                self.clear_dynptr(frame, spi);
            }
        }
        Ok(())
    }

    fn clear_dynptr(&mut self, frame: usize, spi: usize) {
        let stack = &mut self.state.frames[frame].stack;
        *stack.slot_mut(spi) = Slot::EMPTY;
        *stack.slot_mut(spi - 1) = Slot::EMPTY;
        self.stack_written(frame, mask(spi, SLOTS));
    }
}
