//! From decoded instructions to [`Op`]s.

use skep_isa::{Callee, Code, Insn, Operand, Reg, Slot, TargetError, Wide, eval};

use super::op::{Handler, Op};
use super::trusted::Trusted;
use super::{access, alu, atomic, call, jump};

/// What a program needs from outside, in the order in which its instructions ask.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Values of wide loads, with the slot they are in.
    pub(crate) links: Vec<(usize, Wide)>,
    /// Helpers and kernel functions, each once.
    pub(crate) calls: Vec<Callee>,
}

/// One op per slot, and one behind the last. Accesses that a verified program needs no test for go without.
pub(crate) fn compile(code: &Code, trusted: Option<Trusted<'_>>) -> Result<(Vec<Op>, Needs), TargetError> {
    let mut needs = Needs::default();
    let mut ops = Vec::with_capacity(code.len() + 1);
    for (slot, content) in code.slots().iter().enumerate() {
        ops.push(match content {
            Slot::Insn(insn) => op(insn, slot, code.target(slot)?, trusted, &mut needs),
            Slot::Second | Slot::Refused(_) => plain(call::refused()),
        });
    }
    ops.push(plain(call::refused()));
    Ok((ops, needs))
}

fn plain(run: Handler) -> Op {
    Op { run, imm: 0, off: 0, dst: 0, src: 0 }
}

impl Op {
    fn dst_is(mut self, dst: Reg) -> Op {
        self.dst = dst.number();
        self
    }

    fn src_is(mut self, src: Reg) -> Op {
        self.src = src.number();
        self
    }

    fn operand_is(mut self, src: Operand) -> Op {
        match src {
            Operand::Reg(reg) => self.src = reg.number(),
            Operand::Imm(imm) => self.imm = eval::imm(imm),
        }
        self
    }

    fn off_is(mut self, off: i32) -> Op {
        self.off = off;
        self
    }

    fn imm_is(mut self, imm: u64) -> Op {
        self.imm = imm;
        self
    }
}

fn op(insn: &Insn, slot: usize, target: Option<usize>, trusted: Option<Trusted<'_>>, needs: &mut Needs) -> Op {
    // Programs have far fewer than 2^31 slots: a target fits.
    let to = target.map_or(0, |target| target as i32);
    match *insn {
        Insn::Alu { width, op, dst, src } => plain(alu::alu(op, width, src)).dst_is(dst).operand_is(src),
        Insn::Mov { width, dst, src } => plain(alu::mov(width, src)).dst_is(dst).operand_is(src),
        Insn::MovSx { width, from, dst, src } => plain(alu::mov_sx(width, from)).dst_is(dst).src_is(src),
        Insn::Neg { width, dst } => plain(alu::neg(width)).dst_is(dst),
        Insn::Swap { order, size, dst } => plain(alu::swap(order, size)).dst_is(dst),
        Insn::AddrSpaceCast { dst, src, to, from: _ } => plain(alu::cast(to)).dst_is(dst).src_is(src),
        Insn::LoadWide { dst, value } => wide(value, slot, needs).dst_is(dst),
        Insn::Load { size, signed, dst, base, off } => {
            let proven = trusted.and_then(|trusted| trusted.load(slot, size, signed));
            plain(proven.unwrap_or_else(|| access::load(size, signed, base))).dst_is(dst).src_is(base).off_is(off.into())
        }
        Insn::LoadPacket { size, index, off } => {
            let op = plain(call::packet(index.is_some())).off_is(off).imm_is(size.bytes().into());
            index.map_or(op, |reg| op.src_is(reg))
        }
        Insn::Store { size, base, off, src } => {
            let proven = trusted.and_then(|trusted| trusted.store(slot, size, src));
            plain(proven.unwrap_or_else(|| access::store(size, base, src))).dst_is(base).operand_is(src).off_is(off.into())
        }
        Insn::Atomic { size, op, base, off, src } => plain(atomic::handler(op, size)).dst_is(base).src_is(src).off_is(off.into()),
        Insn::LoadAcquire { size, dst, base, off } => {
            plain(access::load_acquire(size)).dst_is(dst).src_is(base).off_is(off.into())
        }
        Insn::StoreRelease { size, base, off, src } => {
            plain(access::store_release(size)).dst_is(base).src_is(src).off_is(off.into())
        }
        Insn::Jump { .. } => plain(jump::jump()).off_is(to),
        Insn::JumpIf { width, cond, dst, src, .. } => {
            plain(jump::jump_if(cond, width, src)).dst_is(dst).operand_is(src).off_is(to)
        }
        Insn::MayGoto { .. } => plain(jump::may_goto()).off_is(to),
        Insn::Call(Callee::Local(_)) => plain(call::local()).off_is(to),
        Insn::Call(callee @ (Callee::Helper(_) | Callee::Kfunc { .. })) => {
            let index = needs.calls.iter().position(|known| *known == callee).unwrap_or_else(|| {
                needs.calls.push(callee);
                needs.calls.len() - 1
            });
            plain(call::outside()).imm_is(index as u64)
        }
        Insn::Call(Callee::Reg(reg)) => plain(call::register()).src_is(reg),
        Insn::JumpReg { .. } => plain(call::refused()),
        Insn::Exit => plain(call::exit()),
    }
}

fn wide(value: Wide, slot: usize, needs: &mut Needs) -> Op {
    match value {
        Wide::Const(value) => plain(alu::wide()).imm_is(value),
        Wide::MapFd(_)
        | Wide::MapFdValue { .. }
        | Wide::BtfId { .. }
        | Wide::Func(_)
        | Wide::MapIndex(_)
        | Wide::MapIndexValue { .. } => {
            needs.links.push((slot, value));
            plain(alu::link()).imm_is(needs.links.len() as u64 - 1)
        }
    }
}
