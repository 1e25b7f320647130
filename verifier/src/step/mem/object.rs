//! Objects of the kernel, and those that programs allocate: field by field, as rows or types say.

use skep_btf::{Btf, Kind as BtfKind, TypeId};
use skep_linux::contexts::{Access as Way, Object, SOCK, SOCK_COMMON, TCP_SOCK, XDP_SOCK};
use skep_linux::writes::Unwritable;
use skep_linux::{gpl_compatible, writes};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, MapRef, Reg, TypesOf};
use crate::types::attach::AttachKind;
use crate::types::record::Record;
use crate::types::walk::{Found, Pointer, is_trusted, trust, walk, walk_object};
use crate::why::{Mem, Types};

use super::region::Span;
use super::{Access, Does};

impl Walk<'_> {
    pub(super) fn access_socket(&mut self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        let object: &Object = match reg.kind {
            Kind::SockCommon => &SOCK_COMMON,
            Kind::TcpSock => &TCP_SOCK,
            Kind::XdpSock => &XDP_SOCK,
            _socket => &SOCK,
        };
        let (number, kind) = (access.base.number(), reg.type_name());
        if access.does.writes() {
            return Err(Mem::ReadOnly { reg: number, kind }.into());
        }
        if reg.num.wide.smin < 0 {
            return Err(Mem::NegativeIndex { reg: number }.into());
        }
        let Span { off, size, .. } = Span::of(access, reg);
        let found = object.access(off, access.size.bytes(), Way::Read).ok();
        if found.is_none_or(|field| !self.setting.target.since(field.since)) {
            return Err(Mem::Socket { reg: number, kind, off, size }.into());
        }
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    pub(super) fn access_object(&mut self, access: &Access, reg: &Reg, types: TypesOf, id: TypeId) -> Result<(), Fault> {
        let span = Span::of(access, reg);
        let value = self.check_object(reg, types, id, span, access.does.writes())?;
        if let Does::Load { .. } = access.does {
            let value = if value.maybe_null() { self.maybe_null(value) } else { value };
            self.loaded(access, value);
        }
        Ok(())
    }

    /// The types that an id means.
    pub(super) fn types_of(&self, types: TypesOf) -> Result<&'_ Btf, Fault> {
        let btf = match types {
            TypesOf::Kernel => self.setting.vmlinux(),
            TypesOf::Program => self.setting.program.btf.as_deref(),
        };
        btf.ok_or_else(|| Fault::not_modelled("types of a kernel that are not known"))
    }

    /// The bytes of the object may be reached; what a load of them yields.
    pub(super) fn check_object(&self, reg: &Reg, types: TypesOf, id: TypeId, span: Span, writes: bool) -> Result<Reg, Fault> {
        let btf = self.types_of(types)?;
        self.check_object_pointer(reg, types, btf.name(id), span)?;
        let alloc = reg.flags.has(Flags::ALLOC);
        if writes && !alloc {
            return self.write_kernel_object(types, id, span).map(|()| Reg::UNKNOWN);
        }
        if alloc && !reg.flags.any(Flags::NON_OWNING.with(Flags::RCU)) && reg.ref_id == 0 {
            return Err(Fault::bug("an object that the program allocated, without a reference"));
        }
        let (off, size) = (span.off as u32, span.size as u32);
        let found = if alloc {
            let none = Record::default();
            walk_object(btf, id, self.prep.objects(self.setting)?.get(id).unwrap_or(&none), off, size)?
        } else {
            walk(btf, id, off, size)?
        };
        Ok(match found {
            Found::Scalar => Reg::UNKNOWN,
            Found::Memory => Reg::pointer(Kind::Mem { size: 0, dynptr: 0 }).flagged(Flags::RDONLY.with(Flags::UNTRUSTED)),
            Found::Pointer(pointer) => {
                let flags = self.trust_of(reg, btf, id, &pointer);
                Reg::pointer(Kind::Btf { types, id: pointer.to }).flagged(flags)
            }
        })
    }

    /// The pointer may be followed at all.
    fn check_object_pointer(&self, reg: &Reg, types: TypesOf, name: &str, span: Span) -> Result<(), Fault> {
        let Span { reg: number, off, .. } = span;
        let name = name.to_owned();
        if !self.setting.may_leak() {
            return Err(Mem::ObjectUnprivileged(name).into());
        }
        if types == TypesOf::Kernel && !gpl_compatible(&self.setting.program.license) {
            return Err(Mem::ObjectLicense(name).into());
        }
        if off < 0 {
            return Err(Mem::ObjectNegative { reg: number, name, off }.into());
        }
        if reg.num.constant() != Some(0) {
            return Err(Mem::ObjectVariable { reg: number, name, off, var: reg.num.bits.to_string() }.into());
        }
        for (flag, what) in [(Flags::USER, "user"), (Flags::PERCPU, "percpu")] {
            if reg.flags.has(flag) {
                return Err(Mem::ObjectElsewhere { reg: number, name, what, off }.into());
            }
        }
        Ok(())
    }

    /// How far a pointer that was loaded through another is trusted.
    fn trust_of(&self, reg: &Reg, btf: &Btf, from: TypeId, pointer: &Pointer<'_>) -> Flags {
        trust(btf, from, pointer, reg.flags, is_trusted(reg.flags, reg.ref_id != 0), self.in_rcu_section())
    }

    /// What RCU guards stays where it is.
    pub(in crate::step) fn in_rcu_section(&self) -> bool {
        let refs = &self.state.refs;
        refs.rcu_locks > 0 || refs.active_locks > 0 || !self.state.sleepable
    }

    /// A store into an object of the kernel: some programs may write some fields.
    fn write_kernel_object(&self, types: TypesOf, id: TypeId, span: Span) -> Result<(), Fault> {
        let rule = match self.attach.map(|attach| &attach.kind) {
            Some(AttachKind::Operation { row, .. }) => Some(&row.writes),
            _other => writes(self.setting.prog_type()),
        };
        let Some(rule) = rule else { return Err(Types::ReadOnly.into()) };
        if types != TypesOf::Kernel {
            return Err(Fault::not_modelled("stores through a pointer to a struct of the program that may be gone"));
        }
        let (off, size) = (span.off, span.size);
        let of = rule.through.first().copied().unwrap_or_default();
        rule.check(self.types_of(types)?, id, off as u32, size as u32).map_err(|why| {
            match why {
                Unwritable::Struct => return Types::ReadOnly.into(),
                Unwritable::Nothing | Unwritable::Beyond { .. } if rule.brief => Mem::WriteAt { off, size },
                Unwritable::Nothing => Mem::WriteNothing { of, off },
                Unwritable::Beyond { end } => Mem::WriteBeyond { of, off, size, end },
            }
            .into()
        })
    }

    /// Through a pointer to a map: its struct in the kernel.
    pub(super) fn access_map(&mut self, access: &Access, reg: &Reg, map: MapRef) -> Result<(), Fault> {
        let Span { reg: number, off, size, .. } = Span::of(access, reg);
        let btf = self.types_of(TypesOf::Kernel)?;
        let map_type = self.map_of(map)?.map_type;
        let row = skep_linux::map(map_type).ok_or_else(|| Fault::not_modelled(format!("maps of type {map_type:?}")))?;
        let name = row.kernel_struct.to_owned();
        let id = btf.find(&name, BtfKind::Struct).ok_or_else(|| Fault::not_modelled(format!("struct {name} of the kernel")))?;
        if !self.setting.may_leak() {
            return Err(Mem::ObjectUnprivileged(name).into());
        }
        if off < 0 {
            return Err(Mem::MapNegative { reg: number, name, off }.into());
        }
        if access.does.writes() {
            return Err(Mem::MapReadOnly(name).into());
        }
        let value = match walk(btf, id, off as u32, size as u32)? {
            Found::Scalar => Reg::UNKNOWN,
            Found::Memory => Reg::pointer(Kind::Mem { size: 0, dynptr: 0 }).flagged(Flags::RDONLY.with(Flags::UNTRUSTED)),
            Found::Pointer(pointer) => Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: pointer.to }).flagged(pointer.flags),
        };
        let value = if value.maybe_null() { self.maybe_null(value) } else { value };
        self.loaded(access, value);
        Ok(())
    }
}
