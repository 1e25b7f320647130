//! Calls: of functions of the program, and of the runtime.
//!
//! What calls of the runtime have in common stands once for all of them, in thunks behind the functions.

use skep_isa::{Reg, Size, Width};

use super::asm::*;
use super::{ENV, X64, env, gpr};
use crate::Status;
use crate::emit::Thunk;
use crate::env::at;
use crate::layout::Label;

/// Registers of the program that a call of the machine's convention may change, and one that fills up.
const VOLATILE: [Gpr; 7] = [RAX, RSI, RDX, RCX, R8, R9, RDI];

impl X64<'_> {
    /// A call that keeps all registers of the program. The address or pointer is in r11, where the result comes too; the value is in rdi.
    pub(super) fn call_out(&mut self, slot: u32, thunk: Thunk) {
        let label = self.thunk_label(thunk);
        self.asm.mov_imm(R10, slot.into());
        self.asm.jump(Branch::Call, label);
    }

    pub(super) fn call_outside(&mut self, slot: u32, callee: u32) {
        self.call_and_look(slot, Thunk::Call(callee), |emitter| &mut emitter.leave);
    }

    /// Bytes of the packet.
    pub(super) fn packet_out(&mut self, slot: u32, size: Size, index: Option<Gpr>, off: i32) {
        match index {
            None => self.asm.mov_imm(RSI, u64::from(off as u32)),
            Some(index) => self.asm.lea(Width::W32, RSI, Mem::at(index, off)),
        }
        self.call_and_look(slot, Thunk::Packet(size), |emitter| &mut emitter.miss);
    }

    /// A call whose end must be looked at.
    fn call_and_look(&mut self, slot: u32, thunk: Thunk, otherwise: fn(&mut Self) -> &mut Option<Label>) {
        let label = self.thunk_label(thunk);
        self.asm.mov_imm(RDI, slot.into());
        self.asm.jump(Branch::Call, label);
        self.asm.test(Width::W32, RDX, RDX);
        let otherwise = self.label_in(otherwise);
        self.asm.jump(Branch::If(Cc::NotEqual), otherwise);
    }

    /// The address of a value of an array, by the index that `r2` points to.
    pub(super) fn find_element(&mut self, first: u64, stride: u32, count: u32) {
        let asm = &mut self.asm;
        asm.load(4, RAX, Mem::at(gpr(Reg::R2), 0));
        let beyond = match i32::try_from(count) {
            Ok(count) => {
                asm.group1_imm(Group1::Cmp, Width::W32, RAX, count);
                asm.forward(Some(Cc::AboveEqual))
            }
            Err(_) => {
                asm.mov_imm(R11, count.into());
                asm.group1(Group1::Cmp, Width::W32, RAX, R11);
                asm.forward(Some(Cc::AboveEqual))
            }
        };
        match i32::try_from(stride) {
            Ok(1) => {}
            Ok(stride) if stride.count_ones() == 1 => asm.shift_imm(Shift::Shl, Width::W64, RAX, stride.trailing_zeros() as u8),
            Ok(stride) => asm.imul_imm(Width::W64, RAX, RAX, stride),
            Err(_) => {
                asm.mov_imm(R11, stride.into());
                asm.imul(Width::W64, RAX, R11);
            }
        }
        asm.mov_imm(R11, first);
        asm.group1(Group1::Add, Width::W64, RAX, R11);
        let done = asm.forward(None);
        asm.land(beyond);
        asm.mov_imm(RAX, 0);
        asm.land(done);
    }

    pub(super) fn cast_out(&mut self, slot: u32, dst: Gpr, src: Gpr, to: u16) {
        self.asm.mov(Width::W64, R11, src);
        self.call_out(slot, Thunk::Cast(to));
        self.asm.mov(Width::W64, dst, R11);
    }

    /// What is behind a function: where calls lead that do not come back as usual.
    pub(super) fn write_cold(&mut self) {
        if let Some(leave) = self.leave {
            self.bind(leave);
            self.asm.group1_imm(Group1::Cmp, Width::W32, RDX, Status::Tail as i32);
            self.asm.jump(Branch::If(Cc::NotEqual), self.stop);
            self.epilogue();
            self.asm.load(8, gpr(Reg::R1), env(at::CONTEXT));
            self.asm.jump_mem(env(at::TAIL_TARGET));
        }
        if let Some(miss) = self.miss {
            self.bind(miss);
            self.asm.group1_imm(Group1::Cmp, Width::W32, RDX, Status::Miss as i32);
            self.asm.jump(Branch::If(Cc::NotEqual), self.stop);
            self.asm.mov_imm(RAX, 0);
            self.leave_function();
        }
    }

    pub(super) fn write_thunk(&mut self, thunk: Thunk) {
        match thunk {
            Thunk::Call(callee) => {
                self.asm.store_imm(4, env(at::CALLEE), callee as i32);
                self.asm.store(8, env(at::FRAME), RBP);
                self.jump_out(at::CALL);
            }
            Thunk::Packet(size) => {
                self.asm.mov_imm(RDX, size.bytes().into());
                self.jump_out(at::PACKET);
            }
            Thunk::Load(code) => self.keeping(at::LOAD, |asm| asm.mov_imm(RDX, code)),
            Thunk::Store(size) => self.keeping(at::STORE, |asm| {
                asm.mov(Width::W64, RCX, RDI);
                asm.mov_imm(RDX, size.bytes().into());
            }),
            Thunk::Atomic(code) => self.keeping(at::ATOMIC, |asm| {
                asm.mov(Width::W64, RCX, RDI);
                asm.mov(Width::W64, R8, RAX);
                asm.mov_imm(RDX, code);
            }),
            Thunk::Cast(to) => self.keeping(at::CAST, |asm| asm.mov_imm(RDX, to.into())),
        }
    }

    /// Goes on in a function of the runtime, which returns to who called the thunk.
    fn jump_out(&mut self, function: i32) {
        self.asm.store(4, env(at::SLOT), RDI);
        self.asm.mov(Width::W64, RDI, ENV);
        self.asm.jump_mem(env(function));
    }

    /// Calls a function of the runtime with what r11 holds and further arguments, and keeps all registers of the program.
    fn keeping(&mut self, function: i32, arguments: impl FnOnce(&mut Asm)) {
        let asm = &mut self.asm;
        VOLATILE.into_iter().for_each(|reg| asm.push(reg));
        asm.store(4, env(at::SLOT), R10);
        arguments(asm);
        asm.mov(Width::W64, RSI, R11);
        asm.mov(Width::W64, RDI, ENV);
        asm.call_mem(env(function));
        asm.test(Width::W32, RDX, RDX);
        asm.jump(Branch::If(Cc::NotEqual), self.stop);
        asm.mov(Width::W64, R11, RAX);
        VOLATILE.into_iter().rev().for_each(|reg| asm.pop(reg));
        asm.ret();
    }
}
