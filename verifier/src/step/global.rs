//! Functions that are verified by themselves: calls to them, and their own entry.

use skep_isa::Reg as Name;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Kind, RefKind, Reg};
use crate::types::attach::AttachKind;

use super::Next;

impl Walk<'_> {
    pub(super) fn call_global(&mut self, subprog: usize) -> Result<Next, Fault> {
        Err(Fault::not_modelled(format!("calls of global functions ({})", self.prep.subprogs[subprog].name)))
    }

    /// What registers hold where a function that is verified by itself begins.
    pub(crate) fn enter_function(&mut self, subprog: usize) -> Result<(), Fault> {
        if subprog > 0 {
            return Err(Fault::not_modelled("global functions"));
        }
        *self.state.reg_mut(Name::R1) = Reg::pointer(Kind::Ctx);
        self.hold_arguments();
        Ok(())
    }

    /// Some operations are given arguments with the reference that they hold.
    fn hold_arguments(&mut self) {
        let Some(AttachKind::Operation { args, .. }) = self.attach.map(|attach| &attach.kind) else { return };
        for (index, _) in args.iter().enumerate().filter(|(_, arg)| arg.referenced) {
            let id = self.new_id();
            self.state.refs.acquire(RefKind::Pointer, id, 0);
            self.arg_refs.push((index as u32, id));
        }
    }
}
