//! Variables and functions of the kernel whose address a program loads.

use crate::explore::Walk;
use crate::fault::Fault;
use crate::prep::KernelVar;
use crate::state::{Flags, Kind, Reg, TypesOf};

impl Walk<'_> {
    /// What a wide load of a variable of the kernel yields.
    pub(in crate::step) fn variable(&self) -> Result<Reg, Fault> {
        let btf = self.setting.vmlinux().ok_or_else(|| Fault::bug("a kernel variable without types"))?;
        let var = self.prep.vars.get(self.pc).ok_or_else(|| Fault::bug("a kernel variable that nobody named"))?;
        let of = |ty| Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: btf.resolve(ty) });
        Ok(match var {
            KernelVar::Memory(size) => Reg::pointer(Kind::Mem { size, dynptr: 0 }).flagged(Flags::RDONLY),
            KernelVar::Struct(ty) => of(ty),
            KernelVar::PerCpu(ty) => of(ty).flagged(Flags::PERCPU),
        })
    }
}
