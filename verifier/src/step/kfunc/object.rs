//! Objects that programs allocate, and count references to.

use skep_isa::Reg as Name;
use skep_linux::SpecialKind;
use skep_linux::kfuncs::Role;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, TypesOf};
use crate::why::Kfunc;

use super::Call;

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
}
