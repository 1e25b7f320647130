//! Objects that programs allocate, and count references to.

use skep_btf::{Type, TypeId};
use skep_isa::Reg as Name;
use skep_linux::SpecialKind;
use skep_linux::kfuncs::Role;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg, TypesOf};
use crate::why::Kfunc;

use super::Call;
use super::params::is_scalar_struct;

/// The largest object of which each CPU may have its own.
const MAX_PERCPU_OBJECT: u32 = 512;

impl Walk<'_> {
    /// The argument is an object that the program holds, to be freed.
    pub(super) fn object_arg(&self, call: &Call<'_>, name: Name) -> Result<(), Fault> {
        let reg = self.state.reg(name);
        let arg = name.number() - 1;
        let freed_by = match (reg.kind, reg.flags) {
            (Kind::Btf { .. }, Flags::ALLOC) => Some(Role::ObjDrop),
            (Kind::Btf { .. }, flags) if flags == Flags::ALLOC.with(Flags::PERCPU) => Some(Role::PercpuObjDrop),
            _other => None,
        };
        match freed_by {
            None => return Err(Kfunc::NotObject(arg).into()),
            Some(Role::ObjDrop) if call.row.role != Role::ObjDrop => {
                return Err(Kfunc::OtherObject { arg, func: "bpf_obj_drop_impl" }.into());
            }
            Some(Role::PercpuObjDrop) if call.row.role != Role::PercpuObjDrop => {
                return Err(Kfunc::OtherObject { arg, func: "bpf_percpu_obj_drop_impl" }.into());
            }
            Some(_) => {}
        }
        if reg.ref_id == 0 {
            return Err(Kfunc::ObjectNotHeld.into());
        }
        Ok(())
    }

    /// The argument is an object that counts references, held or not.
    pub(super) fn counted_arg(&self, call: &mut Call<'_>, name: Name) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let arg = name.number() - 1;
        let Kind::Btf { types: TypesOf::Program, id } = reg.kind else { return Err(Kfunc::NotCounted(arg).into()) };
        if !reg.flags.has(Flags::ALLOC) {
            return Err(Kfunc::NotCounted(arg).into());
        }
        if self.prep.objects(self.setting)?.get(id).is_none() {
            return Err(Kfunc::Bug("Couldn't find btf_record").into());
        }
        if self.fields_of(&reg)?.find(SpecialKind::Refcount).is_none() {
            return Err(Kfunc::CountsNothing(arg).into());
        }
        call.owning = !reg.flags.has(Flags::NON_OWNING);
        call.object = Some(id);
        Ok(())
    }

    /// A new object of the struct whose id the program gave.
    pub(super) fn new_object(&self, call: &Call<'_>) -> Result<Reg, Fault> {
        let value = call.constant.ok_or_else(|| Fault::bug("an object of no type"))?;
        let id = u32::try_from(value).map(TypeId).map_err(|_| Kfunc::ObjectId)?;
        let btf = self.setting.program.btf.as_deref().ok_or(Kfunc::ObjectWithoutTypes)?;
        let Some(Type::Struct(of)) = btf.get(id) else { return Err(Kfunc::ObjectKind.into()) };
        let reg = Reg::pointer(Kind::Btf { types: TypesOf::Program, id });
        let special = self.prep.objects(self.setting)?.get(id).is_some();
        if call.row.role == Role::ObjNew {
            return Ok(reg.flagged(Flags::ALLOC));
        }
        if of.size() > MAX_PERCPU_OBJECT {
            return Err(Kfunc::ObjectSize { size: of.size(), most: MAX_PERCPU_OBJECT }.into());
        }
        if !is_scalar_struct(btf, id, 0) {
            return Err(Kfunc::PercpuNumbers.into());
        }
        if special {
            return Err(Kfunc::PercpuSpecial.into());
        }
        Ok(reg.flagged(Flags::ALLOC.with(Flags::PERCPU)))
    }

    /// One more reference to an object.
    pub(super) fn same_object(&self, call: &Call<'_>) -> Result<Reg, Fault> {
        let id = call.object.ok_or_else(|| Fault::bug("a reference to nothing"))?;
        Ok(Reg::pointer(Kind::Btf { types: TypesOf::Program, id }).flagged(Flags::ALLOC))
    }
}
