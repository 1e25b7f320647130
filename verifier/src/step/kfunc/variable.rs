//! Variables and functions of the kernel whose address a program loads.

use skep_btf::{Type, TypeId};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg, TypesOf};

impl Walk<'_> {
    /// What a wide load of a variable of the kernel yields.
    pub(in crate::step) fn variable(&mut self, id: TypeId) -> Result<Reg, Fault> {
        let btf = self.setting.vmlinux().ok_or_else(|| Fault::not_modelled("variables of a kernel without types"))?;
        let memory = |size| Ok(Reg::pointer(Kind::Mem { size, dynptr: 0 }).flagged(Flags::RDONLY));
        let var = match btf.get(id) {
            Some(Type::Func(_)) => return memory(0),
            Some(Type::Var(var)) => var,
            _other => return Err(Fault::not_modelled(format!("what type {} of the kernel is the address of", id.0))),
        };
        let per_cpu = btf.find(".data..percpu", skep_btf::Kind::Datasec).and_then(|section| match btf.get(section) {
            Some(Type::Datasec(section)) => Some(section),
            _other => None,
        });
        let of = Kind::Btf { types: TypesOf::Kernel, id: btf.resolve(var.ty) };
        if per_cpu.is_some_and(|section| section.vars().any(|var| var.ty == id)) {
            return Ok(Reg::pointer(of).flagged(Flags::PERCPU));
        }
        if crate::types::is_composite(btf, btf.resolve(var.ty)) {
            return Ok(Reg::pointer(of));
        }
        let size = btf.size_of(var.ty).map_err(|_| Fault::not_modelled("a kernel variable without a size"))?;
        memory(size)
    }
}
