//! What a kernel function leaves in `r0`.

use std::rc::Rc;

use skep_isa::Reg as Name;
use skep_linux::kfuncs::Role;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{DynptrKind, Flags, Kind, Reg, TypesOf};
use crate::step::fields::may_hold_lock;
use crate::types::kfunc_args::Ret;
use crate::types::objects::{self, Cast};
use crate::why::{Kfunc, Types};

use super::Call;

impl Walk<'_> {
    /// The result.
    pub(super) fn kfunc_result(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        let func = Rc::clone(&call.func);
        let r0 = match &func.ret {
            Ret::Void | Ret::Other => return Ok(()),
            Ret::Scalar(size) => self.number_result(call, *size),
            Ret::Address if call.row.ret_null || call.row.acquire => {
                return Err(Fault::not_modelled(format!("the address that {} returns", func.name)));
            }
            Ret::Address => Reg::UNKNOWN,
            Ret::Unsupported(kind, name) => {
                return Err(Types::KfuncReturn { func: func.name.to_owned(), kind, name: name.clone() }.into());
            }
            Ret::Allocated
            | Ret::SameObject
            | Ret::Node
            | Ret::KernelContext
            | Ret::Cast
            | Ret::Slice
            | Ret::Memory { .. }
            | Ret::Struct { .. } => {
                let r0 = self.pointer_result(call, &func.ret)?;
                self.owned(call, r0)?
            }
        };
        *self.state.reg_mut(Name::R0) = r0;
        Ok(())
    }

    fn number_result(&self, call: &Call<'_>, size: u32) -> Reg {
        let subreg_def = if size == 8 { 0 } else { self.pc as u32 + 1 };
        let value = match call.row.role {
            Role::Lock | Role::LockIrqSave => Reg::exact(0),
            _other => Reg::UNKNOWN,
        };
        Reg { subreg_def, ..value }
    }

    /// With its reference, and the mark that it may be NULL.
    fn owned(&mut self, call: &Call<'_>, mut r0: Reg) -> Result<Reg, Fault> {
        let null = call.may_return_null();
        if null {
            r0.flags = r0.flags.with(Flags::MAYBE_NULL);
            r0.id = self.new_id();
        }
        if call.row.acquire {
            let id = self.acquire_reference();
            if null {
                r0.id = id;
            }
            r0.ref_id = id;
        } else if call.func.ret == Ret::Node {
            r0.flags = r0.flags.with(self.borrowed_flags(&r0)?);
        }
        if r0.id == 0 && may_hold_lock(self.setting, self.prep, &r0) {
            r0.id = self.new_id();
        }
        Ok(r0)
    }

    fn pointer_result(&self, call: &Call<'_>, ret: &Ret) -> Result<Reg, Fault> {
        let constant = || call.constant.ok_or_else(|| Fault::bug("a result without its constant"));
        let program = |id| Reg::pointer(Kind::Btf { types: TypesOf::Program, id });
        let kernel = |id, flags| Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id }).flagged(flags);
        match *ret {
            Ret::Allocated => {
                let percpu = call.row.role == Role::PercpuObjNew;
                let id = objects::allocated(self.setting, self.prep.objects(self.setting)?, constant()?, percpu)?;
                let flags = if percpu { Flags::ALLOC.with(Flags::PERCPU) } else { Flags::ALLOC };
                Ok(program(id).flagged(flags))
            }
            Ret::SameObject => {
                let id = call.object.ok_or_else(|| Fault::bug("a reference to nothing"))?;
                Ok(program(id).flagged(Flags::ALLOC))
            }
            Ret::Node => call.items.map(Walk::node_pointer).ok_or_else(|| Fault::bug("a node of nothing")),
            Ret::KernelContext => Ok(kernel(objects::kernel_struct_of_context(self.setting)?, Flags::TRUSTED)),
            Ret::Cast => Ok(match objects::cast(call.btf, constant()?)? {
                Cast::Struct(id, flags) => kernel(id, flags),
                Cast::Memory => Reg::pointer(Kind::Mem { size: 0, dynptr: 0 }).flagged(Flags::RDONLY.with(Flags::UNTRUSTED)),
            }),
            Ret::Slice => self.slice(call, constant()?),
            Ret::Memory { size, rdonly, flags } => {
                let size = size.unwrap_or(call.size);
                let flags = if rdonly || call.rdonly { flags.with(Flags::RDONLY) } else { flags };
                let reg = Reg::pointer(Kind::Mem { size, dynptr: 0 }).flagged(flags);
                Ok(Reg { ref_id: call.ref_id, ..reg })
            }
            Ret::Struct { to, flags } => Ok(kernel(to, flags.with(self.iterator_trust(call)?))),
            Ret::Void | Ret::Other | Ret::Scalar(_) | Ret::Address | Ret::Unsupported(..) => {
                Err(Fault::bug("a pointer that is none"))
            }
        }
    }

    /// How far the elements that an iterator gives are trusted.
    fn iterator_trust(&self, call: &Call<'_>) -> Result<Flags, Fault> {
        if call.row.role != Role::IterNext {
            return Ok(Flags::NONE);
        }
        let (frame, spi) = call.iter.ok_or_else(|| Fault::bug("a step of no iterator"))?;
        let rcu = self.state.frames[frame].stack.slot(spi).reg.flags.has(Flags::RCU);
        Ok(if rcu { Flags::RCU } else { Flags::TRUSTED })
    }

    /// Memory of a dynptr.
    fn slice(&self, call: &Call<'_>, size: u64) -> Result<Reg, Fault> {
        let dynptr = call.dynptr.ok_or_else(|| Fault::bug("a slice of no dynptr"))?;
        let size = u32::try_from(size).map_err(|_| Fault::not_modelled("slices of more than 4 GiB"))?;
        let of = match dynptr.of {
            DynptrKind::Skb | DynptrKind::Xdp | DynptrKind::SkbMeta => Flags::OF_PACKET,
            DynptrKind::Local | DynptrKind::Ringbuf => Flags::OF_MEMORY,
            DynptrKind::File => return Err(Fault::not_modelled("slices of files")),
        };
        let flags = if call.row.role == Role::DynptrSlice {
            of.with(Flags::RDONLY)
        } else if self.setting.row.packet_write {
            of
        } else {
            return Err(Kfunc::PacketReadOnly.into());
        };
        Ok(Reg::pointer(Kind::Mem { size, dynptr: dynptr.id }).flagged(flags))
    }
}
