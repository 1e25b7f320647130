//! What a kernel function that programs call wants of its arguments, and what it returns: by the types of its parameters, the ends of
//! their names, and its row.

use skep_btf::{Btf, FuncProto, Kind, Param, Type, TypeId};
use skep_linux::KfuncRow;
use skep_linux::features::TRUSTED_KFUNC_ARGS;
use skep_linux::kfuncs::Role;

use super::attach::kind_name;
use super::{Flags, func_args, is_composite};
use crate::fault::Fault;
use crate::setting::Setting;
use crate::why::Types;

/// A kernel function, as calls of it need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kfunc<'a> {
    /// Its name.
    pub name: &'a str,
    /// What types do not say of it.
    pub row: &'static KfuncRow,
    /// Pointers that it takes must be trusted and not NULL; if the row says RCU, one that RCU guards will do, too.
    pub trusting: bool,
    /// Its parameters, at most five.
    pub params: Vec<KfuncParam<'a>>,
    /// What it returns.
    pub ret: Ret,
}

/// A parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KfuncParam<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub kind: ParamKind<'a>,
    /// NULL is an argument of its own kind, [`ArgKind::Null`] (`__nullable`).
    pub nullable: bool,
    /// A function that trusts its arguments takes one here that may be NULL.
    pub may_be_null: bool,
}

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind<'a> {
    /// Nobody looks at it (`__ign`).
    Ignored,
    /// The kernel fills in what it knows of the program (`__prog`).
    Program,
    /// A number.
    Scalar(Number),
    /// Neither a number nor a pointer: its kind. No argument fits.
    Unsupported(&'static str),
    /// A pointer whose argument is known without a look at the register.
    Pointer(ArgKind),
    /// A pointer whose argument is what the register makes of it: see [`Open::resolve`].
    Open(Open<'a>),
}

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Nothing to the verifier.
    Plain,
    /// It is a constant (`__k`).
    Constant,
    /// The bytes of the memory that the function returns, which may be read (`rdonly_buf_size`); a constant.
    ReadSize,
    /// As `ReadSize`, of memory that may be written too (`rdwr_buf_size`).
    WriteSize,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// NULL, where that is allowed.
    Null,
    /// The context of the program.
    Context,
    /// An object that the program allocated, with its reference (`__alloc`).
    Allocated,
    /// An object of the program's own that counts references (`__refcounted_kptr`).
    Refcounted,
    /// A dynptr on the stack.
    Dynptr {
        /// It is made by the call (`__uninit`).
        uninit: bool,
    },
    /// An open-coded iterator on the stack.
    Iterator {
        /// Its struct, in the kernel's types.
        state: TypeId,
    },
    /// Lists and trees, and their nodes.
    ListHead,
    /// See `ListHead`.
    ListNode,
    /// See `ListHead`.
    RbRoot,
    /// See `ListHead`.
    RbNode,
    /// A string in a map that nobody changes (`__str`).
    ConstString,
    /// A map (`__map`).
    Map,
    /// A work queue in the value of a map.
    Workqueue,
    /// Work for a task in the value of a map.
    TaskWork,
    /// Where the flag of interrupts is saved on the stack (`__irq_flag`).
    IrqFlag,
    /// A resilient lock in the value of a map or in an object.
    ResSpinLock,
    /// A pointer to a struct of the kernel.
    Object {
        /// The struct.
        to: TypeId,
    },
    /// A function of the program.
    Callback,
    /// Memory of this many bytes.
    Memory {
        /// Bytes.
        size: u32,
    },
    /// Memory, whose bytes are the next argument; that one is not looked at by itself.
    Sized {
        /// The size is a constant (`__szk`).
        constant: bool,
        /// If the pointer is NULL, the size may be anything (`__opt`).
        optional: bool,
    },
}

/// A pointer whose argument is what the register makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open<'a> {
    /// The function.
    func: &'a str,
    /// The number of the parameter, from 0.
    number: usize,
    /// What it points to, behind aliases.
    to: TypeId,
    /// It is a struct or union.
    composite: bool,
    /// It is a function.
    callback: bool,
    /// What lies there is made of numbers alone, or is one.
    scalars: Scalars,
    /// The next parameter is its size: whether a constant one.
    sized: Option<bool>,
    /// It may be NULL, and then the size may be anything.
    optional: bool,
    /// Its kind and name, for messages.
    kind: &'static str,
    name: &'a str,
    /// Its bytes.
    size: u32,
}

/// Whether a type is made of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalars {
    Yes,
    No,
    /// Not known: structs nest deeper than the kernel looks.
    TooDeep,
}

/// What of a register decides what an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// It holds a pointer to a struct of the kernel, whatever its marks, or one that can be taken for one: to a socket, or to a map.
    pub object: bool,
    /// The next register holds a number.
    pub next_number: bool,
}

impl Open<'_> {
    /// What the argument must be.
    ///
    /// # Errors
    /// A parameter that no such register fits.
    pub fn resolve(&self, seen: Seen) -> Result<ArgKind, Fault> {
        let Open { number, kind, .. } = *self;
        if seen.object {
            if !self.composite {
                let (func, name) = (self.func.to_owned(), self.name.to_owned());
                return Err(Types::KfuncPointer { func, number, kind, name }.into());
            }
            return Ok(ArgKind::Object { to: self.to });
        }
        if self.callback {
            return Ok(ArgKind::Callback);
        }
        let sized = self.sized.filter(|_| seen.next_number);
        let memory = self.scalars == Scalars::Yes || sized.is_some() && self.to.is_void();
        if !memory {
            let void = if sized.is_some() { "void, " } else { "" };
            let deep = if self.scalars == Scalars::TooDeep { "max struct nesting depth exceeded\n" } else { "" };
            return Err(Types::KfuncMemory { deep, number, kind, name: self.name.to_owned(), void }.into());
        }
        Ok(match sized {
            Some(constant) => ArgKind::Sized { constant, optional: self.optional },
            None => ArgKind::Memory { size: self.size },
        })
    }
}

/// What a kernel function returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ret {
    /// Nothing.
    Void,
    /// A number of so many bytes.
    Scalar(u32),
    /// An address, which is a number to programs.
    Address,
    /// An object of a type of the program's own, whose id is the constant argument.
    Allocated,
    /// The object that was its argument, with one more reference.
    SameObject,
    /// A node of the list or tree that was its argument.
    Node,
    /// The context as the kernel's own struct.
    KernelContext,
    /// Its argument as a pointer to the type whose id is the constant argument.
    Cast,
    /// Memory of the dynptr that was its argument, as many bytes as the constant argument says.
    Slice,
    /// Memory.
    Memory {
        /// Bytes; `None`: those that an argument says ([`Number::ReadSize`], [`Number::WriteSize`]), which also says whether it may be
        /// written.
        size: Option<u32>,
        /// It may be read only.
        rdonly: bool,
        /// Marks besides.
        flags: Flags,
    },
    /// A pointer to a struct of the kernel.
    Struct {
        /// The struct.
        to: TypeId,
        /// How far it is trusted. What iterators give is trusted as their state says.
        flags: Flags,
    },
    /// Something that programs cannot have: the kind and name of what it points to.
    Unsupported(&'static str, String),
    /// Neither nothing nor number nor pointer: the register is left unreadable.
    Other,
}

/// The most parameters.
const MAX_PARAMS: usize = 5;

/// The kernel function of this id, whose row is this one.
///
/// # Errors
/// Too many parameters; a kernel whose types are not known.
pub fn kfunc<'a>(setting: &Setting<'a>, id: TypeId, row: &'static KfuncRow) -> Result<Kfunc<'a>, Fault> {
    let btf = setting.vmlinux().ok_or_else(|| Fault::not_modelled("kernel functions without the types of the kernel"))?;
    let Some(Type::Func(func)) = btf.get(id) else { return Err(Fault::bug("a kernel function that is none")) };
    let Some(Type::FuncProto(proto)) = btf.get(func.proto) else { return Err(Fault::bug("a kernel function without a type")) };
    let all: Vec<Param<'a>> = proto.params().collect();
    if all.len() > MAX_PARAMS {
        return Err(Types::KfuncParams { func: func.name.into(), count: all.len(), most: MAX_PARAMS }.into());
    }
    let by_default = setting.target.has(&TRUSTED_KFUNC_ARGS);
    let trusting = by_default || row.wants_trusted() || row.rcu;
    let reader = Reader { setting, btf, func: func.name, row, by_default };
    let params = (0..all.len()).map(|number| reader.param(&all, number)).collect();
    let ret = reader.returns(&proto, &all);
    Ok(Kfunc { name: func.name, row, trusting, params, ret })
}

/// A function whose parameters are read.
struct Reader<'s, 'a> {
    setting: &'s Setting<'a>,
    btf: &'a Btf,
    func: &'a str,
    row: &'static KfuncRow,
    /// Functions are trusting, whatever their rows say.
    by_default: bool,
}

/// Structs by which a pointer is known.
const STRUCTS: [(&str, ArgKind); 7] = [
    ("bpf_list_head", ArgKind::ListHead),
    ("bpf_list_node", ArgKind::ListNode),
    ("bpf_rb_root", ArgKind::RbRoot),
    ("bpf_rb_node", ArgKind::RbNode),
    ("bpf_wq", ArgKind::Workqueue),
    ("bpf_task_work", ArgKind::TaskWork),
    ("bpf_res_spin_lock", ArgKind::ResSpinLock),
];

impl<'a> Reader<'_, 'a> {
    fn param(&self, all: &[Param<'a>], number: usize) -> KfuncParam<'a> {
        let Param { name, ty } = all[number];
        let ty = self.btf.resolve(ty);
        let kind = if name.ends_with("__ign") {
            ParamKind::Ignored
        } else if name.ends_with("__prog") {
            ParamKind::Program
        } else if is_number(self.btf, ty) {
            ParamKind::Scalar(number_of(name))
        } else if let Some(Type::Ptr(pointer)) = self.btf.get(ty) {
            self.pointer(all, number, pointer.to)
        } else {
            ParamKind::Unsupported(kind_name(self.btf, ty))
        };
        let nullable = name.ends_with("__nullable");
        KfuncParam { name, kind, nullable, may_be_null: nullable || self.by_default && name.ends_with("__opt") }
    }

    fn pointer(&self, all: &[Param<'a>], number: usize, to: TypeId) -> ParamKind<'a> {
        let (btf, name, target) = (self.btf, all[number].name, self.btf.resolve(to));
        if self.row.role == Role::CastToKernCtx || func_args::is_context(self.setting, btf, to) {
            return ParamKind::Pointer(ArgKind::Context);
        }
        if let Some(kind) = self.by_struct(name, number, target) {
            return ParamKind::Pointer(kind);
        }
        let next = all.get(number + 1).filter(|next| is_number(btf, btf.resolve(next.ty)));
        let sized = next.and_then(|next| match next.name {
            name if name.ends_with("__szk") => Some(true),
            name if name.ends_with("__sz") => Some(false),
            _ => None,
        });
        ParamKind::Open(Open {
            func: self.func,
            number,
            to: target,
            composite: is_composite(btf, target),
            callback: btf.kind(target) == Kind::FuncProto,
            scalars: if is_number(btf, target) { Scalars::Yes } else { scalars(btf, target, 0) },
            sized,
            optional: name.ends_with("__opt"),
            kind: kind_name(btf, target),
            name: btf.name(target),
            size: btf.size_of(target).unwrap_or(0),
        })
    }

    /// What a pointer is by the end of its name, or by the struct that it points to.
    fn by_struct(&self, name: &str, number: usize, target: TypeId) -> Option<ArgKind> {
        let composite = self.btf.kind(target) == Kind::Struct;
        let of = if composite { self.btf.name(target) } else { "" };
        let is_iterator = match self.row.role {
            Role::IterNew | Role::IterNext | Role::IterDestroy => number == 0,
            _ => name.ends_with("__iter"),
        };
        if name.ends_with("__alloc") {
            return Some(ArgKind::Allocated);
        }
        if name.ends_with("__refcounted_kptr") {
            return Some(ArgKind::Refcounted);
        }
        if of == "bpf_dynptr" {
            return Some(ArgKind::Dynptr { uninit: name.ends_with("__uninit") });
        }
        if is_iterator {
            return Some(ArgKind::Iterator { state: target });
        }
        let graph = |kind: &ArgKind| matches!(kind, ArgKind::ListHead | ArgKind::ListNode | ArgKind::RbRoot | ArgKind::RbNode);
        let known = STRUCTS.iter().find(|(known, _)| *known == of).map(|(_, kind)| *kind);
        match known.filter(graph) {
            Some(kind) => Some(kind),
            None if name.ends_with("__str") => Some(ArgKind::ConstString),
            None if name.ends_with("__map") => Some(ArgKind::Map),
            None if name.ends_with("__irq_flag") && known != Some(ArgKind::Workqueue) => Some(ArgKind::IrqFlag),
            None => known,
        }
    }

    fn returns(&self, proto: &FuncProto<'a>, params: &[Param<'a>]) -> Ret {
        let btf = self.btf;
        let ty = btf.resolve(proto.ret());
        let to = match btf.get(ty) {
            Some(Type::Void) => return Ret::Void,
            Some(Type::Ptr(pointer)) => btf.resolve(pointer.to),
            Some(_) if is_number(btf, ty) => return Ret::Scalar(btf.size_of(ty).unwrap_or(0)),
            _ => return Ret::Other,
        };
        match self.row.role {
            Role::ObjNew | Role::PercpuObjNew => return Ret::Allocated,
            Role::RefcountAcquire => return Ret::SameObject,
            Role::CastToKernCtx => return Ret::KernelContext,
            Role::RdonlyCast => return Ret::Cast,
            Role::DynptrSlice | Role::DynptrSliceWritable => return Ret::Slice,
            _others => {}
        }
        let is_struct = btf.kind(to) == Kind::Struct;
        if is_struct && matches!(btf.name(to), "bpf_list_node" | "bpf_rb_node") {
            return Ret::Node;
        }
        if to.is_void() {
            return Ret::Address;
        }
        let guarded = if self.row.rcu_protected { Flags::RCU } else { Flags::NONE };
        if is_struct {
            let flags = if self.row.ret_untrusted { Flags::UNTRUSTED } else { guarded };
            return Ret::Struct { to, flags };
        }
        if params.iter().any(|param| matches!(number_of(param.name), Number::ReadSize | Number::WriteSize)) {
            return Ret::Memory { size: None, rdonly: false, flags: guarded };
        }
        match btf.size_of(to) {
            Ok(size) if size > 0 => Ret::Memory { size: Some(size), rdonly: !self.row.ret_writable, flags: guarded },
            _ => Ret::Unsupported(kind_name(btf, to), btf.name(to).to_owned()),
        }
    }
}

/// What a number means by its name.
fn number_of(name: &str) -> Number {
    match name {
        name if name.ends_with("__k") => Number::Constant,
        "rdonly_buf_size" => Number::ReadSize,
        "rdwr_buf_size" => Number::WriteSize,
        _ => Number::Plain,
    }
}

fn is_number(btf: &Btf, id: TypeId) -> bool {
    matches!(btf.kind(id), Kind::Int | Kind::Enum | Kind::Enum64)
}

/// Whether a struct is made of numbers, arrays of numbers and structs of these, four deep.
fn scalars(btf: &Btf, id: TypeId, depth: u32) -> Scalars {
    let (Some(Type::Struct(s)) | Some(Type::Union(s))) = btf.get(id) else { return Scalars::No };
    for member in s.members() {
        let ty = btf.resolve(member.ty);
        let fine = match btf.get(ty) {
            Some(Type::Struct(_) | Type::Union(_)) => {
                if depth >= 3 {
                    return Scalars::TooDeep;
                }
                match scalars(btf, ty, depth + 1) {
                    Scalars::Yes => true,
                    other => return other,
                }
            }
            Some(Type::Array(array)) => array.count > 0 && is_number(btf, btf.resolve(array.element)),
            _ => is_number(btf, ty),
        };
        if !fine {
            return Scalars::No;
        }
    }
    Scalars::Yes
}

/// Whether a struct is made of numbers alone, as objects of which each CPU has its own must be.
pub(super) fn is_scalar_struct(btf: &Btf, id: TypeId) -> bool {
    scalars(btf, id, 0) == Scalars::Yes
}
