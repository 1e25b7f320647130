//! What a call leaves in the registers.

use skep_btf::Kind as BtfKind;
use skep_isa::Reg as Name;
use skep_linux::AttachType;
use skep_linux::helpers::{Bound, BtfType, Refusal, Ret};

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reg, TypesOf};
use crate::why::Call;

use super::super::call::scratch;
use super::super::fields::may_hold_lock;
use super::Called;

/// The largest number of an error that functions return.
const MAX_ERRNO: i64 = 4095;

impl Walk<'_> {
    /// The registers after the call.
    pub(super) fn leave_call(&mut self, called: &Called) -> Result<(), Fault> {
        scratch(self.state.frame_mut());
        let mut result = self.returned(called)?;
        if result.maybe_null() {
            result.id = self.new_id();
        }
        if called.row.casts {
            result.ref_id = called.ref_id;
        } else if self.acquires(called)? {
            let id = self.acquire_reference();
            (result.id, result.ref_id) = (id, id);
        }
        self.refine(called, &mut result)?;
        *self.state.reg_mut(Name::R0) = result;
        self.check_map_type(called)?;
        self.check_supported(called)
    }

    fn acquires(&self, called: &Called) -> Result<bool, Fault> {
        let row = called.row;
        if row.acquires || called.map.is_none() || row.acquires_from.is_empty() {
            return Ok(row.acquires);
        }
        Ok(row.acquires_from.contains(self.called_map(called)?.map_type))
    }

    /// `r0`, without ids of references.
    fn returned(&mut self, called: &Called) -> Result<Reg, Fault> {
        let null = |kind: Kind| Reg::pointer(kind).flagged(Flags::MAYBE_NULL);
        Ok(match called.proto.ret {
            Ret::Integer => Reg::UNKNOWN,
            Ret::Void => Reg::NOT_INIT,
            Ret::MapValue { nullable } => self.map_value(called, nullable)?,
            Ret::SocketOrNull => null(Kind::Socket),
            Ret::TcpSockOrNull => null(Kind::TcpSock),
            Ret::SockCommonOrNull => null(Kind::SockCommon),
            Ret::RingbufMemOrNull => {
                let flags = Flags::MAYBE_NULL.with(Flags::RINGBUF);
                Reg::pointer(Kind::Mem { size: called.alloc_size, dynptr: 0 }).flagged(flags)
            }
            Ret::Btf { to, nullable, trusted } => self.kernel_pointer(to, nullable, trusted)?,
            Ret::DynptrMemOrNull => {
                let dynptr = called.dynptr.ok_or_else(|| Fault::bug("memory of no dynptr"))?;
                let memory = Kind::Mem { size: called.alloc_size, dynptr: dynptr.id };
                Reg { ref_id: dynptr.ref_id, ..null(memory) }
            }
            Ret::PercpuVar { nullable } => self.cpu_variable(called, nullable)?,
            Ret::KptrOrNull => self.kptr_before(called)?,
        })
    }

    fn map_value(&mut self, called: &Called, nullable: bool) -> Result<Reg, Fault> {
        let (map, uid) = called.map.ok_or_else(|| Fault::bug("a value of no map"))?;
        let mut value = Reg::pointer(Kind::MapValue { map, uid });
        if nullable && !self.finds_value(called) {
            value.flags = Flags::MAYBE_NULL;
        } else if may_hold_lock(self.setting, self.prep, &value) {
            value.id = self.new_id();
        }
        Ok(value)
    }

    fn kernel_pointer(&self, to: BtfType, nullable: bool, trusted: bool) -> Result<Reg, Fault> {
        let vmlinux = self.setting.vmlinux().ok_or_else(|| Fault::not_modelled("a kernel whose types are not known"))?;
        let id = vmlinux.find(to.name(), BtfKind::Struct);
        let id = id.ok_or_else(|| Fault::not_modelled(format!("a kernel without struct {}", to.name())))?;
        let mut flags = Flags::NONE;
        if nullable {
            flags = flags.with(Flags::MAYBE_NULL);
        }
        if trusted {
            flags = flags.with(Flags::TRUSTED);
        }
        Ok(Reg::pointer(Kind::Btf { types: TypesOf::Kernel, id }).flagged(flags))
    }

    /// What is known of a number that is returned.
    fn refine(&self, called: &Called, result: &mut Reg) -> Result<(), Fault> {
        if called.proto.ret != Ret::Integer {
            return Ok(());
        }
        let (least, most) = match called.row.bound {
            Bound::None => return Ok(()),
            Bound::SizeArg(_) => (-MAX_ERRNO, called.most_size as i64),
            Bound::Cpus => (0, i64::from(self.setting.target.possible_cpus()) - 1),
        };
        let num = &mut result.num;
        (num.wide.smin, num.wide.smax, num.low.smin, num.low.smax) = (least, most, least, most);
        if least >= 0 {
            let (least, most) = (least as u64, most as u64);
            (num.wide.umin, num.wide.umax, num.low.umin, num.low.umax) = (least, most, least, most);
        }
        num.sync();
        self.check_invariants(result, "retval")
    }

    /// Some helpers are refused to programs only after everything else was looked at.
    fn check_supported(&self, called: &Called) -> Result<(), Fault> {
        let row = called.row;
        let (prog, attach) = (self.setting.prog_type(), self.setting.attach);
        if row.proto(prog, attach).is_some() || row.refusal(prog, attach) != Refusal::NotSupported {
            return Ok(());
        }
        let other = |attach: &AttachType| row.proto(prog, *attach).is_some();
        if AttachType::ALL.iter().any(other) {
            return Err(Call::NoTrampoline { name: row.name, id: row.id }.into());
        }
        Err(Call::NotSupported { name: row.name, id: row.id, prog: prog as u32 }.into())
    }
}
