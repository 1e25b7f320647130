//! Whether a run lies in a kept state.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::run::{Escape, Held, Run, Tally, Where};
use super::{KeptFrame, KeptState};
use crate::state::{ADD_CONST_LOW, Byte, Flags, Kind, MapRef, Reg, Slot};

/// What comes of one register or slot.
enum Judged {
    /// It is as claimed.
    Inside,
    /// It is not read any more.
    Dead,
    /// It may be anything.
    Free,
    /// The claim cannot be judged.
    Open(&'static str),
}

use Judged::{Dead, Free, Inside, Open};

/// What is found instead of what a claim says.
type Outcome = Result<Judged, String>;

/// The most places that are tried for a pointer whose offset is not known.
const MOST_TRIED: u64 = 4096;

/// Ids seen so far, and what they mean in the run.
#[derive(Default)]
struct Links {
    /// Numbers without what was added to them, and whether but the low half counts.
    numbers: BTreeMap<u32, (u64, bool)>,
    /// Where packet pointers of an id are, without their fixed offsets.
    packets: BTreeMap<u32, u64>,
    /// Pointers of an id that may be NULL, without their fixed offsets.
    nulls: BTreeMap<u32, u64>,
}

struct Judge<'r, R> {
    run: &'r R,
    links: Links,
    tally: Tally,
}

impl KeptState {
    /// Whether the run lies in the state; `tally` counts what was judged if it does.
    ///
    /// # Errors
    /// The first register, or slot, that is not as the state claims.
    pub fn contains<R: Run>(&self, run: &R, tally: &mut Tally) -> Result<(), Escape> {
        let escape = |place, claim: String, found: String| Err(Escape { place, claim, found });
        if self.frames.len() != run.frames() {
            return escape(Where::Frames, format!("there are {}", self.frames.len()), run.frames().to_string());
        }
        let mut judge = Judge { run, links: Links::default(), tally: Tally::default() };
        for (number, frame) in self.frames.iter().enumerate() {
            judge.frame(number, frame)?;
        }
        judge.held(self)?;
        judge.tally.states = 1;
        tally.add(&judge.tally);
        Ok(())
    }
}

impl<R: Run> Judge<'_, R> {
    fn frame(&mut self, number: usize, frame: &KeptFrame) -> Result<(), Escape> {
        let values = self.run.registers(number);
        for (at, (reg, value)) in frame.regs.iter().zip(values).enumerate() {
            let outcome = self.value(reg, value);
            let place = Where::Reg { frame: number, reg: at };
            self.count(outcome, place, || describe(reg))?;
        }
        if frame.slots.is_empty() {
            return Ok(());
        }
        let stack = self.run.stack(number);
        for (spi, slot) in frame.slots.iter().enumerate() {
            // No program has more stack than there is.
            let Some(bytes) = (64_usize.checked_sub(spi + 1)).and_then(|at| stack.as_chunks::<8>().0.get(at)) else { break };
            let outcome = self.slot(slot, *bytes);
            let place = Where::Slot { frame: number, spi };
            self.count(outcome, place, || format!("{:?} {}", slot.bytes, describe(&slot.reg)))?;
        }
        Ok(())
    }

    fn count(&mut self, outcome: Outcome, place: Where, claim: impl FnOnce() -> String) -> Result<(), Escape> {
        match outcome {
            Ok(Inside) => self.tally.judged += 1,
            Ok(Dead) => self.tally.dead += 1,
            Ok(Free) => self.tally.free += 1,
            Ok(Open(what)) => *self.tally.open.entry(what).or_default() += 1,
            Err(found) => return Err(Escape { place, claim: claim(), found }),
        }
        Ok(())
    }

    /// No more references are held than the state has. There may be fewer: of a pointer that is NULL in the run, and of what a run keeps no count
    /// of, nothing is held. Locks and sections are as many.
    fn held(&self, state: &KeptState) -> Result<(), Escape> {
        let refs = &state.refs;
        let most = refs.held.iter().filter(|held| held.kind == crate::state::RefKind::Pointer).count();
        let found = self.run.held();
        let claim = Held {
            references: found.references.min(most),
            locks: refs.active_locks as usize,
            rcu: refs.rcu_locks as usize,
            preempt: refs.preempt_locks as usize,
        };
        match claim == found {
            true => Ok(()),
            false => Err(Escape { place: Where::Held, claim: format!("{claim:?}"), found: format!("{found:?}") }),
        }
    }

    fn slot(&mut self, slot: &Slot, bytes: [u8; 8]) -> Outcome {
        // The first of `slot.bytes` is the highest in memory.
        let zeros = slot.bytes.iter().zip(bytes.iter().rev()).filter(|(byte, _)| **byte == Byte::Zero);
        let mut zero = Free;
        for (_, value) in zeros {
            if *value != 0 {
                return Err(format!("{bytes:02x?}, lowest first"));
            }
            zero = Inside;
        }
        match slot.bytes[7] {
            Byte::Spill => {
                let width = slot.bytes.iter().rev().take_while(|byte| **byte == Byte::Spill).count();
                let value = u64::from_le_bytes(bytes);
                if width == 8 { self.value(&slot.reg, value) } else { partial(&slot.reg, value, width as u32 * 8) }
            }
            Byte::Dynptr => Ok(Open("a dynptr on the stack")),
            Byte::Iter => Ok(Open("an iterator on the stack")),
            Byte::IrqFlag => Ok(Open("a saved flag of interrupts")),
            Byte::Invalid if slot.bytes == Slot::EMPTY.bytes => Ok(Dead),
            Byte::Invalid | Byte::Misc | Byte::Zero => Ok(zero),
        }
    }

    fn value(&mut self, reg: &Reg, value: u64) -> Outcome {
        match reg.kind {
            Kind::NotInit => Ok(Dead),
            Kind::Scalar if !reg.precise => Ok(Free),
            Kind::Scalar => {
                if !reg.num.contains(value) {
                    return Err(number(value));
                }
                self.link_number(reg, value)?;
                Ok(Inside)
            }
            _pointer => self.pointer(reg, value),
        }
    }

    fn pointer(&mut self, reg: &Reg, value: u64) -> Outcome {
        if reg.flags.any(Flags::UNTRUSTED) {
            return Ok(Open("an untrusted pointer"));
        }
        if reg.maybe_null() {
            self.link_null(reg, value)?;
            if value == 0 {
                return Ok(Inside);
            }
        }
        if reg.flags.any(Flags::PERCPU) {
            return Ok(Open("a pointer to a per-CPU variable"));
        }
        if reg.flags.any(Flags::USER) {
            return Ok(Open("a pointer to user memory"));
        }
        self.place(reg, value)
    }

    /// A pointer that is not NULL.
    fn place(&mut self, reg: &Reg, value: u64) -> Outcome {
        let at = |base: u64| if within(reg, value, base) { Ok(Inside) } else { Err(apart(value, base)) };
        let known = |is: Option<bool>, what| match is {
            Some(true) => Ok(Inside),
            Some(false) => Err(number(value)),
            None => Ok(Open(what)),
        };
        match reg.kind {
            Kind::Ctx => at(self.run.context()),
            Kind::Stack { frame } => {
                let frame = usize::from(frame);
                if frame >= self.run.frames() {
                    return Err("a frame that is not there".into());
                }
                at(self.run.registers(frame)[10])
            }
            Kind::MapPtr { map, uid: _ } => known(self.run.is_map(map, value), "a map of a map"),
            Kind::MapValue { map, uid: _ } => self.map_value(reg, map, value),
            Kind::Packet { range } => self.packet(reg, value, range, false),
            Kind::PacketMeta { range } => self.packet(reg, value, range, true),
            Kind::PacketEnd => match self.run.packet() {
                Some(packet) => at(packet.end),
                None => Err("a packet's end without a packet".into()),
            },
            Kind::Btf { types, id } => {
                let trusted = Flags::TRUSTED.with(Flags::RCU).with(Flags::ALLOC);
                match (reg.flags.any(trusted), reg.fixed_offset()) {
                    (true, Some(off)) => known(self.run.is_object(types, id, value.wrapping_sub(off as u64)), "an object"),
                    (true, None) => Ok(Open("an object at a variable offset")),
                    (false, _) => Ok(Open("a pointer that loads may not trust")),
                }
            }
            Kind::Mem { size, dynptr: _ } => self.memory(reg, value, u64::from(size)),
            Kind::Func { subprog } => known(Some(self.run.is_function(subprog, value)), "a function"),
            Kind::FlowKeys
            | Kind::Socket
            | Kind::SockCommon
            | Kind::TcpSock
            | Kind::XdpSock
            | Kind::TracepointBuffer
            | Kind::MapKey { .. }
            | Kind::ConstDynptr { .. } => self.memory(reg, value, 1),
            Kind::Buf => Ok(Open("a buffer of an iterator")),
            Kind::Arena => Ok(Open("a pointer into the arena")),
            Kind::NotInit | Kind::Scalar => Ok(Free),
            Kind::DynptrSlot { .. } | Kind::IterSlot { .. } | Kind::IrqSlot { .. } => Ok(Open("an object of the stack")),
        }
    }

    fn map_value(&mut self, reg: &Reg, map: MapRef, value: u64) -> Outcome {
        let Some((low, high)) = bases(reg, value) else { return Ok(Open("a map value at an offset without bounds")) };
        let Some(starts) = self.run.values(map, low, high) else {
            return Ok(Open("a value of a map of a map, or what is no memory of a map"));
        };
        match starts.iter().any(|start| within(reg, value, *start)) {
            true => Ok(Inside),
            false => Err(format!("{}, at no value of the map", number(value))),
        }
    }

    fn packet(&mut self, reg: &Reg, value: u64, range: i32, meta: bool) -> Outcome {
        let Some(packet) = self.run.packet() else { return Err("a pointer into a packet without a packet".into()) };
        let (start, end) = if meta { (packet.meta, packet.data) } else { (packet.data, packet.end) };
        if !within(reg, value, start) {
            return Err(apart(value, start));
        }
        let moved = value.wrapping_sub(i64::from(reg.off) as u64);
        let (there, what) = match range {
            AT_END => (value >= end, "at least at the end"),
            i32::MIN..0 => (value > end, "beyond the end"),
            0.. => (range == 0 || moved.wrapping_add(range as u64) <= end, "this far from the end"),
        };
        if !there {
            let left = end.wrapping_sub(moved) as i64;
            return Err(format!("not {what} (range {range}, and {left} bytes from there on are in the packet)"));
        }
        same(&mut self.links.packets, reg.id, moved, "the packet's pointers of its id")?;
        Ok(Inside)
    }

    fn memory(&mut self, reg: &Reg, value: u64, size: u64) -> Outcome {
        let Some((low, high)) = bases(reg, value) else { return Ok(Open("memory at an offset without bounds")) };
        if size == 0 {
            return if value == 0 { Err("NULL".into()) } else { Ok(Inside) };
        }
        let Some((start, end)) = self.run.piece(value).or_else(|| self.run.piece(low)).or_else(|| self.run.piece(high)) else {
            return Err(format!("{}, where nothing can be read", number(value)));
        };
        let Some(last) = end.checked_sub(size) else { return Err(format!("in memory of {} bytes", end - start)) };
        let (first, last) = (low.max(start), high.min(last));
        if last.saturating_sub(first) > MOST_TRIED {
            return Ok(Open("memory at one of very many offsets"));
        }
        match (first..=last).any(|base| within(reg, value, base)) {
            true => Ok(Inside),
            false => Err(format!("{} of memory from {start:#x} to {end:#x}", number(value))),
        }
    }

    fn link_number(&mut self, reg: &Reg, value: u64) -> Result<(), String> {
        if reg.id == 0 {
            return Ok(());
        }
        let low = reg.id & ADD_CONST_LOW != 0;
        let base = if reg.id == reg.link() { value } else { value.wrapping_sub(i64::from(reg.off) as u64) };
        match self.links.numbers.entry(reg.link()) {
            Entry::Vacant(free) => {
                free.insert((base, low));
            }
            Entry::Occupied(mut known) => {
                let (other, other_low) = *known.get();
                let mask = if low || other_low { u64::from(u32::MAX) } else { u64::MAX };
                if base & mask != other & mask {
                    return Err(format!("{}, and others of its id would make it {other:#x}", number(value)));
                }
                known.insert((if other_low { base } else { other }, low && other_low));
            }
        }
        Ok(())
    }

    fn link_null(&mut self, reg: &Reg, value: u64) -> Result<(), String> {
        let base = if value == 0 { 0 } else { value.wrapping_sub(i64::from(reg.off) as u64) };
        same(&mut self.links.nulls, reg.id, base, "the pointers of its id")
    }
}

/// Range of a pointer that was found to be at the end of the packet, or beyond; lower ones are beyond.
const AT_END: i32 = -1;

/// All of an id are one.
fn same(known: &mut BTreeMap<u32, u64>, id: u32, value: u64, what: &str) -> Result<(), String> {
    if id == 0 {
        return Ok(());
    }
    let other = *known.entry(id).or_insert(value);
    if other == value { Ok(()) } else { Err(format!("{value:#x} without its fixed offset, and {what} are at {other:#x}")) }
}

/// The variable part of the pointer's offset from `base` is as claimed.
fn within(reg: &Reg, value: u64, base: u64) -> bool {
    reg.num.contains(value.wrapping_sub(base).wrapping_sub(i64::from(reg.off) as u64))
}

/// The lowest and highest address that the pointer may count from; `None` if that may be any.
fn bases(reg: &Reg, value: u64) -> Option<(u64, u64)> {
    const BOUND: i64 = 1 << 40;
    let (smin, smax) = (reg.num.wide.smin, reg.num.wide.smax);
    if smin < -BOUND || smax > BOUND {
        return None;
    }
    let fixed = value.wrapping_sub(i64::from(reg.off) as u64);
    Some((fixed.saturating_add_signed(-smax), fixed.saturating_add_signed(-smin)))
}

/// The low bits of a register, which were spilled alone.
fn partial(reg: &Reg, value: u64, width: u32) -> Outcome {
    if !reg.is_scalar() {
        return Err("a part of a pointer".into());
    }
    if !reg.precise {
        return Ok(Free);
    }
    let mask = (1 << width) - 1;
    let bits = reg.num.bits;
    let as_bits = (value ^ bits.value()) & !bits.mask() & mask == 0;
    let fits = reg.num.wide.umax > mask || reg.num.contains(value & mask);
    let low = width != 32 || reg.num.low.contains(value & mask);
    if as_bits && fits && low { Ok(Inside) } else { Err(number(value & mask)) }
}

fn number(value: u64) -> String {
    format!("{value:#x}")
}

fn apart(value: u64, base: u64) -> String {
    format!("{} bytes from its start", value.wrapping_sub(base) as i64)
}

fn describe(reg: &Reg) -> String {
    let Reg { kind, off, num, id, ref_id, precise, .. } = reg;
    let sure = if *precise { "precise " } else { "" };
    format!(
        "{sure}{} ({kind:?}, off {off}, id {id:#x}, ref {ref_id}) {:?} {:?} {:?}",
        reg.type_name(),
        num.bits,
        num.wide,
        num.low
    )
}
