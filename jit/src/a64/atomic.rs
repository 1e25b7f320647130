//! Atomic operations: one instruction where the machine has them, else tries until nobody came between.

use skep_isa::{AtomicOp, Size, Width};

use super::A64;
use super::asm::*;
use super::call::{ADDRESS, VALUE};
use crate::atomic_code;
use crate::emit::{Place, Thunk};

/// What was there, what comes there, and whether it did.
const OLD: Gpr = 9;
const NEW: Gpr = 11;
const FAILED: Gpr = 12;

/// Where `r0` lives.
const R0: Gpr = 0;

impl A64<'_> {
    pub(super) fn atomic_operation(&mut self, place: Place, op: AtomicOp, src: Gpr) {
        if !place.proven {
            return self.atomic_out(place, op, src);
        }
        let width = if place.size == Size::Dw { Width::W64 } else { Width::W32 };
        let address = self.addressed(place);
        if self.features.lse {
            self.one_instruction(width, op, address, src);
        } else if op == AtomicOp::Cmpxchg {
            self.try_compare(width, address, src);
        } else {
            self.try_until(width, op, address, src);
        }
    }

    fn one_instruction(&mut self, width: Width, op: AtomicOp, address: Gpr, src: Gpr) {
        let old = if op.fetches() { src } else { ZERO };
        let asm = &mut self.asm;
        match op {
            AtomicOp::Add { .. } => asm.atomic(Atomic::Add, width, src, old, address),
            AtomicOp::Or { .. } => asm.atomic(Atomic::Set, width, src, old, address),
            AtomicOp::Xor { .. } => asm.atomic(Atomic::Xor, width, src, old, address),
            AtomicOp::And { .. } => {
                asm.not(width, NEW, src);
                asm.atomic(Atomic::Clear, width, NEW, old, address);
            }
            AtomicOp::Xchg => asm.atomic(Atomic::Swap, width, src, old, address),
            AtomicOp::Cmpxchg => asm.compare_and_swap(width, R0, src, address),
        }
    }

    fn try_until(&mut self, width: Width, op: AtomicOp, address: Gpr, src: Gpr) {
        let asm = &mut self.asm;
        let again = asm.here();
        asm.load_exclusive(width, OLD, address);
        let op = match op {
            AtomicOp::Add { .. } => Some(Op::Add),
            AtomicOp::Or { .. } => Some(Op::Or),
            AtomicOp::And { .. } => Some(Op::And),
            AtomicOp::Xor { .. } => Some(Op::Xor),
            AtomicOp::Xchg | AtomicOp::Cmpxchg => None,
        }
        .map(|kind| (kind, op.fetches()));
        let new = match op {
            Some((kind, _)) => {
                asm.op(kind, width, NEW, OLD, src);
                NEW
            }
            None => src,
        };
        asm.store_exclusive(width, FAILED, new, address);
        asm.back(Branch::Zero { width: Width::W32, reg: FAILED, zero: false }, again);
        asm.barrier();
        if op.is_none_or(|(_, fetches)| fetches) {
            asm.mov(width, src, OLD);
        }
    }

    fn try_compare(&mut self, width: Width, address: Gpr, src: Gpr) {
        let asm = &mut self.asm;
        let again = asm.here();
        asm.load_exclusive(width, OLD, address);
        asm.compare(width, OLD, R0);
        asm.over(Branch::If(Cc::NotEqual), 2);
        asm.store_exclusive(width, FAILED, src, address);
        asm.back(Branch::Zero { width: Width::W32, reg: FAILED, zero: false }, again);
        asm.barrier();
        asm.mov(width, R0, OLD);
    }

    fn atomic_out(&mut self, place: Place, op: AtomicOp, src: Gpr) {
        self.address(place);
        self.asm.mov(Width::W64, VALUE, src);
        self.call_out(place.slot, Thunk::Atomic(atomic_code(op, place.size)));
        if op == AtomicOp::Cmpxchg {
            self.asm.mov(Width::W64, R0, ADDRESS);
        } else if op.fetches() {
            self.asm.mov(Width::W64, src, ADDRESS);
        }
    }
}
