//! Calls: of functions of the program, and of the runtime.
//!
//! What calls of the runtime have in common stands once for all of them, in thunks behind the functions.

use skep_isa::{Callee, Operand, Reg, Size, Width};

use super::asm::*;
use super::emit::{Emitter, env};
use super::{ENV, gpr};
use crate::env::at;
use crate::layout::Label;
use crate::{Error, Status};

/// Code behind the functions that calls a function of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thunk {
    /// [`Env::call`](crate::Env::call), by index of the callee. The slot is in edi.
    Call(u32),
    /// Of so many bytes. The offset is in esi, the slot in edi.
    Packet(Size),
    /// By code. Here and below, the slot is in r10, the address or pointer in r11, where the result comes too; all registers
    /// of the program are kept.
    Load(u64),
    /// Of so many bytes. The value is in rdi.
    Store(Size),
    /// By code. The value is in rdi.
    Atomic(u64),
    /// To this space.
    Cast(u16),
}

/// Registers of the program that a call of the machine's convention may change, and one that fills up.
const VOLATILE: [Gpr; 7] = [RAX, RSI, RDX, RCX, R8, R9, RDI];

impl Emitter<'_> {
    fn thunk(&mut self, thunk: Thunk) -> Label {
        let layout = &mut self.asm.layout;
        *self.thunks.entry(thunk).or_insert_with(|| layout.label())
    }

    /// A call that keeps all registers of the program.
    pub(super) fn call_out(&mut self, slot: usize, thunk: Thunk) {
        let label = self.thunk(thunk);
        let place = self.place(slot);
        self.asm.mov_imm(R10, place);
        self.asm.jump(Branch::Call, label);
    }

    /// A call of a function of the program.
    pub(super) fn local(&mut self, slot: usize) -> Result<(), Error> {
        let target = self.unit.target(slot);
        let index = self.unit.function_at(target).ok_or(Error::Unsupported { slot, what: "a call into a function" })?;
        let label = self.function_label(index);
        self.asm.jump(Branch::Call, label);
        Ok(())
    }

    /// A call of a helper or kernel function.
    pub(super) fn outside(&mut self, slot: usize, callee: Callee) {
        let callees = &mut self.callees;
        let next = callees.len() as u32;
        let index = *self.callee_index.entry(callee).or_insert_with(|| {
            callees.push(callee);
            next
        });
        let label = self.thunk(Thunk::Call(index));
        let place = self.place(slot);
        self.asm.mov_imm(RDI, place);
        self.asm.jump(Branch::Call, label);
        self.asm.test(Width::W32, RDX, RDX);
        let layout = &mut self.asm.layout;
        let leave = *self.leave.get_or_insert_with(|| layout.label());
        self.asm.jump(Branch::If(Cc::NotEqual), leave);
    }

    /// Bytes of the packet.
    pub(super) fn packet(&mut self, slot: usize, size: Size, index: Option<Reg>, off: i32) {
        match index {
            None => self.asm.mov_imm(RSI, u64::from(off as u32)),
            Some(reg) => self.asm.lea(Width::W32, RSI, Mem::at(gpr(reg), off)),
        }
        let label = self.thunk(Thunk::Packet(size));
        let place = self.place(slot);
        self.asm.mov_imm(RDI, place);
        self.asm.jump(Branch::Call, label);
        self.asm.test(Width::W32, RDX, RDX);
        let layout = &mut self.asm.layout;
        let miss = *self.miss.get_or_insert_with(|| layout.label());
        self.asm.jump(Branch::If(Cc::NotEqual), miss);
    }

    pub(super) fn cast(&mut self, slot: usize, dst: Reg, src: Reg, to: u16) {
        if to == 0 {
            // Programs load through the lower half of what user space sees.
            return self.mov(Width::W32, gpr(dst), Operand::Reg(src));
        }
        self.asm.mov(Width::W64, R11, gpr(src));
        self.call_out(slot, Thunk::Cast(to));
        self.asm.mov(Width::W64, gpr(dst), R11);
    }

    /// What is behind a function: where calls lead that do not come back as usual.
    pub(super) fn cold(&mut self) {
        if let Some(leave) = self.leave {
            self.asm.layout.bind(leave);
            self.asm.group1_imm(Group1::Cmp, Width::W32, RDX, Status::Tail as i32);
            self.asm.jump(Branch::If(Cc::NotEqual), self.stop);
            self.epilogue();
            self.asm.load(8, gpr(Reg::R1), env(at::CONTEXT));
            self.asm.jump_mem(env(at::TAIL_TARGET));
        }
        if let Some(miss) = self.miss {
            self.asm.layout.bind(miss);
            self.asm.group1_imm(Group1::Cmp, Width::W32, RDX, Status::Miss as i32);
            self.asm.jump(Branch::If(Cc::NotEqual), self.stop);
            self.asm.mov_imm(RAX, 0);
            self.exit();
        }
    }

    pub(super) fn thunks(&mut self) {
        for (thunk, label) in std::mem::take(&mut self.thunks) {
            self.asm.layout.bind(label);
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
