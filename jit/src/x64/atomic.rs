//! Atomic operations.

use skep_isa::{AtomicOp, Reg, Size, Width};

use super::asm::*;
use super::call::Thunk;
use super::emit::Emitter;
use super::gpr;
use crate::atomic_code;

impl Emitter<'_> {
    pub(super) fn atomic(&mut self, slot: usize, size: Size, op: AtomicOp, base: Reg, off: i16, src: Reg) {
        if !self.unit.fact(slot).through.is_proven() {
            return self.atomic_out(slot, size, op, base, off, src);
        }
        let (bytes, mem) = (size.bytes(), Mem::at(gpr(base), off.into()));
        match op {
            AtomicOp::Add { fetch: true } => self.asm.lock_xadd(bytes, mem, gpr(src)),
            AtomicOp::Add { fetch: false } => self.asm.lock_group1(Group1::Add, bytes, mem, gpr(src)),
            AtomicOp::Or { fetch: false } => self.asm.lock_group1(Group1::Or, bytes, mem, gpr(src)),
            AtomicOp::And { fetch: false } => self.asm.lock_group1(Group1::And, bytes, mem, gpr(src)),
            AtomicOp::Xor { fetch: false } => self.asm.lock_group1(Group1::Xor, bytes, mem, gpr(src)),
            AtomicOp::Or { fetch: true } => self.fetch(Group1::Or, size, mem, gpr(src)),
            AtomicOp::And { fetch: true } => self.fetch(Group1::And, size, mem, gpr(src)),
            AtomicOp::Xor { fetch: true } => self.fetch(Group1::Xor, size, mem, gpr(src)),
            AtomicOp::Xchg => self.asm.xchg(bytes, mem, gpr(src)),
            AtomicOp::Cmpxchg => {
                self.asm.lock_cmpxchg(bytes, mem, gpr(src));
                if size != Size::Dw {
                    // Where it succeeds, eax is not written and its upper half stays.
                    self.asm.mov(Width::W32, RAX, RAX);
                }
            }
        }
    }

    /// An operation that the machine cannot do and yield the old value too: tries until nobody came between.
    fn fetch(&mut self, op: Group1, size: Size, mem: Mem, src: Gpr) {
        let (width, bytes) = (if size == Size::Dw { Width::W64 } else { Width::W32 }, size.bytes());
        let asm = &mut self.asm;
        asm.lea(Width::W64, R11, mem);
        asm.mov(Width::W64, R10, RAX);
        let operand = if src == RAX { R10 } else { src };
        let mem = Mem::at(R11, 0);
        asm.load(bytes, RAX, mem);
        let again = asm.here();
        asm.mov(width, RDI, RAX);
        asm.group1(op, width, RDI, operand);
        asm.lock_cmpxchg(bytes, mem, RDI);
        asm.back(Some(Cc::NotEqual), again);
        if src != RAX {
            asm.mov(width, src, RAX);
            asm.mov(Width::W64, RAX, R10);
        }
    }

    fn atomic_out(&mut self, slot: usize, size: Size, op: AtomicOp, base: Reg, off: i16, src: Reg) {
        self.address(base, off);
        self.asm.mov(Width::W64, RDI, gpr(src));
        self.call_out(slot, Thunk::Atomic(atomic_code(op, size)));
        if op == AtomicOp::Cmpxchg {
            self.asm.mov(Width::W64, RAX, R11);
        } else if op.fetches() {
            self.asm.mov(Width::W64, gpr(src), R11);
        }
    }
}
