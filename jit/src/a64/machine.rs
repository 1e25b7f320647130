//! What the shapes of instructions come to on this machine.

use skep_isa::{AluOp, AtomicOp, ByteOrder, Cond, Operand, Reg, Size, Width};

use super::asm::{Branch, Cc};
use super::{A64, gpr};
use crate::emit::{Machine, Place, Thunk};
use crate::layout::Label;

impl Machine for A64<'_> {
    fn entry(&mut self) {
        self.write_entry();
    }

    fn prologue(&mut self) {
        self.enter();
    }

    fn exit(&mut self) {
        self.leave_function();
    }

    fn cold(&mut self) {
        self.write_cold();
    }

    fn thunk(&mut self, thunk: Thunk) {
        self.write_thunk(thunk);
    }

    fn trap(&mut self) {
        self.asm.trap();
    }

    fn alu(&mut self, width: Width, op: AluOp, dst: Reg, src: Operand) {
        self.arithmetic(width, op, gpr(dst), gpr(dst), src);
    }

    fn sum(&mut self, dst: Reg, a: Reg, b: Operand) {
        self.arithmetic(Width::W64, AluOp::Add, gpr(dst), gpr(a), b);
    }

    fn three(&mut self, width: Width, op: AluOp, dst: Reg, a: Reg, src: Operand) {
        self.arithmetic(width, op, gpr(dst), gpr(a), src);
    }

    fn zero_extend(&mut self, from: Size, dst: Reg, src: Reg) {
        self.asm.extend_reg(None, from, gpr(dst), gpr(src));
    }

    fn rotate(&mut self, width: Width, dst: Reg, src: Reg, by: u8) {
        let bits = if width == Width::W64 { 64 } else { 32 };
        self.asm.rotate(width, gpr(dst), gpr(src), bits - u32::from(by));
    }

    // A jump if a register is 0 is one instruction.
    fn sets_zero(&self, _width: Width, _op: AluOp, _src: Operand) -> bool {
        false
    }

    fn jump_on_zero(&mut self, zero: bool, to: Label) {
        self.asm.jump(Branch::If(if zero { Cc::Equal } else { Cc::NotEqual }), to);
    }

    fn load_sum(&mut self, size: Size, signed: bool, dst: Reg, a: Reg, b: Operand, off: i32) {
        self.load_from_sum(size, signed, gpr(dst), gpr(a), b, off);
    }

    fn mov(&mut self, width: Width, dst: Reg, src: Operand) {
        self.put(width, gpr(dst), src);
    }

    fn mov_sx(&mut self, width: Width, from: Size, dst: Reg, src: Reg) {
        self.asm.extend_reg(Some(width), from, gpr(dst), gpr(src));
    }

    fn neg(&mut self, width: Width, dst: Reg) {
        self.asm.neg(width, gpr(dst), gpr(dst));
    }

    fn swap(&mut self, order: ByteOrder, size: Size, dst: Reg) {
        self.byte_order(order, size, gpr(dst));
    }

    fn constant(&mut self, dst: Reg, value: u64) {
        self.asm.mov_imm(gpr(dst), value);
    }

    fn cast(&mut self, slot: u32, dst: Reg, src: Reg, to: u16) {
        self.cast_out(slot, gpr(dst), gpr(src), to);
    }

    fn load_swapped(&mut self, size: Size, dst: Reg, base: Reg, off: i16) {
        self.load_other_order(size, gpr(dst), base, off);
    }

    fn load(&mut self, place: Place, signed: bool, dst: Reg) {
        self.load_from(place, signed, gpr(dst));
    }

    fn load_env(&mut self, dst: Reg, offset: i32) {
        self.field(gpr(dst), offset);
    }

    fn store(&mut self, place: Place, src: Operand) {
        self.store_to(place, src);
    }

    fn load_acquire(&mut self, place: Place, dst: Reg) {
        self.acquire(place, gpr(dst));
    }

    fn store_release(&mut self, place: Place, src: Reg) {
        self.release(place, src);
    }

    fn atomic(&mut self, place: Place, op: AtomicOp, src: Reg) {
        self.atomic_operation(place, op, gpr(src));
    }

    fn packet(&mut self, slot: u32, size: Size, index: Option<Reg>, off: i32) {
        self.packet_out(slot, size, index.map(gpr), off);
    }

    fn goto(&mut self, to: Label) {
        self.asm.jump(Branch::Always, to);
    }

    fn jump_if(&mut self, width: Width, cond: Cond, dst: Reg, src: Operand, to: Label) {
        let branch = self.compare(width, cond, gpr(dst), src);
        self.asm.jump(branch, to);
    }

    fn may_goto(&mut self, to: Label) {
        self.count_round(to);
    }

    fn local(&mut self, function: Label) {
        self.asm.jump(Branch::Call, function);
    }

    fn outside(&mut self, slot: u32, callee: u32) {
        self.call_outside(slot, callee);
    }

    fn element(&mut self, first: u64, stride: u32, count: u32) {
        self.find_element(first, stride, count);
    }
}
