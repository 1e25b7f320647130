//! Loads and stores: by the kind of pointer, a file each.

mod args;
mod context;
mod object;
mod region;
mod special;
mod stack;
mod stack_range;

use skep_isa::{Operand, Reg as Name, Size};

use crate::domain::Tnum;
use crate::explore::Walk;
use crate::facts;
use crate::fault::Fault;
use crate::state::{Flags, Kind, Reach, Reg};
use crate::why::{self, Mem};

use super::Next;

/// What an access does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Loads into a register.
    Load {
        /// The register.
        dst: Name,
        /// Sign-extended.
        signed: bool,
    },
    /// Reads what goes nowhere that the state knows.
    Read,
    /// Stores a register or a number.
    Store(Operand),
    /// Writes what nobody knows.
    Write,
}

impl Does {
    pub(super) const fn writes(self) -> bool {
        matches!(self, Does::Store(_) | Does::Write)
    }
}

/// An access of an instruction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    /// The register that points.
    pub base: Name,
    /// Bytes from there.
    pub off: i32,
    /// Bytes.
    pub size: Size,
    /// What it does.
    pub does: Does,
    /// Must be aligned, whatever the machine and the program say.
    pub strict: bool,
}

impl Access {
    /// Bytes.
    pub(super) fn bytes(&self) -> i32 {
        i32::from(self.size.bytes())
    }
}

impl Walk<'_> {
    pub(super) fn load(&mut self, size: Size, signed: bool, dst: Name, base: Name, off: i16) -> Result<(), Fault> {
        self.load_aligned(size, signed, dst, base, off, false)
    }

    pub(super) fn load_aligned(
        &mut self,
        size: Size,
        signed: bool,
        dst: Name,
        base: Name,
        off: i16,
        strict: bool,
    ) -> Result<(), Fault> {
        let through = *self.read(base)?;
        self.writable(dst)?;
        let subreg_def = if size == Size::Dw || signed { 0 } else { self.pc as u32 + 1 };
        self.state.reg_mut(dst).subreg_def = subreg_def;
        let does = Does::Load { dst, signed };
        self.access(&Access { base, off: i32::from(off), size, does, strict })?;
        self.note_reach(&through);
        self.note_through(&through, !strict)?;
        let mut value = *self.state.reg(dst);
        self.check_invariants(&mut value, "ldx")?;
        *self.state.reg_mut(dst) = value;
        Ok(())
    }

    pub(super) fn store(&mut self, size: Size, base: Name, off: i16, src: Operand) -> Result<(), Fault> {
        self.store_aligned(size, base, off, src, false)
    }

    pub(super) fn store_aligned(&mut self, size: Size, base: Name, off: i16, src: Operand, strict: bool) -> Result<(), Fault> {
        if let Operand::Reg(src) = src {
            self.read(src)?;
        }
        let through = *self.read(base)?;
        self.access(&Access { base, off: i32::from(off), size, does: Does::Store(src), strict })?;
        self.note_reach(&through);
        self.note_through(&through, false)
    }

    /// Whether the access is allowed, and what it does to the state.
    pub(super) fn access(&mut self, access: &Access) -> Result<(), Fault> {
        let reg = *self.state.reg(access.base);
        self.check_alignment(access, &reg)?;
        let reached = match reg.kind.row().reach {
            Reach::Never => false,
            Reach::Plain => reg.flags == Flags::NONE,
            Reach::NotNull => !reg.maybe_null(),
            Reach::Any => true,
        };
        let refused = || Mem::Kind { reg: access.base.number(), kind: reg.type_name() };
        if !reached {
            return Err(refused().into());
        }
        match reg.kind {
            Kind::Stack { .. } => self.access_stack(access, &reg)?,
            Kind::Arena => self.loaded(access, Reg::UNKNOWN),
            Kind::Ctx => self.access_context(access, &reg)?,
            Kind::MapValue { map, .. } => self.access_map_value(access, &reg, map)?,
            Kind::MapKey { map, .. } => self.access_map_key(access, &reg, map)?,
            Kind::Mem { size, .. } => self.access_memory(access, &reg, size)?,
            Kind::Buf => self.access_buffer(access, &reg)?,
            Kind::Packet { .. } | Kind::PacketMeta { .. } => self.access_packet(access, &reg)?,
            Kind::FlowKeys => self.access_flow_keys(access, &reg)?,
            Kind::TracepointBuffer => self.access_tracepoint_buffer(access, &reg)?,
            Kind::Socket | Kind::SockCommon | Kind::TcpSock | Kind::XdpSock => self.access_socket(access, &reg)?,
            Kind::Btf { types, id } => self.access_object(access, &reg, types, id)?,
            Kind::MapPtr { map, .. } => self.access_map(access, &reg, map)?,
            Kind::NotInit | Kind::Scalar | Kind::PacketEnd | Kind::Func { .. } => return Err(refused().into()),
            Kind::ConstDynptr { .. } | Kind::DynptrSlot { .. } | Kind::IterSlot { .. } | Kind::IrqSlot { .. } => {
                return Err(refused().into());
            }
        }
        self.cut_loaded(access);
        Ok(())
    }

    /// A load puts this into its register; the definition of the register stays that of the load.
    pub(super) fn loaded(&mut self, access: &Access, value: Reg) {
        if let Does::Load { dst, .. } = access.does {
            let reg = self.state.reg_mut(dst);
            *reg = Reg { subreg_def: reg.subreg_def, ..value };
        }
    }

    /// A load of fewer than eight bytes leaves no more than these of a number.
    fn cut_loaded(&mut self, access: &Access) {
        let Does::Load { dst, signed } = access.does else { return };
        let bits = u32::from(access.size.bytes()) * 8;
        let reg = self.state.reg_mut(dst);
        if bits == 64 || !reg.is_scalar() {
            return;
        }
        reg.num = if signed { reg.num.sign_extended(bits) } else { reg.num.truncated(bits) };
    }

    /// The access is aligned, where it must be.
    pub(super) fn check_alignment(&self, access: &Access, reg: &Reg) -> Result<(), Fault> {
        let strict = access.strict || self.setting.strict_alignment();
        if reg.is_packet() {
            return self.check_packet_alignment(access, reg, strict);
        }
        if reg.kind == Kind::Arena {
            return Ok(());
        }
        // Only pointers of the plain kind have a name in the message.
        let desc = if reg.flags == Flags::NONE { reg.kind.row().aligned } else { "" };
        let on_stack = matches!(reg.kind, Kind::Stack { .. });
        let bytes = access.bytes();
        if !(strict || on_stack) || bytes == 1 {
            return Ok(());
        }
        let offset = i64::from(reg.off) + i64::from(access.off);
        if is_aligned(reg.num.bits.add(Tnum::exact(offset as u64)), bytes) {
            return Ok(());
        }
        let var = reg.num.bits.to_string();
        Err(Mem::Misaligned { desc, var, off: reg.off, at: access.off, size: bytes }.into())
    }

    /// The start of a packet is two bytes off a multiple of four, so that what lies behind its header is not.
    fn check_packet_alignment(&self, access: &Access, reg: &Reg, strict: bool) -> Result<(), Fault> {
        const IP_ALIGN: i32 = 2;
        let bytes = access.bytes();
        if !strict || bytes == 1 {
            return Ok(());
        }
        let offset = i64::from(IP_ALIGN) + i64::from(reg.off) + i64::from(access.off);
        if is_aligned(reg.num.bits.add(Tnum::exact(offset as u64)), bytes) {
            return Ok(());
        }
        let var = reg.num.bits.to_string();
        Err(Mem::MisalignedPacket { ip_align: IP_ALIGN, var, off: reg.off, at: access.off, size: bytes }.into())
    }

    /// What the instruction reaches through the pointer, for those who run the program.
    pub(super) fn note_reach(&mut self, reg: &Reg) {
        let note = &mut self.notes[self.pc];
        note.reaches = note.reaches.join(facts::through(reg.kind, reg.flags));
    }

    /// One instruction reaches memory of one kind only, whichever path it is on. Where `trust_may_differ`, pointers to memory and to structs
    /// may come together, trusted or not: then the load is one that cannot fault.
    pub(super) fn note_through(&mut self, reg: &Reg, trust_may_differ: bool) -> Result<(), Fault> {
        let through = (reg.kind, reg.flags);
        let Some(before) = &mut self.notes[self.pc].through else {
            self.notes[self.pc].through = Some(through);
            return Ok(());
        };
        let same = std::mem::discriminant(&before.0) == std::mem::discriminant(&through.0) && before.1 == through.1;
        if same || !(before.0.row().rewritten || through.0.row().rewritten) {
            return Ok(());
        }
        let guarded = |kind: Kind| matches!(kind, Kind::Mem { .. } | Kind::Btf { .. });
        if !(trust_may_differ && guarded(before.0) && guarded(through.0)) {
            return Err(Mem::MixedPointers.into());
        }
        let lasting = |flag: Flags| if before.1.any(flag) || through.1.any(flag) { flag } else { Flags::NONE };
        let flags = lasting(Flags::UNTRUSTED).with(lasting(Flags::RDONLY));
        let kind = if matches!(through.0, Kind::Mem { .. }) { through.0 } else { before.0 };
        *before = (kind, flags);
        Ok(())
    }

    /// Loads of packet bytes in network order: a call of a helper in all but name. Bytes that are not there end the function, with 0: in a
    /// function that was called, both ways are followed.
    pub(super) fn load_packet(&mut self, index: Option<Name>) -> Result<Next, Fault> {
        if !self.setting.row.ld_abs {
            return Err(Mem::NoPacketLoads.into());
        }
        let context = *self.read(Name::R6)?;
        self.check_nothing_held(true, false, "BPF_LD_[ABS|IND]")?;
        if context.kind != Kind::Ctx {
            return Err(Mem::PacketLoadWithoutContext.into());
        }
        if let Some(index) = index {
            self.read(index)?;
        }
        self.check_unmodified(&context, Name::R6)?;
        super::call::scratch(self.state.frame_mut());
        let def = self.pc as u32 + 1;
        *self.state.reg_mut(Name::R0) = Reg { subreg_def: def, ..Reg::UNKNOWN };
        let next = self.pc + 1;
        if self.state.depth() == 0 {
            return Ok(Next::At(next));
        }
        self.fork(next)?;
        *self.state.reg_mut(Name::R0) = Reg { subreg_def: def, ..Reg::exact(0) };
        self.leave_frame()
    }

    /// The pointer is as the kernel gave it.
    pub(super) fn check_unmodified(&self, reg: &Reg, name: Name) -> Result<(), Fault> {
        self.check_fixed_offset(reg, name, false)
    }

    /// Nothing variable was added to the pointer, and nothing fixed unless `fixed` may be.
    pub(super) fn check_fixed_offset(&self, reg: &Reg, name: Name, fixed: bool) -> Result<(), Fault> {
        let (kind, number, off) = (reg.type_name(), name.number(), reg.off);
        if off < 0 {
            return Err(why::Mem::NegativeOffset { kind, reg: number, off }.into());
        }
        if !fixed && off != 0 {
            return Err(why::Mem::ModifiedPointer { kind, reg: number, off }.into());
        }
        if reg.num.constant() != Some(0) {
            return Err(why::Mem::VariablePointer { kind, var: reg.num.bits.to_string() }.into());
        }
        Ok(())
    }
}

/// All numbers with these bits are multiples of `bytes`.
fn is_aligned(bits: Tnum<64>, bytes: i32) -> bool {
    (bits.value() | bits.mask()) & (bytes as u64 - 1) == 0
}
