//! Calls of the runtime.
//!
//! What they have in common stands once for all of them, in thunks behind the functions.

use skep_isa::{Size, Width};

use super::asm::*;
use super::{A64, ENV, FRAME};
use crate::Status;
use crate::emit::Thunk;
use crate::env::at;
use crate::layout::Label;

/// Where thunks find the slot.
const SLOT: Gpr = 9;
/// Where thunks find the address or pointer, and leave the result.
pub(super) const ADDRESS: Gpr = 10;
/// Where thunks find the value.
pub(super) const VALUE: Gpr = 11;
/// Holds addresses of functions.
const FUNCTION: Gpr = 16;

impl A64<'_> {
    /// A call that keeps all registers of the program.
    pub(super) fn call_out(&mut self, slot: u32, thunk: Thunk) {
        let label = self.thunk_label(thunk);
        self.asm.mov_imm(SLOT, slot.into());
        self.asm.jump(Branch::Call, label);
    }

    pub(super) fn call_outside(&mut self, slot: u32, callee: u32) {
        self.call_and_look(slot, Thunk::Call(callee), |emitter| &mut emitter.leave);
    }

    /// Bytes of the packet.
    pub(super) fn packet_out(&mut self, slot: u32, size: Size, index: Option<Gpr>, off: i32) {
        let offset = u64::from(off as u32);
        match index {
            None => self.asm.mov_imm(1, offset),
            Some(index) => {
                self.asm.mov_imm(VALUE, offset);
                self.asm.op(Op::Add, Width::W32, 1, VALUE, index);
            }
        }
        self.call_and_look(slot, Thunk::Packet(size), |emitter| &mut emitter.miss);
    }

    /// A call whose end must be looked at.
    fn call_and_look(&mut self, slot: u32, thunk: Thunk, otherwise: fn(&mut Self) -> &mut Option<Label>) {
        let label = self.thunk_label(thunk);
        self.asm.mov_imm(SLOT, slot.into());
        self.asm.jump(Branch::Call, label);
        let otherwise = self.label_in(otherwise);
        self.asm.jump(Branch::Zero { width: Width::W32, reg: 1, zero: false }, otherwise);
    }

    /// The address of a value of an array, by the index that `r2` points to.
    pub(super) fn find_element(&mut self, first: u64, stride: u32, count: u32) {
        let (r0, r2) = (0, 2);
        let asm = &mut self.asm;
        asm.mov_imm(ADDRESS, first);
        asm.mov_imm(VALUE, stride.into());
        asm.access(Access::Load, Size::W, r0, r2, 0);
        asm.mov_imm(SLOT, count.into());
        asm.compare(Width::W32, r0, SLOT);
        asm.madd(ADDRESS, r0, VALUE, ADDRESS);
        asm.select(r0, ADDRESS, ZERO, Cc::Below);
    }

    pub(super) fn cast_out(&mut self, slot: u32, dst: Gpr, src: Gpr, to: u16) {
        self.asm.mov(Width::W64, ADDRESS, src);
        self.call_out(slot, Thunk::Cast(to));
        self.asm.mov(Width::W64, dst, ADDRESS);
    }

    /// Loads a field of the [`Env`](crate::Env).
    pub(super) fn field(&mut self, d: Gpr, offset: i32) {
        self.asm.access(Access::Load, Size::Dw, d, ENV, offset.into());
    }

    pub(super) fn set_field(&mut self, size: Size, offset: i32, value: Gpr) {
        self.asm.access(Access::Store, size, value, ENV, offset.into());
    }

    pub(super) fn write_cold(&mut self) {
        if let Some(leave) = self.leave {
            self.bind(leave);
            self.unless(Status::Tail);
            self.epilogue();
            self.field(1, at::CONTEXT);
            self.field(FUNCTION, at::TAIL_TARGET);
            self.asm.jump_reg(FUNCTION);
        }
        if let Some(miss) = self.miss {
            self.bind(miss);
            self.unless(Status::Miss);
            self.asm.mov_imm(0, 0);
            self.leave_function();
        }
    }

    /// Ends the run unless a call ended like this.
    fn unless(&mut self, status: Status) {
        self.asm.compare_imm(Width::W32, 1, status as i64);
        let stop = self.stop;
        self.asm.jump(Branch::If(Cc::NotEqual), stop);
    }

    pub(super) fn write_thunk(&mut self, thunk: Thunk) {
        match thunk {
            Thunk::Call(callee) => {
                self.asm.mov_imm(ADDRESS, callee.into());
                self.set_field(Size::W, at::CALLEE, ADDRESS);
                self.set_field(Size::Dw, at::FRAME, FRAME);
                self.jump_out(at::CALL);
            }
            Thunk::Packet(size) => {
                self.asm.mov_imm(2, size.bytes().into());
                self.jump_out(at::PACKET);
            }
            Thunk::Load(code) => self.keeping(at::LOAD, |asm| asm.mov_imm(2, code)),
            Thunk::Store(size) => self.keeping(at::STORE, |asm| {
                asm.mov_imm(2, size.bytes().into());
                asm.mov(Width::W64, 3, VALUE);
            }),
            Thunk::Atomic(code) => self.keeping(at::ATOMIC, |asm| {
                asm.mov_imm(2, code);
                asm.mov(Width::W64, 3, VALUE);
                asm.mov(Width::W64, 4, 0);
            }),
            Thunk::Cast(to) => self.keeping(at::CAST, |asm| asm.mov_imm(2, to.into())),
        }
    }

    /// Goes on in a function of the runtime, which returns to who called the thunk.
    fn jump_out(&mut self, function: i32) {
        self.set_field(Size::W, at::SLOT, SLOT);
        self.field(FUNCTION, function);
        self.asm.mov(Width::W64, 0, ENV);
        self.asm.jump_reg(FUNCTION);
    }

    /// Calls a function of the runtime with an address and further arguments, and keeps all registers of the program.
    fn keeping(&mut self, function: i32, arguments: impl FnOnce(&mut Asm)) {
        const PAIRS: [(Gpr, Gpr); 4] = [(LINK, ZERO), (0, 1), (2, 3), (4, 5)];
        PAIRS.into_iter().for_each(|(a, b)| self.asm.push_pair(a, b));
        self.set_field(Size::W, at::SLOT, SLOT);
        self.field(FUNCTION, function);
        arguments(&mut self.asm);
        self.asm.mov(Width::W64, 1, ADDRESS);
        self.asm.mov(Width::W64, 0, ENV);
        self.asm.call_reg(FUNCTION);
        let stop = self.stop;
        self.asm.jump(Branch::Zero { width: Width::W32, reg: 1, zero: false }, stop);
        self.asm.mov(Width::W64, ADDRESS, 0);
        PAIRS.into_iter().rev().for_each(|(a, b)| self.asm.pop_pair(a, b));
        self.asm.ret();
    }
}
