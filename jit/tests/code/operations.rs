//! Every operation on every pair of registers and on numbers at which something changes, against its meaning.

use skep_isa::{AluOp, AtomicOp, ByteOrder, Code, Cond, Insn, Operand, Reg, Size, Width};
use skep_jit::{Features, Options};
use skep_program::Through;

use crate::model::{Model, VALUES, build, bytes};
use crate::random::Random;
use crate::run::{Native, World};
use crate::typical::{facts, raw};

pub(crate) const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
pub(crate) const SIZES: [Size; 4] = [Size::B, Size::H, Size::W, Size::Dw];
pub(crate) const ALU: [AluOp; 13] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Sdiv,
    AluOp::Mod,
    AluOp::Smod,
    AluOp::Or,
    AluOp::And,
    AluOp::Xor,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Arsh,
];
pub(crate) const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];
pub(crate) const IMMEDIATES: [i32; 22] =
    [0, 1, -1, 2, 3, 5, 7, 9, 10, 31, 32, 33, 63, 64, 127, 128, -128, -129, 255, 65535, i32::MAX, i32::MIN];

/// Registers that programs write.
fn writable() -> &'static [Reg] {
    &Reg::ALL[..10]
}

/// Where the register with this number is kept in the frame.
fn home(reg: Reg) -> i16 {
    -8 - 8 * i16::from(reg.number())
}

/// With all features of this machine, and with none.
pub(crate) fn variants() -> Vec<Options> {
    let host = Options::host().expect("tests run on a machine that code can be made for");
    vec![host, Options { features: Features::baseline(), ..host }]
}

/// Loads all registers from the frame, does something, and stores them again.
pub(crate) fn around(middle: &[Insn]) -> Vec<Insn> {
    let load = |&dst: &Reg| Insn::Load { size: Size::Dw, signed: false, dst, base: Reg::R10, off: home(dst) };
    let store = |&src: &Reg| Insn::Store { size: Size::Dw, base: Reg::R10, off: home(src), src: Operand::Reg(src) };
    let loads = writable().iter().map(load);
    loads.chain(middle.iter().copied()).chain(writable().iter().map(store)).chain([Insn::Exit]).collect()
}

/// Runs instructions in the model and here, with registers as given and a stack full of noise.
fn same(world: &mut World, natives: &[Native], code: &Code, registers: &[u64; 10], what: &dyn std::fmt::Debug) {
    for native in natives {
        let mut random = Random(7);
        world.stack.iter_mut().for_each(|word| *word = random.next());
        for (index, value) in registers.iter().enumerate() {
            world.stack[63 - index] = *value;
        }
        let mut model = Model::of(world, [1, 2, 3, 4, 5]);
        let expected = model.run(code);
        let ret = native.run(world, [1, 2, 3, 4, 5]);
        assert_eq!((ret.value, ret.status), (expected, 0), "{what:?} with {registers:x?}");
        assert!(bytes(&world.stack) == model.memory, "{what:?} with {registers:x?}: {}", difference(world, &model));
    }
}

pub(crate) fn difference(world: &World, model: &Model) -> String {
    let words = model.memory.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    let differ = words.zip(&world.stack).enumerate().filter(|(_, (expected, found))| expected != *found);
    differ.map(|(at, (expected, found))| format!("[{at}] {found:#x} for {expected:#x}; ")).collect()
}

fn try_all(middles: impl IntoIterator<Item = (Vec<Insn>, Reg, Reg)>, pairs: &[(u64, u64)]) {
    try_through(middles, pairs, Through::Stack);
}

fn try_through(middles: impl IntoIterator<Item = (Vec<Insn>, Reg, Reg)>, pairs: &[(u64, u64)], through: Through) {
    let mut world = World::of(1);
    for (middle, a, b) in middles {
        let raw = raw(&around(&middle));
        let code = Code::decode(&raw).unwrap();
        let build = |options: &Options| Native::new(build(&raw, facts(&raw, through), options).unwrap());
        let natives: Vec<Native> = variants().iter().map(build).collect();
        for &(first, second) in pairs {
            let mut registers = std::array::from_fn(|index| 0x1111_2222_3333_4444 * (index as u64 + 1));
            registers[b.index()] = second;
            registers[a.index()] = first;
            same(&mut world, &natives, &code, &registers, &middle);
        }
    }
}

fn every_pair() -> Vec<(u64, u64)> {
    VALUES.iter().flat_map(|&a| VALUES.iter().map(move |&b| (a, b))).collect()
}

fn every_value() -> Vec<(u64, u64)> {
    VALUES.iter().map(|&a| (a, 0)).collect()
}

fn registers() -> impl Iterator<Item = (Reg, Reg)> {
    writable().iter().flat_map(|&dst| writable().iter().map(move |&src| (dst, src)))
}

#[test]
fn arithmetic_of_registers() {
    let pairs = every_pair();
    for width in WIDTHS {
        for op in ALU {
            let insn = |(dst, src)| (vec![Insn::Alu { width, op, dst, src: Operand::Reg(src) }], dst, src);
            try_all(registers().map(insn), &pairs);
        }
    }
}

#[test]
fn arithmetic_with_immediates() {
    for width in WIDTHS {
        for op in ALU {
            for imm in IMMEDIATES {
                let insn = |&dst: &Reg| (vec![Insn::Alu { width, op, dst, src: Operand::Imm(imm) }], dst, dst);
                try_all(writable().iter().map(insn), &every_value());
            }
        }
    }
}

#[test]
fn moves() {
    for width in WIDTHS {
        let mov = |(dst, src)| (vec![Insn::Mov { width, dst, src: Operand::Reg(src) }], src, dst);
        try_all(registers().map(mov), &every_value());
        for from in [Size::B, Size::H, Size::W] {
            if (width, from) != (Width::W32, Size::W) {
                let mov = |(dst, src)| (vec![Insn::MovSx { width, from, dst, src }], src, dst);
                try_all(registers().map(mov), &every_value());
            }
        }
        for imm in IMMEDIATES {
            let mov = |&dst: &Reg| (vec![Insn::Mov { width, dst, src: Operand::Imm(imm) }], dst, dst);
            try_all(writable().iter().map(mov), &[(0, 0)]);
        }
        try_all(writable().iter().map(|&dst| (vec![Insn::Neg { width, dst }], dst, dst)), &every_value());
    }
    for value in VALUES {
        let load = |&dst: &Reg| (vec![Insn::LoadWide { dst, value: skep_isa::Wide::Const(value) }], dst, dst);
        try_all(writable().iter().map(load), &[(0, 0)]);
    }
    for order in [ByteOrder::Le, ByteOrder::Be, ByteOrder::Swap] {
        for size in [Size::H, Size::W, Size::Dw] {
            try_all(writable().iter().map(|&dst| (vec![Insn::Swap { order, size, dst }], dst, dst)), &every_value());
        }
    }
}

#[test]
fn conditions() {
    let pairs = every_pair();
    let after = |jump, dst| vec![jump, Insn::Neg { width: Width::W64, dst }];
    for width in WIDTHS {
        for cond in CONDS {
            let jump = |(dst, src)| (after(Insn::JumpIf { width, cond, dst, src: Operand::Reg(src), off: 1 }, Reg::R7), dst, src);
            try_all(registers().map(jump), &pairs);
            for imm in IMMEDIATES {
                let jump =
                    |&dst: &Reg| (after(Insn::JumpIf { width, cond, dst, src: Operand::Imm(imm), off: 1 }, Reg::R7), dst, dst);
                try_all(writable().iter().map(jump), &every_value());
            }
        }
    }
}

/// A pointer to the frame in a register, and something done through it.
fn through_pointer(base: Reg, insn: Insn) -> Vec<Insn> {
    let pointer = Insn::Mov { width: Width::W64, dst: base, src: Operand::Reg(Reg::R10) };
    vec![pointer, insn]
}

/// Distances from the frame's top that need one byte and four.
const OFFSETS: [i16; 3] = [-128, -136, -504];

fn accesses(through: Through) {
    for (base, other) in registers() {
        let mut middles = Vec::new();
        for (size, off) in SIZES.into_iter().flat_map(|size| OFFSETS.map(|off| (size, off))) {
            middles.push(Insn::Load { size, signed: false, dst: other, base, off });
            middles.push(Insn::LoadAcquire { size, dst: other, base, off });
            if size != Size::Dw {
                middles.push(Insn::Load { size, signed: true, dst: other, base, off });
            }
            middles.push(Insn::Store { size, base, off, src: Operand::Reg(other) });
            middles.push(Insn::StoreRelease { size, base, off, src: other });
            middles.push(Insn::Store { size, base, off, src: Operand::Imm(-2) });
        }
        let middles = middles.into_iter().map(|insn| (through_pointer(base, insn), other, other));
        try_through(middles, &[(0xfedc_ba98_7654_3210, 0)], through);
    }
}

#[test]
fn accesses_that_are_proven() {
    accesses(Through::Stack);
}

#[test]
fn accesses_that_are_not() {
    accesses(Through::Other);
}

fn atomics(through: Through) {
    let ops = [false, true]
        .into_iter()
        .flat_map(|fetch| [AtomicOp::Add { fetch }, AtomicOp::Or { fetch }, AtomicOp::And { fetch }, AtomicOp::Xor { fetch }]);
    for op in ops.chain([AtomicOp::Xchg, AtomicOp::Cmpxchg]) {
        for (size, off) in [Size::W, Size::Dw].into_iter().flat_map(|size| [-128, -136].map(|off| (size, off))) {
            let insn = |(base, src)| {
                let set = Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Reg(Reg::R9) };
                let mut insns = vec![set];
                insns.extend(through_pointer(base, Insn::Atomic { size, op, base, off, src }));
                (insns, Reg::R0, src)
            };
            let pairs = [(0x9999_9999_0000_0001, 5), (0x1111_2222_3333_4444u64.wrapping_mul(10), 0xffff_ffff_8000_0000)];
            try_through(registers().map(insn), &pairs, through);
        }
    }
}

#[test]
fn atomic_operations_that_are_proven() {
    atomics(Through::Plain);
}

#[test]
fn atomic_operations_that_are_not() {
    atomics(Through::Kernel);
}
