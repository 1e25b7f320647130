//! What the program's own types say of the arguments of its functions: what a function that is verified by itself may count on, and what
//! its callers must hand over.

use skep_btf::{Btf, DeclTag, FuncProto, Kind, Type, TypeId, essential_name};
use skep_linux::{Arch, AttachType, ProgType, Target};

use super::attach::kind_name;
use super::{is_composite, shown};
use crate::fault::Fault;
use crate::setting::Setting;
use crate::why::Types;

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FuncArg {
    /// A number.
    Scalar,
    /// The context of the program.
    Context,
    /// A dynptr, which may be read.
    Dynptr,
    /// Memory.
    Memory {
        /// Bytes.
        size: u32,
        /// It may be NULL.
        nullable: bool,
    },
    /// Any pointer or number, behind which guarded loads may read.
    UntrustedMemory,
    /// A pointer to a struct of the kernel that is trusted.
    Trusted {
        /// The struct, in the kernel's types.
        to: TypeId,
        /// It may be NULL.
        nullable: bool,
    },
    /// Any pointer or number, behind which guarded loads read a struct of the kernel.
    Untrusted {
        /// The struct, in the kernel's types.
        to: TypeId,
    },
    /// A pointer into the arena, or a number.
    Arena,
}

/// Arguments that are passed in registers.
const MAX_ARGS: usize = 5;

/// The parameters of a function of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// They are known.
    Known(Vec<FuncArg>),
    /// Of a static function, nothing can be said of them: it is verified where it is called.
    Unknown,
}

/// The parameters of the function of this id in the program's types. Number `index` among the functions of the program; `global` if it
/// is verified by itself.
///
/// # Errors
/// [`Types`] in the kernel's words; of a static function only what the kernel says of tags that it must not have, which is logged and
/// refuses nothing.
pub fn signature(setting: &Setting<'_>, id: TypeId, index: usize, global: bool) -> Result<Signature, Fault> {
    let Some(btf) = setting.program.btf.as_deref().filter(|_| !id.is_void()) else {
        return if global { Err(Types::NoFunctionTypes.into()) } else { Ok(Signature::Unknown) };
    };
    let Some(Type::Func(func)) = btf.get(id) else { return Err(Types::FunctionType(index).into()) };
    let name = func.name;
    let Some(Type::FuncProto(proto)) = btf.get(func.proto) else { return Err(Types::FunctionProto(name.into()).into()) };
    let count = proto.params().len() + usize::from(proto.is_variadic());
    if count > MAX_ARGS {
        let many = Types::ManyArgs { name: name.into(), count, most: MAX_ARGS };
        return if global { Err(many.into()) } else { Ok(Signature::Unknown) };
    }
    if !is_number(btf, proto.ret()) {
        return if global { Err(Types::ReturnsNoScalar(name.into()).into()) } else { Ok(Signature::Unknown) };
    }
    let tags: Vec<DeclTag<'_>> = btf.decl_tags(id).collect();
    let func = Function { setting, btf, name, global };
    let mut args = Vec::with_capacity(count);
    for (number, ty) in all_params(&proto).enumerate() {
        match func.arg(number, ty, &tags)? {
            Some(arg) => args.push(arg),
            None => return Ok(Signature::Unknown),
        }
    }
    Ok(Signature::Known(args))
}

/// Whether a function may be the one that `bpf_throw` runs at the end.
///
/// # Errors
/// It takes something else than one number.
pub fn check_exception_callback(signature: &Signature) -> Result<(), Fault> {
    match signature {
        Signature::Known(args) if args[..] == [FuncArg::Scalar] => Ok(()),
        Signature::Known(_) | Signature::Unknown => Err(Types::ExceptionCallback.into()),
    }
}

/// The types of the parameters; `...` at the end is one of type `void`.
fn all_params(proto: &FuncProto<'_>) -> impl Iterator<Item = TypeId> {
    proto.params().map(|param| param.ty).chain(proto.is_variadic().then_some(TypeId::VOID))
}

fn is_number(btf: &Btf, id: TypeId) -> bool {
    matches!(btf.kind(btf.resolve(id)), Kind::Int | Kind::Enum | Kind::Enum64)
}

/// The tags of one parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tags {
    ctx: bool,
    trusted: bool,
    untrusted: bool,
    nonnull: bool,
    nullable: bool,
    arena: bool,
}

impl Tags {
    const NONE: Tags = Tags { ctx: false, trusted: false, untrusted: false, nonnull: false, nullable: false, arena: false };

    fn add(&mut self, tag: &str) -> bool {
        let flag = match tag {
            "ctx" => &mut self.ctx,
            "trusted" => &mut self.trusted,
            "untrusted" => &mut self.untrusted,
            "nonnull" => &mut self.nonnull,
            "nullable" => &mut self.nullable,
            "arena" => &mut self.arena,
            _ => return false,
        };
        *flag = true;
        true
    }
}

/// A function, as its parameters need it.
struct Function<'a> {
    setting: &'a Setting<'a>,
    btf: &'a Btf,
    name: &'a str,
    global: bool,
}

impl Function<'_> {
    /// A parameter; `None` where the types of a static function say nothing of it.
    fn arg(&self, number: usize, ty: TypeId, tags: &[DeclTag<'_>]) -> Result<Option<FuncArg>, Fault> {
        let tags = self.tags(number, tags)?;
        let btf = self.btf;
        let ty = btf.resolve(ty);
        let Some(Type::Ptr(pointer)) = btf.get(ty) else {
            return self.value(number, ty, tags);
        };
        let combined = || Fault::from(Types::ArgTags(number));
        if tags.ctx || is_context(self.setting, btf, pointer.to) {
            if tags != (Tags { ctx: tags.ctx, ..Tags::NONE }) {
                return Err(combined());
            }
            if tags.ctx {
                check_context(self.setting, btf, pointer.to, number)?;
            }
            return Ok(Some(FuncArg::Context));
        }
        if is_dynptr(btf, pointer.to) {
            return if tags == Tags::NONE { Ok(Some(FuncArg::Dynptr)) } else { Err(combined()) };
        }
        if tags.trusted {
            if tags.nonnull {
                return Err(combined());
            }
            let to = self.in_kernel(number, pointer.to)?;
            return Ok(Some(FuncArg::Trusted { to, nullable: tags.nullable }));
        }
        if tags.untrusted {
            return self.untrusted(number, pointer.to, tags).map(Some);
        }
        if tags.arena {
            let alone = tags == Tags { arena: true, ..Tags::NONE };
            return if alone { Ok(Some(FuncArg::Arena)) } else { Err(Types::ArgArena(number).into()) };
        }
        if !self.global {
            return self.value(number, ty, tags);
        }
        if tags.nullable {
            return Err(combined());
        }
        let target = btf.resolve(pointer.to);
        match btf.size_of(target) {
            Ok(size) if btf.kind(target) != Kind::Var && btf.kind(target) != Kind::Datasec => {
                Ok(Some(FuncArg::Memory { size, nullable: !tags.nonnull }))
            }
            Ok(_) | Err(_) => {
                let (kind, name) = (kind_name(btf, target), btf.name(target).to_owned());
                Err(Types::ArgSizeUnknown { number, kind, name, error: -22 }.into())
            }
        }
    }

    fn tags(&self, number: usize, all: &[DeclTag<'_>]) -> Result<Tags, Fault> {
        let mut tags = Tags::NONE;
        let own = all.iter().filter(|tag| tag.component == Some(number as u32));
        for tag in own.filter_map(|tag| tag.value.strip_prefix("arg:")) {
            if !self.global {
                return Err(Types::ArgTagStatic(number).into());
            }
            if !tags.add(tag) {
                return Err(Types::ArgTagUnknown(number).into());
            }
        }
        Ok(tags)
    }

    /// A parameter that is no pointer, or none that means more than its bits.
    fn value(&self, number: usize, ty: TypeId, tags: Tags) -> Result<Option<FuncArg>, Fault> {
        if tags != Tags::NONE {
            return Err(Types::ArgTagNoPointer(number).into());
        }
        if is_number(self.btf, ty) {
            return Ok(Some(FuncArg::Scalar));
        }
        if !self.global {
            return Ok(None);
        }
        Err(Types::ArgKind { number, kind: kind_name(self.btf, ty), func: self.name.into() }.into())
    }

    fn untrusted(&self, number: usize, to: TypeId, tags: Tags) -> Result<FuncArg, Fault> {
        if tags != (Tags { untrusted: true, ..Tags::NONE }) {
            return Err(Types::ArgUntrusted(number).into());
        }
        let target = self.btf.resolve(to);
        if target.is_void() || is_primitive(self.btf, target) {
            return Ok(FuncArg::UntrustedMemory);
        }
        let id = self.in_kernel(number, to)?;
        let Some(kernel) = self.setting.vmlinux() else { return Err(Fault::not_modelled("the types of the kernel")) };
        if !is_composite(kernel, id) {
            // The kernel looks the name of the pointer up in its own strings, and finds none.
            return Err(Types::ArgUntrustedKind { number, kind: kind_name(kernel, id), name: "(anon)".into() }.into());
        }
        Ok(FuncArg::Untrusted { to: id })
    }

    /// The one type of the kernel of the same kind and name, flavors aside.
    fn in_kernel(&self, number: usize, to: TypeId) -> Result<TypeId, Fault> {
        let target = self.btf.resolve(to);
        let (kind, name) = (kind_name(self.btf, target), shown(self.btf.name(target)).into_owned());
        let Some(kernel) = self.setting.vmlinux() else { return Err(Fault::not_modelled("the types of the kernel")) };
        if self.btf.name(target).is_empty() {
            return Err(Types::ArgMatching { number, kind, name, error: -22 }.into());
        }
        let essential = essential_name(self.btf.name(target));
        let mut matches = kernel.find_essential(essential).filter(|id| kernel.kind(*id) == self.btf.kind(target));
        match (matches.next(), matches.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(Types::ArgNoMatch { number, kind, name }.into()),
            (Some(_), Some(_)) => Err(Types::ArgAmbiguous { number, kind, name }.into()),
        }
    }
}

/// Integers of a whole number of bytes, and enums.
fn is_primitive(btf: &Btf, id: TypeId) -> bool {
    let Some(Type::Int(int)) = btf.get(id) else { return btf.kind(id) == Kind::Enum };
    matches!(int.bits, 8 | 16 | 32 | 64 | 128) && int.bit_offset == 0
}

fn is_dynptr(btf: &Btf, to: TypeId) -> bool {
    let target = btf.resolve(to);
    let composite = matches!(btf.get(target), Some(Type::Struct(_) | Type::Union(_)));
    let declared = matches!(btf.get(target), Some(Type::Fwd(fwd)) if !fwd.union);
    (composite || declared) && btf.name(target) == "bpf_dynptr"
}

/// The type of the context of programs of a type: what a table in the kernel's types says.
fn canonical(target: &Target, prog_type: ProgType) -> Option<(&Btf, TypeId)> {
    converted(target, prog_type, "prog")
}

/// The type that the context has within the kernel.
pub(super) fn kernel_context(target: &Target, prog_type: ProgType) -> Option<(&Btf, TypeId)> {
    converted(target, prog_type, "kern")
}

fn converted<'k>(target: &'k Target, prog_type: ProgType, side: &str) -> Option<(&'k Btf, TypeId)> {
    let btf = target.btf()?;
    let Some(Type::Struct(table)) = btf.get(btf.find("bpf_ctx_convert", Kind::Struct)?) else { return None };
    let (_, member) = table.member_named(&format!("{}_{side}", prog_type.name()))?;
    Some((btf, member.ty))
}

/// The name of the typedef that stands for the registers of a program of a tracer.
const USER_REGS: &str = "bpf_user_pt_regs_t";

/// Whether a pointer to this type is taken for the context by its name alone.
pub(super) fn is_context(setting: &Setting<'_>, btf: &Btf, to: TypeId) -> bool {
    let prog_type = setting.prog_type();
    if prog_type == ProgType::Kprobe && is_user_regs(btf, to) {
        return true;
    }
    let target = btf.resolve(to);
    let name = btf.name(target);
    if !is_composite(btf, target) {
        return false;
    }
    let Some((kernel, mut id)) = canonical(setting.target, prog_type) else { return false };
    // The name may be that of a typedef on the way, or of the struct behind it.
    loop {
        let canonical = kernel.name(id);
        if canonical.is_empty() {
            return false;
        }
        if canonical == name || is_projection(canonical, name) {
            return true;
        }
        if !kernel.kind(id).is_alias() {
            return false;
        }
        id = kernel.resolve(id);
    }
}

fn is_user_regs(btf: &Btf, to: TypeId) -> bool {
    let id = btf.skip_modifiers(to);
    btf.kind(id) == Kind::Typedef && btf.name(id) == USER_REGS
}

/// The kernel's struct that a context is a view of is taken for it, too.
fn is_projection(context: &str, name: &str) -> bool {
    matches!((context, name), ("__sk_buff", "sk_buff") | ("xdp_md", "xdp_buff"))
}

/// Whether a pointer that a tag says is the context may be one.
fn check_context(setting: &Setting<'_>, btf: &Btf, to: TypeId, number: usize) -> Result<(), Fault> {
    let prog_type = setting.prog_type();
    if matches!(prog_type, ProgType::Kprobe | ProgType::PerfEvent) && is_user_regs(btf, to) {
        return Ok(());
    }
    let target = btf.resolve(to);
    if target.is_void() {
        return Ok(());
    }
    let name = btf.name(target);
    if name.is_empty() {
        return Err(Types::ArgNoName(number).into());
    }
    let is_struct = btf.kind(target) == Kind::Struct;
    let is_words = matches!(btf.get(target), Some(Type::Int(int)) if int.size == 8);
    let registers = match setting.target.arch {
        Arch::X86_64 => "pt_regs",
        Arch::Aarch64 => "user_pt_regs",
    };
    let fine = match prog_type {
        ProgType::Kprobe => is_struct && name == "pt_regs",
        ProgType::PerfEvent => is_struct && name == registers,
        ProgType::RawTracepoint | ProgType::RawTracepointWritable | ProgType::Lsm | ProgType::StructOps => is_words,
        ProgType::Tracing => match setting.attach {
            AttachType::TraceRawTp => is_words || is_struct && name == "bpf_raw_tracepoint_args",
            AttachType::TraceIter => is_struct && name.starts_with("bpf_iter__"),
            AttachType::TraceFentry | AttachType::TraceFexit | AttachType::ModifyReturn => is_words,
            _ => false,
        },
        ProgType::Tracepoint | ProgType::Syscall | ProgType::Ext => true,
        _ => false,
    };
    if fine {
        return Ok(());
    }
    let Some((kernel, id)) = canonical(setting.target, prog_type) else {
        return Err(Fault::not_modelled("contexts of a kernel whose types are not known"));
    };
    let wanted = kernel.resolve(id);
    if kernel.kind(wanted) != Kind::Struct {
        return Err(Types::ArgVoid(number).into());
    }
    let wanted = kernel.name(wanted);
    if is_struct && name == wanted { Ok(()) } else { Err(Types::ArgStruct { number, wanted: wanted.into() }.into()) }
}
