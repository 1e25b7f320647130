//! Fields of map values that are no plain bytes.

use skep_btf::{Btf, TypeId};
use skep_isa::{Operand, Reg as Name};
use skep_linux::SpecialKind;
use skep_linux::special::special;
use skep_linux::trust::kernel_object;
use skep_program::{Holds, MapDef, SpecialField};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, MapRef, Reg, TypesOf};
use crate::types::record::{Link, pointee};
use crate::types::walk::embedded;
use crate::why::Mem;

use super::region::Span;
use super::{Access, Does};

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

/// What a pointer in a map value points to.
#[derive(Debug, Clone, Copy)]
pub(in crate::step) struct Pointee<'a> {
    /// The kind of pointer.
    pub kind: SpecialKind,
    /// Whose struct.
    pub types: TypesOf,
    /// The struct.
    pub id: TypeId,
    /// The types that it is of.
    pub btf: &'a Btf,
}

impl<'a> Walk<'a> {
    /// What the pointer that is this field points to.
    pub(in crate::step) fn pointee(&self, map: &'a MapDef, field: &SpecialField) -> Result<Pointee<'a>, Fault> {
        let (Some(btf), Holds::Struct(to)) = (map.btf.as_deref(), field.to) else {
            return Err(Fault::bug("a pointer in a map value to nothing"));
        };
        let link = pointee(btf, to, field.kind, self.setting.target);
        let link = link.map_err(|error| Fault::not_modelled(format!("a map that Linux refuses: {error}")))?;
        let Link::Pointee { types, id } = link else { return Err(Fault::bug("a pointer in a map value to no struct")) };
        let btf = match types {
            TypesOf::Kernel => self.setting.vmlinux().ok_or_else(|| Fault::bug("a kernel without types"))?,
            TypesOf::Program => btf,
        };
        Ok(Pointee { kind: field.kind, types, id, btf })
    }

    /// A load or store of a pointer in a map value; `false` if no pointer lies there.
    pub(super) fn access_pointer_field(&mut self, access: &Access, map: MapRef, off: i64) -> Result<bool, Fault> {
        let map = self.map_of(map)?;
        let field = map.special.iter().find(|field| i64::from(field.offset) == off && is_pointer(field.kind));
        let Some(field) = field else { return Ok(false) };
        let plain = !access.strict && matches!(access.does, Does::Load { .. } | Does::Store(_));
        if !plain {
            return Err(Mem::PointerMode.into());
        }
        match (access.does, field.kind) {
            (Does::Load { .. }, _) => {
                let value = self.loaded_pointer(&self.pointee(map, field)?)?;
                self.loaded(access, value);
            }
            (_, SpecialKind::KptrRef | SpecialKind::KptrPercpu) => return Err(Mem::StoresReference.into()),
            (_, SpecialKind::Uptr) => return Err(Mem::StoresUser.into()),
            (Does::Store(Operand::Imm(0)), _) => {}
            (Does::Store(Operand::Imm(_)), _) => return Err(Mem::StoresNumber(field.offset).into()),
            (Does::Store(Operand::Reg(src)), _) => {
                let value = *self.state.reg(src);
                if !value.is_null() {
                    self.check_pointee(&self.pointee(map, field)?, &value, src)?;
                }
            }
            (Does::Read | Does::Write, _) => {}
        }
        Ok(true)
    }

    /// What a load of such a pointer yields.
    fn loaded_pointer(&mut self, to: &Pointee<'_>) -> Result<Reg, Fault> {
        if to.kind == SpecialKind::Uptr {
            let size = to.btf.size_of(to.id).map_err(|_| Fault::bug("a pointer to what has no size"))?;
            return Ok(self.maybe_null(Reg::pointer(Kind::Mem { size, dynptr: 0 })));
        }
        let kept = match (to.kind, to.types) {
            (SpecialKind::KptrPercpu, _) | (SpecialKind::KptrRef, TypesOf::Program) => true,
            (SpecialKind::KptrRef, TypesOf::Kernel) => kernel_object(to.btf.name(to.id)).is_some_and(|row| row.rcu),
            _other => false,
        };
        let flags = if !kept || !self.in_rcu_section() {
            Flags::UNTRUSTED
        } else {
            let own = match (to.kind, to.types) {
                (SpecialKind::KptrPercpu, _) => Flags::PERCPU,
                (_, TypesOf::Program) => Flags::ALLOC,
                (_, TypesOf::Kernel) => Flags::NONE,
            };
            let node = to.types == TypesOf::Program
                && self.prep.objects(self.setting)?.get(to.id).is_some_and(|record| record.has_nodes());
            Flags::RCU.with(own).with(if node { Flags::NON_OWNING } else { Flags::NONE })
        };
        Ok(self.maybe_null(Reg::pointer(Kind::Btf { types: to.types, id: to.id }).flagged(flags)))
    }

    /// The value is a pointer to what the field points to.
    pub(in crate::step) fn check_pointee(&self, to: &Pointee<'_>, value: &Reg, name: Name) -> Result<(), Fault> {
        let untracked = to.kind == SpecialKind::KptrUntrusted;
        let bad = |of: &str| {
            let wanted = to.btf.name(to.id);
            let or = if untracked { format!(" or untrusted_ptr_{wanted}") } else { String::new() };
            Err(Mem::Pointee { reg: name.number(), kind: value.type_name() + of, wanted: format!("ptr_{wanted}{or}") }.into())
        };
        let Kind::Btf { types, id } = value.kind else { return bad("") };
        let allowed = match types {
            TypesOf::Kernel if untracked => Flags::MAYBE_NULL.with(Flags::TRUSTED).with(Flags::RCU).with(Flags::UNTRUSTED),
            TypesOf::Kernel => Flags::MAYBE_NULL.with(Flags::TRUSTED).with(Flags::RCU),
            TypesOf::Program if to.kind == SpecialKind::KptrPercpu => Flags::MAYBE_NULL.with(Flags::ALLOC).with(Flags::PERCPU),
            TypesOf::Program => Flags::MAYBE_NULL.with(Flags::ALLOC),
        };
        if value.flags.without(allowed) != Flags::NONE {
            return bad("");
        }
        let btf = self.types_of(types)?;
        self.check_fixed_offset(value, name, true)?;
        if types != to.types || !embedded(btf, id, value.off as u32, to.id, !untracked) {
            return bad(btf.name(id));
        }
        Ok(())
    }
}
