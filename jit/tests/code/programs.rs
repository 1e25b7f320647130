//! Random programs with jumps, loops and calls, against the model.

use skep_isa::{AluOp, AtomicOp, ByteOrder, Callee, Code, Insn, Operand, Reg, Size, Wide, Width};
use skep_program::Through;

use crate::model::{Model, build, bytes};
use crate::operations::{ALU, CONDS, IMMEDIATES, SIZES, WIDTHS, difference, variants};
use crate::random::Random;
use crate::run::{Native, World};
use crate::typical::{facts, raw};

/// Counts rounds: nothing else writes it.
const COUNTER: Reg = Reg::R8;

/// A function in the making. Jumps are by index of their instruction and of their target.
#[derive(Default)]
struct Draft {
    insns: Vec<Insn>,
    jumps: Vec<(usize, usize)>,
}

impl Draft {
    fn reg(random: &mut Random) -> Reg {
        random.one_of(&[Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R6, Reg::R7, Reg::R9])
    }

    fn operand(random: &mut Random) -> Operand {
        match random.below(2) {
            0 => Operand::Reg(Draft::reg(random)),
            _ => Operand::Imm(if random.below(2) == 0 { random.one_of(&IMMEDIATES) } else { random.value() as i32 }),
        }
    }

    /// An instruction that goes on to the next.
    fn plain(random: &mut Random) -> Insn {
        let (width, dst, src) = (random.one_of(&WIDTHS), Draft::reg(random), Draft::reg(random));
        let (size, off) = (random.one_of(&SIZES), -8 * (1 + random.below(64) as i16));
        let word = random.one_of(&[Size::W, Size::Dw]);
        match random.below(16) {
            0 => Insn::Mov { width, dst, src: Draft::operand(random) },
            1 => Insn::MovSx { width, from: random.one_of(&[Size::B, Size::H]), dst, src },
            2 => Insn::Neg { width, dst },
            3 => {
                let order = random.one_of(&[ByteOrder::Le, ByteOrder::Be, ByteOrder::Swap]);
                Insn::Swap { order, size: random.one_of(&[Size::H, Size::W, Size::Dw]), dst }
            }
            4 => Insn::LoadWide { dst, value: Wide::Const(random.value()) },
            5 | 6 => Insn::Load { size, signed: size != Size::Dw && random.below(2) == 0, dst, base: Reg::R10, off },
            7 | 8 => Insn::Store { size, base: Reg::R10, off, src: Draft::operand(random) },
            9 => {
                let fetch = random.below(2) == 0;
                let all = [AtomicOp::Add { fetch }, AtomicOp::Or { fetch }, AtomicOp::And { fetch }, AtomicOp::Xor { fetch }];
                let plain = random.one_of(&all);
                let op = random.one_of(&[plain, AtomicOp::Xchg, AtomicOp::Cmpxchg]);
                Insn::Atomic { size: word, op, base: Reg::R10, off, src }
            }
            10 => Insn::Mov { width: Width::W64, dst, src: Operand::Reg(src) },
            _ => Insn::Alu { width, op: random.one_of(&ALU), dst, src: Draft::operand(random) },
        }
    }

    /// Instructions that end where the last is left, with jumps among them.
    fn block(&mut self, random: &mut Random, len: usize) {
        let (from, to) = (self.insns.len(), self.insns.len() + len);
        for index in from..to {
            let target = index + 1 + random.below(to - index);
            let insn = match random.below(8) {
                0 => {
                    self.jumps.push((index, target));
                    let (width, cond) = (random.one_of(&WIDTHS), random.one_of(&CONDS));
                    Insn::JumpIf { width, cond, dst: Draft::reg(random), src: Draft::operand(random), off: 0 }
                }
                1 if random.below(4) == 0 => {
                    self.jumps.push((index, target));
                    Insn::Jump { off: 0, long: random.below(2) == 0 }
                }
                _ => Draft::plain(random),
            };
            self.insns.push(insn);
        }
    }

    /// Instructions that compilers put next to each other, and that machines do as one.
    fn idiom(&mut self, random: &mut Random) {
        let mut regs = [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R6, Reg::R7, Reg::R9];
        for index in 0..3 {
            let other = index + random.below(9 - index);
            regs.swap(index, other);
        }
        let [a, b, c, ..] = regs;
        let width = random.one_of(&WIDTHS);
        let mov = |width, dst, src| Insn::Mov { width, dst, src };
        let alu = |width, op, dst, src| Insn::Alu { width, op, dst, src };
        let (size, off) = (random.one_of(&SIZES), 8 * random.below(4) as i16);
        let load = Insn::Load { size, signed: size != Size::Dw && random.below(2) == 0, dst: a, base: a, off };
        let distance = Operand::Imm(-8 * (5 + random.below(60) as i32));
        let bits = if width == Width::W64 { 64 } else { 32 };
        let by = 1 + random.below(bits - 1) as i32;
        let (up, down) = (Operand::Imm(by), Operand::Imm(bits as i32 - by));
        let sum = [mov(Width::W64, a, Operand::Reg(Reg::R10)), alu(Width::W64, AluOp::Add, a, distance)];
        match random.below(8) {
            0 => self.insns.extend(sum.into_iter().chain([load])),
            1 => {
                let sum = [mov(Width::W64, b, distance), sum[0], alu(Width::W64, AluOp::Add, a, Operand::Reg(b)), load];
                self.insns.extend(sum);
            }
            2 => {
                let sum = [mov(Width::W64, b, Operand::Reg(Reg::R10)), mov(Width::W64, c, distance)];
                let sum =
                    sum.into_iter().chain([mov(Width::W64, a, Operand::Reg(c)), alu(Width::W64, AluOp::Add, a, Operand::Reg(b))]);
                self.insns.extend(sum.chain([load]));
                // Addresses are no numbers that programs agree on.
                self.insns.extend([b, c].map(|reg| mov(Width::W32, reg, Operand::Imm(1))));
            }
            3 => {
                let mut shifts = [alu(width, AluOp::Lsh, a, up), alu(width, AluOp::Rsh, b, down)];
                if random.below(2) == 0 {
                    shifts = [alu(width, AluOp::Rsh, a, up), alu(width, AluOp::Lsh, b, down)];
                }
                shifts.rotate_left(random.below(2));
                let join = random.one_of(&[AluOp::Or, AluOp::Xor, AluOp::Add]);
                self.insns.push(mov(random.one_of(&WIDTHS), a, Operand::Reg(b)));
                self.insns.extend(shifts.into_iter().chain([alu(width, join, a, Operand::Reg(b))]));
                if random.below(2) == 0 {
                    let src = random.one_of(&[Operand::Reg(a), Operand::Reg(b), Operand::Imm(7)]);
                    self.insns.push(mov(random.one_of(&WIDTHS), b, src));
                }
            }
            4 => {
                let by = Operand::Imm(random.one_of(&[32, 48, 56]));
                let back = random.one_of(&[AluOp::Rsh, AluOp::Arsh]);
                if random.below(2) == 0 {
                    self.insns.push(mov(random.one_of(&WIDTHS), a, Operand::Reg(b)));
                }
                self.insns.extend([alu(Width::W64, AluOp::Lsh, a, by), alu(Width::W64, back, a, by)]);
            }
            6 => {
                let size = random.one_of(&[Size::H, Size::W, Size::Dw]);
                let order = random.one_of(&[ByteOrder::Le, ByteOrder::Be, ByteOrder::Swap]);
                let off = -8 * (1 + random.below(60) as i16);
                self.insns.push(Insn::Load { size, signed: false, dst: a, base: Reg::R10, off });
                self.insns.push(Insn::Swap { order, size: random.one_of(&[size, Size::W]), dst: a });
            }
            5 => {
                let any = Draft::operand(random);
                let src = random.one_of(&[Operand::Reg(a), Operand::Reg(b), Operand::Reg(c), any]);
                self.insns.push(mov(random.one_of(&WIDTHS), a, Operand::Reg(b)));
                self.insns.push(alu(width, random.one_of(&ALU), a, src));
            }
            _ => {
                self.insns.push(alu(width, random.one_of(&ALU), a, Draft::operand(random)));
                let cond = random.one_of(&[skep_isa::Cond::Eq, skep_isa::Cond::Ne]);
                self.jumps.push((self.insns.len(), self.insns.len() + 2));
                self.insns.push(Insn::JumpIf { width: random.one_of(&WIDTHS), cond, dst: a, src: Operand::Imm(0), off: 0 });
                self.insns.push(Insn::Neg { width: Width::W64, dst: b });
            }
        }
    }

    fn round(&mut self, random: &mut Random, len: usize) {
        let rounds = Operand::Imm(1 + random.below(5) as i32);
        self.insns.push(Insn::Mov { width: Width::W64, dst: COUNTER, src: rounds });
        let top = self.insns.len();
        self.block(random, len);
        for _ in 0..random.below(4) {
            self.idiom(random);
        }
        self.insns.push(Insn::Alu { width: Width::W64, op: AluOp::Sub, dst: COUNTER, src: Operand::Imm(1) });
        self.jumps.push((self.insns.len(), top));
        let (cond, src) = (skep_isa::Cond::Ne, Operand::Imm(0));
        self.insns.push(Insn::JumpIf { width: Width::W64, cond, dst: COUNTER, src, off: 0 });
    }

    /// Gives jumps their distances.
    fn finish(mut self) -> Vec<Insn> {
        let mut slots = vec![0];
        slots.extend(self.insns.iter().scan(0, |sum, insn| {
            *sum += insn.slots() as i32;
            Some(*sum)
        }));
        for (index, target) in self.jumps {
            let distance = slots[target] - slots[index] - 1;
            match &mut self.insns[index] {
                Insn::Jump { off, .. } => *off = distance,
                Insn::JumpIf { off, .. } => *off = distance as i16,
                other => panic!("{other:?} is no jump"),
            }
        }
        self.insns
    }
}

/// A function that sets every register, then does anything. `calls` says how far away the functions are that it may call.
fn function(random: &mut Random, calls: &[usize]) -> (Vec<Insn>, Vec<(usize, usize)>) {
    let mut draft = Draft::default();
    for &dst in &Reg::ALL[..10] {
        draft.insns.push(Insn::LoadWide { dst, value: Wide::Const(random.value()) });
    }
    let mut called = Vec::new();
    for _ in 0..1 + random.below(4) {
        let len = 1 + random.below(12);
        match random.below(4) {
            0 => draft.round(random, len),
            3 => (0..1 + random.below(6)).for_each(|_| draft.idiom(random)),
            1 if !calls.is_empty() => {
                called.push((draft.insns.len(), random.one_of(calls)));
                draft.insns.push(Insn::Call(Callee::Local(0)));
                // A call leaves nothing in these that may be read.
                for &dst in &Reg::ALL[1..6] {
                    draft.insns.push(Insn::Mov { width: Width::W64, dst, src: Operand::Imm(random.value() as i32) });
                }
            }
            _ => draft.block(random, len),
        }
    }
    for (index, &src) in Reg::ALL[..10].iter().enumerate() {
        draft.insns.push(Insn::Store { size: Size::Dw, base: Reg::R10, off: -512 + 8 * index as i16, src: Operand::Reg(src) });
    }
    draft.insns.push(Insn::Exit);
    (draft.finish(), called)
}

/// A program of up to three functions, which call those behind them.
pub(crate) fn program(random: &mut Random) -> Vec<Insn> {
    let count = 1 + random.below(3);
    let functions: Vec<_> = (0..count).map(|index| function(random, &(index + 1..count).collect::<Vec<_>>())).collect();
    let len = |insns: &[Insn]| insns.iter().map(Insn::slots).sum::<usize>();
    let starts: Vec<usize> = (0..count).map(|index| functions[..index].iter().map(|(insns, _)| len(insns)).sum()).collect();
    let mut program = Vec::new();
    for (index, (mut insns, called)) in functions.into_iter().enumerate() {
        for (at, callee) in called {
            let next = starts[index] + len(&insns[..at]) + 1;
            insns[at] = Insn::Call(Callee::Local(starts[callee] as i32 - next as i32));
        }
        program.extend(insns);
    }
    program
}

/// How many programs are tried: `SKEP_JIT_PROGRAMS`, or as many as take a moment.
fn programs() -> u64 {
    std::env::var("SKEP_JIT_PROGRAMS").map_or(3000, |text| text.parse().expect("SKEP_JIT_PROGRAMS is a number"))
}

#[test]
fn random_programs_do_what_they_mean() {
    let mut world = World::new();
    for seed in 0..programs() {
        let mut random = Random(seed.wrapping_mul(0x1_0001));
        let insns = program(&mut random);
        let raw = raw(&insns);
        let code = Code::decode(&raw).unwrap();
        let through = if seed % 4 == 0 { Through::Other } else { Through::Stack };
        for options in variants() {
            let native = Native::new(build(&raw, facts(&raw, through), &options).unwrap());
            world.stack.iter_mut().for_each(|word| *word = random.next());
            let mut model = Model::of(&world, [1, 2, 3, 4, 5]);
            let expected = model.run(&code);
            let ret = native.run(&mut world, [1, 2, 3, 4, 5]);
            assert_eq!((ret.value, ret.status), (expected, 0), "seed {seed}: {insns:#?}");
            assert!(bytes(&world.stack) == model.memory, "seed {seed}: {}{insns:#?}", difference(&world, &model));
        }
    }
}
