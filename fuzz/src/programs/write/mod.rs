//! Random programs: pieces that compilers and attackers write, in random order, mostly valid.
//!
//! What a piece opens (a reference, a section, an iterator) it closes itself, mostly, with other pieces between.

mod args;
mod call;
mod dynptr;
mod function;
mod held;
mod iterate;
mod kptr;
mod memory;
mod object;
mod packet;
mod plain;
mod section;

use fastrand::Rng;
use skep_isa::{Insn, Operand, Reg, Size, Width};
use skep_program::Program;
use skep_verifier::Privileges;

use super::family::{Families, Family};
use super::ground::{Ground, Kind};
use super::guess::{Guess, Guesses};
use super::line::{Label, Line, Lines};

const SIZES: [Size; 4] = [Size::B, Size::H, Size::W, Size::Dw];
/// Below the slots that numbers and pointers are spilled to, and below the memory that calls get: what lies longer on the stack.
const DEEP: i16 = -128;
/// The deepest byte of a function's stack.
const DEEPEST: i16 = -256;
/// Memory for arguments: down to `DEEP`.
const SCRATCH: i16 = -72;
/// How many pieces may lie in one another.
const NESTED: u32 = 4;
/// The most functions.
const FUNCTIONS: usize = 6;

/// A random program.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Its lines.
    pub lines: Lines,
    /// Everything but its instructions.
    pub shell: Program,
    /// What is in it.
    pub families: Families,
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

/// The program of a seed.
pub fn generate(ground: &Ground, seed: u64) -> Generated {
    generate_for(ground, seed, Privileges::ALL)
}

/// The program of a seed, of a type that somebody with these privileges may load.
pub fn generate_for(ground: &Ground, seed: u64, privileges: Privileges) -> Generated {
    let mut rng = Rng::with_seed(seed);
    let kind = ground.kind(&mut rng, privileges);
    let mut writer = Writer {
        rng,
        privileges,
        ground,
        kind,
        lines: Vec::new(),
        guesses: Guesses::new(&[]),
        labels: 0,
        depth: 0,
        budget: 0,
        open: 0,
        inside: 0,
        calm: false,
        low: DEEP,
        pinned: Vec::new(),
        dynptrs: Vec::new(),
        done: vec![(ground.common.main, Vec::new(), Vec::new())],
        callable: Vec::new(),
        families: Families::default(),
    };
    if kind.sleepable() {
        writer.families.add(Family::Sleepable);
    }
    writer.main();
    let flags = if writer.rng.u32(..16) == 0 { skep_verifier::flags::TEST_STATE_FREQ } else { 0 };
    let types: Vec<u32> = writer.done.iter().map(|(type_id, ..)| *type_id).collect();
    // Without CAP_BPF there are no functions and no types of theirs.
    let mut shell = ground.program(kind, if privileges.bpf { &types } else { &[] });
    shell.flags |= flags;
    let functions = writer.done.into_iter().map(|(_, lines, _)| lines).collect();
    Generated { lines: Lines { functions }, shell, families: writer.families }
}

/// What is being written.
struct Writer<'g> {
    rng: Rng,
    /// Who is to load it.
    privileges: Privileges,
    ground: &'g Ground,
    kind: &'g Kind,
    lines: Vec<Line>,
    guesses: Guesses,
    labels: u32,
    depth: u32,
    /// Pieces that may still be written.
    budget: u32,
    /// What must be closed before the function ends.
    open: u32,
    /// Functions within whose writing this one is written.
    inside: u32,
    /// A lock is held: nothing may be called.
    calm: bool,
    /// The deepest byte of the stack that is in use.
    low: i16,
    /// Registers that hold what must be given back.
    pinned: Vec<Reg>,
    /// Dynptrs on the stack.
    dynptrs: Vec<i16>,
    /// Functions: type, lines, and what they take.
    done: Vec<(u32, Vec<Line>, Vec<Guess>)>,
    /// Static functions that may be called.
    callable: Vec<usize>,
    families: Families,
}

impl Writer<'_> {
    fn main(&mut self) {
        self.guesses = Guesses::new(&[Guess::Context]);
        self.budget = self.rng.u32(2..24);
        if self.rng.u32(..8) > 0 {
            self.mov(Reg::R6, Reg::R1);
        }
        self.pieces();
        self.end(1);
        self.done[0].1 = std::mem::take(&mut self.lines);
    }

    /// The end of a function that may return numbers up to a highest.
    fn end(&mut self, most: i32) {
        match self.rng.u32(..40) {
            0 => {}
            1 => {
                if let Some(reg) = self.any(Guess::is_number) {
                    self.mov(Reg::R0, reg);
                }
            }
            _ => {
                let value = self.rng.i32(0..=most);
                self.set(Reg::R0, value);
            }
        }
        self.insn(Insn::Exit);
    }

    fn pieces(&mut self) {
        while self.budget > 0 {
            self.budget -= 1;
            self.piece();
            if self.depth > 0 && self.rng.u32(..3) == 0 {
                return;
            }
        }
    }

    /// Pieces within another one.
    fn within(&mut self) {
        self.depth += 1;
        if self.depth <= NESTED {
            self.pieces();
        }
        self.depth -= 1;
    }

    fn piece(&mut self) {
        if self.calm {
            return self.quiet_piece();
        }
        if !self.privileges.bpf {
            return self.plain_piece();
        }
        match self.rng.u32(..48) {
            0..4 => self.alu(),
            4 => self.unary(),
            5..8 => self.branch(),
            8..10 => self.store(),
            10..13 => self.load(),
            13 => self.mask(),
            14 => self.pointer(),
            15..17 => self.lookup(),
            17 => self.null_check(),
            18..20 => self.packet(),
            20 => self.bounded_loop(),
            21 => self.atomic(),
            22 => self.ordered(),
            23..25 => self.context(),
            25..27 => self.some_helper(),
            27 => self.helper_reference(),
            28..30 => self.some_kfunc(),
            30..32 => self.kfunc_reference(),
            32 => self.section(),
            33 => self.lock(),
            34..36 => self.iterator(),
            36..38 => self.dynptr(),
            38 => self.dynptr_use(),
            39..41 => self.callback(),
            41 => self.local_call(),
            42 => self.global_call(),
            43 => self.may_goto(),
            44 => self.allocated(),
            45 => self.graph(),
            46 => self.kptr(),
            _ => self.tail_call(),
        }
    }

    /// What needs no CAP_BPF.
    fn plain_piece(&mut self) {
        match self.rng.u32(..28) {
            0..6 => self.alu(),
            6 => self.unary(),
            7..11 => self.branch(),
            11..13 => self.store(),
            13..16 => self.load(),
            16 => self.mask(),
            17..20 => self.pointer(),
            20..22 => self.lookup(),
            22 => self.null_check(),
            23 => self.packet(),
            24 => self.atomic(),
            25 => self.context(),
            26 => self.some_helper(),
            _ => self.number(),
        }
    }

    /// What may be done while a lock is held.
    fn quiet_piece(&mut self) {
        match self.rng.u32(..10) {
            0..3 => self.alu(),
            3 => self.branch(),
            4 => self.store(),
            5..8 => self.load(),
            8 => self.mask(),
            _ => self.unary(),
        }
    }

    fn insn(&mut self, insn: Insn) {
        self.lines.push(Line::Insn(insn));
    }

    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    fn here(&mut self, label: Label) {
        self.lines.push(Line::Here(label));
    }

    /// One in so many times.
    fn seldom(&mut self, times: u32) -> bool {
        self.rng.u32(..times) == 0
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.rng.usize(..all.len())].clone()) }
    }

    fn any(&mut self, holds: impl Fn(Guess) -> bool) -> Option<Reg> {
        // Now and then a register that is not what is asked for.
        if self.seldom(600) {
            return Some(Reg::ALL[self.rng.usize(..10)]);
        }
        let those = self.guesses.those(holds);
        self.one_of(&those)
    }

    /// A register whose content is still there when arguments are being put into place.
    fn any_kept(&mut self, holds: impl Fn(Guess) -> bool) -> Option<Reg> {
        let mut those = self.guesses.those(holds);
        those.retain(|reg| *reg == Reg::R0 || *reg >= Reg::R6);
        self.one_of(&those)
    }

    /// A register to write: not one that holds a pointer, mostly, and none that must be given back.
    fn target(&mut self) -> Reg {
        for _ in 0..6 {
            let reg = Reg::ALL[self.rng.usize(..10)];
            match self.guesses.get(reg) {
                Guess::Dead | Guess::Number(_) if !self.pinned.contains(&reg) => return reg,
                _pointer => {}
            }
        }
        for _ in 0..10 {
            let reg = Reg::ALL[self.rng.usize(..10)];
            if !self.pinned.contains(&reg) {
                return reg;
            }
        }
        Reg::R0
    }

    /// A register that survives calls and holds nothing that is needed.
    fn keeper(&mut self) -> Option<Reg> {
        let free: Vec<Reg> = [Reg::R7, Reg::R8, Reg::R9].into_iter().filter(|reg| !self.pinned.contains(reg)).collect();
        let dead: Vec<Reg> = free.iter().copied().filter(|reg| self.guesses.get(*reg) == Guess::Dead).collect();
        self.one_of(if dead.is_empty() { &free } else { &dead })
    }

    /// So many bytes of the stack that nothing else uses.
    fn take_stack(&mut self, bytes: u32) -> Option<i16> {
        let low = self.low.checked_sub(i16::try_from(bytes.next_multiple_of(8)).ok()?)?;
        if low < DEEPEST {
            return None;
        }
        self.low = low;
        Some(low)
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
        if self.seldom(3) { Width::W32 } else { Width::W64 }
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
}
