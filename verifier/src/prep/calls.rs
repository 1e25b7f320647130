//! What is known of a call before any path is followed.

use skep_btf::{Type, TypeId};
use skep_linux::helpers::Ret;
use skep_linux::{HelperRow, KfuncRow, limits};

use super::raw::Step;
use crate::fault::Fault;
use crate::setting::{Setting, flags};
use crate::why::{Form, Types};

/// A kernel function that a program calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelFunc {
    /// Id of its `FUNC` in the target's types.
    pub id: i32,
    /// Its row, if there is one; whether the program may call it is asked where a path comes to the call.
    pub row: Option<&'static KfuncRow>,
    /// The program may call it, as far as its row says.
    pub allowed: bool,
    /// Parameters.
    pub params: u8,
    /// It returns nothing.
    pub void: bool,
}

/// The kernel functions that a program calls, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kfuncs {
    funcs: Vec<KernelFunc>,
}

impl Kfuncs {
    /// The function of this id.
    pub fn get(&self, id: i32) -> Option<&KernelFunc> {
        self.funcs.binary_search_by_key(&id, |func| func.id).ok().map(|index| &self.funcs[index])
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &KernelFunc> {
        self.funcs.iter()
    }

    /// A call of the function of this id, in the kernel (module 0) or in the module at this place of the list of types.
    pub(super) fn add(&mut self, setting: &Setting<'_>, id: i32, module: i16) -> Result<(), Fault> {
        if !skep_linux::gpl_compatible(&setting.program.license) {
            return Err(Form::KfuncLicense.into());
        }
        if id == 0 && module == 0 {
            return Ok(()); // may turn out to be dead code
        }
        if module < 0 {
            return Err(Form::KfuncModule.into());
        }
        if module > 0 {
            return Err(Fault::not_modelled("kernel functions of modules"));
        }
        let Err(index) = self.funcs.binary_search_by_key(&id, |func| func.id) else { return Ok(()) };
        if self.funcs.len() == limits::MAX_KFUNCS {
            return Err(Form::TooManyKfuncs.into());
        }
        self.funcs.insert(index, describe(setting, id)?);
        Ok(())
    }
}

fn describe(setting: &Setting<'_>, id: i32) -> Result<KernelFunc, Fault> {
    let Some(btf) = setting.vmlinux() else {
        return Err(Fault::not_modelled("kernel functions of a kernel whose types are not known"));
    };
    let Some(Type::Func(func)) = btf.get(TypeId(id as u32)) else {
        return Err(Form::KfuncId(id as u32).into());
    };
    let Some(Type::FuncProto(proto)) = btf.get(func.proto) else {
        return Err(Form::KfuncProto(id as u32).into());
    };
    let row = skep_linux::kfunc(func.name);
    if row.is_some_and(|row| row.device_bound) && !setting.flag(flags::XDP_DEV_BOUND_ONLY) {
        return Err(Types::KfuncDevice.into());
    }
    let offered = skep_linux::kfuncs::is_offered(btf, TypeId(id as u32));
    let allowed = row
        .is_some_and(|row| offered && setting.target.since(row.since) && row.users.contains(setting.prog_type(), setting.attach));
    let params = u8::try_from(proto.params().len()).unwrap_or(u8::MAX);
    Ok(KernelFunc { id, row, allowed, params, void: proto.ret() == TypeId(0) })
}

/// Registers that a call reads and writes, if it is one of a helper or kernel function that the program may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary {
    /// It reads `r1` up to this register.
    pub(super) params: u8,
    /// It leaves `r0` alone.
    pub(super) void: bool,
    /// The kernel puts instructions in its place that leave the other registers alone.
    pub(super) fastcall: bool,
}

/// The row of the helper of this number.
pub(super) fn helper(id: i32) -> Option<&'static HelperRow> {
    u32::try_from(id).ok().and_then(skep_linux::helper)
}

/// What a call is known to do with registers.
pub(super) fn summary(setting: &Setting<'_>, kfuncs: &Kfuncs, step: Step) -> Option<Summary> {
    match step {
        Step::Helper(id) => {
            let row = helper(id)?;
            let proto = setting.may_call(row)?;
            Some(Summary { params: proto.args.len() as u8, void: proto.ret == Ret::Void, fastcall: proto.fastcall })
        }
        Step::Kfunc(id, 0) => {
            let func = kfuncs.get(id).filter(|func| func.allowed)?;
            Some(Summary { params: func.params, void: func.void, fastcall: func.row.is_some_and(|row| row.fastcall) })
        }
        Step::Kfunc(..)
        | Step::Next
        | Step::Wide
        | Step::Func(_)
        | Step::Goto(_)
        | Step::Branch(_)
        | Step::MayGoto(_)
        | Step::Local(_)
        | Step::OtherCall
        | Step::Exit => None,
    }
}
