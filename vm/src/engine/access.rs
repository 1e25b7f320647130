//! Loads and stores.

use skep_helpers::Trap;
use skep_isa::{Operand, Reg, Size, eval};
use skep_memory::{Access, Fault, Hit, Memory, RegionKind, Span, Why};

use super::op::{Handler, Op};
use super::{Core, Event};
use crate::link::{ArenaPlace, Linked};

/// What an instruction's last access fell into: good for the next one as long as the regions stay as they are.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    version: u64,
    span: Span,
}

impl Entry {
    /// An entry that no access fits.
    pub(crate) fn empty(span: Span) -> Entry {
        Entry { version: u64::MAX, span }
    }
}

macro_rules! sizes {
    ($size:expr, $handler:ident $(, $flag:literal)?) => {
        match $size {
            Size::B => $handler::<1 $(, $flag)?>,
            Size::H => $handler::<2 $(, $flag)?>,
            Size::W => $handler::<4 $(, $flag)?>,
            Size::Dw => $handler::<8 $(, $flag)?>,
        }
    };
}

pub(super) fn load(size: Size, signed: bool, base: Reg) -> Handler {
    match (base == Reg::R10, signed) {
        (true, false) => sizes!(size, load_stack, false),
        (true, true) => sizes!(size, load_stack, true),
        (false, false) => sizes!(size, load_any, false),
        (false, true) => sizes!(size, load_any, true),
    }
}

pub(super) fn store(size: Size, base: Reg, src: Operand) -> Handler {
    match (base == Reg::R10, src) {
        (true, Operand::Reg(_)) => sizes!(size, store_stack, false),
        (true, Operand::Imm(_)) => sizes!(size, store_stack, true),
        (false, Operand::Reg(_)) => sizes!(size, store_any, false),
        (false, Operand::Imm(_)) => sizes!(size, store_any, true),
    }
}

/// Load-acquire and store-release: what the host does in order anyway, and atomically.
pub(super) fn load_acquire(size: Size) -> Handler {
    sizes!(size, load_any, false)
}

pub(super) fn store_release(size: Size) -> Handler {
    sizes!(size, store_any, false)
}

#[inline(always)]
fn extended<const SIZE: u64, const SIGNED: bool>(value: u64) -> u64 {
    match (SIGNED, SIZE) {
        (true, 1) => eval::sign_extend(Size::B, value),
        (true, 2) => eval::sign_extend(Size::H, value),
        (true, 4) => eval::sign_extend(Size::W, value),
        (true | false, _) => value,
    }
}

fn load_stack<const SIZE: u64, const SIGNED: bool>(core: &mut Core, op: &Op, pc: usize) -> usize {
    let addr = core.regs[10].wrapping_add(op.off as u64);
    match core.frame.load::<SIZE>(addr) {
        Some(value) => {
            core.regs[op.dst()] = extended::<SIZE, SIGNED>(value);
            pc + 1
        }
        None => load_slow::<SIZE, SIGNED>(core, op, pc, addr),
    }
}

fn load_any<const SIZE: u64, const SIGNED: bool>(core: &mut Core, op: &Op, pc: usize) -> usize {
    let addr = core.regs[op.src()].wrapping_add(op.off as u64);
    if let Some(entry) = core.cache.get(pc)
        && entry.version == core.memory.version()
        && let Some(value) = entry.span.load::<SIZE>(addr)
    {
        core.regs[op.dst()] = extended::<SIZE, SIGNED>(value);
        return pc + 1;
    }
    load_slow::<SIZE, SIGNED>(core, op, pc, addr)
}

fn store_stack<const SIZE: u64, const IMM: bool>(core: &mut Core, op: &Op, pc: usize) -> usize {
    let addr = core.regs[10].wrapping_add(op.off as u64);
    let value = if IMM { op.imm } else { core.regs[op.src()] };
    match core.frame.store::<SIZE>(addr, value) {
        Some(()) => pc + 1,
        None => store_slow(core, pc, addr, SIZE, value),
    }
}

fn store_any<const SIZE: u64, const IMM: bool>(core: &mut Core, op: &Op, pc: usize) -> usize {
    let addr = core.regs[op.dst()].wrapping_add(op.off as u64);
    let value = if IMM { op.imm } else { core.regs[op.src()] };
    if let Some(entry) = core.cache.get(pc)
        && entry.version == core.memory.version()
        && entry.span.store::<SIZE>(addr, value).is_some()
    {
        return pc + 1;
    }
    store_slow(core, pc, addr, SIZE, value)
}

#[inline(never)]
fn load_slow<const SIZE: u64, const SIGNED: bool>(core: &mut Core, op: &Op, pc: usize, addr: u64) -> usize {
    match core.load(pc, addr, SIZE) {
        Ok(value) => {
            core.regs[op.dst()] = extended::<SIZE, SIGNED>(value);
            pc + 1
        }
        Err(trap) => core.leave(pc, Event::Trap(trap)),
    }
}

#[inline(never)]
fn store_slow(core: &mut Core, pc: usize, addr: u64, size: u64, value: u64) -> usize {
    match core.store(pc, addr, size, value) {
        Ok(()) => pc + 1,
        Err(trap) => core.leave(pc, Event::Trap(trap)),
    }
}

/// Why an access reaches nothing.
pub(super) enum Refused {
    /// A page of the arena that is not there: what the kernel lets fail in silence.
    Absent,
    /// Everything else.
    Fault(Fault),
}

/// Where an access of a program falls.
#[inline]
pub(super) fn find<'m>(memory: &'m Memory, linked: &Linked, addr: u64, size: u64, access: Access) -> Result<Hit<'m>, Refused> {
    let addr = match linked.arena_place(addr, size) {
        ArenaPlace::NoPointer => addr,
        ArenaPlace::At(place) => place,
        ArenaPlace::Absent => return Err(Refused::Absent),
    };
    memory.reach(addr, size, access).map_err(Refused::Fault)
}

impl Core {
    /// A load that its cache entry did not serve.
    pub(crate) fn load(&mut self, pc: usize, addr: u64, size: u64) -> Result<u64, Trap> {
        let hit = match find(&self.memory, &self.linked, addr, size, Access::Read) {
            Ok(hit) => hit,
            Err(Refused::Absent) => return Ok(0),
            Err(Refused::Fault(fault)) => return self.linked.image.missing.load(fault),
        };
        match &hit.region.kind {
            RegionKind::Context => Ok(self.context.load((addr - hit.region.start()) as usize, size as usize)?),
            RegionKind::User => self.linked.image.missing.load(Fault { addr, size, access: Access::Read, why: Why::Unmapped }),
            _plain => {
                let value = hit.region.block.load(hit.at, size as usize);
                keep(&mut self.cache, pc, &hit, self.memory.version());
                Ok(value)
            }
        }
    }

    /// A store that its cache entry did not serve.
    pub(crate) fn store(&mut self, pc: usize, addr: u64, size: u64, value: u64) -> Result<(), Trap> {
        let hit = match find(&self.memory, &self.linked, addr, size, Access::Write) {
            Ok(hit) => hit,
            Err(Refused::Absent) => return Ok(()),
            Err(Refused::Fault(fault)) => return Err(Trap::Fault(fault)),
        };
        match &hit.region.kind {
            RegionKind::Context => Ok(self.context.store((addr - hit.region.start()) as usize, size as usize, value)?),
            RegionKind::User => Err(Trap::Fault(Fault { addr, size, access: Access::Write, why: Why::Unmapped })),
            _plain => {
                hit.region.block.store(hit.at, size as usize, value);
                keep(&mut self.cache, pc, &hit, self.memory.version());
                Ok(())
            }
        }
    }
}

/// Remembers where an access of the instruction fell.
#[inline]
fn keep(cache: &mut [Entry], pc: usize, hit: &Hit<'_>, version: u64) {
    if let Some(entry) = cache.get_mut(pc) {
        entry.version = if hit.show(&mut entry.span) { version } else { u64::MAX };
    }
}
