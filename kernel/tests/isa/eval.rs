//! What operations mean: the kernel runs all of them on operands from a packet and writes the results back to it.

use skep_isa::{AluOp, AtomicOp, ByteOrder, Cond, Insn, Operand, RawInsn, Reg, Size, Width, eval};
use skep_kernel::{Load, Prog, TestRun};
use skep_linux::ProgType;

use super::{encode, mov};

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
const SIZES: [Size; 4] = [Size::B, Size::H, Size::W, Size::Dw];
const ORDERS: [ByteOrder; 3] = [ByteOrder::Le, ByteOrder::Be, ByteOrder::Swap];
const ALU_OPS: [AluOp; 13] = [
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
const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];

/// One operation, and what its results are on `(dst, src, r0)`.
#[derive(Debug, Clone, Copy)]
enum Case {
    Alu(Width, AluOp),
    Mov(Width),
    MovSx(Width, Size),
    Neg(Width),
    Swap(ByteOrder, Size),
    Cond(Width, Cond),
    /// Two results: memory, register.
    Atomic(Size, AtomicOp),
}

fn binary() -> Vec<Case> {
    let mut cases = Vec::new();
    for width in WIDTHS {
        cases.extend(ALU_OPS.map(|op| Case::Alu(width, op)));
        cases.extend(CONDS.map(|cond| Case::Cond(width, cond)));
        cases.push(Case::Mov(width));
    }
    cases
}

fn others() -> Vec<Case> {
    let mut cases = Vec::new();
    for width in WIDTHS {
        cases.push(Case::Neg(width));
        cases.extend(SIZES[..2].iter().map(|&from| Case::MovSx(width, from)));
    }
    cases.push(Case::MovSx(Width::W64, Size::W));
    for order in ORDERS {
        cases.extend(SIZES[1..].iter().map(|&size| Case::Swap(order, size)));
    }
    for size in [Size::W, Size::Dw] {
        for fetch in [false, true] {
            let ops = [AtomicOp::Add { fetch }, AtomicOp::Or { fetch }, AtomicOp::And { fetch }, AtomicOp::Xor { fetch }];
            cases.extend(ops.map(|op| Case::Atomic(size, op)));
        }
        cases.extend([AtomicOp::Xchg, AtomicOp::Cmpxchg].map(|op| Case::Atomic(size, op)));
    }
    cases
}

impl Case {
    /// Instructions that leave the results in r3 and r5; r3 is dst, r4 src and r0 the third number. The second operand is
    /// `src`.
    fn insns(self, src: Operand) -> Vec<Insn> {
        let dst = Reg::R3;
        let (memory, base) = (-8, Reg::R10);
        vec![match self {
            Case::Alu(width, op) => Insn::Alu { width, op, dst, src },
            Case::Mov(width) => Insn::Mov { width, dst, src },
            Case::MovSx(width, from) => Insn::MovSx { width, from, dst, src: Reg::R4 },
            Case::Neg(width) => Insn::Neg { width, dst },
            Case::Swap(order, size) => Insn::Swap { order, size, dst },
            Case::Cond(width, cond) => {
                return vec![
                    mov(Reg::R5, Operand::Imm(1)),
                    Insn::JumpIf { width, cond, dst, src, off: 1 },
                    mov(Reg::R5, Operand::Imm(0)),
                    mov(dst, Operand::Reg(Reg::R5)),
                ];
            }
            Case::Atomic(size, op) => {
                let result = if op == AtomicOp::Cmpxchg { Reg::R0 } else { Reg::R4 };
                return vec![
                    Insn::Store { size: Size::Dw, base, off: memory, src: Operand::Reg(dst) },
                    Insn::Atomic { size, op, base, off: memory, src: Reg::R4 },
                    Insn::Load { size: Size::Dw, signed: false, dst, base, off: memory },
                    mov(Reg::R5, Operand::Reg(result)),
                ];
            }
        }]
    }

    fn results(self) -> usize {
        if let Case::Atomic(..) = self { 2 } else { 1 }
    }

    fn expected(self, dst: u64, src: u64, r0: u64) -> Vec<u64> {
        vec![match self {
            Case::Alu(width, op) => eval::alu(op, width, dst, src),
            Case::Mov(width) => eval::mov(width, src),
            Case::MovSx(width, from) => eval::mov_sx(width, from, src),
            Case::Neg(width) => eval::neg(width, dst),
            Case::Swap(order, size) => eval::swap(order, size, dst),
            Case::Cond(width, cond) => eval::cond(cond, width, dst, src).into(),
            Case::Atomic(size, op) => {
                let new = eval::atomic(op, size, dst, src, r0);
                let memory = if size == Size::W { dst >> 32 << 32 | new } else { new };
                let register = if op.fetches() { eval::zero_extend(size, dst) } else { src };
                return vec![memory, register];
            }
        }]
    }
}

/// Where the operands and results are in the packet.
const OPERANDS: i16 = 16;
const RESULTS: i16 = OPERANDS + 24;

fn load(dst: Reg, base: Reg, off: i16, size: Size) -> Insn {
    Insn::Load { size, signed: false, dst, base, off }
}

/// A program that does all cases, each on the operands in the packet.
fn program(cases: &[Case], src: Operand) -> (Vec<RawInsn>, usize) {
    let size = RESULTS + 8 * cases.iter().map(|case| case.results()).sum::<usize>() as i16;
    let packet = Reg::R6;
    let mut insns = vec![
        load(packet, Reg::R1, 0, Size::W),
        load(Reg::R7, Reg::R1, 4, Size::W),
        mov(Reg::R2, Operand::Reg(packet)),
        Insn::Alu { width: Width::W64, op: AluOp::Add, dst: Reg::R2, src: Operand::Imm(size.into()) },
        Insn::JumpIf { width: Width::W64, cond: Cond::Le, dst: Reg::R2, src: Operand::Reg(Reg::R7), off: 2 },
        mov(Reg::R0, Operand::Imm(0)),
        Insn::Exit,
    ];
    let mut at = RESULTS;
    for case in cases {
        for (reg, off) in [(Reg::R3, 0), (Reg::R4, 8), (Reg::R0, 16)] {
            insns.push(load(reg, packet, OPERANDS + off, Size::Dw));
        }
        insns.extend(case.insns(src));
        for reg in [Reg::R3, Reg::R5].into_iter().take(case.results()) {
            insns.push(Insn::Store { size: Size::Dw, base: packet, off: at, src: Operand::Reg(reg) });
            at += 8;
        }
    }
    insns.extend([mov(Reg::R0, Operand::Imm(2)), Insn::Exit]);
    (encode(&insns), size as usize)
}

/// Runs the program on three numbers and compares every result.
fn compare(prog: &Prog, size: usize, cases: &[Case], [dst, src, r0]: [u64; 3], imm: Option<i32>) {
    let mut data = vec![0; size];
    for (number, at) in [dst, src, r0].iter().zip([0, 8, 16]) {
        let at = OPERANDS as usize + at;
        data[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let ran = prog.test_run(&TestRun { data, data_out: size, ..TestRun::default() }).unwrap();
    assert_eq!((ran.retval, ran.data_len), (2, size));
    let mut results = ran.data[RESULTS as usize..].chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap()));
    let second = imm.map_or(src, eval::imm);
    for case in cases {
        let kernel: Vec<u64> = results.by_ref().take(case.results()).collect();
        let ours = case.expected(dst, second, r0);
        assert_eq!(ours, kernel, "{case:?} of {dst:#x}, {second:#x}, {r0:#x} (immediate: {imm:?})");
    }
}

/// Numbers where something overflows, wraps, changes sign or reaches a width.
const EDGES: [u64; 26] = [
    0,
    1,
    2,
    7,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_8000_0001,
    0x0123_4567_89ab_cdef,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ffff,
];

fn taken(raw: &[RawInsn]) -> Prog {
    Load::raw(ProgType::Xdp, raw).load().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn operations_on_registers_mean_what_the_kernel_makes_of_them() {
    if !super::kernel() {
        return;
    }
    let cases: Vec<Case> = binary().into_iter().chain(others()).collect();
    let (raw, size) = program(&cases, Operand::Reg(Reg::R4));
    let prog = taken(&raw);
    let mut runs = 0;
    for dst in EDGES {
        for src in EDGES {
            for r0 in [dst, dst ^ 1 << 40, src, 5] {
                compare(&prog, size, &cases, [dst, src, r0], None);
                runs += 1;
            }
        }
    }
    println!("{} operations, {runs} operands", cases.len());
}

#[test]
fn operations_on_immediates_mean_what_the_kernel_makes_of_them() {
    if !super::kernel() {
        return;
    }
    for imm in [0, 1, 2, 3, 7, 31, 32, 63, 64, 255, 0x1234_5678, i32::MAX, i32::MIN, i32::MIN + 1, -1, -2, -128] {
        let mut cases = binary();
        cases.retain(|case| match case {
            // The verifier refuses division by a constant zero, and shifts by a constant beyond the width.
            Case::Alu(_, AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod) => imm != 0,
            Case::Alu(Width::W32, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh) => (0..32).contains(&imm),
            Case::Alu(Width::W64, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh) => (0..64).contains(&imm),
            Case::Alu(..)
            | Case::Mov(_)
            | Case::MovSx(..)
            | Case::Neg(_)
            | Case::Swap(..)
            | Case::Cond(..)
            | Case::Atomic(..) => true,
        });
        let (raw, size) = program(&cases, Operand::Imm(imm));
        let prog = taken(&raw);
        for dst in EDGES {
            compare(&prog, size, &cases, [dst, 0, 0], Some(imm));
        }
    }
}
