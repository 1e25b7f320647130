//! The context of the program, by the rows of its fields.

use skep_btf::Kind as BtfKind;
use skep_linux::contexts::{Access as Way, Field, Shape, Yields};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg, TypesOf};
use crate::types::attach::Attach;
use crate::types::context::{Arg, Loaded, Returns, argument, returns};
use crate::why::Mem;

use super::{Access, Does};

impl Walk<'_> {
    pub(super) fn access_context(&mut self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        self.check_leak(access, "ctx")?;
        self.check_unmodified(reg, access.base)?;
        let row = self.setting.context.ok_or_else(|| Fault::not_modelled("the context of a program that replaces a function"))?;
        match row.shape {
            Shape::BtfArgs => self.access_argument(access),
            Shape::Struct | Shape::Memory => self.access_field(access),
        }
    }

    fn access_field(&mut self, access: &Access) -> Result<(), Fault> {
        let field = self.context_field(access).ok_or(Mem::Context { off: access.off, size: access.bytes() })?;
        if let Does::Load { .. } = access.does {
            let value = self.field_value(field.yields)?;
            self.loaded(access, value);
        }
        Ok(())
    }

    fn access_argument(&mut self, access: &Access) -> Result<(), Fault> {
        let attach = self.attach.ok_or_else(|| Fault::bug("a program that is attached to nothing"))?;
        let way = if access.does.writes() { Way::Write } else { Way::Read };
        let found = argument(self.setting, attach, access.off, access.size.bytes(), way)?;
        if let (Some(log), Some(text)) = (&mut self.log, found.logged(attach)) {
            log.say(&text.to_string());
        }
        let Loaded { arg, index, .. } = found;
        let held = self.arg_refs.iter().find(|(number, _)| *number == index).map(|(_, id)| *id);
        let value = match arg {
            Arg::Scalar => Reg::UNKNOWN,
            Arg::ReturnValue => self.returned_value(attach),
            Arg::Buffer(flags) => Reg::pointer(Kind::Buf).flagged(flags),
            Arg::Pointer { to, flags, referenced } => {
                let ref_id = if referenced { held.unwrap_or(0) } else { 0 };
                if ref_id != 0 && !self.state.refs.has_pointer(ref_id) {
                    return Err(Mem::ReleasedArgument(access.off).into());
                }
                Reg { ref_id, ..Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id: to }).flagged(flags) }
            }
        };
        if let Does::Load { .. } = access.does {
            let value = if value.maybe_null() { self.maybe_null(value) } else { value };
            self.loaded(access, value);
        }
        Ok(())
    }

    /// What a hook that is traced may have returned.
    fn returned_value(&self, attach: &Attach<'_>) -> Reg {
        let mut value = Reg::UNKNOWN;
        if let Returns::In(range) = returns(self.setting, Some(attach)) {
            let (min, max) = (i64::from(range.min), i64::from(range.max));
            value.num.low.meet_signed(min, max);
            value.num.wide.meet_signed(min, max);
            value.num.sync();
        }
        value
    }

    /// The field, if the program may reach it so.
    fn context_field(&self, access: &Access) -> Option<&'static Field> {
        let setting = self.setting;
        let way = if access.does.writes() { Way::Write } else { Way::Read };
        let found = setting.context?.access(setting.prog_type(), setting.attach, access.off, access.size.bytes(), way);
        let field = found.ok()?;
        // The kernel loads a pointer where it is told to load fewer bytes: there is no sign to extend.
        let extends_pointer = field.yields.is_pointer() && matches!(access.does, Does::Load { signed: true, .. });
        let needs_bpf = field.needs_bpf.contains(&(way, setting.prog_type())) && !setting.options.privileges.bpf;
        let barred = needs_bpf || !setting.target.since(field.since) || extends_pointer;
        (!barred).then_some(field)
    }

    /// What a load of such a field puts into the register.
    fn field_value(&mut self, yields: Yields) -> Result<Reg, Fault> {
        let kind = match yields {
            Yields::Number => return Ok(Reg::UNKNOWN),
            Yields::PacketStart => Kind::Packet { range: 0 },
            Yields::PacketEnd => Kind::PacketEnd,
            Yields::PacketMeta => Kind::PacketMeta { range: 0 },
            Yields::SockCommonOrNull => return Ok(self.maybe_null(Reg::pointer(Kind::SockCommon))),
            Yields::Sock => Kind::Socket,
            Yields::SockOrNull => return Ok(self.maybe_null(Reg::pointer(Kind::Socket))),
            Yields::FlowKeys => Kind::FlowKeys,
            Yields::TracepointBuffer => Kind::TracepointBuffer,
            Yields::Btf(name) => {
                let id = self.setting.vmlinux().and_then(|btf| btf.find(name, BtfKind::Struct));
                let id = id.ok_or_else(|| Fault::not_modelled(format!("struct {name} of the kernel")))?;
                return Ok(Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id }).flagged(Flags::TRUSTED));
            }
        };
        Ok(Reg::pointer(kind))
    }

    /// The pointer, or NULL.
    pub(super) fn maybe_null(&mut self, reg: Reg) -> Reg {
        Reg { flags: reg.flags.with(Flags::MAYBE_NULL), id: self.new_id(), ..reg }
    }
}
