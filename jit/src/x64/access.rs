//! Loads and stores.

use skep_isa::{ByteOrder, Operand, Size, Width, eval};

use super::asm::*;
use super::{X64, gpr};
use crate::emit::{Place, Thunk};
use crate::load_code;

impl X64<'_> {
    /// The address of an access that is not proven, to r11.
    pub(super) fn address(&mut self, place: Place) {
        match place.off {
            0 => self.asm.mov(Width::W64, R11, gpr(place.base)),
            off => self.asm.lea(Width::W64, R11, Mem::at(gpr(place.base), off.into())),
        }
    }

    pub(super) fn load_from(&mut self, place: Place, signed: bool, dst: Gpr) {
        let Place { slot, base, off, size, proven } = place;
        if proven {
            return self.load_direct(size, signed, dst, Mem::at(gpr(base), off.into()));
        }
        self.address(place);
        self.call_out(slot, Thunk::Load(load_code(size, signed)));
        self.asm.mov(Width::W64, dst, R11);
    }

    pub(super) fn load_direct(&mut self, size: Size, signed: bool, dst: Gpr, mem: Mem) {
        match signed {
            false => self.asm.load(size.bytes(), dst, mem),
            true => self.asm.load_signed(Width::W64, size.bytes(), dst, mem),
        }
    }

    pub(super) fn load_other_order(&mut self, size: Size, dst: Gpr, mem: Mem) {
        match size {
            Size::W | Size::Dw if self.features.movbe => self.asm.load_swapped(size.bytes(), dst, mem),
            Size::H => {
                self.asm.load(2, dst, mem);
                self.asm.swap16(dst);
            }
            size => {
                self.asm.load(size.bytes(), dst, mem);
                self.byte_order(ByteOrder::Swap, size, dst);
            }
        }
    }

    /// `a + b + off`, with r11 for what fits no displacement.
    pub(super) fn sum_address(&mut self, a: Gpr, b: Operand, off: i32) -> Mem {
        match b {
            Operand::Reg(b) => Mem::sum(a, gpr(b), off),
            Operand::Imm(imm) => match imm.checked_add(off) {
                Some(disp) => Mem::at(a, disp),
                None => {
                    self.asm.mov_imm(R11, eval::imm(imm));
                    Mem::sum(a, R11, off)
                }
            },
        }
    }

    pub(super) fn store_to(&mut self, place: Place, src: Operand) {
        let Place { slot, base, off, size, proven } = place;
        let mem = Mem::at(gpr(base), off.into());
        match (proven, src) {
            (true, Operand::Reg(src)) => self.asm.store(size.bytes(), mem, gpr(src)),
            (true, Operand::Imm(imm)) => self.asm.store_imm(size.bytes(), mem, imm),
            (false, src) => {
                self.address(place);
                self.put(Width::W64, RDI, src);
                self.call_out(slot, Thunk::Store(size));
            }
        }
    }
}
