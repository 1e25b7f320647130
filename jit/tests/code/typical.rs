//! Programs as slots with facts, and one that is as long as it is asked for.

use skep_isa::{AluOp, Cond, Insn, Operand, RawInsn, Reg, Size, Width};
use skep_program::{Fact, Facts, Through};

use crate::random::Random;

/// Facts that let every slot be reached, and every access be what `through` says.
pub(crate) fn facts(insns: &[RawInsn], through: Through) -> Facts {
    let fact = Fact { reached: true, through, zero_extend: true, ..Fact::default() };
    Facts::new(vec![fact; insns.len()], vec![512])
}

/// Instructions as slots.
pub(crate) fn raw(insns: &[Insn]) -> Vec<RawInsn> {
    insns.iter().flat_map(|insn| insn.encode().expect("an instruction that there is").to_vec()).collect()
}

/// Straight code as compilers make it: the mark for length.
pub(crate) fn typical(len: usize) -> Vec<Insn> {
    let mut random = Random(4000);
    let mut insns: Vec<Insn> = Vec::new();
    for &dst in &Reg::ALL[..10] {
        insns.push(Insn::Mov { width: Width::W64, dst, src: Operand::Imm(i32::from(dst.number())) });
    }
    while insns.len() < len - 1 {
        let (dst, src) = (random.one_of(&Reg::ALL[..10]), Operand::Reg(random.one_of(&Reg::ALL[..10])));
        let imm = Operand::Imm(random.below(1000) as i32);
        let off = -8 * (1 + random.below(32) as i16);
        let width = random.one_of(&[Width::W64, Width::W64, Width::W32]);
        let insn = match random.below(10) {
            0 | 1 => Insn::Mov { width, dst, src },
            2 | 3 => Insn::Alu { width, op: random.one_of(&[AluOp::Add, AluOp::Xor, AluOp::Or, AluOp::Sub]), dst, src },
            4 => Insn::Alu { width, op: random.one_of(&[AluOp::Add, AluOp::And]), dst, src: imm },
            5 => Insn::Alu { width, op: random.one_of(&[AluOp::Lsh, AluOp::Rsh]), dst, src: Operand::Imm(7) },
            6 | 7 => Insn::Load { size: random.one_of(&[Size::B, Size::W, Size::Dw]), signed: false, dst, base: Reg::R10, off },
            8 => Insn::Store { size: random.one_of(&[Size::B, Size::W, Size::Dw]), base: Reg::R10, off, src },
            _ => {
                let off = random.below(6).min(len - 2 - insns.len()) as i16;
                Insn::JumpIf { width, cond: random.one_of(&[Cond::Eq, Cond::Gt, Cond::Slt]), dst, src: imm, off }
            }
        };
        insns.push(insn);
    }
    insns.push(Insn::Exit);
    insns
}
