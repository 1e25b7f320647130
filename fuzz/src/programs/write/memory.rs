//! The stack, values of maps and other memory.

use skep_isa::{AluOp, AtomicOp, Cond, Insn, Operand, Reg, Size, Width};

use super::{Family, Guess, Line, SIZES, Writer};

impl Writer<'_> {
    pub(super) fn slot_off(&mut self) -> (usize, i16) {
        let slot = self.rng.usize(..8);
        (slot, -8 * (slot as i16 + 1))
    }

    pub(super) fn store(&mut self) {
        self.families.add(Family::Spills);
        let (slot, off) = self.slot_off();
        let size = if self.rng.bool() { Size::Dw } else { self.some_size() };
        let bytes = i16::from(size.bytes());
        let off = off + if size == Size::Dw { 0 } else { self.rng.i16(0..8 / bytes) * bytes };
        let src = match self.any(|guess| guess.is_number() || size == Size::Dw && guess != Guess::Dead) {
            Some(src) if self.rng.u32(..4) > 0 => Operand::Reg(src),
            _other => Operand::Imm(self.imm()),
        };
        self.insn(Insn::Store { size, base: Reg::R10, off, src });
        let guess = match src {
            Operand::Reg(src) if size == Size::Dw => Some(self.guesses.get(src)),
            _other => Some(Guess::Number(None)),
        };
        self.guesses.set_slot(slot, guess);
    }

    /// Bytes that may be reached behind a pointer, and whether they may be written.
    fn reach(&self, guess: Guess) -> Option<(i16, bool)> {
        match guess {
            Guess::Value(map, at) => {
                let values = self.ground.common.values.iter().find(|values| values.map == map)?;
                Some((values.plain - at, true))
            }
            Guess::Packet(_, there) => Some((there, self.kind.row.packet_write)),
            Guess::Record(size) => Some((size as i16, true)),
            Guess::Mem(size) => Some((size, true)),
            Guess::Own(_) => Some((super::super::shell::NUMBERS, true)),
            Guess::Object(..) => Some((8, false)),
            Guess::Sock(_) => Some((4, false)),
            Guess::Dead
            | Guess::Number(_)
            | Guess::Context
            | Guess::Stack(_)
            | Guess::PacketEnd
            | Guess::ValueOrNull(_)
            | Guess::RecordOrNull(_)
            | Guess::SockOrNull(_)
            | Guess::ObjectOrNull(..)
            | Guess::MemOrNull(_)
            | Guess::OwnOrNull(_)
            | Guess::Dynptr => None,
        }
    }

    pub(super) fn load(&mut self) {
        let dst = self.target();
        let places: Vec<Reg> = Reg::ALL.into_iter().filter(|reg| self.reach(self.guesses.get(*reg)).is_some()).collect();
        let size = self.some_size();
        let bytes = i16::from(size.bytes());
        if let Some(base) = self.one_of(&places).filter(|_| self.rng.u32(..3) > 0) {
            let (most, writable) = self.reach(self.guesses.get(base)).unwrap_or((8, false));
            self.families.add(match self.guesses.get(base) {
                Guess::Packet(..) => Family::Packets,
                _value => Family::MapValues,
            });
            let beyond = i16::from(self.seldom(80));
            let off = self.rng.i16(0..(most - bytes).max(0) + 1 + beyond);
            if most < bytes && !self.seldom(60) {
                return;
            }
            if writable && self.seldom(3) {
                let src = self.any(Guess::is_number).map_or(Operand::Imm(1), Operand::Reg);
                return self.insn(Insn::Store { size, base, off, src });
            }
            let signed = size != Size::Dw && self.seldom(4);
            self.insn(Insn::Load { size, signed, dst, base, off });
            return self.guesses.set(dst, Guess::Number(if size == Size::B && !signed { Some(255) } else { None }));
        }
        let (slot, off) = self.slot_off();
        let Some(guess) = self.guesses.slot(slot).or_else(|| self.seldom(40).then_some(Guess::Number(None))) else {
            return;
        };
        self.families.add(Family::Spills);
        if guess.is_number() && self.seldom(3) {
            let off = off + self.rng.i16(0..8 / bytes) * bytes;
            let signed = size != Size::Dw && self.seldom(4);
            self.insn(Insn::Load { size, signed, dst, base: Reg::R10, off });
            return self.guesses.set(dst, Guess::Number(None));
        }
        self.insn(Insn::Load { size: Size::Dw, signed: false, dst, base: Reg::R10, off });
        self.guesses.set(dst, guess);
    }

    /// A pointer with a number added.
    pub(super) fn pointer(&mut self) {
        let pointer = |guess: Guess| matches!(guess, Guess::Stack(_) | Guess::Value(..) | Guess::Packet(..));
        let Some(src) = self.any(pointer) else { return };
        if !self.privileges.perfmon && self.rng.bool() {
            return self.guessed_pointer(src);
        }
        let dst = self.target();
        self.mov(dst, src);
        let small = self.any(|guess| matches!(guess, Guess::Number(Some(most)) if most < 64));
        match small.filter(|reg| *reg != dst && self.rng.bool()) {
            Some(number) => {
                self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Reg(number) });
                let guess = match self.guesses.get(dst) {
                    Guess::Packet(..) => Guess::Packet(0, 0),
                    Guess::Value(map, at) => Guess::Value(map, at + 16),
                    _other => Guess::Dead,
                };
                self.guesses.set(dst, guess);
            }
            None => {
                let by = match self.guesses.get(dst) {
                    Guess::Stack(_) => -self.rng.i16(1..9) * 8,
                    Guess::Packet(..) => self.rng.i16(0..40),
                    _other => self.rng.i16(0..17),
                };
                self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(i32::from(by)) });
                let guess = match self.guesses.get(dst) {
                    Guess::Stack(at) => Guess::Stack(at + by),
                    Guess::Value(map, at) => Guess::Value(map, at + by),
                    Guess::Packet(at, there) => Guess::Packet(at + by, there - by),
                    other => other,
                };
                self.guesses.set(dst, guess);
            }
        }
    }

    /// A pointer that a register moves, either way, or a register that a pointer is added to.
    fn guessed_pointer(&mut self, src: Reg) {
        let small = |guess: Guess| matches!(guess, Guess::Number(Some(most)) if most < 64);
        let Some(number) = self.any(small).or_else(|| self.any(Guess::is_number)) else { return };
        let dst = self.target();
        if dst == src || dst == number {
            return;
        }
        let pointer_first = self.rng.u32(..3) > 0;
        let (first, second) = if pointer_first { (src, number) } else { (number, src) };
        self.mov(dst, first);
        if let (true, Guess::Value(..)) = (self.rng.bool(), self.guesses.get(dst)) {
            let by = self.rng.i32(0..20);
            self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(by) });
        }
        let op = if pointer_first && self.rng.u32(..3) == 0 { AluOp::Sub } else { AluOp::Add };
        self.insn(Insn::Alu { width: Width::W64, op, dst, src: Operand::Reg(second) });
        let guess = match self.guesses.get(src) {
            Guess::Value(map, at) => Guess::Value(map, at + 8),
            _other => Guess::Dead,
        };
        self.guesses.set(dst, guess);
    }

    /// A key on the stack.
    pub(super) fn key(&mut self, size: usize) -> i16 {
        let (slot, off) = self.slot_off();
        let value = self.rng.i32(0..3);
        let size = if size == 4 { Size::W } else { Size::Dw };
        self.insn(Insn::Store { size, base: Reg::R10, off, src: Operand::Imm(value) });
        self.guesses.set_slot(slot, Some(Guess::Number(None)));
        off
    }

    pub(super) fn lookup(&mut self) {
        let all = self.usable_values();
        let Some(values) = self.one_of(&all) else { return };
        if self.value_of(values, Reg::R0).is_none() {
            return;
        }
        self.families.add(Family::MapValues);
        if self.seldom(3) {
            let copy = self.target();
            self.mov(copy, Reg::R0);
        }
        if self.rng.u32(..4) > 0 {
            self.null_check();
        }
    }

    /// What a number of pieces do with a pointer that may be NULL.
    pub(super) fn null_check(&mut self) {
        let Some(reg) = self.any(|guess| guess.not_null().is_some()) else { return };
        let guess = self.guesses.get(reg);
        let known = guess.not_null().unwrap_or(guess);
        let out = self.label();
        if self.open == 0 && self.rng.bool() {
            self.lines.push(Line::JumpIf(Width::W64, Cond::Ne, reg, Operand::Imm(0), out));
            self.set(Reg::R0, 0);
            self.insn(Insn::Exit);
            self.here(out);
            // R0 is a number on the other way alone.
            let kept = if reg == Reg::R0 { Guess::Dead } else { self.guesses.get(Reg::R0) };
            self.guesses.set(Reg::R0, if kept == Guess::Number(Some(0)) { Guess::Dead } else { kept });
            return self.guesses.set(reg, known);
        }
        self.lines.push(Line::JumpIf(Width::W64, Cond::Eq, reg, Operand::Imm(0), out));
        let before = self.guesses.clone();
        self.guesses.set(reg, known);
        self.within();
        self.here(out);
        self.guesses.meet(&before);
    }

    /// A place for numbers that is reached by eight bytes: of a value, a record, or the stack.
    fn place(&mut self) -> (Reg, i16) {
        let large = |guess: Guess| match guess {
            Guess::Value(map, at) => self.ground.common.values.iter().any(|row| row.map == map && row.plain - at >= 16),
            Guess::Record(_) | Guess::Own(_) => true,
            _other => false,
        };
        let those = self.guesses.those(large);
        if let Some(base) = self.one_of(&those) {
            let at = if let Guess::Value(_, at) = self.guesses.get(base) { at } else { 0 };
            return (base, (-at).rem_euclid(8));
        }
        let (slot, off) = self.slot_off();
        self.insn(Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Imm(0) });
        self.guesses.set_slot(slot, Some(Guess::Number(None)));
        (Reg::R10, off)
    }

    pub(super) fn atomic(&mut self) {
        let Some(src) = self.any(Guess::is_number) else { return };
        let (base, off) = self.place();
        let fetch = self.rng.bool();
        let op = [
            AtomicOp::Add { fetch },
            AtomicOp::Or { fetch },
            AtomicOp::And { fetch },
            AtomicOp::Xor { fetch },
            AtomicOp::Xchg,
            AtomicOp::Cmpxchg,
        ][self.rng.usize(..6)];
        if op == AtomicOp::Cmpxchg && !self.guesses.get(Reg::R0).is_number() {
            return;
        }
        self.families.add(Family::Atomics);
        let size = if self.rng.bool() { Size::Dw } else { Size::W };
        self.insn(Insn::Atomic { size, op, base, off, src });
        if fetch || matches!(op, AtomicOp::Xchg | AtomicOp::Cmpxchg) {
            let written = if op == AtomicOp::Cmpxchg { Reg::R0 } else { src };
            self.guesses.set(written, Guess::Number(None));
        }
    }

    pub(super) fn ordered(&mut self) {
        let (base, off) = self.place();
        self.families.add(Family::Ordered);
        let size = SIZES[self.rng.usize(..4)];
        if self.rng.bool() {
            let dst = self.target();
            self.insn(Insn::LoadAcquire { size, dst, base, off });
            return self.guesses.set(dst, Guess::Number(None));
        }
        let Some(src) = self.any(Guess::is_number) else { return };
        self.insn(Insn::StoreRelease { size, base, off, src });
    }
}
