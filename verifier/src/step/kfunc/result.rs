//! What a kernel function leaves in `r0`.

use skep_btf::{Btf, Kind as BtfKind, Type, TypeId};
use skep_isa::Reg as Name;
use skep_linux::kfuncs::Role;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg, TypesOf};
use crate::types::is_composite;
use crate::why::Kfunc;

use super::Call;
use super::params::kind_word;

impl Walk<'_> {
    /// The result.
    pub(super) fn kfunc_result(&mut self, call: &Call<'_>) -> Result<(), Fault> {
        let ret = call.btf.resolve(call.proto.ret());
        let pointee = match call.btf.get(ret) {
            Some(Type::Ptr(to)) => Some(call.btf.resolve(to.to)),
            _other => None,
        };
        let makes_object = matches!(call.row.role, Role::ObjNew | Role::PercpuObjNew | Role::RefcountAcquire);
        if call.row.acquire && !makes_object && !pointee.is_some_and(|to| is_composite(call.btf, to)) {
            return Err(Kfunc::AcquiresNothing.into());
        }
        match call.btf.get(ret) {
            Some(Type::Int(int)) => self.number_result(call, int.size),
            Some(Type::Enum(e)) => self.number_result(call, e.size()),
            Some(Type::Ptr(_)) => {
                let to = pointee.unwrap_or(TypeId::VOID);
                let r0 = self.pointer_result(call, to)?;
                *self.state.reg_mut(Name::R0) = self.owned(call, r0, to)?;
            }
            _void => {}
        }
        Ok(())
    }

    fn number_result(&mut self, call: &Call<'_>, size: u32) {
        let subreg_def = if size == 8 { 0 } else { self.pc as u32 + 1 };
        let value = match call.row.role {
            Role::Lock | Role::LockIrqSave => Reg::exact(0),
            _other => Reg::UNKNOWN,
        };
        *self.state.reg_mut(Name::R0) = Reg { subreg_def, ..value };
    }

    /// With its reference, and the mark that it may be NULL.
    fn owned(&mut self, call: &Call<'_>, mut r0: Reg, to: TypeId) -> Result<Reg, Fault> {
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
        } else if is_node(call.btf, to) {
            r0.flags = r0.flags.with(self.borrowed_flags(&r0)?);
        }
        if r0.id == 0 && self.may_hold_lock(&r0)? {
            r0.id = self.new_id();
        }
        Ok(r0)
    }

    fn pointer_result(&mut self, call: &Call<'_>, to: TypeId) -> Result<Reg, Fault> {
        match call.row.role {
            Role::CastToKernCtx => return self.kernel_context(call),
            Role::RdonlyCast => return read_only_cast(call),
            Role::ObjNew | Role::PercpuObjNew => return self.new_object(call),
            Role::RefcountAcquire => return self.same_object(call),
            _other => {}
        }
        if is_node(call.btf, to) {
            return call.items.map(Walk::node_pointer).ok_or_else(|| Fault::bug("a node of nothing"));
        }
        if to.is_void() {
            return Ok(Reg::UNKNOWN);
        }
        if !is_composite(call.btf, to) {
            return memory_result(call, to);
        }
        let flags = match call.row.role {
            Role::IterNext => {
                let (frame, spi) = call.iter.ok_or_else(|| Fault::bug("a step of no iterator"))?;
                let rcu = self.state.frames[frame].stack.slot(spi).reg.flags.has(Flags::RCU);
                if rcu { Flags::RCU } else { Flags::TRUSTED }
            }
            _other if call.row.name == "bpf_get_kmem_cache" => Flags::UNTRUSTED,
            _other if call.row.rcu_protected => Flags::RCU,
            _other => Flags::NONE,
        };
        Ok(Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: to }).flagged(flags))
    }

    /// The context as the kernel has it.
    fn kernel_context(&self, call: &Call<'_>) -> Result<Reg, Fault> {
        let found = call.btf.find("bpf_ctx_convert", BtfKind::Struct).and_then(|id| match call.btf.get(id) {
            Some(Type::Struct(table)) => table.member_named(&format!("{}_kern", self.setting.prog_type().name())),
            _other => None,
        });
        let Some((_, member)) = found else {
            return Err(Fault::not_modelled(format!("the kernel's context of {:?} programs", self.setting.prog_type())));
        };
        let id = member.ty;
        if !is_composite(call.btf, id) {
            return Err(Kfunc::ContextKind(id.0).into());
        }
        Ok(Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id }).flagged(Flags::TRUSTED))
    }
}

/// A node of a list or tree.
fn is_node(btf: &Btf, to: TypeId) -> bool {
    btf.kind(to) == BtfKind::Struct && matches!(btf.name(to), "bpf_list_node" | "bpf_rb_node")
}

/// Memory behind a pointer to something else than a struct.
fn memory_result(call: &Call<'_>, to: TypeId) -> Result<Reg, Fault> {
    let unsupported =
        || Kfunc::Returns { func: call.name.to_owned(), kind: kind_word(call.btf, to), name: call.btf.name(to).to_owned() };
    let (size, rdonly) = match call.size.filter(|size| *size != 0) {
        Some(size) => (size as u32, call.rdonly),
        None => (call.btf.size_of(to).ok().filter(|size| *size != 0).ok_or_else(unsupported)?, true),
    };
    let mut flags = if rdonly { Flags::RDONLY } else { Flags::NONE };
    if call.row.rcu_protected {
        flags = flags.with(Flags::RCU);
    }
    let reg = Reg::pointer(Kind::Mem { size, dynptr: 0 }).flagged(flags);
    Ok(Reg { ref_id: call.ref_id, ..reg })
}

/// What a program says a pointer is to: reads of it are guarded.
fn read_only_cast(call: &Call<'_>) -> Result<Reg, Fault> {
    let value = call.constant.ok_or_else(|| Fault::bug("a cast to no type"))?;
    let id = TypeId(value as u32);
    match call.btf.get(id) {
        Some(Type::Void) => Ok(Reg::pointer(Kind::Mem { size: 0, dynptr: 0 }).flagged(Flags::RDONLY.with(Flags::UNTRUSTED))),
        Some(Type::Struct(_) | Type::Union(_)) => {
            Ok(Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id }).flagged(Flags::UNTRUSTED))
        }
        Some(_) => Err(Kfunc::CastKind.into()),
        None => Err(Kfunc::CastUnknown(value as i64).into()),
    }
}
