//! Contexts that the kernel's types describe: what a program that is attached to a tracepoint, a function, an iterator, a hook or an
//! operation loads where its arguments lie, and what it may return.

use std::fmt;

use skep_btf::{Btf, FuncProto, Kind, Param, Type, TypeId};
use skep_linux::contexts::Access;
use skep_linux::iterators::IterArg;
use skep_linux::limits::{MAX_ERRNO, MAX_FUNC_ARGS};
use skep_linux::programs::{Range, Values};
use skep_linux::tracepoints::tracepoint;
use skep_linux::{AttachType, ProgType};

use super::attach::{Attach, AttachKind, kind_name};
use super::{Flags, is_composite, shown, walk};
use crate::fault::Fault;
use crate::setting::Setting;
use crate::why::Types;

/// What a load of an argument puts into the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// A number of any value.
    Scalar,
    /// The value that a hook would return: a number in the range of [`returns`].
    ReturnValue,
    /// Memory of a key or value of a map, whose size is checked when the program is attached.
    Buffer(Flags),
    /// A pointer to a struct of the kernel.
    Pointer {
        /// The struct.
        to: TypeId,
        /// How far it is trusted.
        flags: Flags,
        /// It holds a reference that the program must give up; the number of the argument tells such arguments apart.
        referenced: bool,
    },
}

/// An argument that a program may load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// What the load yields.
    pub arg: Arg,
    /// The number of the argument, from 0.
    pub index: u32,
    /// What the kernel logs about it, if it does.
    pub note: Option<Note>,
}

/// A line of the kernel's log about an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// The struct that the argument points to.
    to: TypeId,
    /// It may be an error, and so is a number.
    error: bool,
}

impl Loaded {
    /// The kernel's log line about the argument, without the newline at its end.
    pub fn logged<'l>(&self, attach: &'l Attach<'_>) -> Option<impl fmt::Display + use<'l>> {
        let (index, note) = (self.index, self.note?);
        let (func, name, kind) = (attach.name, attach.btf.name(note.to), kind_name(attach.btf, note.to));
        let name = if name.is_empty() { "(anon)" } else { name };
        // The kernel forgets the end of the second line.
        let error =
            if note.error { format!("\nmarking pointer arg{index} as scalar as it may encode error") } else { String::new() };
        Some(format!("func '{func}' arg{index} has btf_id {} type {kind} '{name}'{error}", note.to.0))
    }
}

/// What an access of `size` bytes at `offset` of the context reaches.
///
/// # Errors
/// [`Types::Context`] in the kernel's words.
pub fn argument(setting: &Setting<'_>, attach: &Attach<'_>, offset: i32, size: u8, access: Access) -> Result<Loaded, Fault> {
    let refused = |why: Option<Types>| Types::Context { why: why.map(Box::new), offset, size };
    let lsm = setting.prog_type() == ProgType::Lsm;
    if lsm && (access == Access::Write || offset < 0) {
        return Err(Fault::not_modelled(
            "accesses of programs of security modules to their context other than loads of arguments",
        ));
    }
    let within = (0..(MAX_FUNC_ARGS * 8) as i32).contains(&offset) && offset % i32::from(size) == 0;
    if !lsm && (access == Access::Write || !within) {
        return Err(refused(None).into());
    }
    lookup(setting, attach, offset, size).map_err(|why| refused(Some(why)).into())
}

fn lookup(setting: &Setting<'_>, attach: &Attach<'_>, offset: i32, size: u8) -> Result<Loaded, Types> {
    let Attach { btf, proto, .. } = attach;
    let func = || attach.name.to_owned();
    if offset % 8 != 0 {
        return Err(Types::ArgOffset { func: func(), offset });
    }
    let index = index_at(btf, proto, offset as u32);
    let hidden = usize::from(attach.kind == AttachKind::Tracepoint);
    let params = proto.params().len() + usize::from(proto.is_variadic()) - hidden;
    let param = proto.params().nth(index as usize + hidden);
    if index as usize > params {
        return Err(Types::NoArg { func: func(), number: index + 1 });
    }
    let is_return = index as usize == params;
    let ty = match (is_return, param) {
        (false, Some(param)) => param.ty,
        (false, None) => TypeId::VOID,
        (true, _) => returned(setting, attach, index)?,
    };
    let ty = btf.resolve(ty);
    let scalar = Loaded { arg: Arg::Scalar, index, note: None };
    match btf.get(ty) {
        Some(Type::Int(int)) if int.size <= 8 => {
            let hook = is_return && setting.attach == AttachType::LsmMac;
            return Ok(if hook { Loaded { arg: Arg::ReturnValue, ..scalar } } else { scalar });
        }
        Some(Type::Enum(_) | Type::Struct(_) | Type::Union(_)) => return Ok(scalar),
        Some(Type::Ptr(_)) => {}
        _ => {
            let name = shown(btf.name(ty)).into_owned();
            return Err(Types::ArgNotPointer { func: func(), index, name, kind: kind_name(btf, ty) });
        }
    }
    if size != 8 {
        return Err(Types::ArgSize { func: func(), size });
    }
    let named = attach.named.params().nth(index as usize + hidden).filter(|_| !is_return);
    pointer(setting, attach, index, ty, named)
}

/// The number of the parameter that lies at an offset. One of the kernel's own is counted, and the return value comes last.
fn index_at(btf: &Btf, proto: &FuncProto<'_>, offset: u32) -> u32 {
    let bytes = |id: TypeId| {
        let ty = btf.resolve(id);
        if btf.kind(ty) == Kind::Ptr { 8 } else { btf.size_of(ty).unwrap_or(0).next_multiple_of(8) }
    };
    let mut end = 0u32;
    let mut index = 0;
    for param in proto.params() {
        end = end.saturating_add(bytes(param.ty));
        if offset < end {
            return index;
        }
        index += 1;
    }
    end = end.saturating_add(bytes(proto.ret()));
    if offset < end { index } else { index + 1 }
}

/// The type of the return value, where programs see it.
fn returned(setting: &Setting<'_>, attach: &Attach<'_>, index: u32) -> Result<TypeId, Types> {
    let ret = attach.proto.ret();
    match setting.attach {
        AttachType::LsmMac | AttachType::LsmCgroup | AttachType::TraceFexit => Ok(ret),
        AttachType::ModifyReturn => {
            let behind = attach.btf.resolve(ret);
            let fits = matches!(attach.btf.get(behind), Some(Type::Int(int)) if int.size <= 8);
            if fits { Ok(ret) } else { Err(Types::ModifiedReturn(kind_name(attach.btf, behind))) }
        }
        _ => Err(Types::NoArg { func: attach.name.to_owned(), number: index + 1 }),
    }
}

fn pointer(
    setting: &Setting<'_>,
    attach: &Attach<'_>,
    index: u32,
    ty: TypeId,
    param: Option<Param<'_>>,
) -> Result<Loaded, Types> {
    let btf = attach.btf;
    let done = |arg| Ok(Loaded { arg, index, note: None });
    let Some(Type::Ptr(behind)) = btf.get(ty) else { return done(Arg::Scalar) };
    let target = btf.resolve(behind.to);
    let args = if let AttachKind::Iterator(row) = &attach.kind { row.args } else { &[] };
    let known = args.iter().find(|(number, _)| u32::from(*number) == index).map(|(_, arg)| *arg);
    match known {
        Some(IterArg::Key) => return done(Arg::Buffer(Flags::MAYBE_NULL.with(Flags::RDONLY))),
        Some(IterArg::Value) => return done(Arg::Buffer(Flags::MAYBE_NULL)),
        Some(IterArg::OrNull | IterArg::TrustedOrNull) | None => {}
    }
    if matches!(btf.kind(target), Kind::Void | Kind::Int) {
        return done(Arg::Scalar);
    }
    let known = match known {
        Some(IterArg::TrustedOrNull) => Some((Flags::TRUSTED.with(Flags::MAYBE_NULL), false)),
        Some(_) => Some((Flags::MAYBE_NULL, false)),
        None => marked(attach, index),
    };
    if let Some((flags, referenced)) = known {
        return done(Arg::Pointer { to: of_kind(attach, target, flags), flags, referenced });
    }
    let mut flags = if trusted(setting, attach) { Flags::TRUSTED } else { Flags::NONE };
    if param.is_some_and(|param| param.name.ends_with("__nullable")) {
        flags = flags.with(Flags::MAYBE_NULL);
    }
    let mut error = false;
    if attach.kind == AttachKind::Tracepoint
        && let Some(row) = tracepoint(attach.name)
    {
        if row.null.iter().any(|null| u32::from(*null) == index) {
            flags = flags.with(Flags::MAYBE_NULL);
        }
        error = row.error.iter().any(|error| u32::from(*error) == index);
    }
    let tag = walk::tag(btf, behind.to);
    if tag != Flags::RCU {
        flags = flags.with(tag);
    }
    if !is_composite(btf, target) {
        let func = attach.name.to_owned();
        return Err(Types::ArgNotStruct { func, index, kind: kind_name(btf, target) });
    }
    let arg = if error { Arg::Scalar } else { Arg::Pointer { to: of_kind(attach, target, flags), flags, referenced: false } };
    Ok(Loaded { arg, index, note: Some(Note { to: target, error }) })
}

/// What the kernel's own stub of an operation says of an argument.
fn marked(attach: &Attach<'_>, index: u32) -> Option<(Flags, bool)> {
    let AttachKind::Operation { args, .. } = &attach.kind else { return None };
    let mark = args.get(index as usize)?;
    match (mark.nullable, mark.referenced) {
        (true, _) => Some((Flags::TRUSTED.with(Flags::MAYBE_NULL), false)),
        (false, true) => Some((Flags::TRUSTED, true)),
        (false, false) => None,
    }
}

/// The struct that a pointer is known to be to: operations of congestion control have sockets of TCP.
fn of_kind(attach: &Attach<'_>, target: TypeId, flags: Flags) -> TypeId {
    let AttachKind::Operation { row, .. } = &attach.kind else { return target };
    let plain = flags.without(walk::TRUSTWORTHY) == Flags::NONE;
    let larger = row.sock_is.filter(|_| plain && attach.btf.name(target) == "sock");
    larger.and_then(|name| attach.btf.find(name, Kind::Struct)).unwrap_or(target)
}

/// Whether arguments are there for as long as the program runs.
fn trusted(setting: &Setting<'_>, attach: &Attach<'_>) -> bool {
    match &attach.kind {
        AttachKind::Tracepoint | AttachKind::Iterator(_) | AttachKind::Operation { .. } => true,
        AttachKind::Hook(hook) => setting.prog_type() == ProgType::Lsm && hook.trusted,
        AttachKind::Function => false,
    }
}

/// What a program may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// Whatever is in the register, if anything is.
    Nothing,
    /// Any number.
    Any,
    /// A number in this range, as a signed 32-bit number.
    In(Range),
    /// NULL, or the pointer that it points to with its reference, as it was.
    Pointer(TypeId),
}

/// What a program may return from its first function.
pub fn returns(setting: &Setting<'_>, attach: Option<&Attach<'_>>) -> Returns {
    let hook_answers = |attach: &Attach<'_>| !attach.proto.ret().is_void();
    match attach.map(|attach| (attach, &attach.kind)) {
        Some((attach, AttachKind::Hook(hook))) => match (setting.attach, hook_answers(attach)) {
            (AttachType::LsmCgroup, true) => Returns::In(Range { min: 0, max: 1 }),
            (AttachType::LsmCgroup, false) => Returns::In(Range { min: 1, max: 1 }),
            (_, false) => Returns::Nothing,
            (_, true) if hook.boolean => Returns::In(Range { min: 0, max: 1 }),
            (_, true) => Returns::In(Range { min: -(MAX_ERRNO as i32), max: 0 }),
        },
        Some((attach, AttachKind::Operation { .. })) => {
            let ret = attach.btf.resolve(attach.proto.ret());
            match attach.btf.get(ret) {
                Some(Type::Ptr(pointer)) => Returns::Pointer(attach.btf.resolve(pointer.to)),
                Some(Type::Void) | None => Returns::Nothing,
                Some(_) => Returns::Any,
            }
        }
        Some((_, AttachKind::Tracepoint | AttachKind::Function | AttachKind::Iterator(_))) | None => {
            match setting.row.values(setting.attach) {
                Values::In(range) => Returns::In(range),
                Values::Any | Values::OfHook => Returns::Any,
            }
        }
    }
}
