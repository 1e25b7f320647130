//! Plain bytes: values and keys of maps, packets, buffers.

use skep_linux::contexts::FLOW_KEYS;
use skep_linux::flags::{BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
use skep_linux::limits::MAX_VAR_OFF;
use skep_linux::maps::DirectValue;
use skep_program::MapDef;

use crate::explore::Walk;
use crate::fault::Fault;
use crate::state::{Flags, Kind, MapRef, Reg};
use crate::why::Mem;

use super::{Access, Does};

/// Bytes that are reached through a pointer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Number of the register that points.
    pub reg: u8,
    /// Bytes from there, fixed part of the pointer's offset included.
    pub off: i32,
    /// Bytes.
    pub size: i32,
    /// None may be reached, too.
    pub zero_size: bool,
}

impl Span {
    /// Of an instruction.
    pub(super) fn of(access: &Access, reg: &Reg) -> Span {
        let off = access.off.wrapping_add(reg.off);
        Span { reg: access.base.number(), off, size: access.bytes(), zero_size: false }
    }

    /// `bytes` bytes are there, and these among them.
    fn fits(&self, off: i32, bytes: u32) -> bool {
        let some = self.size > 0 || self.size == 0 && self.zero_size;
        off >= 0 && some && i64::from(off) + i64::from(self.size) <= i64::from(bytes)
    }
}

impl<'a> Walk<'a> {
    /// The map that a pointer belongs to.
    pub(super) fn map_of(&self, map: MapRef) -> Result<&'a MapDef, Fault> {
        self.setting.map(map).ok_or_else(|| Fault::bug("a map that the program does not have"))
    }

    /// A store puts no pointer where the program may not show one.
    pub(super) fn check_leak(&self, access: &Access, what: &'static str) -> Result<(), Fault> {
        match access.does {
            Does::Store(skep_isa::Operand::Reg(src)) if self.is_guarded_pointer(src) => {
                Err(Mem::LeaksInto { reg: src.number(), what }.into())
            }
            Does::Store(_) | Does::Load { .. } | Does::Read | Does::Write => Ok(()),
        }
    }

    pub(super) fn access_map_key(&mut self, access: &Access, reg: &Reg, map: MapRef) -> Result<(), Fault> {
        if access.does.writes() {
            return Err(Mem::WritesKey(access.base.number()).into());
        }
        self.check_region(reg, Span::of(access, reg), self.map_of(map)?.key_size)?;
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    pub(super) fn access_map_value(&mut self, access: &Access, reg: &Reg, map: MapRef) -> Result<(), Fault> {
        self.check_leak(access, "map")?;
        let span = Span::of(access, reg);
        self.check_map_way(span, map, access.does.writes())?;
        self.check_map_value(reg, span, map, true)?;
        if let Some(var) = reg.num.constant() {
            let off = (var as i64).wrapping_add(i64::from(span.off));
            if self.access_pointer_field(access, map, off)? {
                return Ok(());
            }
            if let Does::Load { signed, .. } = access.does {
                let value = self.constant_in_map(map, off, span.size, signed)?.map_or(Reg::UNKNOWN, Reg::exact);
                self.loaded(access, value);
                return Ok(());
            }
        }
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    /// The map may be read or written by programs.
    pub(super) fn check_map_way(&self, span: Span, map: MapRef, writes: bool) -> Result<(), Fault> {
        let map = self.map_of(map)?;
        let (off, size, value_size) = (span.off, span.size, map.value_size);
        let barred = if writes { self.setting.is_read_only(map) } else { map.flags & BPF_F_WRONLY_PROG != 0 };
        if !barred {
            return Ok(());
        }
        let way = if writes { "write into" } else { "read from" };
        Err(Mem::MapForbidden { way, value_size, off, size }.into())
    }

    /// The bytes lie in the value, and none of them in a field that must not be touched. Pointers in values may be, by instructions alone
    /// (`direct`).
    pub(super) fn check_map_value(&self, reg: &Reg, span: Span, map: MapRef, direct: bool) -> Result<(), Fault> {
        let map = self.map_of(map)?;
        self.check_region(reg, span, map.value_size)?;
        let off = i64::from(span.off);
        let least = reg.num.wide.smin.wrapping_add(off);
        let end = (reg.num.wide.umax as i64).wrapping_add(off).wrapping_add(i64::from(span.size));
        for field in &map.special {
            let start = i64::from(field.offset);
            if least < start + i64::from(field.size) && start < end {
                super::special::check_touch(field, reg, span, direct)?;
            }
        }
        Ok(())
    }

    /// What lies in a value that never changes.
    fn constant_in_map(&self, map: MapRef, off: i64, size: i32, signed: bool) -> Result<Option<u64>, Fault> {
        let map = self.map_of(map)?;
        let direct = skep_linux::map(map.map_type).is_some_and(|row| row.direct_value != DirectValue::None);
        if !direct || !map.frozen || map.flags & BPF_F_RDONLY_PROG == 0 {
            return Ok(None);
        }
        if map.max_entries != 1 {
            return Err(Mem::ConstantsOfMany.into());
        }
        let mut bytes = [0; 8];
        for (at, byte) in bytes.iter_mut().take(size as usize).enumerate() {
            let index = usize::try_from(off).ok().and_then(|off| off.checked_add(at));
            *byte = map.initial.as_ref().zip(index).and_then(|(bytes, index)| bytes.get(index).copied()).unwrap_or(0);
        }
        let value = u64::from_le_bytes(bytes);
        let unused = 64 - 8 * (size as u32).clamp(1, 8);
        Ok(Some(if signed { ((value << unused) as i64 >> unused) as u64 } else { value }))
    }

    pub(super) fn access_memory(&mut self, access: &Access, reg: &Reg, size: u32) -> Result<(), Fault> {
        let number = access.base.number();
        if reg.maybe_null() {
            return Err(Mem::Kind { reg: number, kind: reg.type_name() }.into());
        }
        let read_only = reg.flags.has(Flags::RDONLY);
        if read_only && access.does.writes() {
            return Err(Mem::ReadOnly { reg: number, kind: reg.type_name() }.into());
        }
        self.check_leak(access, "mem")?;
        // Loads that cannot fault may reach anything.
        if !(read_only && reg.flags.has(Flags::UNTRUSTED)) {
            self.check_region(reg, Span::of(access, reg), size)?;
        }
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    pub(super) fn access_buffer(&mut self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        let number = access.base.number();
        if reg.maybe_null() {
            return Err(Mem::Kind { reg: number, kind: reg.type_name() }.into());
        }
        if reg.flags.has(Flags::RDONLY) && access.does.writes() {
            return Err(Mem::ReadOnly { reg: number, kind: reg.type_name() }.into());
        }
        self.check_buffer(reg, Span::of(access, reg))?;
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    /// Bytes of a buffer: how many it must have is asked when the program is attached.
    pub(super) fn check_buffer(&self, reg: &Reg, span: Span) -> Result<(), Fault> {
        let what = match reg.kind {
            Kind::TracepointBuffer => "tracepoint",
            _buffer if reg.flags.has(Flags::RDONLY) => "rdonly",
            _buffer => "rdwr",
        };
        let Span { reg: number, off, size, .. } = span;
        if off < 0 {
            return Err(Mem::Buffer { reg: number, what, off, size }.into());
        }
        if reg.num.constant() != Some(0) {
            return Err(Mem::VariableBuffer { reg: number, off, var: reg.num.bits.to_string() }.into());
        }
        Ok(())
    }

    pub(super) fn access_tracepoint_buffer(&mut self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        self.check_buffer(reg, Span::of(access, reg))?;
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    pub(super) fn access_flow_keys(&mut self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        self.check_leak(access, "flow keys")?;
        let span = Span::of(access, reg);
        if !span.fits(span.off, FLOW_KEYS.size) {
            return Err(Mem::FlowKeys { off: span.off, size: span.size }.into());
        }
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    pub(super) fn access_packet(&mut self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        if access.does.writes() && !self.setting.row.packet_write {
            return Err(Mem::WritesPacket.into());
        }
        self.check_leak(access, "packet")?;
        self.check_packet(reg, Span::of(access, reg))?;
        self.loaded(access, Reg::UNKNOWN);
        Ok(())
    }

    /// The bytes lie in the part of the packet that is known to be there, which begins at the pointer's variable offset.
    pub(super) fn check_packet(&self, reg: &Reg, span: Span) -> Result<(), Fault> {
        let (Kind::Packet { range } | Kind::PacketMeta { range }) = reg.kind else {
            return Err(Fault::bug("a packet that is none"));
        };
        if reg.num.wide.smin < 0 {
            return Err(Mem::NegativeIndex { reg: span.reg }.into());
        }
        let bytes = u32::try_from(range).map_err(|_| Mem::OutsidePacket(span.reg))?;
        if span.fits(span.off, bytes) {
            return Ok(());
        }
        let Span { reg: number, off, size, .. } = span;
        Err(Mem::Packet { reg: number, off, size, id: reg.id, range }.into())
    }

    /// The bytes lie among the first `bytes`, whatever the variable offset is.
    pub(super) fn check_region(&self, reg: &Reg, span: Span, bytes: u32) -> Result<(), Fault> {
        let number = span.reg;
        let off = i64::from(span.off);
        let least = reg.num.wide.smin;
        let lowest = off.wrapping_add(least);
        if least < 0 && (least == i64::MIN || i64::from(lowest as i32) != lowest || lowest < 0) {
            return Err(Mem::NegativeIndex { reg: number }.into());
        }
        if !span.fits(lowest as i32, bytes) {
            return Err(outside(reg, span, lowest as i32, bytes, "min"));
        }
        let most = reg.num.wide.umax;
        if most >= u64::from(MAX_VAR_OFF) {
            return Err(Mem::Unbounded { reg: number }.into());
        }
        let highest = (most as i64).wrapping_add(off) as i32;
        if !span.fits(highest, bytes) {
            return Err(outside(reg, span, highest, bytes, "max"));
        }
        Ok(())
    }
}

fn outside(reg: &Reg, span: Span, off: i32, bytes: u32, end: &'static str) -> Fault {
    let Span { reg: number, size, .. } = span;
    // What may be NULL is called memory, whatever it is.
    match reg.kind {
        _memory if reg.maybe_null() => Mem::OutsideMemory { reg: number, bytes, off, size, end }.into(),
        Kind::MapKey { .. } => Mem::OutsideKey { reg: number, key_size: bytes, off, size, end }.into(),
        Kind::MapValue { .. } => Mem::OutsideValue { reg: number, value_size: bytes, off, size, end }.into(),
        _memory => Mem::OutsideMemory { reg: number, bytes, off, size, end }.into(),
    }
}
