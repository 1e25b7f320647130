//! Random programs: pieces that compilers and attackers write, in random order, mostly valid.

use std::sync::Arc;

use fastrand::Rng;
use skep_isa::{AluOp, AtomicOp, ByteOrder, Callee, Cond, Insn, Operand, Reg, Size, Wide, Width};
use skep_linux::{AttachType, MapType, ProgType};
use skep_program::{MapDef, Program};
use skep_verifier::Privileges;

use super::guess::{Guess, Guesses};
use super::line::{Label, Line, Lines};

const OPS: [AluOp; 13] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::And,
    AluOp::Or,
    AluOp::Xor,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Arsh,
    AluOp::Div,
    AluOp::Mod,
    AluOp::Sdiv,
    AluOp::Smod,
];

const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];

const SIZES: [Size; 4] = [Size::B, Size::H, Size::W, Size::Dw];

const LOOKUP: i32 = 1;
const UPDATE: i32 = 2;
const DELETE: i32 = 3;
const KTIME: i32 = 5;
const PRANDOM: i32 = 7;
const CPU: i32 = 8;
const RESERVE: i32 = 131;
const SUBMIT: i32 = 132;
const DISCARD: i32 = 133;

/// A random program.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Its lines.
    pub lines: Lines,
    /// Everything but its instructions.
    pub shell: Program,
}

impl Generated {
    /// The program; `None` if a jump is too far.
    pub fn program(&self) -> Option<Program> {
        self.with(&self.lines)
    }

    /// The program with other lines.
    pub fn with(&self, lines: &Lines) -> Option<Program> {
        lines.program(&self.shell)
    }
}

/// The maps of every program: an array, a hash, a ring buffer, a per-CPU array.
fn maps() -> Vec<Arc<MapDef>> {
    let map = |name: &str, map_type, key_size, value_size, max_entries| {
        Arc::new(MapDef { key_size, value_size, max_entries, ..MapDef::new(name, map_type) })
    };
    vec![
        map("array", MapType::Array, 4, 32, 4),
        map("hash", MapType::Hash, 8, 48, 4),
        map("ring", MapType::Ringbuf, 0, 0, 4096),
        map("percpu", MapType::PercpuArray, 4, 8, 2),
    ]
}

/// A program of a type, without instructions.
pub fn shell(prog_type: ProgType) -> Program {
    Program { maps: maps(), ..Program::bare("generated", prog_type, Vec::new()) }
}

const VALUES: [(usize, usize, i16); 3] = [(0, 4, 32), (1, 8, 48), (3, 4, 8)];

/// The program of a seed.
pub fn generate(seed: u64) -> Generated {
    generate_for(seed, Privileges::ALL)
}

/// The program of a seed, of a type that somebody with these privileges may load.
pub fn generate_for(seed: u64, privileges: Privileges) -> Generated {
    let mut rng = Rng::with_seed(seed);
    let all = [ProgType::SchedCls, ProgType::Xdp, ProgType::SocketFilter, ProgType::RawTracepoint, ProgType::Kprobe];
    let few = [ProgType::CgroupSkb, ProgType::SocketFilter, ProgType::SkReuseport];
    let may_load = |prog: &ProgType| skep_linux::program(*prog).is_some_and(|row| privileges.lacks_for(row).is_none());
    let mut types: Vec<ProgType> = all.into_iter().filter(may_load).collect();
    if types.len() < all.len() {
        types.extend(few.into_iter().filter(may_load));
    }
    let prog_type = types[rng.usize(..types.len())];
    let functions = if rng.u32(..3) == 0 && privileges.bpf { rng.usize(1..4) } else { 0 };
    let mut writer = Writer {
        rng,
        lines: Vec::new(),
        guesses: Guesses::new(0),
        labels: 0,
        prog_type,
        functions,
        depth: 0,
        budget: 0,
        privileges,
    };
    let mut all = vec![writer.main()];
    for function in 1..=functions {
        all.push(writer.function(function));
    }
    let flags = if writer.rng.u32(..16) == 0 { skep_verifier::flags::TEST_STATE_FREQ } else { 0 };
    let attach_type = (prog_type == ProgType::CgroupSkb).then_some(AttachType::CgroupInetIngress);
    let shell = Program { flags, attach_type, ..shell(prog_type) };
    Generated { lines: Lines { functions: all }, shell }
}

struct Writer {
    rng: Rng,
    lines: Vec<Line>,
    guesses: Guesses,
    labels: u32,
    prog_type: ProgType,
    /// Functions beside the program itself.
    functions: usize,
    depth: u32,
    /// Pieces that may still be written.
    budget: u32,
    /// Who is to load it.
    privileges: Privileges,
}

impl Writer {
    fn main(&mut self) -> Vec<Line> {
        self.guesses = Guesses::new(0);
        self.guesses.set(Reg::R1, Guess::Context);
        self.budget = self.rng.u32(2..28);
        if self.rng.bool() {
            self.mov(Reg::R6, Reg::R1);
        }
        self.body(0)
    }

    fn function(&mut self, number: usize) -> Vec<Line> {
        self.guesses = Guesses::new(3);
        self.budget = self.rng.u32(1..8);
        self.body(number)
    }

    fn body(&mut self, number: usize) -> Vec<Line> {
        self.pieces(number);
        match self.rng.u32(..8) {
            0 => {}
            1 => {
                if let Some(reg) = self.any(Guess::is_number) {
                    self.mov(Reg::R0, reg);
                }
            }
            _ => {
                let value = self.rng.i32(0..2);
                self.set(Reg::R0, value);
            }
        }
        self.insn(Insn::Exit);
        std::mem::take(&mut self.lines)
    }

    fn pieces(&mut self, number: usize) {
        while self.budget > 0 {
            self.budget -= 1;
            self.piece(number);
            if self.depth > 0 && self.rng.u32(..4) == 0 {
                return;
            }
        }
    }

    fn piece(&mut self, number: usize) {
        match self.rng.u32(..32) {
            0..7 => self.alu(),
            7 => self.unary(),
            8..12 => self.branch(number),
            12..15 => self.store(),
            15..18 => self.load(),
            18 => self.number(),
            19 => self.mask(),
            20..22 => self.pointer(),
            22 => self.lookup(),
            23 => self.null_check(number),
            24 => self.packet(),
            25 => self.check_packet(),
            26 => self.bounded_loop(number),
            27 => self.call(number),
            28 => self.atomic(),
            29 => self.ring(),
            30 => self.map_call(),
            _ => self.context(),
        }
    }

    fn insn(&mut self, insn: Insn) {
        self.lines.push(Line::Insn(insn));
    }

    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    fn any(&mut self, holds: impl Fn(Guess) -> bool) -> Option<Reg> {
        // Now and then a register that is not what is asked for.
        if self.rng.u32(..200) == 0 {
            return Some(Reg::ALL[self.rng.usize(..10)]);
        }
        let those = self.guesses.those(holds);
        (!those.is_empty()).then(|| those[self.rng.usize(..those.len())])
    }

    /// A register to write: not one that holds the last pointer of its kind, mostly.
    fn target(&mut self) -> Reg {
        for _ in 0..4 {
            let reg = Reg::ALL[self.rng.usize(..10)];
            match self.guesses.get(reg) {
                Guess::Dead | Guess::Number(_) => return reg,
                _pointer => {}
            }
        }
        Reg::ALL[self.rng.usize(..10)]
    }

    fn imm(&mut self) -> i32 {
        match self.rng.u32(..9) {
            0 => self.rng.i32(..),
            1 => 1i32.wrapping_shl(self.rng.u32(..32)),
            2 => 1i32.wrapping_shl(self.rng.u32(..32)).wrapping_sub(1),
            3 => -self.rng.i32(1..40),
            4 => [i32::MIN, i32::MAX, -1, 0][self.rng.usize(..4)],
            _ => self.rng.i32(0..64),
        }
    }

    fn width(&mut self) -> Width {
        if self.rng.u32(..3) == 0 { Width::W32 } else { Width::W64 }
    }

    fn set(&mut self, dst: Reg, value: i32) {
        self.insn(Insn::Mov { width: Width::W64, dst, src: Operand::Imm(value) });
        self.guesses.set(dst, Guess::Number(u32::try_from(value).ok()));
    }

    fn mov(&mut self, dst: Reg, src: Reg) {
        self.insn(Insn::Mov { width: Width::W64, dst, src: Operand::Reg(src) });
        let guess = self.guesses.get(src);
        self.guesses.set(dst, guess);
    }

    fn number(&mut self) {
        let dst = self.target();
        if self.rng.bool() {
            let value = self.imm();
            return self.set(dst, value);
        }
        let id = [PRANDOM, KTIME, CPU][self.rng.usize(..3)];
        self.insn(Insn::Call(Callee::Helper(id)));
        self.guesses.scratch();
        self.guesses.set(Reg::R0, Guess::Number(None));
        if self.rng.bool() {
            self.mov(dst, Reg::R0);
        }
    }

    fn alu(&mut self) {
        let Some(dst) = self.any(Guess::is_number) else { return self.number() };
        let (width, op) = (self.width(), OPS[self.rng.usize(..OPS.len())]);
        let other = self.any(Guess::is_number).filter(|_| self.rng.u32(..3) == 0);
        let bits = if width == Width::W32 { 32 } else { 64 };
        let src = match (other, op) {
            (Some(src), _) => Operand::Reg(src),
            (None, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh) => Operand::Imm(self.rng.i32(0..bits)),
            (None, _) => Operand::Imm(self.imm()),
        };
        if self.rng.u32(..8) == 0 {
            let copy = self.target();
            self.mov(copy, dst);
        }
        self.insn(Insn::Alu { width, op, dst, src });
        let most = match (op, src) {
            (AluOp::And, Operand::Imm(value)) => u32::try_from(value).ok(),
            _unknown => None,
        };
        self.guesses.set(dst, Guess::Number(most));
    }

    fn unary(&mut self) {
        let Some(src) = self.any(Guess::is_number) else { return };
        let dst = self.target();
        let width = self.width();
        let insn = match self.rng.u32(..5) {
            0 => Insn::Neg { width, dst: src },
            1 => Insn::Swap {
                order: [ByteOrder::Le, ByteOrder::Be, ByteOrder::Swap][self.rng.usize(..3)],
                size: SIZES[self.rng.usize(1..4)],
                dst: src,
            },
            2 => Insn::MovSx { width: Width::W64, from: SIZES[self.rng.usize(..3)], dst, src },
            3 => Insn::MovSx { width: Width::W32, from: SIZES[self.rng.usize(..2)], dst, src },
            _ => Insn::Mov { width, dst, src: Operand::Reg(src) },
        };
        self.insn(insn);
        let written = if matches!(insn, Insn::Neg { .. } | Insn::Swap { .. }) { src } else { dst };
        self.guesses.set(written, Guess::Number(None));
    }

    fn mask(&mut self) {
        let Some(dst) = self.any(Guess::is_number) else { return };
        let most = (1 << self.rng.u32(1..6)) - 1;
        let width = self.width();
        self.insn(Insn::Alu { width, op: AluOp::And, dst, src: Operand::Imm(most) });
        self.guesses.set(dst, Guess::Number(Some(most as u32)));
    }

    fn branch(&mut self, number: usize) {
        if self.depth > 3 {
            return;
        }
        let Some(dst) = self.any(Guess::is_number) else { return self.number() };
        let width = self.width();
        let cond = CONDS[self.rng.usize(..CONDS.len())];
        let src = match self.any(Guess::is_number).filter(|_| self.rng.u32(..3) == 0) {
            Some(src) => Operand::Reg(src),
            None => Operand::Imm(self.imm()),
        };
        let out = self.label();
        self.lines.push(Line::JumpIf(width, cond, dst, src, out));
        if self.rng.u32(..6) == 0 {
            // The way that does not jump ends here, so that the other is bounded.
            self.set(Reg::R0, 0);
            self.insn(Insn::Exit);
            self.lines.push(Line::Here(out));
            let most = match (cond, src) {
                (Cond::Lt | Cond::Le, Operand::Imm(value)) => u32::try_from(value).ok(),
                _unknown => None,
            };
            return self.guesses.set(dst, Guess::Number(most));
        }
        let before = self.guesses.clone();
        self.depth += 1;
        self.pieces(number);
        self.depth -= 1;
        if self.rng.u32(..4) == 0 {
            let end = self.label();
            self.lines.push(Line::Jump(end));
            self.lines.push(Line::Here(out));
            let after = std::mem::replace(&mut self.guesses, before);
            self.depth += 1;
            self.pieces(number);
            self.depth -= 1;
            self.guesses.meet(&after);
            self.lines.push(Line::Here(end));
        } else {
            self.lines.push(Line::Here(out));
            self.guesses.meet(&before);
        }
    }

    fn bounded_loop(&mut self, number: usize) {
        if self.depth > 1 || !self.privileges.bpf {
            return;
        }
        let counter = [Reg::R7, Reg::R8, Reg::R9][self.rng.usize(..3)];
        self.set(counter, 0);
        self.guesses.set(counter, Guess::Number(None));
        let head = self.label();
        self.lines.push(Line::Here(head));
        let before = self.guesses.clone();
        self.depth += 1;
        self.pieces(number);
        self.depth -= 1;
        let rounds = self.rng.i32(1..12);
        self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst: counter, src: Operand::Imm(1) });
        let cond = [Cond::Lt, Cond::Ne, Cond::Slt][self.rng.usize(..3)];
        self.lines.push(Line::JumpIf(Width::W64, cond, counter, Operand::Imm(rounds), head));
        self.guesses.meet(&before);
        self.guesses.set(counter, Guess::Number(None));
    }

    fn slot_off(&mut self) -> (usize, i16) {
        let slot = self.rng.usize(..8);
        (slot, -8 * (slot as i16 + 1))
    }

    fn store(&mut self) {
        let (slot, off) = self.slot_off();
        let size = if self.rng.bool() { Size::Dw } else { SIZES[self.rng.usize(..4)] };
        let off = off + if size == Size::Dw { 0 } else { self.rng.i16(0..8 / i16::from(size.bytes())) * i16::from(size.bytes()) };
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

    fn load(&mut self) {
        let dst = self.target();
        let places = self.guesses.those(|guess| matches!(guess, Guess::Value(..) | Guess::Packet(..) | Guess::Record(_)));
        let size = SIZES[self.rng.usize(..4)];
        let bytes = i16::from(size.bytes());
        if !places.is_empty() && self.rng.u32(..3) > 0 {
            let base = places[self.rng.usize(..places.len())];
            let most = match self.guesses.get(base) {
                Guess::Value(map, at) => VALUES.iter().find(|row| row.0 == map).map_or(0, |row| row.2 - at),
                Guess::Packet(_, there) => there,
                Guess::Record(size) => size as i16,
                _other => 8,
            };
            let beyond = i16::from(self.rng.u32(..40) == 0);
            let off = self.rng.i16(0..(most - bytes).max(0) + 1 + beyond);
            if self.rng.u32(..3) == 0 && !matches!(self.guesses.get(base), Guess::Packet(..)) {
                let src = self.any(Guess::is_number).map_or(Operand::Imm(1), Operand::Reg);
                return self.insn(Insn::Store { size, base, off, src });
            }
            let signed = size != Size::Dw && self.rng.u32(..4) == 0;
            self.insn(Insn::Load { size, signed, dst, base, off });
            return self.guesses.set(dst, Guess::Number(if size == Size::B && !signed { Some(255) } else { None }));
        }
        let (slot, off) = self.slot_off();
        let Some(guess) = self.guesses.slot(slot).or_else(|| (self.rng.u32(..20) == 0).then_some(Guess::Number(None))) else {
            return;
        };
        if guess.is_number() && self.rng.u32(..3) == 0 {
            let off = off + self.rng.i16(0..8 / bytes) * bytes;
            let signed = size != Size::Dw && self.rng.u32(..4) == 0;
            self.insn(Insn::Load { size, signed, dst, base: Reg::R10, off });
            return self.guesses.set(dst, Guess::Number(None));
        }
        self.insn(Insn::Load { size: Size::Dw, signed: false, dst, base: Reg::R10, off });
        self.guesses.set(dst, guess);
    }

    /// A pointer with a number added.
    fn pointer(&mut self) {
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

    fn key(&mut self, size: usize) -> i16 {
        let (slot, off) = self.slot_off();
        let value = self.rng.i32(0..5);
        let size = if size == 4 { Size::W } else { Size::Dw };
        self.insn(Insn::Store { size, base: Reg::R10, off, src: Operand::Imm(value) });
        self.guesses.set_slot(slot, Some(Guess::Number(None)));
        off
    }

    fn map_args(&mut self, map: usize, key: i16) {
        self.mov(Reg::R2, Reg::R10);
        self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg::R2, src: Operand::Imm(i32::from(key)) });
        self.insn(Insn::LoadWide { dst: Reg::R1, value: Wide::MapIndex(map as i32) });
    }

    fn lookup(&mut self) {
        let (map, key, _) = VALUES[self.rng.usize(..VALUES.len())];
        let key = self.key(key);
        self.map_args(map, key);
        self.insn(Insn::Call(Callee::Helper(LOOKUP)));
        self.guesses.scratch();
        self.guesses.set(Reg::R0, Guess::ValueOrNull(map));
        if self.rng.u32(..3) == 0 {
            let copy = self.target();
            self.mov(copy, Reg::R0);
        }
        if self.rng.u32(..4) > 0 {
            self.null_check(0);
        }
    }

    fn map_call(&mut self) {
        let (map, key, value) = VALUES[self.rng.usize(..VALUES.len())];
        let key = self.key(key);
        if self.rng.bool() {
            self.map_args(map, key);
            self.insn(Insn::Call(Callee::Helper(DELETE)));
        } else {
            for slot in 8..8 + value / 8 {
                let off = -8 * (slot + 1);
                self.insn(Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Imm(0) });
            }
            self.map_args(map, key);
            self.mov(Reg::R3, Reg::R10);
            let low = -8 * (8 + value / 8);
            self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg::R3, src: Operand::Imm(i32::from(low)) });
            self.set(Reg::R4, 0);
            self.insn(Insn::Call(Callee::Helper(UPDATE)));
        }
        self.guesses.scratch();
        self.guesses.set(Reg::R0, Guess::Number(None));
    }

    fn null_check(&mut self, number: usize) {
        let Some(reg) = self.any(|guess| matches!(guess, Guess::ValueOrNull(_) | Guess::RecordOrNull(_))) else { return };
        let known = match self.guesses.get(reg) {
            Guess::ValueOrNull(map) => Guess::Value(map, 0),
            Guess::RecordOrNull(size) => Guess::Record(size),
            other => other,
        };
        let out = self.label();
        if self.rng.bool() {
            self.lines.push(Line::JumpIf(Width::W64, Cond::Ne, reg, Operand::Imm(0), out));
            self.set(Reg::R0, 0);
            self.insn(Insn::Exit);
            self.lines.push(Line::Here(out));
            return self.guesses.set(reg, known);
        }
        self.lines.push(Line::JumpIf(Width::W64, Cond::Eq, reg, Operand::Imm(0), out));
        let before = self.guesses.clone();
        self.guesses.set(reg, known);
        self.depth += 1;
        self.pieces(number);
        self.depth -= 1;
        self.lines.push(Line::Here(out));
        self.guesses.meet(&before);
    }

    /// Pointers to start and end of the packet.
    fn packet(&mut self) {
        let fields = match self.prog_type {
            ProgType::Xdp => (0, 4),
            ProgType::SchedCls => (76, 80),
            _none => return,
        };
        let Some(base) = self.any(|guess| guess == Guess::Context) else { return };
        let (start, end) = ([Reg::R7, Reg::R2][self.rng.usize(..2)], [Reg::R8, Reg::R3][self.rng.usize(..2)]);
        if base == start || base == end {
            return;
        }
        self.insn(Insn::Load { size: Size::W, signed: false, dst: end, base, off: fields.1 });
        self.insn(Insn::Load { size: Size::W, signed: false, dst: start, base, off: fields.0 });
        self.guesses.set(end, Guess::PacketEnd);
        self.guesses.set(start, Guess::Packet(0, 0));
        self.check_packet();
    }

    fn check_packet(&mut self) {
        let Some(packet) = self.any(|guess| matches!(guess, Guess::Packet(..))) else { return };
        let Some(end) = self.any(|guess| guess == Guess::PacketEnd) else { return };
        let scratch = [Reg::R4, Reg::R5][self.rng.usize(..2)];
        if scratch == packet || scratch == end {
            return;
        }
        let bytes = self.rng.i16(1..40);
        self.mov(scratch, packet);
        self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst: scratch, src: Operand::Imm(i32::from(bytes)) });
        let (a, cond, b, short) = match self.rng.u32(..4) {
            0 => (scratch, Cond::Le, end, 0),
            1 => (scratch, Cond::Lt, end, 0),
            2 => (end, Cond::Ge, scratch, 0),
            _ => (end, Cond::Gt, scratch, 0),
        };
        let out = self.label();
        self.lines.push(Line::JumpIf(Width::W64, cond, a, Operand::Reg(b), out));
        self.set(Reg::R0, 0);
        self.insn(Insn::Exit);
        self.lines.push(Line::Here(out));
        if let Guess::Packet(at, there) = self.guesses.get(packet) {
            self.guesses.set(packet, Guess::Packet(at, there.max(bytes - short)));
        }
        self.guesses.set(scratch, Guess::Packet(0, 0));
    }

    fn call(&mut self, number: usize) {
        if number >= self.functions {
            return;
        }
        let callee = self.rng.usize(number + 1..=self.functions);
        for arg in [Reg::R1, Reg::R2, Reg::R3] {
            match self.any(Guess::is_number) {
                Some(src) => self.mov(arg, src),
                None => {
                    let value = self.imm();
                    self.set(arg, value);
                }
            }
        }
        self.lines.push(Line::Call(callee));
        self.guesses.scratch();
        self.guesses.set(Reg::R0, Guess::Number(None));
    }

    fn atomic(&mut self) {
        let Some(src) = self.any(Guess::is_number) else { return };
        let base = self.any(|guess| matches!(guess, Guess::Value(..) | Guess::Record(_)));
        let (base, off) = match base {
            Some(base) => (base, 8 * self.rng.i16(0..2)),
            None => {
                let (slot, off) = self.slot_off();
                self.insn(Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Imm(0) });
                self.guesses.set_slot(slot, Some(Guess::Number(None)));
                (Reg::R10, off)
            }
        };
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
        let size = if self.rng.bool() { Size::Dw } else { Size::W };
        self.insn(Insn::Atomic { size, op, base, off, src });
        if fetch || matches!(op, AtomicOp::Xchg | AtomicOp::Cmpxchg) {
            let written = if op == AtomicOp::Cmpxchg { Reg::R0 } else { src };
            self.guesses.set(written, Guess::Number(None));
        }
    }

    fn ring(&mut self) {
        if let Some(record) = self.any(|guess| matches!(guess, Guess::Record(_))).filter(|_| self.rng.u32(..4) > 0) {
            self.mov(Reg::R1, record);
            self.set(Reg::R2, 0);
            let id = if self.rng.bool() { SUBMIT } else { DISCARD };
            self.insn(Insn::Call(Callee::Helper(id)));
            let records = self.guesses.those(|guess| matches!(guess, Guess::Record(_)));
            records.into_iter().for_each(|reg| self.guesses.set(reg, Guess::Dead));
            return self.guesses.scratch();
        }
        let size = 8 * self.rng.u32(1..5);
        self.insn(Insn::LoadWide { dst: Reg::R1, value: Wide::MapIndex(2) });
        self.set(Reg::R2, size as i32);
        self.set(Reg::R3, 0);
        self.insn(Insn::Call(Callee::Helper(RESERVE)));
        self.guesses.scratch();
        self.guesses.set(Reg::R0, Guess::RecordOrNull(size));
        let keep = [Reg::R7, Reg::R8, Reg::R9][self.rng.usize(..3)];
        let out = self.label();
        self.lines.push(Line::JumpIf(Width::W64, Cond::Ne, Reg::R0, Operand::Imm(0), out));
        self.set(Reg::R0, 0);
        self.insn(Insn::Exit);
        self.lines.push(Line::Here(out));
        self.guesses.set(Reg::R0, Guess::Record(size));
        self.mov(keep, Reg::R0);
        if self.rng.u32(..3) > 0 {
            self.load();
            self.mov(Reg::R1, keep);
            self.set(Reg::R2, 0);
            self.insn(Insn::Call(Callee::Helper(SUBMIT)));
            let records = self.guesses.those(|guess| matches!(guess, Guess::Record(_)));
            records.into_iter().for_each(|reg| self.guesses.set(reg, Guess::Dead));
            self.guesses.scratch();
        }
    }

    fn context(&mut self) {
        let Some(base) = self.any(|guess| guess == Guess::Context) else { return };
        let dst = self.target();
        let (off, size) = match self.prog_type {
            ProgType::Xdp => ([12, 16][self.rng.usize(..2)], Size::W),
            ProgType::Kprobe | ProgType::RawTracepoint => (8 * self.rng.i16(0..3), Size::Dw),
            _skb => (4 * self.rng.i16(0..6), SIZES[self.rng.usize(..3)]),
        };
        self.insn(Insn::Load { size, signed: false, dst, base, off });
        self.guesses.set(dst, Guess::Number(None));
    }
}
