//! The arguments of a kernel function, against what its types and its row want.

use std::rc::Rc;

use skep_btf::{Btf, Kind as BtfKind, TypeId};
use skep_isa::Reg as Name;
use skep_linux::SpecialKind;
use skep_linux::kfuncs::Role;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{DynptrKind, Flags, IrqClass, Kind, MapRef, Reg, TypesOf};
use crate::step::jump::not_null;
use crate::types::attach::kind_name;
use crate::types::kfunc_args::{ArgKind, KfuncParam, Number, ParamKind, Seen};
use crate::types::walk;
use crate::why::{Kfunc, Types};

use super::Call;

impl<'w> Walk<'w> {
    /// Checks all arguments.
    pub(super) fn kfunc_args(&mut self, call: &mut Call<'w>) -> Result<(), Fault> {
        let func = Rc::clone(&call.func);
        let mut index = 0;
        while let (Some(param), Some(name)) = (func.params.get(index), Name::from_number(index as u8 + 1)) {
            index += 1;
            match param.kind {
                ParamKind::Ignored | ParamKind::Program => {}
                ParamKind::Scalar(number) => self.number_arg(call, number, name)?,
                ParamKind::Unsupported(kind) => return Err(Types::KfuncArg { number: index - 1, kind }.into()),
                ParamKind::Pointer(_) | ParamKind::Open(_) => {
                    let kind = self.pointer_arg(call, param, name)?;
                    if matches!(kind, ArgKind::Sized { .. }) {
                        index += 1;
                    }
                }
            }
        }
        if call.row.release && call.releases.is_none() {
            return Err(Kfunc::NothingReleased(call.func.name.to_owned()).into());
        }
        Ok(())
    }

    fn number_arg(&mut self, call: &mut Call<'_>, number: Number, name: Name) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        if !reg.is_scalar() {
            return Err(Kfunc::NotScalar(name.number()).into());
        }
        match number {
            Number::Plain => return Ok(()),
            Number::Constant => call.constant = Some(reg.constant().ok_or(Kfunc::NotConstant(name.number()))?),
            Number::ReadSize | Number::WriteSize => {
                call.rdonly |= number == Number::ReadSize;
                if call.size != 0 {
                    return Err(Kfunc::TwoSizes.into());
                }
                let size = reg.constant().ok_or(Kfunc::SizeNotConstant(name.number()))?;
                call.size = u32::try_from(size).map_err(|_| Fault::not_modelled("results of more than 4 GiB"))?;
            }
        }
        self.mark_precise(name)
    }

    fn pointer_arg(&mut self, call: &mut Call<'w>, param: &KfuncParam<'w>, name: Name) -> Result<ArgKind, Fault> {
        let reg = *self.state.reg(name);
        let arg = name.number() - 1;
        if call.func.trusting && (reg.is_null() || reg.maybe_null()) && !param.may_be_null {
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
        let kind = match param.kind {
            ParamKind::Pointer(ArgKind::Context) => ArgKind::Context,
            _any if param.nullable && reg.is_null() => ArgKind::Null,
            ParamKind::Pointer(kind) => kind,
            ParamKind::Open(open) => {
                let next = Name::from_number(name.number() + 1).map(|next| self.state.reg(next));
                let next_number = next.is_some_and(Reg::is_scalar);
                open.resolve(Seen { object: struct_behind(call.btf, &reg).is_some(), next_number })?
            }
            ParamKind::Ignored | ParamKind::Program | ParamKind::Scalar(_) | ParamKind::Unsupported(_) => {
                return Err(Fault::bug("a pointer that is none"));
            }
        };
        match kind {
            ArgKind::Null => return Ok(kind),
            ArgKind::Map => {
                self.map_arg(call, &reg, name)?;
                check_trust(call, &reg, name)?;
            }
            ArgKind::Allocated | ArgKind::Object { .. } => check_trust(call, &reg, name)?,
            ArgKind::Context
            | ArgKind::Refcounted
            | ArgKind::Dynptr { .. }
            | ArgKind::Iterator { .. }
            | ArgKind::ListHead
            | ArgKind::ListNode
            | ArgKind::RbRoot
            | ArgKind::RbNode
            | ArgKind::ConstString
            | ArgKind::Workqueue
            | ArgKind::TaskWork
            | ArgKind::IrqFlag
            | ArgKind::ResSpinLock
            | ArgKind::Callback
            | ArgKind::Memory { .. }
            | ArgKind::Sized { .. } => {}
        }
        self.check_given_offset(&reg, name, call.row.release && reg.ref_id != 0)?;
        self.check_arg_kind(call, kind, name)?;
        Ok(kind)
    }

    /// What the argument is of its own kind.
    fn check_arg_kind(&mut self, call: &mut Call<'w>, kind: ArgKind, name: Name) -> Result<(), Fault> {
        let reg = *self.state.reg(name);
        let arg = name.number() - 1;
        match kind {
            ArgKind::Null => Ok(()),
            ArgKind::Context if reg.kind == Kind::Ctx => Ok(()),
            ArgKind::Context => Err(Kfunc::NotContext { arg, kind: reg.type_name() }.into()),
            ArgKind::Iterator { state } => self.iter_arg(call, name, state),
            ArgKind::Map => {
                let map = call.btf.find("bpf_map", BtfKind::Struct);
                self.struct_arg(call, name, map.ok_or_else(|| Fault::bug("a kernel without struct bpf_map"))?)
            }
            ArgKind::Object { to } => self.struct_arg(call, name, to),
            ArgKind::IrqFlag if !matches!(reg.kind, Kind::Stack { .. }) => Err(Kfunc::IrqNotOnStack(arg).into()),
            ArgKind::IrqFlag => match call.row.role {
                Role::IrqSave => self.irq_save(name, IrqClass::Native),
                Role::LockIrqSave => self.irq_save(name, IrqClass::Lock),
                Role::IrqRestore => self.irq_restore(name, IrqClass::Native),
                Role::UnlockIrqRestore => self.irq_restore(name, IrqClass::Lock),
                _other => Err(Fault::not_modelled(format!("the flag of interrupts of {}", call.func.name))),
            },
            ArgKind::ResSpinLock => self.lock_arg(call, name),
            ArgKind::Allocated => self.object_arg(call, name),
            ArgKind::Refcounted => self.counted_arg(call, name),
            ArgKind::ListHead => self.root_arg(call, name, SpecialKind::ListHead),
            ArgKind::RbRoot => self.root_arg(call, name, SpecialKind::RbRoot),
            ArgKind::ListNode => self.new_node_arg(call, name, SpecialKind::ListNode),
            ArgKind::RbNode if call.row.role == Role::RbtreeAdd => self.new_node_arg(call, name, SpecialKind::RbNode),
            ArgKind::RbNode => self.tree_node_arg(call, name),
            ArgKind::Workqueue => self.later_arg(call, name, SpecialKind::Workqueue),
            ArgKind::TaskWork => self.later_arg(call, name, SpecialKind::TaskWork),
            ArgKind::Callback => self.callback_arg(call, name),
            ArgKind::Memory { size } => {
                let size = i32::try_from(size).map_err(|_| Fault::not_modelled("arguments of more than 2 GiB"))?;
                self.check_typed_memory(name, size)
            }
            ArgKind::Sized { constant, optional } => self.sized_memory_arg(call, name, constant, optional),
            ArgKind::Dynptr { uninit } => self.dynptr_arg(call, name, uninit),
            ArgKind::ConstString => match (reg.kind, reg.flags) {
                (Kind::MapValue { .. }, Flags::NONE) => self.constant_string(name, &reg).map(|_| ()),
                _other => Err(Kfunc::NotString(arg).into()),
            },
        }
    }

    /// The argument is a dynptr, or becomes one.
    fn dynptr_arg(&mut self, call: &mut Call<'_>, name: Name, uninit: bool) -> Result<(), Fault> {
        if !uninit {
            call.dynptr = Some(self.use_dynptr(name, false, None)?);
            return Ok(());
        }
        let (of, shares) = match call.row.role {
            Role::DynptrFromSkb => (DynptrKind::Skb, 0),
            Role::DynptrFromXdp => (DynptrKind::Xdp, 0),
            Role::DynptrFromSkbMeta => (DynptrKind::SkbMeta, 0),
            Role::DynptrClone => {
                let parent = call.dynptr.ok_or_else(|| Fault::bug("a copy of no dynptr"))?;
                (parent.of, parent.ref_id)
            }
            _other => return Err(Fault::not_modelled(format!("the dynptr that {} makes", call.func.name))),
        };
        self.make_dynptr(name, of, shares).map(|_| ())
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
    fn sized_memory_arg(&mut self, call: &mut Call<'w>, name: Name, constant: bool, optional: bool) -> Result<(), Fault> {
        let arg = name.number() - 1;
        let size = Name::from_number(name.number() + 1).ok_or_else(|| Fault::bug("memory without a size"))?;
        if !(optional && self.state.reg(name).is_null()) {
            let checked = self.as_if_not_null(name, |walk| {
                for writes in [false, true] {
                    walk.check_memory_and_size(name, size, writes, true, false, true)?;
                }
                Ok(())
            });
            checked.map_err(|fault| match fault {
                Fault::Refused(why) => Kfunc::Pair { why, arg }.into(),
                Fault::Unknown(_) => fault,
            })?;
        }
        if constant {
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

    /// Keeps the map; where two are given, whether they are one is asked of the one that has work for later.
    fn map_arg(&mut self, call: &mut Call<'_>, reg: &Reg, name: Name) -> Result<(), Fault> {
        let points = match reg.kind {
            Kind::MapPtr { map, uid } => {
                self.check_same_map(call, (map, uid))?;
                call.map = Some((map, uid));
                true
            }
            Kind::Mem { size, .. } => size != 0,
            Kind::Packet { range } | Kind::PacketMeta { range } => range != 0,
            Kind::Stack { frame } => frame != 0,
            Kind::Func { subprog } => subprog != 0,
            of => of.row().beside,
        };
        if points { Ok(()) } else { Err(Kfunc::NotMap(name.number()).into()) }
    }

    /// Where a value and its map are given, the value is of this map.
    fn check_same_map(&self, call: &Call<'_>, given: (MapRef, u32)) -> Result<(), Fault> {
        let Some(before) = call.map.filter(|before| *before != given) else { return Ok(()) };
        let has =
            |kind: SpecialKind| self.setting.map(given.0).is_some_and(|map| map.special.iter().any(|field| field.kind == kind));
        match (has(SpecialKind::TaskWork), has(SpecialKind::Workqueue)) {
            (true, _) => Err(Kfunc::OtherTaskWorkMap { value: before.1, map: given.1 }.into()),
            (false, true) => Err(Kfunc::OtherWorkqueueMap { value: before.1, map: given.1 }.into()),
            (false, false) => Ok(()),
        }
    }

    /// Offsets of a pointer that is given to a call: fixed ones may be added to some, and variable ones to fewer.
    pub(in crate::step) fn check_given_offset(&self, reg: &Reg, name: Name, release: bool) -> Result<(), Fault> {
        if release {
            if reg.off != 0 {
                return Err(Kfunc::ReleaseOffset(name.number()).into());
            }
            return self.check_fixed_offset(reg, name, false);
        }
        let flags = reg.flags;
        if reg.kind.row().given.contains(&flags) {
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
        let behind = struct_behind(call.btf, &reg).filter(|_| !(matches!(reg.kind, Kind::Btf { .. }) && unsafe_flags));
        let Some((types, id)) = behind else {
            let flags = Flags(reg.flags.0 & TRUSTWORTHY.0);
            let wanted = Reg { flags, ..reg }.type_name();
            return Err(Kfunc::NotBtf { arg, kind: reg.type_name(), wanted }.into());
        };
        let own = match types {
            TypesOf::Kernel => call.btf,
            TypesOf::Program => self.setting.program.btf.as_deref().ok_or_else(|| Fault::bug("a type of no types"))?,
        };
        let (wanted, given) = (call.btf.name(to), own.name(id));
        let strict = call.row.release && reg.ref_id != 0 || is_alias(wanted, given);
        let same = types == TypesOf::Kernel && walk::embedded(own, id, reg.off as u32, to, strict);
        if same || is_projection(wanted, given) {
            return Ok(());
        }
        Err(Kfunc::OtherStruct {
            func: call.func.name.to_owned(),
            arg,
            kind: kind_name(call.btf, to),
            name: wanted.to_owned(),
            reg: name.number(),
            other_kind: kind_name(own, id),
            other: given.to_owned(),
        }
        .into())
    }
}

/// The pointer is as trusted as the function wants.
fn check_trust(call: &Call<'_>, reg: &Reg, name: Name) -> Result<(), Fault> {
    if !call.func.trusting || is_trusted(reg) {
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
fn struct_behind(btf: &Btf, reg: &Reg) -> Option<(TypesOf, TypeId)> {
    let name = match reg.kind {
        Kind::Btf { types, id } => return Some((types, id)),
        Kind::Socket => "sock",
        Kind::SockCommon => "sock_common",
        Kind::TcpSock => "tcp_sock",
        Kind::MapPtr { .. } => "bpf_map",
        _other => return None,
    };
    btf.find(name, BtfKind::Struct).map(|id| (TypesOf::Kernel, id))
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
