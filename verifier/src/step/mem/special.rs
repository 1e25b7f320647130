//! Fields of map values that are no plain bytes.

use skep_linux::SpecialKind;
use skep_linux::special::special;
use skep_program::SpecialField;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{MapRef, Reg};
use crate::why::Mem;

use super::Access;
use super::region::Span;

/// Whether a field of this kind is a pointer, which instructions may load and store.
pub(super) const fn is_pointer(kind: SpecialKind) -> bool {
    match kind {
        SpecialKind::KptrUntrusted | SpecialKind::KptrRef | SpecialKind::KptrPercpu | SpecialKind::Uptr => true,
        SpecialKind::SpinLock
        | SpecialKind::ResSpinLock
        | SpecialKind::Timer
        | SpecialKind::Workqueue
        | SpecialKind::TaskWork
        | SpecialKind::ListHead
        | SpecialKind::ListNode
        | SpecialKind::RbRoot
        | SpecialKind::RbNode
        | SpecialKind::Refcount => false,
    }
}

/// The kernel's name of a kind of field.
fn label(kind: SpecialKind) -> &'static str {
    special(kind).label()
}

/// Bytes of a field are reached: nothing but a pointer may be, and that as a whole, by an instruction.
pub(super) fn check_touch(field: &SpecialField, reg: &Reg, span: Span, direct: bool) -> Result<(), Fault> {
    let field_name = label(field.kind);
    if !is_pointer(field.kind) {
        return Err(Mem::TouchesField(field_name).into());
    }
    if !direct {
        return Err(Mem::PointerIndirect(field_name).into());
    }
    let Some(var) = reg.num.constant() else { return Err(Mem::PointerVariable(field_name).into()) };
    let off = (var as i64).wrapping_add(i64::from(span.off)) as u64;
    if off != u64::from(field.offset) {
        return Err(Mem::PointerMisaligned { field: field_name, expected: field.offset, off }.into());
    }
    if span.size != 8 {
        return Err(Mem::PointerSize(field_name).into());
    }
    Ok(())
}

impl Walk<'_> {
    /// A load or store of a pointer in a map value; `false` if no pointer lies there.
    pub(super) fn access_pointer_field(&mut self, access: &Access, map: MapRef, off: i64) -> Result<bool, Fault> {
        let map = self.map_of(map)?;
        let field = map.special.iter().find(|field| i64::from(field.offset) == off && is_pointer(field.kind));
        match field {
            None => Ok(false),
            Some(_) => {
                let _ = access;
                Err(Fault::not_modelled("pointers in map values"))
            }
        }
    }
}
