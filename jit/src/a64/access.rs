//! Loads and stores.

use skep_isa::{Operand, Reg, Size, Width, eval};

use super::asm::*;
use super::call::{ADDRESS, VALUE};
use super::{A64, gpr};
use crate::emit::{Place, Thunk};
use crate::load_code;

impl A64<'_> {
    /// The address of an access, to [`ADDRESS`].
    pub(super) fn address(&mut self, place: Place) {
        let base = gpr(place.base);
        if place.off == 0 {
            self.asm.mov(Width::W64, ADDRESS, base);
        } else if !self.asm.add_imm(Width::W64, ADDRESS, base, place.off.into()) {
            self.asm.mov_imm(ADDRESS, eval::imm(place.off.into()));
            self.asm.op(Op::Add, Width::W64, ADDRESS, base, ADDRESS);
        }
    }

    /// The register that holds the address of an access as it is.
    pub(super) fn addressed(&mut self, place: Place) -> Gpr {
        if place.off == 0 {
            return gpr(place.base);
        }
        self.address(place);
        ADDRESS
    }

    fn direct(&mut self, kind: Access, size: Size, reg: Gpr, base: Reg, off: i16) {
        if !self.asm.access(kind, size, reg, gpr(base), off.into()) {
            self.asm.mov_imm(ADDRESS, eval::imm(off.into()));
            self.asm.access_indexed(kind, size, reg, gpr(base), ADDRESS);
        }
    }

    /// The register that holds a value to be stored.
    fn value(&mut self, src: Operand) -> Gpr {
        match src {
            Operand::Reg(src) => gpr(src),
            Operand::Imm(0) => ZERO,
            Operand::Imm(imm) => {
                self.asm.mov_imm(VALUE, eval::imm(imm));
                VALUE
            }
        }
    }

    pub(super) fn load_from(&mut self, place: Place, signed: bool, dst: Gpr) {
        if place.proven {
            let kind = if signed && place.size != Size::Dw { Access::LoadSigned } else { Access::Load };
            return self.direct(kind, place.size, dst, place.base, place.off);
        }
        self.address(place);
        self.call_out(place.slot, Thunk::Load(load_code(place.size, signed)));
        self.asm.mov(Width::W64, dst, ADDRESS);
    }

    pub(super) fn store_to(&mut self, place: Place, src: Operand) {
        if place.proven {
            let value = self.value(src);
            return self.direct(Access::Store, place.size, value, place.base, place.off);
        }
        self.address(place);
        self.put(Width::W64, VALUE, src);
        self.call_out(place.slot, Thunk::Store(place.size));
    }

    /// What was loaded has nothing above that could be swapped in.
    pub(super) fn load_other_order(&mut self, size: Size, dst: Gpr, base: Reg, off: i16) {
        self.direct(Access::Load, size, dst, base, off);
        self.asm.reverse(size, dst, dst);
    }

    /// `dst = *(a + b + off)`.
    pub(super) fn load_from_sum(&mut self, size: Size, signed: bool, dst: Gpr, a: Gpr, b: Operand, off: i32) {
        let kind = if signed && size != Size::Dw { Access::LoadSigned } else { Access::Load };
        match b {
            Operand::Reg(b) if off == 0 => self.asm.access_indexed(kind, size, dst, a, gpr(b)),
            Operand::Reg(b) => {
                self.asm.op(Op::Add, Width::W64, ADDRESS, a, gpr(b));
                if !self.asm.access(kind, size, dst, ADDRESS, off.into()) {
                    self.asm.mov_imm(VALUE, eval::imm(off));
                    self.asm.access_indexed(kind, size, dst, ADDRESS, VALUE);
                }
            }
            Operand::Imm(imm) => {
                let off = i64::from(imm) + i64::from(off);
                if !self.asm.access(kind, size, dst, a, off) {
                    self.asm.mov_imm(ADDRESS, off as u64);
                    self.asm.access_indexed(kind, size, dst, a, ADDRESS);
                }
            }
        }
    }

    pub(super) fn acquire(&mut self, place: Place, dst: Gpr) {
        if !place.proven {
            return self.load_from(place, false, dst);
        }
        let address = self.addressed(place);
        self.asm.load_acquire(place.size, dst, address);
    }

    pub(super) fn release(&mut self, place: Place, src: Reg) {
        if !place.proven {
            return self.store_to(place, Operand::Reg(src));
        }
        let address = self.addressed(place);
        self.asm.store_release(place.size, gpr(src), address);
    }
}
