//! Functions that are verified by themselves: calls to them, and their own entry.

use std::rc::Rc;

use skep_btf::TypeId;
use skep_isa::Reg as Name;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{DynptrKind, Flags, Kind, RefKind, Reg, TypesOf};
use crate::types::attach::AttachKind;
use crate::types::func_args::{FuncArg, Signature, check_exception_callback, signature};
use crate::types::walk::embedded;
use crate::why::Call;

use super::Next;
use super::call::scratch;

/// What is known of a function that is verified by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Its parameters, once they were asked for.
    signature: Option<Rc<Signature>>,
    /// A call did not agree with them: no other is looked at.
    unreliable: bool,
}

impl Walk<'_> {
    /// The parameters of a function of the program, by its own types.
    fn signature_of(&mut self, subprog: usize) -> Result<Rc<Signature>, Fault> {
        if let Some(known) = &self.functions[subprog].signature {
            return Ok(Rc::clone(known));
        }
        let func = &self.prep.subprogs[subprog];
        let found = Rc::new(signature(self.setting, TypeId(func.type_id), subprog, func.global)?);
        self.functions[subprog].signature = Some(Rc::clone(&found));
        Ok(found)
    }

    pub(super) fn call_global(&mut self, subprog: usize) -> Result<Next, Fault> {
        let fits = self.check_call_args(subprog);
        let (func, refs) = (&self.prep.subprogs[subprog], &self.state.refs);
        if refs.active_locks > 0 {
            return Err(Call::GlobalUnderLock.into());
        }
        let atomic = refs.rcu_locks > 0 || refs.preempt_locks > 0 || refs.irq_id != 0 || !self.state.sleepable;
        if func.might_sleep && atomic {
            return Err(Call::GlobalSleeps.into());
        }
        let changes_packet = func.changes_packet;
        let refused = match fits {
            Ok(true) => None,
            Ok(false) => Some(None),
            Err(Fault::Refused(why)) => Some(Some(why)),
            Err(fault @ Fault::Unknown(_)) => return Err(fault),
        };
        if let Some(why) = refused {
            return Err(Call::GlobalArgs { why, subprog, name: func.name.clone() }.into());
        }
        if let Some(log) = &mut self.log {
            let name = &self.prep.subprogs[subprog].name;
            log.say(&format!("Func#{subprog} ('{name}') is global and assumed valid."));
        }
        if changes_packet {
            self.forget_packet();
        }
        self.called[subprog] = true;
        scratch(self.state.frame_mut());
        *self.state.reg_mut(Name::R0) = Reg::UNKNOWN;
        Ok(Next::At(self.pc + 1))
    }

    /// A call of a function that is verified where it is called: its types refuse nothing, but dynptrs that they name are read.
    pub(super) fn read_call_args(&mut self, subprog: usize) -> Result<(), Fault> {
        match self.check_call_args(subprog) {
            Err(fault @ Fault::Unknown(_)) => Err(fault),
            Ok(_) | Err(Fault::Refused(_)) => Ok(()),
        }
    }

    /// The arguments of a call agree with the types of the function. `false`: once they did not, and nothing is looked at any more.
    fn check_call_args(&mut self, subprog: usize) -> Result<bool, Fault> {
        if self.functions[subprog].unreliable {
            return Ok(false);
        }
        let checked = self.signature_of(subprog).and_then(|signature| match &*signature {
            Signature::Unknown => Ok(false),
            Signature::Known(args) => {
                let mut named = args.iter().zip(&Name::ALL[1..]).enumerate();
                named.try_for_each(|(index, (arg, name))| self.check_call_arg(index, *arg, *name)).map(|()| true)
            }
        });
        self.functions[subprog].unreliable = !matches!(checked, Ok(true));
        checked
    }

    fn check_call_arg(&mut self, index: usize, arg: FuncArg, name: Name) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let number = name.number();
        match arg {
            FuncArg::Scalar if reg.is_scalar() => Ok(()),
            FuncArg::Scalar => Err(Call::ArgNotScalar(number).into()),
            FuncArg::UntrustedMemory | FuncArg::Untrusted { .. } => Ok(()),
            FuncArg::Context => {
                self.check_given_offset(&reg, name, false)?;
                if reg.kind == Kind::Ctx { Ok(()) } else { Err(Call::ArgNotContext(index).into()) }
            }
            FuncArg::Memory { size, nullable } => {
                self.check_given_offset(&reg, name, false)?;
                let size = i32::try_from(size).map_err(|_| Fault::not_modelled("arguments of more than 2 GiB"))?;
                self.check_typed_memory(name, size)?;
                if !nullable && reg.maybe_null() {
                    return Err(Call::ArgMaybeNull(index).into());
                }
                Ok(())
            }
            FuncArg::Arena if reg.kind == Kind::Arena || reg.is_scalar() => Ok(()),
            FuncArg::Arena => Err(Call::ArgNotArena(number).into()),
            FuncArg::Dynptr => {
                self.check_given_offset(&reg, name, false)?;
                self.use_dynptr(name, false, None).map(|_| ())
            }
            FuncArg::Trusted { nullable: true, .. } if reg.is_null() => Ok(()),
            FuncArg::Trusted { to, nullable } => {
                self.check_call_struct(&reg, name, to, nullable)?;
                self.check_given_offset(&reg, name, false)
            }
        }
    }

    /// The argument is the struct of the kernel that the function wants, or begins with it.
    fn check_call_struct(&self, reg: &Reg, name: Name, to: TypeId, nullable: bool) -> Result<(), Fault> {
        let number = name.number();
        let flags = if nullable { reg.flags.without(Flags::MAYBE_NULL) } else { reg.flags };
        let taken = [Flags::NONE, Flags::TRUSTED, Flags::RCU];
        let (Kind::Btf { types, id }, true) = (reg.kind, taken.contains(&flags)) else {
            let names = taken.map(|flags| Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: to }).flagged(flags).type_name());
            return Err(Call::Kind { reg: number, kind: reg.type_name(), expected: names.join(", ") }.into());
        };
        let kernel = self.setting.vmlinux().ok_or_else(|| Fault::not_modelled("a kernel whose types are not known"))?;
        let own = match types {
            TypesOf::Kernel => Some(kernel),
            TypesOf::Program => self.setting.program.btf.as_deref(),
        };
        let fits = match (types, u32::try_from(reg.off)) {
            (TypesOf::Kernel, Ok(off)) => embedded(kernel, id, off, to, false),
            _other => false,
        };
        if fits {
            return Ok(());
        }
        let own = own.map(|btf| btf.name(id).to_owned()).unwrap_or_default();
        Err(Call::ArgStruct { reg: number, own, wanted: kernel.name(to).to_owned() }.into())
    }

    /// What registers hold where a function that is verified by itself begins.
    pub(crate) fn enter_function(&mut self, subprog: usize) -> Result<(), Fault> {
        if subprog == 0 {
            *self.state.reg_mut(Name::R1) = Reg::pointer(Kind::Ctx);
            self.hold_arguments();
            self.log_own_types();
            return Ok(());
        }
        let signature = self.signature_of(subprog)?;
        if self.prep.exception_callback == Some(subprog) {
            self.state.frame_mut().in_exception_callback = true;
            check_exception_callback(&signature)?;
        }
        let Signature::Known(args) = &*signature else { return Err(Fault::bug("a global function without types")) };
        for (arg, name) in args.iter().zip(&Name::ALL[1..]) {
            *self.state.reg_mut(*name) = self.given(*arg);
        }
        Ok(())
    }

    /// What the log says of the types that the program itself has: they refuse nothing.
    fn log_own_types(&mut self) {
        let Some(func) = self.setting.program.funcs.first().filter(|_| self.log.is_some()) else { return };
        let found = signature(self.setting, TypeId(func.type_id), 0, func.global);
        if let (Err(Fault::Refused(why)), Some(log)) = (found, &mut self.log) {
            log.say(&why.to_string());
        }
    }

    /// What a function may count on of an argument.
    fn given(&mut self, arg: FuncArg) -> Reg {
        let kernel = |to| Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: to });
        let null = |nullable| if nullable { Flags::MAYBE_NULL } else { Flags::NONE };
        match arg {
            FuncArg::Scalar | FuncArg::Arena => Reg::UNKNOWN,
            FuncArg::Context => Reg::pointer(Kind::Ctx),
            FuncArg::Dynptr => Reg { id: self.new_id(), ..Reg::pointer(Kind::ConstDynptr { of: DynptrKind::Local }) },
            FuncArg::Memory { size, nullable } => {
                let id = if nullable { self.new_id() } else { 0 };
                Reg { id, ..Reg::pointer(Kind::Mem { size, dynptr: 0 }).flagged(null(nullable)) }
            }
            FuncArg::UntrustedMemory => {
                Reg::pointer(Kind::Mem { size: 0, dynptr: 0 }).flagged(Flags::RDONLY.with(Flags::UNTRUSTED))
            }
            FuncArg::Trusted { to, nullable } => {
                Reg { id: self.new_id(), ..kernel(to).flagged(Flags::TRUSTED.with(null(nullable))) }
            }
            FuncArg::Untrusted { to } => Reg { id: self.new_id(), ..kernel(to).flagged(Flags::UNTRUSTED) },
        }
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
