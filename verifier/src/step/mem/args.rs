//! Memory that is handed to a call: by pointer, and by pointer and size.

use skep_isa::{Reg as Name, Size};
use skep_linux::limits::MAX_VAR_SIZ;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Byte, Flags, Kind, MapRef, Reg, byte_of, slot_of};
use crate::why::{self, Mem};

use super::region::Span;
use super::stack_range::reach;
use super::{Access, Does};

impl Walk<'_> {
    /// `size` bytes of the stack at `off` from the register, the fixed part of its own offset included, are there to be read or written by a
    /// call (or by a load at a variable offset). `true`: they need not have been written before, and the call writes them all; that is for
    /// the caller to do. Asked for by `raw`, and given where the offset is known.
    pub(in crate::step) fn check_stack_range(
        &mut self,
        name: Name,
        off: i32,
        size: i32,
        zero_size: bool,
        writes: bool,
        raw: bool,
    ) -> Result<bool, Fault> {
        if size == 0 && !zero_size {
            return Err(Mem::ZeroSizedStack.into());
        }
        let reg = *self.state.reg(name);
        let Kind::Stack { frame } = reg.kind else { return Err(Fault::bug("a stack that is none")) };
        let frame = usize::from(frame);
        self.check_stack_within(name, &reg, off, size, writes)?;
        let known = reg.num.constant().is_some();
        if !known && self.setting.follows_guesses() {
            return Err(Mem::VariableStack { reg: name.number(), var: reg.num.bits.to_string() }.into());
        }
        let (least, most) = reach(&reg, off);
        let end = most.wrapping_add(size);
        if raw && known {
            self.check_no_dynptr(frame, least, end)?;
            return Ok(true);
        }
        for at in least..end {
            if !self.is_readable_byte(frame, at, writes) {
                let (reg_number, from) = (name.number(), at - least);
                return Err(match known {
                    true => Mem::StackRead { reg: reg_number, off: least, at: from, size },
                    false => Mem::VariableStackRead { reg: reg_number, var: reg.num.bits.to_string(), at: from, size },
                }
                .into());
            }
            self.stack_read(frame, 1 << slot_of(at));
        }
        Ok(false)
    }

    /// No byte is part of a dynptr, which the call could write over while it reads it.
    fn check_no_dynptr(&self, frame: usize, least: i32, end: i32) -> Result<(), Fault> {
        let stack = &self.state.frames[frame].stack;
        match (least..end).find(|at| stack.slot(slot_of(*at)).bytes[byte_of(*at)] == Byte::Dynptr) {
            Some(at) => Err(Mem::WritesDynptr(at).into()),
            None => Ok(()),
        }
    }

    /// The byte may be read. A call that writes leaves there what nobody knows.
    fn is_readable_byte(&mut self, frame: usize, at: i32, writes: bool) -> bool {
        let (may_leak, may_read_uninit) = (self.setting.may_leak(), self.setting.may_read_uninit());
        let slot = *self.state.frames[frame].stack.slot(slot_of(at));
        match slot.bytes[byte_of(at)] {
            Byte::Misc => return true,
            Byte::Zero => {}
            Byte::Invalid if may_read_uninit => {}
            Byte::Invalid | Byte::Spill | Byte::Dynptr | Byte::Iter | Byte::IrqFlag => {
                if !slot.is_spilled() || !(slot.reg.is_scalar() || may_leak) {
                    return false;
                }
                if writes {
                    let slot = self.state.frames[frame].stack.slot_mut(slot_of(at));
                    slot.reg = Reg::UNKNOWN;
                    slot.scrub();
                }
                return true;
            }
        }
        if writes {
            self.state.frames[frame].stack.slot_mut(slot_of(at)).bytes[byte_of(at)] = Byte::Misc;
        }
        true
    }

    /// A call may read, or write, `size` bytes at the pointer. Returns what [`Walk::check_stack_range`] says of a stack, `false` of others.
    /// `packet_ok`: the call may be given packet memory.
    pub(in crate::step) fn check_helper_memory(
        &mut self,
        name: Name,
        size: i32,
        writes: bool,
        zero_size: bool,
        raw: bool,
        packet_ok: bool,
    ) -> Result<bool, Fault> {
        let reg = *self.state.reg(name);
        let span = Span { reg: name.number(), off: reg.off, size, zero_size };
        let read_only = || Fault::from(Mem::ReadOnly { reg: name.number(), kind: reg.type_name() });
        match reg.kind {
            Kind::Packet { .. } | Kind::PacketMeta { .. } => {
                if !packet_ok {
                    return Err(Mem::HelperPacket.into());
                }
                self.check_packet(&reg, span)?;
            }
            Kind::MapKey { .. } if writes => return Err(read_only()),
            Kind::MapKey { map, .. } => {
                self.check_region(&reg, Span { zero_size: false, ..span }, self.map_of(map)?.key_size)?;
            }
            Kind::MapValue { map, .. } => {
                self.check_map_way(span, map, writes)?;
                self.check_map_value(&reg, span, map, false)?;
            }
            Kind::Mem { .. } | Kind::Buf if reg.flags.has(Flags::RDONLY) && writes => return Err(read_only()),
            Kind::Mem { size: bytes, .. } => self.check_region(&reg, span, bytes)?,
            Kind::Buf => self.check_buffer(&reg, span)?,
            Kind::Stack { .. } => return self.check_stack_range(name, reg.off, size, zero_size, writes, raw),
            Kind::Btf { types, id } => {
                self.check_object(&reg, types, id, span, false)?;
            }
            Kind::Ctx if self.is_context_plain() => self.check_context_memory(name, size, writes, zero_size)?,
            Kind::Ctx
            | Kind::NotInit
            | Kind::Scalar
            | Kind::MapPtr { .. }
            | Kind::PacketEnd
            | Kind::FlowKeys
            | Kind::Socket
            | Kind::SockCommon
            | Kind::TcpSock
            | Kind::XdpSock
            | Kind::TracepointBuffer
            | Kind::Func { .. }
            | Kind::Arena
            | Kind::ConstDynptr { .. }
            | Kind::DynptrSlot { .. }
            | Kind::IterSlot { .. }
            | Kind::IrqSlot { .. } => {
                // No bytes of NULL may be read.
                if !(zero_size && size == 0 && reg.is_null()) {
                    return Err(Mem::NotMemory { reg: name.number(), kind: reg.type_name() }.into());
                }
            }
        }
        Ok(false)
    }

    /// Without privileges a pointer must stay within the value of a map, at a byte that calls may reach.
    pub(in crate::step) fn check_value_in_range(&self, name: Name, reg: &Reg, map: MapRef) -> Result<(), Fault> {
        let span = Span { reg: name.number(), off: reg.off, size: 1, zero_size: false };
        self.check_map_value(reg, span, map, false).map_err(|fault| match fault {
            Fault::Refused(why) => why::Reg::ValueOutOfRange { reg: name.number(), why }.into(),
            unknown @ Fault::Unknown(_) => unknown,
        })
    }

    /// The context is memory as it is, which the kernel does not translate.
    fn is_context_plain(&self) -> bool {
        self.setting.context.is_some_and(|row| !row.translated)
    }

    /// The last byte of the context that the call reaches may be.
    fn check_context_memory(&mut self, name: Name, size: i32, writes: bool, zero_size: bool) -> Result<(), Fault> {
        if size == 0 {
            return if zero_size { Ok(()) } else { Err(Mem::NoBytesOfContext.into()) };
        }
        let does = if writes { Does::Write } else { Does::Read };
        self.access(&Access { base: name, off: size.wrapping_sub(1), size: Size::B, does, strict: false })
    }

    /// As [`Walk::check_helper_memory`], for as many bytes as `size` may hold at most, which is relied on. Returns this most.
    pub(in crate::step) fn check_memory_and_size(
        &mut self,
        mem: Name,
        size: Name,
        writes: bool,
        zero_size: bool,
        raw: bool,
        packet_ok: bool,
    ) -> Result<u64, Fault> {
        let number = self.state.reg(size).num;
        let (reg, least, most) = (size.number(), number.wide.umin, number.wide.umax);
        let raw = raw && number.constant().is_some();
        if number.wide.smin < 0 {
            return Err(Mem::NegativeSize(reg).into());
        }
        if least == 0 && !zero_size {
            return Err(Mem::ZeroSized { reg, min: least, max: most }.into());
        }
        if most >= u64::from(MAX_VAR_SIZ) {
            return Err(Mem::UnboundedSize(reg).into());
        }
        self.check_helper_memory(mem, most as i32, writes, zero_size, raw, packet_ok)?;
        self.mark_precise(size)?;
        Ok(most)
    }
}
