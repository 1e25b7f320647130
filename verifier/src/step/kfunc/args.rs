//! The arguments of a kernel function, against its types and the suffixes of its parameters' names.

use skep_btf::{Kind as BtfKind, TypeId};
use skep_isa::Reg as Name;
use skep_linux::SpecialKind;
use skep_linux::kfuncs::Role;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, IrqClass, Kind, MapRef, Reg, TypesOf};
use crate::step::jump::not_null;
use crate::types::{is_composite, walk};
use crate::why::Kfunc;

use super::Call;
use super::params::{Parameter, Shape, is_scalar, is_scalar_struct, kind_word};

/// The most arguments.
const MAX_ARGS: usize = 5;

/// What a pointer argument has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// NULL, where that may be.
    Null,
    /// The context.
    Context,
    /// An object of the program.
    Object,
    /// An object of the program that counts references.
    Counted,
    Dynptr,
    Iter,
    ListHead,
    ListNode,
    RbRoot,
    RbNode,
    /// A string in a read-only map.
    Str,
    Map,
    Workqueue,
    TaskWork,
    IrqFlag,
    ResLock,
    /// A struct of the kernel.
    Struct,
    Callback,
    /// Memory of the size of its type.
    Memory,
    /// Memory of the size that the next argument says.
    SizedMemory,
}

/// Structs of the kernel, pointers to which are more than their types say.
const MARKED: [(&str, Class); 5] = [
    ("bpf_list_head", Class::ListHead),
    ("bpf_list_node", Class::ListNode),
    ("bpf_rb_root", Class::RbRoot),
    ("bpf_rb_node", Class::RbNode),
    ("bpf_wq", Class::Workqueue),
];

impl<'w> Walk<'w> {
    /// Checks all arguments.
    pub(super) fn kfunc_args(&mut self, call: &mut Call<'w>) -> Result<(), Fault> {
        let params: Vec<Parameter<'w>> = call.proto.params().map(|param| Parameter::new(call.btf, param)).collect();
        if params.len() > MAX_ARGS {
            return Err(Kfunc::TooManyArgs { name: call.name.to_owned(), count: params.len() }.into());
        }
        let mut index = 0;
        while let Some(param) = params.get(index) {
            let (arg, name) = (index as u8, Name::ALL[index + 1]);
            index += 1;
            if param.has("__ign") || param.has("__prog") {
                continue;
            }
            match param.shape {
                Shape::Scalar(_) => self.number_arg(call, param, name)?,
                Shape::Other(kind) => return Err(Kfunc::ArgKind { arg, kind }.into()),
                Shape::Pointer(to) => {
                    let class = self.pointer_arg(call, param, params.get(index), name, to)?;
                    if class == Class::SizedMemory {
                        index += 1;
                    }
                }
            }
        }
        if call.row.release && call.releases.is_none() {
            return Err(Kfunc::NothingReleased(call.name.to_owned()).into());
        }
        Ok(())
    }

    fn number_arg(&mut self, call: &mut Call<'_>, param: &Parameter<'_>, name: Name) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        if !reg.is_scalar() {
            return Err(Kfunc::NotScalar(name.number()).into());
        }
        if param.has("__k") {
            let value = reg.constant().ok_or(Kfunc::NotConstant(name.number()))?;
            self.mark_precise(name)?;
            call.constant = Some(value);
            return Ok(());
        }
        let rdonly = param.name == "rdonly_buf_size";
        if !rdonly && param.name != "rdwr_buf_size" {
            return Ok(());
        }
        call.rdonly |= rdonly;
        if call.size.is_some_and(|size| size != 0) {
            return Err(Kfunc::TwoSizes.into());
        }
        call.size = Some(reg.constant().ok_or(Kfunc::SizeNotConstant(name.number()))?);
        self.mark_precise(name)
    }

    fn pointer_arg(
        &mut self,
        call: &mut Call<'w>,
        param: &Parameter<'w>,
        next: Option<&Parameter<'w>>,
        name: Name,
        to: TypeId,
    ) -> Result<Class, Fault> {
        let reg = *self.state.reg(name);
        let arg = name.number() - 1;
        let trusted = call.row.wants_trusted();
        if (trusted || call.row.rcu) && (reg.is_null() || reg.maybe_null()) && !param.has("__nullable") {
            return Err(Kfunc::MaybeNull(arg).into());
        }
        if reg.ref_id != 0 {
            if call.row.release {
                if call.ref_id != 0 {
                    return Err(Fault::not_modelled("two references to release"));
                }
                call.releases = Some(name);
            }
            call.ref_id = reg.ref_id;
        }
        let class = self.classify(call, param, next, name, to)?;
        match class {
            Class::Null => return Ok(class),
            Class::Map => {
                self.map_arg(call, &reg, name)?;
                self.check_trust(call, &reg, name)?;
            }
            Class::Object | Class::Struct => self.check_trust(call, &reg, name)?,
            Class::Context
            | Class::Counted
            | Class::Dynptr
            | Class::Iter
            | Class::ListHead
            | Class::ListNode
            | Class::RbRoot
            | Class::RbNode
            | Class::Str
            | Class::Workqueue
            | Class::TaskWork
            | Class::IrqFlag
            | Class::ResLock
            | Class::Callback
            | Class::Memory
            | Class::SizedMemory => {}
        }
        self.check_kfunc_offset(&reg, name, call.row.release && reg.ref_id != 0)?;
        self.check_class(call, class, (param, next), name, to)?;
        Ok(class)
    }

    /// What the argument is of its own kind.
    fn check_class(
        &mut self,
        call: &mut Call<'w>,
        class: Class,
        (param, next): (&Parameter<'w>, Option<&Parameter<'w>>),
        name: Name,
        to: TypeId,
    ) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let arg = name.number() - 1;
        match class {
            Class::Null => Ok(()),
            Class::Context if reg.kind == Kind::Ctx => Ok(()),
            Class::Context => Err(Kfunc::NotContext { arg, kind: reg.type_name() }.into()),
            Class::Iter => self.iter_arg(call, name, to),
            Class::Map => {
                let map = call.btf.find("bpf_map", BtfKind::Struct);
                self.struct_arg(call, name, map.ok_or_else(|| Fault::bug("a kernel without struct bpf_map"))?)
            }
            Class::Struct => self.struct_arg(call, name, to),
            Class::IrqFlag if !matches!(reg.kind, Kind::Stack { .. }) => Err(Kfunc::IrqNotOnStack(arg).into()),
            Class::IrqFlag => match call.row.role {
                Role::IrqSave => self.irq_save(name, IrqClass::Native),
                Role::LockIrqSave => self.irq_save(name, IrqClass::Lock),
                Role::IrqRestore => self.irq_restore(name, IrqClass::Native),
                Role::UnlockIrqRestore => self.irq_restore(name, IrqClass::Lock),
                _other => Err(Fault::not_modelled(format!("the flag of interrupts of {}", call.name))),
            },
            Class::ResLock => self.lock_arg(call, name),
            Class::Object => self.object_arg(call, name),
            Class::Counted => self.counted_arg(call, name),
            Class::ListHead => self.root_arg(call, name, SpecialKind::ListHead),
            Class::RbRoot => self.root_arg(call, name, SpecialKind::RbRoot),
            Class::ListNode => self.new_node_arg(call, name, SpecialKind::ListNode),
            Class::RbNode if call.row.role == Role::RbtreeAdd => self.new_node_arg(call, name, SpecialKind::RbNode),
            Class::RbNode => self.tree_node_arg(call, name),
            Class::Workqueue => self.later_arg(call, name, SpecialKind::Workqueue),
            Class::TaskWork => self.later_arg(call, name, SpecialKind::TaskWork),
            Class::Callback => self.callback_arg(call, name),
            Class::Memory => self.memory_arg(call, name, to),
            Class::SizedMemory => self.sized_memory_arg(call, param, next, name),
            Class::Dynptr | Class::Str => Err(Fault::not_modelled(format!("argument {arg} of {} ({class:?})", call.name))),
        }
    }

    /// The argument is memory of the size of its type, or NULL.
    fn memory_arg(&mut self, call: &Call<'_>, name: Name, to: TypeId) -> Result<(), Fault> {
        let arg = name.number() - 1;
        let Some(size) = call.btf.size_of(to).ok().and_then(|size| i32::try_from(size).ok()) else {
            return Err(Kfunc::NoSize { arg, kind: kind_word(call.btf, to), name: call.btf.name(to).to_owned() }.into());
        };
        self.check_typed_memory(name, size)
    }

    /// So many bytes may be read and written at the pointer, if it is not NULL.
    pub(in crate::step) fn check_typed_memory(&mut self, name: Name, size: i32) -> Result<(), Fault> {
        if self.state.reg(name).is_null() {
            return Ok(());
        }
        self.as_if_not_null(name, |walk| {
            for writes in [false, true] {
                walk.check_helper_memory(name, size, writes, true, false, true)?;
            }
            Ok(())
        })
    }

    /// The argument is memory of as many bytes as the next argument says.
    fn sized_memory_arg(
        &mut self,
        call: &mut Call<'w>,
        param: &Parameter<'w>,
        next: Option<&Parameter<'w>>,
        name: Name,
    ) -> Result<(), Fault> {
        let arg = name.number() - 1;
        let size = Name::from_number(name.number() + 1).ok_or_else(|| Fault::bug("memory without a size"))?;
        if !self.state.reg(name).is_null() || !param.has("__opt") {
            self.as_if_not_null(name, |walk| {
                for writes in [false, true] {
                    walk.check_memory_and_size(name, size, writes, true, false, true)?;
                }
                Ok(())
            })
            .map_err(|fault| match fault {
                Fault::Refused(why) => Kfunc::Pair { why, arg }.into(),
                Fault::Unknown(_) => fault,
            })?;
        }
        if next.is_some_and(|next| next.has("__szk")) {
            call.constant = Some(self.state.reg(size).constant().ok_or(Kfunc::NotConstant(size.number()))?);
        }
        Ok(())
    }

    /// Looks at a pointer that may be NULL as if it were not.
    fn as_if_not_null(&mut self, name: Name, look: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        let before = *self.state.reg(name);
        if !before.maybe_null() {
            return look(self);
        }
        *self.state.reg_mut(name) = not_null(self.setting, before);
        let seen = look(self);
        *self.state.reg_mut(name) = before;
        seen
    }

    fn classify(
        &self,
        call: &Call<'_>,
        param: &Parameter<'_>,
        next: Option<&Parameter<'_>>,
        name: Name,
        to: TypeId,
    ) -> Result<Class, Fault> {
        let reg = self.state.reg(name);
        let arg = name.number() - 1;
        if call.row.role == Role::CastToKernCtx || self.is_context_struct(call, to) {
            return Ok(Class::Context);
        }
        if param.has("__nullable") && reg.is_null() {
            return Ok(Class::Null);
        }
        if let Some(class) = named_class(call, param, arg) {
            return Ok(class);
        }
        if struct_behind(call, reg).is_some() {
            if !is_composite(call.btf, to) {
                let (func, kind, pointee) = (call.name.to_owned(), kind_word(call.btf, to), call.btf.name(to).to_owned());
                return Err(Kfunc::PointeeKind { func, arg, kind, name: pointee }.into());
            }
            return Ok(Class::Struct);
        }
        if call.btf.kind(to) == BtfKind::FuncProto {
            return Ok(Class::Callback);
        }
        let size = Name::from_number(name.number() + 1).map(|size| self.state.reg(size));
        let sized = next.is_some_and(Parameter::is_size) && size.is_some_and(Reg::is_scalar);
        let plain = is_scalar(call.btf, to) || is_scalar_struct(call.btf, to, 0);
        if !(plain || sized && to.is_void()) {
            let pointee = call.btf.name(to).to_owned();
            return Err(Kfunc::Pointee { arg, kind: kind_word(call.btf, to), name: pointee, sized }.into());
        }
        Ok(if sized { Class::SizedMemory } else { Class::Memory })
    }

    /// The parameter is a pointer to what programs of this type know as their context.
    fn is_context_struct(&self, call: &Call<'_>, to: TypeId) -> bool {
        let Some(row) = self.setting.context.filter(|_| is_composite(call.btf, to)) else { return false };
        let name = call.btf.name(to);
        row.name == name || is_projection(row.name, name)
    }

    /// Keeps the map; where two are given, whether they are one is asked of the one that has work for later.
    fn map_arg(&mut self, call: &mut Call<'_>, reg: &Reg, name: Name) -> Result<(), Fault> {
        let points = match reg.kind {
            Kind::MapPtr { map, uid } => {
                self.check_same_map(call, (map, uid))?;
                call.map = Some((map, uid));
                true
            }
            Kind::MapValue { .. } | Kind::MapKey { .. } | Kind::Btf { .. } => true,
            Kind::Mem { size, .. } => size != 0,
            Kind::Packet { range } | Kind::PacketMeta { range } => range != 0,
            Kind::Stack { frame } => frame != 0,
            Kind::Func { subprog } => subprog != 0,
            Kind::NotInit
            | Kind::Scalar
            | Kind::Ctx
            | Kind::PacketEnd
            | Kind::FlowKeys
            | Kind::Socket
            | Kind::SockCommon
            | Kind::TcpSock
            | Kind::XdpSock
            | Kind::TracepointBuffer
            | Kind::Buf
            | Kind::Arena
            | Kind::ConstDynptr { .. }
            | Kind::DynptrSlot { .. }
            | Kind::IterSlot { .. }
            | Kind::IrqSlot { .. } => false,
        };
        if points { Ok(()) } else { Err(Kfunc::NotMap(name.number()).into()) }
    }

    /// Where a value and its map are given, the value is of this map.
    fn check_same_map(&self, call: &Call<'_>, given: (MapRef, u32)) -> Result<(), Fault> {
        let Some(before) = call.map.filter(|before| *before != given) else { return Ok(()) };
        let fields =
            |kind: SpecialKind| self.setting.map(given.0).is_some_and(|map| map.special.iter().any(|field| field.kind == kind));
        match (fields(SpecialKind::TaskWork), fields(SpecialKind::Workqueue)) {
            (true, _) => Err(Kfunc::OtherTaskWorkMap { value: before.1, map: given.1 }.into()),
            (false, true) => Err(Kfunc::OtherWorkqueueMap { value: before.1, map: given.1 }.into()),
            (false, false) => Ok(()),
        }
    }

    fn check_trust(&self, call: &Call<'_>, reg: &Reg, name: Name) -> Result<(), Fault> {
        if !call.row.wants_trusted() && !call.row.rcu || is_trusted(reg) {
            return Ok(());
        }
        if !call.row.rcu {
            return Err(Kfunc::NotTrusted(name.number()).into());
        }
        if !reg.flags.has(Flags::RCU) {
            return Err(Kfunc::NotRcu(name.number()).into());
        }
        Ok(())
    }

    /// Offsets of a pointer that is given to a call: fixed ones may be added to some, and variable ones to fewer.
    pub(in crate::step) fn check_kfunc_offset(&self, reg: &Reg, name: Name, release: bool) -> Result<(), Fault> {
        if release {
            if reg.off != 0 {
                return Err(Kfunc::ReleaseOffset(name.number()).into());
            }
            return self.check_fixed_offset(reg, name, false);
        }
        let flags = reg.flags;
        let free = match reg.kind {
            Kind::Stack { .. }
            | Kind::Packet { .. }
            | Kind::PacketMeta { .. }
            | Kind::MapKey { .. }
            | Kind::MapValue { .. }
            | Kind::Arena
            | Kind::Scalar => flags == Flags::NONE,
            Kind::Mem { .. } => [Flags::NONE, Flags::RDONLY, Flags::RINGBUF].contains(&flags),
            Kind::Buf => [Flags::NONE, Flags::RDONLY].contains(&flags),
            Kind::NotInit
            | Kind::Ctx
            | Kind::MapPtr { .. }
            | Kind::PacketEnd
            | Kind::FlowKeys
            | Kind::Socket
            | Kind::SockCommon
            | Kind::TcpSock
            | Kind::XdpSock
            | Kind::TracepointBuffer
            | Kind::Btf { .. }
            | Kind::Func { .. }
            | Kind::ConstDynptr { .. }
            | Kind::DynptrSlot { .. }
            | Kind::IterSlot { .. }
            | Kind::IrqSlot { .. } => false,
        };
        if free {
            return Ok(());
        }
        const FIXED: [Flags; 6] = [
            Flags::NONE,
            Flags::ALLOC,
            Flags::TRUSTED,
            Flags::RCU,
            Flags::ALLOC.with(Flags::NON_OWNING),
            Flags::ALLOC.with(Flags::NON_OWNING).with(Flags::RCU),
        ];
        let fixed = matches!(reg.kind, Kind::Btf { .. }) && FIXED.contains(&flags);
        self.check_fixed_offset(reg, name, fixed)
    }

    /// The argument is the struct of the kernel that the function wants, or has it as its first member.
    fn struct_arg(&mut self, call: &Call<'_>, name: Name, to: TypeId) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let arg = name.number() - 1;
        let unsafe_flags = reg.flags.without(TRUSTWORTHY) != Flags::NONE && !reg.flags.has(Flags::RCU);
        let usable = match reg.kind {
            Kind::Btf { .. } => !unsafe_flags,
            _other => struct_behind(call, &reg).is_some(),
        };
        let (Some((types, id)), true) = (struct_behind(call, &reg), usable) else {
            let flags = Flags(reg.flags.0 & TRUSTWORTHY.0);
            let wanted = Reg { flags, ..reg }.type_name();
            return Err(Kfunc::NotBtf { arg, kind: reg.type_name(), wanted }.into());
        };
        let types_of = match types {
            TypesOf::Kernel => call.btf,
            TypesOf::Program => self.setting.program.btf.as_deref().ok_or_else(|| Fault::bug("a type of no types"))?,
        };
        let (wanted, given) = (call.btf.name(to), types_of.name(id));
        let strict = call.row.release && reg.ref_id != 0 || is_alias(wanted, given);
        let same = types == TypesOf::Kernel && walk::embedded(types_of, id, reg.off as u32, to, strict);
        if !same && !is_projection(wanted, given) {
            return Err(Kfunc::OtherStruct {
                func: call.name.to_owned(),
                arg,
                kind: kind_word(call.btf, to),
                name: wanted.to_owned(),
                reg: name.number(),
                other_kind: kind_word(types_of, id),
                other: given.to_owned(),
            }
            .into());
        }
        Ok(())
    }
}

/// What the name of a parameter, or of the struct that it points to, says of it.
fn named_class(call: &Call<'_>, param: &Parameter<'_>, arg: u8) -> Option<Class> {
    if param.has("__alloc") {
        return Some(Class::Object);
    }
    if param.has("__refcounted_kptr") {
        return Some(Class::Counted);
    }
    if param.points_to(call.btf, "bpf_dynptr") {
        return Some(Class::Dynptr);
    }
    let iterates = matches!(call.row.role, Role::IterNew | Role::IterNext | Role::IterDestroy);
    if iterates && arg == 0 || !iterates && param.has("__iter") {
        return Some(Class::Iter);
    }
    let marked = |(name, class)| param.points_to(call.btf, name).then_some(class);
    if let Some(class) = MARKED[..4].iter().copied().find_map(marked) {
        return Some(class);
    }
    if param.has("__str") {
        return Some(Class::Str);
    }
    if param.has("__map") {
        return Some(Class::Map);
    }
    if let Some(class) = MARKED[4..].iter().copied().find_map(marked) {
        return Some(class);
    }
    if param.points_to(call.btf, "bpf_task_work") {
        return Some(Class::TaskWork);
    }
    if param.has("__irq_flag") {
        return Some(Class::IrqFlag);
    }
    param.points_to(call.btf, "bpf_res_spin_lock").then_some(Class::ResLock)
}

/// Marks of a pointer that the kernel trusts.
const TRUSTWORTHY: Flags = Flags::ALLOC.with(Flags::TRUSTED).with(Flags::NON_OWNING);

/// The kernel takes the pointer as it is, as long as the program runs.
fn is_trusted(reg: &Reg) -> bool {
    let plain = reg.flags.without(TRUSTWORTHY) == Flags::NONE;
    let known = match reg.kind {
        Kind::Socket | Kind::SockCommon | Kind::TcpSock | Kind::MapPtr { .. } => true,
        _other => reg.flags.any(TRUSTWORTHY),
    };
    reg.ref_id != 0 || known && plain
}

/// The struct that a pointer is to, where the kernel knows one.
fn struct_behind(call: &Call<'_>, reg: &Reg) -> Option<(TypesOf, TypeId)> {
    let name = match reg.kind {
        Kind::Btf { types, id } => return Some((types, id)),
        Kind::Socket => "sock",
        Kind::SockCommon => "sock_common",
        Kind::TcpSock => "tcp_sock",
        Kind::MapPtr { .. } => "bpf_map",
        _other => return None,
    };
    call.btf.find(name, BtfKind::Struct).map(|id| (TypesOf::Kernel, id))
}

/// The struct that programs see is another's face.
fn is_projection(face: &str, kernel: &str) -> bool {
    matches!((face, kernel), ("__sk_buff", "sk_buff") | ("xdp_md", "xdp_buff"))
}

/// Structs of which one is the other before it is complete: alike, and not to be mixed.
fn is_alias(a: &str, b: &str) -> bool {
    const SUFFIX: &str = "___init";
    a.strip_suffix(SUFFIX) == Some(b) || b.strip_suffix(SUFFIX) == Some(a)
}
