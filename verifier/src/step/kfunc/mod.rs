//! Calls of kernel functions: whether the program may call one, and what it leaves. A file for arguments, and one for each family of
//! functions of which the verifier knows more than their types.

mod args;
mod callback;
mod graph;
mod iter;
mod object;
mod result;
mod sections;
mod variable;

use std::rc::Rc;

use skep_btf::{Btf, TypeId};
use skep_isa::Reg as Name;
use skep_linux::KfuncRow;
use skep_linux::kfuncs::Role;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::MapRef;
use crate::types::kfunc_args::{self, Kfunc as Function};
use crate::why::Kfunc;

use super::Next;
use super::call::scratch;
use super::dynptr::Dynptr;

/// A call of a kernel function, and what its arguments say of it.
#[derive(Debug, Clone)]
struct Call<'a> {
    func: Rc<Function<'a>>,
    row: &'static KfuncRow,
    /// The kernel's types.
    btf: &'a Btf,
    /// The reference that the last argument with one holds.
    ref_id: u32,
    /// The argument whose reference is given up.
    releases: Option<Name>,
    /// The argument that must be a constant.
    constant: Option<u64>,
    /// Bytes that the result points to, if an argument says so and not 0, and whether they may only be read.
    size: u32,
    rdonly: bool,
    /// The map among the arguments, and which lookup it came from.
    map: Option<(MapRef, u32)>,
    /// The iterator among the arguments: frame and slot.
    iter: Option<(usize, usize)>,
    /// The program's struct of an object among the arguments.
    object: Option<TypeId>,
    /// The object is the program's own.
    owning: bool,
    /// The items of the list or tree among the arguments.
    items: Option<graph::Items>,
    /// The dynptr among the arguments, if it was one before.
    dynptr: Option<Dynptr>,
    /// The function of the program among the arguments.
    callback: Option<usize>,
}

impl Call<'_> {
    /// The result may be NULL: that of a further reference to an object that the program holds is not.
    fn may_return_null(&self) -> bool {
        self.row.ret_null && !(self.row.role == Role::RefcountAcquire && self.owning)
    }
}

/// Functions that may be called while a lock is held.
fn under_lock(row: &KfuncRow) -> bool {
    match row.role {
        Role::ListPush
        | Role::ListPop
        | Role::ListPeek
        | Role::RbtreeAdd
        | Role::RbtreeRemove
        | Role::RbtreePeek
        | Role::RbtreeChild
        | Role::RefcountAcquire
        | Role::Lock
        | Role::Unlock
        | Role::LockIrqSave
        | Role::UnlockIrqRestore => true,
        Role::IterNew
        | Role::IterNext
        | Role::IterDestroy
        | Role::Plain
        | Role::ObjNew
        | Role::ObjDrop
        | Role::PercpuObjNew
        | Role::PercpuObjDrop
        | Role::CastToKernCtx
        | Role::RdonlyCast
        | Role::RcuLock
        | Role::RcuUnlock
        | Role::PreemptDisable
        | Role::PreemptEnable
        | Role::IrqSave
        | Role::IrqRestore
        | Role::DynptrFromSkb
        | Role::DynptrFromSkbMeta
        | Role::DynptrFromXdp
        | Role::DynptrSlice
        | Role::DynptrSliceWritable
        | Role::DynptrClone
        | Role::Throw
        | Role::WqCallback
        | Role::TaskWork
        | Role::Trap
        | Role::ChangesPacket => row.under_lock,
    }
}

impl<'w> Walk<'w> {
    pub(super) fn call_kfunc(&mut self, id: i32, module: i16) -> Result<Next, Fault> {
        if id == 0 && module == 0 {
            // It must turn out that no path comes here.
            return Ok(Next::At(self.pc + 1));
        }
        if module != 0 {
            return Err(Fault::not_modelled("kernel functions of modules"));
        }
        let mut call = self.fetch(TypeId(id as u32))?;
        match call.row.role {
            Role::Trap => return Err(Kfunc::Trap.into()),
            Role::Lock | Role::LockIrqSave => self.fork_at_lock()?,
            _other => {}
        }
        if call.row.destructive && !self.setting.options.privileges.sys_admin {
            return Err(Kfunc::Destructive.into());
        }
        if call.row.sleepable && !self.state.sleepable {
            return Err(Kfunc::Sleeps(call.func.name.to_owned()).into());
        }
        self.kfunc_args(&mut call)?;
        self.queue_callbacks(&call)?;
        self.kfunc_sections(&call)?;
        if let Some(released) = call.releases {
            let id = self.state.reg(released).ref_id;
            if !self.release_reference(id) {
                return Err(Fault::bug("a reference that is not held"));
            }
        }
        self.give_to_root(&call)?;
        if call.row.role == Role::Throw {
            if self.prep.exception_callback.is_none() {
                self.check_return(Name::R1)?;
            }
            return self.throw();
        }
        scratch(self.state.frame_mut());
        self.kfunc_result(&call)?;
        match call.row.role {
            Role::ChangesPacket => self.forget_packet(),
            Role::IterNext => self.iter_next(&call)?,
            _other => {}
        }
        Ok(Next::At(self.pc + 1))
    }

    /// The function, if the program may call it.
    fn fetch(&mut self, id: TypeId) -> Result<Call<'w>, Fault> {
        let btf = self.setting.vmlinux().ok_or_else(|| Fault::bug("a kernel function without types"))?;
        let found = self.prep.kfuncs.get(id.0 as i32).ok_or_else(|| Fault::bug("a kernel function that nobody calls"))?;
        let Some(row) = found.row else {
            // What the kernel marks as callable and has no row here may or may not be for this program.
            if btf.decl_tags(id).any(|tag| tag.value == "bpf_kfunc") {
                return Err(Fault::not_modelled(format!("kernel function {}", btf.name(id))));
            }
            return Err(self.refused_call(btf.name(id)));
        };
        if !found.allowed {
            return Err(self.refused_call(btf.name(id)));
        }
        if self.state.refs.active_locks > 0 && !under_lock(row) {
            return Err(Kfunc::UnderLock.into());
        }
        let func = self.function_of(id, row)?;
        Ok(Call {
            func,
            row,
            btf,
            ref_id: 0,
            releases: None,
            constant: None,
            size: 0,
            rdonly: false,
            map: None,
            iter: None,
            object: None,
            owning: false,
            items: None,
            dynptr: None,
            callback: None,
        })
    }

    /// What types say of the function.
    fn function_of(&mut self, id: TypeId, row: &'static KfuncRow) -> Result<Rc<Function<'w>>, Fault> {
        if let Some(known) = self.kernel_functions.get(&id) {
            return Ok(Rc::clone(known));
        }
        let func = Rc::new(kfunc_args::kfunc(self.setting, id, row)?);
        self.kernel_functions.insert(id, Rc::clone(&func));
        Ok(func)
    }

    fn refused_call(&self, name: &str) -> Fault {
        if self.state.refs.active_locks > 0 {
            return Kfunc::UnderLock.into();
        }
        Kfunc::NotAllowed(name.to_owned()).into()
    }

    /// The kernel function that a call instruction at a slot names, as its role.
    pub(in crate::step) fn kfunc_role(&self, pc: usize) -> Option<Role> {
        match self.prep.code.insn(pc)? {
            skep_isa::Insn::Call(skep_isa::Callee::Kfunc { id, module: 0 }) => self.prep.kfuncs.get(id)?.row.map(|row| row.role),
            _other => None,
        }
    }

    /// The path is in the function that compares items of a tree, called with the lock of the tree held.
    pub(in crate::step) fn in_tree_callback(&self) -> bool {
        let frame = self.state.frame();
        self.state.depth() > 0
            && frame.in_callback
            && matches!(
                self.kfunc_role(frame.callsite as usize),
                Some(Role::RbtreeAdd | Role::RbtreeRemove | Role::RbtreePeek | Role::RbtreeChild)
            )
    }
}
