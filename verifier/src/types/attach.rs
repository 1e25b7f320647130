//! What a program is attached to, where the kernel's types describe it: a tracepoint, a function, an iterator, a hook of security modules, an
//! operation of a struct.

use skep_btf::{Btf, Func, FuncProto, Kind, Type, TypeId};
use skep_linux::iterators::{IterRow, iterator};
use skep_linux::lsm::{Hook, hook};
use skep_linux::programs::Sleepable;
use skep_linux::struct_ops::{OpsArg, marked_args};
use skep_linux::traced::traced;
use skep_linux::{AttachType, ProgType, StructOpsRow, gpl_compatible};

use super::is_composite;
use crate::fault::Fault;
use crate::setting::Setting;
use crate::why::Types;

/// What a program is attached to.
#[derive(Debug, Clone)]
pub struct Attach<'a> {
    /// What the kernel's messages call it.
    pub name: &'a str,
    /// The types that its arguments are of: the kernel's.
    pub btf: &'a Btf,
    /// Its arguments and what it returns.
    pub proto: FuncProto<'a>,
    /// The names of its arguments, in the same places.
    pub named: FuncProto<'a>,
    /// What it is.
    pub kind: AttachKind,
}

/// What kind of thing a program is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachKind {
    /// A tracepoint. Its first parameter is the kernel's own, and no argument of programs.
    Tracepoint,
    /// The entry or exit of a function.
    Function,
    /// An iterator.
    Iterator(&'static IterRow),
    /// A hook of security modules.
    Hook(Hook),
    /// An operation of a struct.
    Operation {
        /// The struct.
        row: &'static StructOpsRow,
        /// What is said of its arguments; those behind the end are not marked.
        args: Vec<OpsArg>,
    },
}

/// What the program of the setting is attached to; `None` for types of programs that are attached to nothing in the kernel's types.
///
/// # Errors
/// Targets that the kernel refuses ([`Types`]; [`Types::Silent`] where it says nothing), and those that skep does not know.
pub fn target<'a>(setting: &Setting<'a>) -> Result<Option<Attach<'a>>, Fault> {
    let prog_type = setting.prog_type();
    if prog_type == ProgType::Syscall {
        return if setting.sleepable() { Ok(None) } else { Err(Types::SyscallAwake.into()) };
    }
    if setting.sleepable() && !may_sleep(setting) {
        return Err(Types::NotSleepable.into());
    }
    match prog_type {
        ProgType::StructOps => operation(setting).map(Some),
        ProgType::Tracing | ProgType::Lsm => traced_target(setting).map(Some),
        ProgType::Ext => Err(Fault::not_modelled("programs that replace functions of other programs")),
        _ => Ok(None),
    }
}

/// Whether programs of this type, attached like this, may sleep at all.
fn may_sleep(setting: &Setting<'_>) -> bool {
    match setting.row.sleepable {
        Sleepable::Never => false,
        Sleepable::Always => true,
        // Hooks of control groups are refused later, if at all.
        Sleepable::If(attach) => setting.prog_type() == ProgType::Lsm || attach.contains(setting.attach),
    }
}

/// The number that the program gave for what it is attached to.
fn attach_number(setting: &Setting<'_>) -> u32 {
    setting.program.attach_type.map_or(0, |attach| attach as u32)
}

fn vmlinux<'a>(setting: &Setting<'a>) -> Result<&'a Btf, Fault> {
    setting.vmlinux().ok_or_else(|| Fault::not_modelled("what programs are attached to, without the types of the kernel"))
}

fn operation<'a>(setting: &Setting<'a>) -> Result<Attach<'a>, Fault> {
    if !gpl_compatible(&setting.program.license) {
        return Err(Types::StructOpsLicense.into());
    }
    let btf = vmlinux(setting)?;
    let id = setting.program.attach_btf_id.filter(|id| *id != 0).ok_or(Types::Silent)?;
    let Some(Type::Struct(members)) = btf.get(TypeId(id)) else { return Err(Types::NoStructOps(id).into()) };
    let name = members.name();
    let Some(row) = skep_linux::struct_ops(name) else {
        // The kernel wraps the structs that programs implement.
        let wrapped = btf.find(&format!("bpf_struct_ops_{name}"), Kind::Struct).is_some();
        let why = || format!("operations of struct {name}");
        return Err(if wrapped { Fault::not_modelled(why()) } else { Types::NoStructOps(id).into() });
    };
    let index = attach_number(setting);
    let Some(member) = members.member(index) else { return Err(Types::NoMemberIndex { index, of: name.into() }.into()) };
    let Some(proto) = proto_behind(btf, btf.resolve(member.ty), |to| btf.resolve(to)) else {
        return Err(Types::NotOperation { member: member.name.into(), index, of: name.into() }.into());
    };
    if !row.supports(member.name) || setting.sleepable() && !row.may_sleep(member.name) {
        return Err(Types::UnsupportedMember { member: member.name.into(), of: name.into() }.into());
    }
    let args = marked_args(btf, name, member.name);
    Ok(Attach { name: member.name, btf, proto, named: proto, kind: AttachKind::Operation { row, args } })
}

fn traced_target<'a>(setting: &Setting<'a>) -> Result<Attach<'a>, Fault> {
    let btf = vmlinux(setting)?;
    let id = setting.program.attach_btf_id.filter(|id| *id != 0).ok_or(Types::NoTarget)?;
    let ty = btf.get(TypeId(id)).filter(|_| id != 0).ok_or(Types::InvalidTarget(id))?;
    match (setting.prog_type(), setting.attach) {
        (ProgType::Tracing, AttachType::TraceRawTp) => tracepoint(btf, id, &ty),
        (ProgType::Tracing, AttachType::TraceIter) => {
            let (func, proto) = function(btf, id, &ty)?;
            distill(btf, func.name, &proto)?;
            let row = iterator(func.name).filter(|row| setting.target.since(row.since)).ok_or(Types::Silent)?;
            Ok(Attach { name: func.name, btf, proto, named: proto, kind: AttachKind::Iterator(row) })
        }
        (ProgType::Tracing, AttachType::TraceFentry | AttachType::TraceFexit | AttachType::ModifyReturn) => {
            traced_function(setting, btf, id, &ty)
        }
        (ProgType::Lsm, _) => security_hook(setting, btf, id, &ty),
        _ => Err(Types::Silent.into()),
    }
}

/// The tracepoint that a type `btf_trace_NAME` stands for.
fn tracepoint<'a>(btf: &'a Btf, id: u32, ty: &Type<'a>) -> Result<Attach<'a>, Fault> {
    let Type::Typedef(typedef) = ty else { return Err(Types::NotTypedef(id).into()) };
    let Some(name) = typedef.name.strip_prefix("btf_trace_") else {
        return Err(Types::WrongTarget { id, name: typedef.name.into() }.into());
    };
    let Some(proto) = proto_behind(btf, typedef.to, |to| to) else { return Err(Types::Silent.into()) };
    // The type has no names of arguments, but functions of the kernel have them.
    let named = [format!("__bpf_trace_{name}"), format!("__traceiter_{name}")];
    let named = named.iter().find_map(|name| {
        let Some(Type::Func(func)) = btf.get(btf.find(name, Kind::Func)?) else { return None };
        if let Some(Type::FuncProto(named)) = btf.get(func.proto) { Some(named) } else { None }
    });
    Ok(Attach { name, btf, proto, named: named.unwrap_or(proto), kind: AttachKind::Tracepoint })
}

fn function<'a>(btf: &'a Btf, id: u32, ty: &Type<'a>) -> Result<(Func<'a>, FuncProto<'a>), Fault> {
    let Type::Func(func) = ty else { return Err(Types::NotFunction(id).into()) };
    let Some(Type::FuncProto(proto)) = btf.get(func.proto) else { return Err(Types::Silent.into()) };
    Ok((*func, proto))
}

/// The function that a pointer is to.
fn proto_behind<'a>(btf: &'a Btf, pointer: TypeId, to: impl Fn(TypeId) -> TypeId) -> Option<FuncProto<'a>> {
    let Some(Type::Ptr(pointer)) = btf.get(pointer) else { return None };
    if let Some(Type::FuncProto(proto)) = btf.get(to(pointer.to)) { Some(proto) } else { None }
}

fn traced_function<'a>(setting: &Setting<'a>, btf: &'a Btf, id: u32, ty: &Type<'a>) -> Result<Attach<'a>, Fault> {
    let (func, proto) = function(btf, id, ty)?;
    distill(btf, func.name, &proto)?;
    let allowed = traced(setting.target, func.name);
    if setting.sleepable() {
        if !allowed.sleepable {
            return Err(Types::TargetNotSleepable(func.name.into()).into());
        }
    } else if setting.attach == AttachType::ModifyReturn && !allowed.modifiable {
        return Err(Types::NotModifiable(func.name.into()).into());
    }
    if !allowed.traceable {
        return Err(Types::NotTraceable(func.name.into()).into());
    }
    if setting.attach != AttachType::TraceFentry && !allowed.returns {
        return Err(Types::NoReturn(func.name.into()).into());
    }
    Ok(Attach { name: func.name, btf, proto, named: proto, kind: AttachKind::Function })
}

fn security_hook<'a>(setting: &Setting<'a>, btf: &'a Btf, id: u32, ty: &Type<'a>) -> Result<Attach<'a>, Fault> {
    let (func, proto) = function(btf, id, ty)?;
    distill(btf, func.name, &proto)?;
    let hook = hook(btf, func.name);
    if setting.sleepable() && !hook.is_some_and(|hook| hook.sleepable) {
        return Err(Types::TargetNotSleepable(func.name.into()).into());
    }
    if !gpl_compatible(&setting.program.license) {
        return Err(Types::LsmLicense.into());
    }
    match hook {
        Some(hook) if hook.disabled => Err(Types::DisabledHook { id, name: func.name.into() }.into()),
        Some(hook) => Ok(Attach { name: func.name, btf, proto, named: proto, kind: AttachKind::Hook(hook) }),
        None => Err(Types::WrongTarget { id, name: func.name.into() }.into()),
    }
}

/// The most parameters of a function that a program may be attached to.
const MAX_PARAMS: usize = skep_linux::limits::MAX_FUNC_ARGS;

/// Whether the kernel can hand the arguments of a function to a program.
///
/// # Errors
/// Too many, variable ones, or of a type that is not passed in registers.
fn distill(btf: &Btf, name: &str, proto: &FuncProto<'_>) -> Result<(), Types> {
    let count = proto.params().len() + usize::from(proto.is_variadic());
    if count > MAX_PARAMS {
        return Err(Types::TooManyParams { name: name.into(), count });
    }
    let ret = btf.resolve(proto.ret());
    let returns = proto.ret().is_void() || matches!(btf.kind(ret), Kind::Ptr | Kind::Int | Kind::Enum | Kind::Enum64);
    if !returns {
        return Err(Types::ReturnType { name: name.into(), kind: kind_name(btf, ret) });
    }
    for (index, param) in proto.params().enumerate() {
        let ty = btf.resolve(param.ty);
        let passed = matches!(btf.kind(ty), Kind::Ptr | Kind::Int | Kind::Enum | Kind::Enum64) || is_composite(btf, ty);
        let size = if passed { btf.size_of(ty).ok() } else { None };
        match size {
            Some(1..=16) => {}
            Some(0) => return Err(Types::VoidParam(name.into())),
            None if param.ty.is_void() => return Err(Types::VoidParam(name.into())),
            _ => return Err(Types::ParamType { name: name.into(), index, kind: kind_name(btf, ty) }),
        }
    }
    if proto.is_variadic() { Err(Types::Variadic(name.into())) } else { Ok(()) }
}

/// The name of a type's kind in the kernel's messages.
pub(crate) fn kind_name(btf: &Btf, id: TypeId) -> &'static str {
    match btf.kind(id) {
        Kind::Void => "UNKNOWN",
        kind => kind.name(),
    }
}
