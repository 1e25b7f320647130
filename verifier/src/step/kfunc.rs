//! Calls of kernel functions, and variables of the kernel.

use skep_btf::TypeId;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::Reg;

use super::Next;

impl Walk<'_> {
    pub(super) fn call_kfunc(&mut self, id: i32, module: i16) -> Result<Next, Fault> {
        Err(Fault::not_modelled(format!("kernel function {id} of module {module}")))
    }

    /// What a wide load of a variable of the kernel yields.
    pub(super) fn variable(&mut self, id: TypeId) -> Result<Reg, Fault> {
        Err(Fault::not_modelled(format!("kernel variable {}", id.0)))
    }
}
