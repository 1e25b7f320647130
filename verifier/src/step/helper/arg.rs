//! What each argument must be.

use skep_btf::{Kind as BtfKind, TypeId};
use skep_isa::{Callee, Insn, Reg as Name, Size};
use skep_linux::helpers::{self, Access as Use, Arg, ArgKind, BtfType, MapUse, Role};
use skep_linux::maps::ValueArg;
use skep_linux::programs::PacketArgs;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{DynptrKind, Flags, Kind, Reg, TypesOf};
use crate::types::walk::embedded;
use crate::why::{Call, Mem};

use super::super::lock::Lock;
use super::super::mem::{Access, Does};
use super::accepts::{accepted, names};
use super::{Called, arg_name};

/// The argument writes memory.
const fn writes(access: Use) -> bool {
    match access {
        Use::Read | Use::ReadOfWritable => false,
        Use::ReadWrite | Use::Fill => true,
    }
}

/// What an argument that is memory does with it.
const fn access_of(kind: ArgKind) -> Option<Use> {
    match kind {
        ArgKind::MapValue(access) | ArgKind::Mem(access) | ArgKind::FixedMem { access, .. } => Some(access),
        ArgKind::MapMem => Some(Use::Fill),
        ArgKind::MapKey
        | ArgKind::Anything
        | ArgKind::MapPtr
        | ArgKind::Size
        | ArgKind::SizeOrZero
        | ArgKind::AllocSize
        | ArgKind::Ctx
        | ArgKind::Stack
        | ArgKind::Func
        | ArgKind::SpinLock
        | ArgKind::Timer
        | ArgKind::SockCommon
        | ArgKind::Socket
        | ArgKind::Btf(_)
        | ArgKind::BtfSockCommon
        | ArgKind::RingbufMem
        | ArgKind::PercpuBtf
        | ArgKind::ConstStr
        | ArgKind::KptrSlot
        | ArgKind::Kptr
        | ArgKind::Dynptr(_) => None,
    }
}

/// Memory whose kind stays open until it is used: what it is a slice of does not matter.
const fn is_memory(kind: ArgKind) -> bool {
    matches!(kind, ArgKind::Mem(_) | ArgKind::MapMem | ArgKind::FixedMem { .. })
}

impl Walk<'_> {
    /// The argument is what the helper takes.
    pub(super) fn check_arg(&mut self, called: &mut Called, index: usize) -> Result<(), Fault> {
        let Some(&arg) = called.proto.args.get(index) else { return Ok(()) };
        let name = arg_name(index);
        let reg = *self.read(name)?;
        if arg.kind == ArgKind::Anything {
            if self.is_guarded_pointer(name) {
                return Err(Mem::LeaksInto { reg: name.number(), what: "helper function" }.into());
            }
            return Ok(());
        }
        if reg.is_packet() && !self.takes_packet(called) {
            return Err(Call::PacketArg.into());
        }
        let arg = self.value_arg(called, arg)?;
        if !(reg.is_null() && arg.nullable) {
            self.check_kind(called, arg, name, &reg)?;
            self.check_arg_offset(arg, name, &reg)?;
        }
        self.note_references(called, arg, name, &reg)?;
        self.check_use(called, arg, index, &reg)
    }

    fn takes_packet(&self, called: &Called) -> bool {
        match self.setting.row.packet_args {
            PacketArgs::None => false,
            PacketArgs::Marked => called.proto.takes_packet,
            PacketArgs::All => true,
        }
    }

    /// What an argument that is a value of the map is, by the type of the map.
    fn value_arg(&self, called: &Called, arg: Arg) -> Result<Arg, Fault> {
        let ArgKind::MapValue(access) = arg.kind else { return Ok(arg) };
        let map = self.called_map(called)?;
        let kind = match skep_linux::map(map.map_type).map(|row| row.value_arg) {
            Some(ValueArg::Socket) if access == Use::ReadOfWritable && !arg.nullable => ArgKind::BtfSockCommon,
            Some(ValueArg::Socket) => return Err(Call::SocketValue.into()),
            Some(ValueArg::Tested) if called.row.map_use == MapUse::Read => ArgKind::MapValue(Use::ReadOfWritable),
            Some(ValueArg::Memory | ValueArg::Tested) | None => arg.kind,
        };
        Ok(Arg { kind, ..arg })
    }

    /// The value is of a kind that the argument takes.
    pub(super) fn check_kind(&self, called: &Called, arg: Arg, name: Name, reg: &Reg) -> Result<(), Fault> {
        let kinds = accepted(arg.kind);
        let mut flags = reg.flags;
        if access_of(arg.kind) == Some(Use::Read) {
            flags = flags.without(Flags::RDONLY);
        }
        if arg.nullable {
            flags = flags.without(Flags::MAYBE_NULL);
        }
        if is_memory(arg.kind) {
            flags = flags.without(Flags::OF_PACKET).without(Flags::OF_MEMORY);
        }
        if arg.kind == ArgKind::Kptr && reg.flags.has(Flags::ALLOC) {
            flags = flags.without(Flags::ALLOC).without(Flags::PERCPU);
        }
        let value = Reg { flags, ..*reg };
        if !kinds.iter().any(|kind| kind.same_type(&value)) {
            return Err(Call::Kind { reg: name.number(), kind: reg.type_name(), expected: names(kinds) }.into());
        }
        let Kind::Btf { types, id } = reg.kind else { return Ok(()) };
        if let Some(access) = access_of(arg.kind).or((arg.kind == ArgKind::MapKey).then_some(Use::ReadOfWritable)) {
            if access != Use::Read {
                return Err(Call::MayWrite { name: called.row.name, reg: name.number(), kind: reg.type_name() }.into());
            }
            return Ok(());
        }
        let wanted = match arg.kind {
            ArgKind::Btf(to) => to,
            ArgKind::BtfSockCommon => BtfType::SockCommon,
            ArgKind::PercpuBtf | ArgKind::SpinLock | ArgKind::KptrSlot => return Ok(()),
            ArgKind::Kptr if reg.maybe_null() => {
                let own = reg.flags.has(Flags::ALLOC);
                return Err(if own { Call::TypeMatch } else { Call::PossiblyNull(name.number()) }.into());
            }
            ArgKind::Kptr => return self.check_kptr(called, name, reg),
            _other => return Err(Fault::bug("a pointer of the kernel that no argument takes")),
        };
        if reg.maybe_null() && arg.released {
            return Err(Call::PossiblyNull(name.number()).into());
        }
        let strict = arg.released && matches!(arg.kind, ArgKind::Btf(_));
        self.check_struct(name, reg, (types, id), wanted, strict)
    }

    /// The pointer is one to this struct of the kernel, or to one that begins with it.
    fn check_struct(
        &self,
        name: Name,
        reg: &Reg,
        (types, id): (TypesOf, TypeId),
        wanted: BtfType,
        strict: bool,
    ) -> Result<(), Fault> {
        let vmlinux = self.setting.vmlinux().ok_or_else(|| Fault::not_modelled("a kernel whose types are not known"))?;
        let to = vmlinux.find(wanted.name(), BtfKind::Struct);
        let fits = match (types, to, u32::try_from(reg.off)) {
            (TypesOf::Kernel, Some(to), Ok(off)) => embedded(vmlinux, id, off, to, strict),
            _other => false,
        };
        if fits {
            return Ok(());
        }
        let own = match types {
            TypesOf::Kernel => vmlinux.name(id).to_owned(),
            TypesOf::Program => self.setting.program.btf.as_ref().map(|btf| btf.name(id).to_owned()).unwrap_or_default(),
        };
        Err(Call::Struct { reg: name.number(), own, wanted: wanted.name() }.into())
    }

    /// Nothing was added to the pointer that must not be.
    pub(super) fn check_arg_offset(&self, arg: Arg, name: Name, reg: &Reg) -> Result<(), Fault> {
        if arg.released {
            if matches!(arg.kind, ArgKind::Dynptr(_)) && matches!(reg.kind, Kind::Stack { .. }) {
                return Ok(());
            }
            if reg.off != 0 {
                return Err(Call::ReleasedOffset(name.number()).into());
            }
            return self.check_fixed_offset(reg, name, false);
        }
        let flags = reg.flags;
        match reg.kind {
            Kind::Stack { .. }
            | Kind::Packet { .. }
            | Kind::PacketMeta { .. }
            | Kind::MapKey { .. }
            | Kind::MapValue { .. }
            | Kind::Arena
            | Kind::Scalar
                if flags == Flags::NONE =>
            {
                Ok(())
            }
            Kind::Mem { .. } if flags == Flags::NONE || flags == Flags::RDONLY || flags == Flags::RINGBUF => Ok(()),
            Kind::Buf if flags == Flags::NONE || flags == Flags::RDONLY => Ok(()),
            Kind::Btf { .. } => {
                let alloc = Flags::ALLOC.with(Flags::NON_OWNING);
                let fixed = [Flags::NONE, Flags::ALLOC, Flags::TRUSTED, Flags::RCU, alloc, alloc.with(Flags::RCU)];
                self.check_fixed_offset(reg, name, fixed.contains(&flags))
            }
            _other => self.check_fixed_offset(reg, name, false),
        }
    }

    /// The reference that an argument holds.
    fn note_references(&mut self, called: &mut Called, arg: Arg, name: Name, reg: &Reg) -> Result<(), Fault> {
        let number = name.number();
        if arg.released {
            if matches!(arg.kind, ArgKind::Dynptr(_)) {
                self.check_dynptr_held(name)?;
            } else if reg.ref_id == 0 && !reg.is_null() {
                return Err(Call::NotReferenced(number).into());
            }
            called.released = Some(name);
        }
        if reg.ref_id != 0 && arg.kind != ArgKind::KptrSlot {
            if called.ref_id != 0 {
                return Err(Call::TwoReferences { reg: number, second: reg.ref_id, first: called.ref_id }.into());
            }
            called.ref_id = reg.ref_id;
        }
        Ok(())
    }

    /// The argument does for what the helper does with it.
    fn check_use(&mut self, called: &mut Called, arg: Arg, index: usize, reg: &Reg) -> Result<(), Fault> {
        let name = arg_name(index);
        match arg.kind {
            ArgKind::MapPtr => self.take_map(called, reg),
            ArgKind::MapKey => self.check_key(called, name, reg),
            ArgKind::MapValue(access) => {
                if arg.nullable && reg.is_null() {
                    return Ok(());
                }
                let size = self.called_map(called)?.value_size;
                self.check_fixed_memory(called, name, size, access)
            }
            ArgKind::FixedMem { access, size, aligned } => {
                self.check_fixed_memory(called, name, size, access)?;
                if aligned {
                    let size = if size == 4 { Size::W } else { Size::Dw };
                    self.check_alignment(&Access { base: name, off: 0, size, does: Does::Read, strict: true }, reg)?;
                }
                Ok(())
            }
            ArgKind::Size => self.check_sized(called, index, false),
            ArgKind::SizeOrZero => self.check_sized(called, index, true),
            ArgKind::AllocSize => {
                let Some(size) = reg.constant() else { return Err(Call::NotConstant(name.number()).into()) };
                called.alloc_size = size as u32;
                self.mark_precise(name)
            }
            // Memory is looked at with its size.
            ArgKind::Mem(_) | ArgKind::MapMem => Ok(()),
            ArgKind::Anything
            | ArgKind::Ctx
            | ArgKind::Stack
            | ArgKind::SockCommon
            | ArgKind::Socket
            | ArgKind::Btf(_)
            | ArgKind::BtfSockCommon
            | ArgKind::RingbufMem => Ok(()),
            ArgKind::Func | ArgKind::Kptr => Ok(()),
            ArgKind::SpinLock => self.check_spin_lock(called, name),
            ArgKind::Timer => self.check_timer(called, name, reg),
            ArgKind::PercpuBtf => {
                called.variable = Some(*reg);
                Ok(())
            }
            ArgKind::ConstStr => self.constant_string(name, reg).map(|_| ()),
            ArgKind::KptrSlot => self.check_kptr_slot(called, name, reg),
            ArgKind::Dynptr(role) => {
                called.dynptr = Some(match role {
                    Role::MakeLocal => self.make_dynptr(name, DynptrKind::Local, 0)?,
                    Role::MakeRingbuf => self.make_dynptr(name, DynptrKind::Ringbuf, 0)?,
                    Role::Use => self.use_dynptr(name, false, None)?,
                    Role::ReleaseRingbuf => self.use_dynptr(name, true, Some(DynptrKind::Ringbuf))?,
                });
                Ok(())
            }
        }
    }

    /// The argument is a lock, which is taken or given up. A function that a kernel function calls to compare runs under the lock of its
    /// caller.
    fn check_spin_lock(&mut self, called: &Called, name: Name) -> Result<(), Fault> {
        let frame = self.state.frame();
        if frame.in_callback && matches!(self.prep.code.insn(frame.callsite as usize), Some(Insn::Call(Callee::Kfunc { .. }))) {
            return Err(Call::LockInComparison.into());
        }
        match called.row.lock {
            helpers::Lock::Take => self.take_lock(name, Lock::Spin),
            helpers::Lock::Release => self.give_lock(name, Lock::Spin),
            helpers::Lock::No => Err(Fault::bug("a lock of which nothing is said")),
        }
    }

    /// Memory of a size that the helper or the map says.
    fn check_fixed_memory(&mut self, called: &mut Called, name: Name, size: u32, access: Use) -> Result<(), Fault> {
        let size = i32::try_from(size).map_err(|_| Fault::bug("a value of more than 2 GiB"))?;
        if self.check_helper_memory(name, size, writes(access), false, access == Use::Fill, true)? {
            called.fills = Some((name, size));
        }
        Ok(())
    }

    /// Memory whose size is this argument.
    fn check_sized(&mut self, called: &mut Called, index: usize, zero: bool) -> Result<(), Fault> {
        let before = index.checked_sub(1).and_then(|before| called.proto.args.get(before)).and_then(|arg| access_of(arg.kind));
        let access = before.ok_or_else(|| Fault::bug("a size of no memory"))?;
        let (mem, size) = (arg_name(index - 1), arg_name(index));
        let raw = access == Use::Fill;
        called.most_size = self.check_memory_and_size(mem, size, writes(access), zero, raw, true)?;
        let on_stack = matches!(self.state.reg(mem).kind, Kind::Stack { .. });
        if raw && on_stack && self.state.reg(size).constant().is_some() {
            let bytes = i32::try_from(called.most_size).map_err(|_| Fault::bug("a size beyond the stack"))?;
            called.fills = Some((mem, bytes));
        }
        Ok(())
    }
}
