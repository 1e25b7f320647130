//! Arguments: where those that a row wants come from.

use skep_btf::TypeId;
use skep_isa::{AluOp, Callee, Insn, Operand, Reg, Size, Wide, Width};
use skep_linux::helpers::{self as rows, ArgKind, HelperRow, Needs, Proto};
use skep_linux::{MapType, SpecialKind};
use skep_verifier::types::kfunc_args::{self as kfuncs, Number};

use super::super::ground::{KernelFunction, Param};
use super::super::shell::{TEXT, Values};
use super::{DEEP, Guess, Line, SCRATCH, Writer};

/// The registers of arguments.
pub(super) const ARGS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

/// Where an argument comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A constant.
    Number(i32),
    /// A register that no argument is put into.
    Register(Reg),
    /// A place behind the pointer in such a register.
    Behind(Reg, i16),
    /// An address on the stack.
    Stack(i16),
    /// A map.
    Map(usize),
    /// A place in the read-only text.
    Text(i16),
    /// A function of the program.
    Function(usize),
}

/// Arguments, and what the result depends on.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) sources: Vec<Source>,
    /// The map.
    pub(super) map: Option<usize>,
    /// The constant size.
    pub(super) size: i32,
}

impl<'g> Writer<'g> {
    /// Puts arguments into their registers.
    pub(super) fn put(&mut self, sources: &[Source]) {
        for (reg, source) in ARGS.into_iter().zip(sources) {
            match *source {
                Source::Number(value) => self.set(reg, value),
                Source::Register(from) => self.mov(reg, from),
                Source::Behind(from, off) => {
                    self.mov(reg, from);
                    self.add(reg, off);
                }
                Source::Stack(off) => {
                    self.mov(reg, Reg::R10);
                    self.add(reg, off);
                }
                Source::Map(map) => self.insn(Insn::LoadWide { dst: reg, value: Wide::MapIndex(map as i32) }),
                Source::Text(off) => {
                    let index = self.ground.common.text as i32;
                    self.insn(Insn::LoadWide { dst: reg, value: Wide::MapIndexValue { index, off: off.into() } });
                }
                Source::Function(function) => self.lines.push(Line::Address(reg, function)),
            }
        }
    }

    /// A constant added to a pointer.
    pub(super) fn add(&mut self, dst: Reg, by: i16) {
        if by != 0 {
            self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(by.into()) });
        }
    }

    /// Whether programs of this type may name the map.
    pub(super) fn usable(&self, map: usize) -> bool {
        let special = &self.ground.common.maps[map].special;
        special.iter().all(|field| skep_linux::special::special(field.kind).refusal(self.kind.prog_type()).is_none())
    }

    pub(super) fn usable_values(&self) -> Vec<&'g Values> {
        let ground = self.ground;
        ground.common.values.iter().filter(|values| self.usable(values.map)).collect()
    }

    /// Maps whose values have such a field, and where it lies.
    pub(super) fn with_field(&self, kind: SpecialKind) -> Vec<(Values, i16)> {
        let has = |values: &&Values| values.parts.iter().find(|part| part.kind == kind).map(|part| part.offset);
        let all = self.ground.common.values.iter().filter(|values| self.usable(values.map));
        all.filter_map(|values| Some((values.clone(), has(&values)?))).collect()
    }

    /// A register that points to a value with such a field, and how far the field is.
    fn field_behind(&mut self, kind: SpecialKind) -> Option<(Reg, i16, usize)> {
        let fields: Vec<(usize, i16)> = self.with_field(kind).into_iter().map(|(values, at)| (values.map, at)).collect();
        let of = |guess: Guess| match guess {
            Guess::Value(map, at) => fields.iter().find(|(other, _)| *other == map).map(|(map, offset)| (*map, offset - at)),
            _other => None,
        };
        let reg = self.any_kept(|guess| of(guess).is_some())?;
        let (map, off) = of(self.guesses.get(reg))?;
        Some((reg, off, map))
    }

    /// Memory on the stack, below `from`, with something in it.
    fn scratch(&mut self, from: &mut i16, bytes: u32) -> Option<i16> {
        let low = from.checked_sub(i16::try_from(bytes.next_multiple_of(8)).ok()?)?;
        if low < DEEP {
            return None;
        }
        for off in (low..*from).step_by(8) {
            let value = self.rng.i32(0..4);
            self.insn(Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Imm(value) });
        }
        *from = low;
        Some(low)
    }

    /// Memory of so many bytes: behind a pointer that is there, or on the stack.
    fn memory(&mut self, from: &mut i16, bytes: u32) -> Option<Source> {
        let large = |guess: Guess| match guess {
            Guess::Value(map, at) => {
                let plain = self.ground.common.values.iter().find(|values| values.map == map)?.plain;
                (i32::from(plain - at) >= bytes as i32).then_some(())
            }
            Guess::Mem(size) => (i32::from(size) >= bytes as i32).then_some(()),
            Guess::Record(size) => (size >= bytes).then_some(()),
            _other => None,
        };
        let mut regs = self.guesses.those(|guess| large(guess).is_some());
        regs.retain(|reg| *reg == Reg::R0 || *reg >= Reg::R6);
        match self.one_of(&regs).filter(|_| self.rng.u32(..3) == 0) {
            Some(reg) => Some(Source::Register(reg)),
            None => self.scratch(from, bytes).map(Source::Stack),
        }
    }

    fn number_source(&mut self) -> Source {
        match self.any_kept(Guess::is_number).filter(|_| self.rng.bool()) {
            Some(reg) => Source::Register(reg),
            None if self.rng.bool() => Source::Number(0),
            None => Source::Number(self.rng.i32(0..16)),
        }
    }

    /// What a helper with this prototype may be given. Arguments that are given stay as they are.
    pub(super) fn plan(&mut self, row: &HelperRow, proto: &Proto, given: &[(usize, Source)]) -> Option<Plan> {
        let mut plan = Plan { sources: Vec::new(), map: None, size: 0 };
        let mut from = SCRATCH;
        // A timer is told its own map.
        let timer = match proto.args.iter().any(|arg| arg.kind == ArgKind::Timer) {
            true => Some(self.field_behind(SpecialKind::Timer)?),
            false => None,
        };
        if let Some(index) = proto.map_arg() {
            let chosen = match (given.iter().find(|(at, _)| *at == index), timer) {
                (Some((_, Source::Map(map))), _) => Some(*map),
                (_, Some((.., map))) => Some(map),
                (_, None) => {
                    let maps = (0..self.ground.common.maps.len()).filter(|map| {
                        let map_type = self.ground.common.maps[*map].map_type;
                        self.usable(*map) && row.takes_map(map_type, self.kind.prog_type(), self.kind.attach)
                    });
                    let maps: Vec<usize> = maps.collect();
                    self.one_of(&maps)
                }
            };
            plan.map = Some(chosen?);
        }
        let mut size_of_memory = 0;
        for (index, arg) in proto.args.iter().enumerate() {
            if let Some((_, source)) = given.iter().find(|(at, _)| *at == index) {
                if let Source::Number(value) = source {
                    plan.size = *value;
                }
                plan.sources.push(*source);
                continue;
            }
            if arg.nullable && self.seldom(3) {
                size_of_memory = 0;
                plan.sources.push(Source::Number(0));
                continue;
            }
            if row.zero_args.contains(&(index as u8)) {
                plan.sources.push(Source::Number(0));
                continue;
            }
            let source = self.argument(arg.kind, &mut plan, &mut from, &mut size_of_memory, timer)?;
            plan.sources.push(source);
        }
        Some(plan)
    }

    fn argument(
        &mut self,
        kind: ArgKind,
        plan: &mut Plan,
        from: &mut i16,
        size_of_memory: &mut i32,
        timer: Option<(Reg, i16, usize)>,
    ) -> Option<Source> {
        let def = plan.map.map(|map| self.ground.common.maps[map].clone());
        Some(match kind {
            ArgKind::Anything => self.number_source(),
            ArgKind::MapPtr => Source::Map(plan.map?),
            ArgKind::MapKey => Source::Stack(self.key(def?.key_size as usize)),
            ArgKind::MapValue(_) => {
                let def = def?;
                let size = if def.map_type == MapType::Queue { def.value_size } else { def.value_size.max(8) };
                self.memory(from, size)?
            }
            ArgKind::Mem(_) => {
                let size = 8 * self.rng.i32(1..4);
                let source = self.memory(from, size as u32)?;
                *size_of_memory = if self.seldom(3) { self.rng.i32(1..=size) } else { size };
                source
            }
            ArgKind::MapMem => {
                let plain = |guess: Guess| match guess {
                    Guess::Value(map, 0) => {
                        self.ground.common.values.iter().find(|values| values.map == map).map(|row| row.plain)
                    }
                    _other => None,
                };
                let mut regs = self.guesses.those(|guess| plain(guess).is_some());
                regs.retain(|reg| *reg == Reg::R0 || *reg >= Reg::R6);
                let reg = *regs.get(self.rng.usize(..regs.len().max(1)))?;
                *size_of_memory = i32::from(plain(self.guesses.get(reg))?);
                Source::Register(reg)
            }
            ArgKind::FixedMem { size, .. } => self.memory(from, size)?,
            ArgKind::Size | ArgKind::SizeOrZero => match self.any_kept(|guess| matches!(guess, Guess::Number(Some(1..=8)))) {
                Some(reg) if *size_of_memory >= 8 && kind == ArgKind::SizeOrZero => Source::Register(reg),
                _none => Source::Number(*size_of_memory),
            },
            ArgKind::AllocSize => {
                plan.size = 8 * self.rng.i32(1..5);
                Source::Number(plan.size)
            }
            ArgKind::Ctx => Source::Register(self.any_kept(|guess| guess == Guess::Context)?),
            ArgKind::Stack => {
                let (slot, off) = self.slot_off();
                self.insn(Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Imm(0) });
                self.guesses.set_slot(slot, Some(Guess::Number(None)));
                Source::Stack(off)
            }
            ArgKind::Timer => timer.map(|(reg, off, _)| Source::Behind(reg, off))?,
            ArgKind::SockCommon | ArgKind::Socket | ArgKind::BtfSockCommon => {
                Source::Register(self.any_kept(|guess| matches!(guess, Guess::Sock(_)))?)
            }
            ArgKind::Btf(to) => {
                let id = self.ground.struct_id(to.name())?.0;
                Source::Register(self.any_kept(|guess| matches!(guess, Guess::Object(of, _) if of == id))?)
            }
            ArgKind::ConstStr => Source::Text(self.rng.i16(0..TEXT.len() as i16)),
            ArgKind::Dynptr(rows::Role::Use) => self.some_dynptr()?,
            // What opens, closes or moves something is given.
            ArgKind::Func
            | ArgKind::SpinLock
            | ArgKind::RingbufMem
            | ArgKind::PercpuBtf
            | ArgKind::KptrSlot
            | ArgKind::Kptr
            | ArgKind::Dynptr(_) => return None,
        })
    }

    /// A dynptr that is there.
    pub(super) fn some_dynptr(&mut self) -> Option<Source> {
        match self.any_kept(|guess| guess == Guess::Dynptr) {
            Some(reg) if reg != Reg::R0 => Some(Source::Register(reg)),
            _none => self.one_of(&self.dynptrs.clone()).map(Source::Stack),
        }
    }

    /// What a kernel function may be given.
    pub(super) fn plan_kfunc(&mut self, function: &KernelFunction, given: &[(usize, Source)]) -> Option<Plan> {
        let mut plan = Plan { sources: Vec::new(), map: None, size: 0 };
        let (mut from, mut size) = (SCRATCH, None);
        for (index, param) in function.params.iter().enumerate() {
            if let Some((_, source)) = given.iter().find(|(at, _)| *at == index) {
                plan.sources.push(*source);
                continue;
            }
            if param.nullable && self.seldom(2) {
                plan.sources.push(Source::Number(0));
                continue;
            }
            let source = match size.take() {
                Some(bytes) => Source::Number(bytes),
                None => self.parameter(param, &mut plan, &mut from, &mut size)?,
            };
            plan.sources.push(source);
        }
        Some(plan)
    }

    fn parameter(&mut self, param: &Param, plan: &mut Plan, from: &mut i16, size: &mut Option<i32>) -> Option<Source> {
        use kfuncs::ArgKind;
        match param.number {
            Some(Number::Plain) => return Some(self.number_source()),
            Some(Number::Constant) => return Some(Source::Number(if self.rng.bool() { 0 } else { self.rng.i32(0..16) })),
            Some(Number::ReadSize | Number::WriteSize) => {
                plan.size = 8 * self.rng.i32(1..3);
                return Some(Source::Number(plan.size));
            }
            None => {}
        }
        if let Some(to) = param.object
            && let Some(reg) = self.object_of(to)
        {
            return Some(Source::Register(reg));
        }
        match param.known.or(param.memory)? {
            ArgKind::Context => Some(Source::Register(self.any_kept(|guess| guess == Guess::Context)?)),
            ArgKind::Dynptr { uninit: false } => self.some_dynptr(),
            ArgKind::ConstString => Some(Source::Text(self.rng.i16(0..TEXT.len() as i16))),
            ArgKind::Map => {
                let map = self.rng.usize(..self.ground.common.maps.len());
                self.usable(map).then_some(Source::Map(map))
            }
            ArgKind::Memory { size } if (1..=48).contains(&size) => self.memory(from, size),
            ArgKind::Sized { optional, .. } => {
                if optional && self.seldom(3) {
                    *size = Some(8);
                    return Some(Source::Number(0));
                }
                let bytes = 8 * self.rng.i32(1..4);
                *size = Some(bytes);
                self.memory(from, bytes as u32)
            }
            ArgKind::Workqueue => {
                let (reg, off, _) = self.field_behind(SpecialKind::Workqueue)?;
                Some(Source::Behind(reg, off))
            }
            ArgKind::ResSpinLock
            | ArgKind::Memory { .. }
            | ArgKind::Null
            | ArgKind::Allocated
            | ArgKind::Refcounted
            | ArgKind::Dynptr { uninit: true }
            | ArgKind::Iterator { .. }
            | ArgKind::ListHead
            | ArgKind::ListNode
            | ArgKind::RbRoot
            | ArgKind::RbNode
            | ArgKind::TaskWork
            | ArgKind::IrqFlag
            | ArgKind::Object { .. }
            | ArgKind::Callback => None,
        }
    }

    /// A register with an object of a struct of the kernel. Where there is none, the task that runs may do.
    fn object_of(&mut self, to: TypeId) -> Option<Reg> {
        let has = |guess: Guess| matches!(guess, Guess::Object(of, _) if of == to.0);
        if let Some(reg) = self.any_kept(has) {
            return Some(reg);
        }
        let makes = |proto: &Proto| match proto.ret {
            rows::Ret::Btf { to: of, nullable: false, .. } => self.ground.struct_id(of.name()) == Some(to),
            _other => false,
        };
        let row = self.helpers(|_, proto| proto.args.is_empty() && makes(proto)).first().copied()?;
        let keep = self.keeper()?;
        self.insn(Insn::Call(Callee::Helper(row.0.id as i32)));
        self.guesses.scratch();
        self.guesses.set(Reg::R0, Guess::Object(to.0, false));
        self.mov(keep, Reg::R0);
        Some(keep)
    }

    /// Helpers that programs of this type have, by what their rows say.
    pub(super) fn helpers(
        &self,
        wanted: impl Fn(&'static HelperRow, &'static Proto) -> bool,
    ) -> Vec<(&'static HelperRow, &'static Proto)> {
        let all = rows::HELPERS.iter().filter_map(|row| Some((*row, row.proto(self.kind.prog_type(), self.kind.attach)?)));
        let able = |row: &HelperRow| match row.needs {
            Needs::Nothing => true,
            Needs::Bpf => self.privileges.bpf,
            Needs::Perfmon => self.privileges.perfmon,
        };
        all.filter(|(row, proto)| able(row) && wanted(row, proto)).collect()
    }
}
