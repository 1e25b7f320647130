//! Atomic operations.

use skep_isa::{AtomicOp, Size, Width};

use super::asm::*;
use super::{X64, gpr};
use crate::atomic_code;
use crate::emit::{Place, Thunk};

impl X64<'_> {
    pub(super) fn atomic_operation(&mut self, place: Place, op: AtomicOp, src: Gpr) {
        let Place { base, off, size, proven, .. } = place;
        if !proven {
            return self.atomic_out(place, op, src);
        }
        let (bytes, mem) = (size.bytes(), Mem::at(gpr(base), off.into()));
        match op {
            AtomicOp::Add { fetch: true } => self.asm.lock_xadd(bytes, mem, src),
            AtomicOp::Add { fetch: false } => self.asm.lock_group1(Group1::Add, bytes, mem, src),
            AtomicOp::Or { fetch: false } => self.asm.lock_group1(Group1::Or, bytes, mem, src),
            AtomicOp::And { fetch: false } => self.asm.lock_group1(Group1::And, bytes, mem, src),
            AtomicOp::Xor { fetch: false } => self.asm.lock_group1(Group1::Xor, bytes, mem, src),
            AtomicOp::Or { fetch: true } => self.fetch(Group1::Or, size, mem, src),
            AtomicOp::And { fetch: true } => self.fetch(Group1::And, size, mem, src),
            AtomicOp::Xor { fetch: true } => self.fetch(Group1::Xor, size, mem, src),
            AtomicOp::Xchg => self.asm.xchg(bytes, mem, src),
            AtomicOp::Cmpxchg => {
                self.asm.lock_cmpxchg(bytes, mem, src);
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

    fn atomic_out(&mut self, place: Place, op: AtomicOp, src: Gpr) {
        self.address(place);
        self.asm.mov(Width::W64, RDI, src);
        self.call_out(place.slot, Thunk::Atomic(atomic_code(op, place.size)));
        if op == AtomicOp::Cmpxchg {
            self.asm.mov(Width::W64, RAX, R11);
        } else if op.fetches() {
            self.asm.mov(Width::W64, src, R11);
        }
    }
}
