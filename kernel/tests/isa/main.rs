//! `skep-isa` against the kernel: which fields are reserved, what operations mean, how instructions are written.
//!
//! These tests are here and not in `isa`, which this crate imports.

mod eval;
mod fields;
mod text;

use std::sync::LazyLock;

use skep_isa::{AluOp, Cond, Insn, Operand, RawInsn, Reg, Size, Width};
use skep_kernel::{Kernel, Load, LoadError, LogLevel, Map, MapSpec};
use skep_linux::{MapType, ProgType};

/// Whether the kernel is there to be asked; says so if not.
fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

const FILLED: [Reg; 8] = [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R8, Reg::R9];
/// Slots after the instruction, so that jumps of up to this distance lead to an instruction.
const TAIL: usize = 40;

fn mov(dst: Reg, src: Operand) -> Insn {
    Insn::Mov { width: Width::W64, dst, src }
}

fn encode(insns: &[Insn]) -> Vec<RawInsn> {
    insns.iter().flat_map(|insn| insn.encode().unwrap().to_vec()).collect()
}

/// A program around these slots in which every register and the upper stack are set, r6 is the context, r7 is unknown, and every
/// later slot can be reached. The slots begin in the slot that is returned.
fn around(slots: &[RawInsn]) -> (Vec<RawInsn>, usize) {
    let mut insns = vec![mov(Reg::R6, Operand::Reg(Reg::R1))];
    for off in [-16, -8] {
        insns.push(Insn::Store { size: Size::Dw, base: Reg::R10, off, src: Operand::Imm(0) });
    }
    insns.push(Insn::Call(skep_isa::Callee::Helper(7)));
    insns.push(mov(Reg::R7, Operand::Reg(Reg::R0)));
    insns.extend(FILLED.map(|reg| mov(reg, Operand::Imm(i32::from(reg.number()) + 1))));
    for to in 0..TAIL {
        // TAIL - 1 - to more jumps, then the slots, then `to` slots of the tail.
        let off = (TAIL - 1 + slots.len()) as i16;
        let src = Operand::Imm(to as i32);
        insns.push(Insn::JumpIf { width: Width::W64, cond: Cond::Eq, dst: Reg::R7, src, off });
    }
    let mut raw = encode(&insns);
    let at = raw.len();
    raw.extend_from_slice(slots);
    let mut tail = vec![mov(Reg::R0, Operand::Imm(0)); TAIL];
    tail.push(Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg::R0, src: Operand::Imm(0) });
    tail.push(Insn::Exit);
    raw.extend(encode(&tail));
    (raw, at)
}

/// Loads a socket filter, with one map that it may name by index 0: whether it was taken, and the log.
fn load(raw: &[RawInsn], log_level: LogLevel) -> (bool, String) {
    static MAP: LazyLock<Map> = LazyLock::new(|| MapSpec::new(MapType::Array, 4, 64, 1).create().unwrap());
    let maps = [&*MAP];
    match (Load { log_level, maps: &maps, ..Load::raw(ProgType::SocketFilter, raw) }).load_with_log() {
        Ok((_, log)) => (true, log),
        Err(LoadError::Refused { log, .. }) => (false, log),
        Err(error @ LoadError::MapIndex { .. }) => (false, error.to_string()),
        Err(error @ (LoadError::License { .. } | LoadError::Map(_))) => panic!("{error}"),
    }
}
