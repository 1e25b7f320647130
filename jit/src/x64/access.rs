//! Loads and stores.

use skep_isa::{Operand, Reg, Size, Width};

use super::asm::*;
use super::call::Thunk;
use super::emit::Emitter;
use super::gpr;
use crate::load_code;

impl Emitter<'_> {
    /// The address of an access that is not proven, to r11.
    pub(super) fn address(&mut self, base: Reg, off: i16) {
        match off {
            0 => self.asm.mov(Width::W64, R11, gpr(base)),
            _ => self.asm.lea(Width::W64, R11, Mem::at(gpr(base), off.into())),
        }
    }

    pub(super) fn load(&mut self, slot: usize, size: Size, signed: bool, dst: Reg, base: Reg, off: i16) {
        if self.unit.fact(slot).through.is_proven() {
            let mem = Mem::at(gpr(base), off.into());
            match signed {
                false => self.asm.load(size.bytes(), gpr(dst), mem),
                true => self.asm.load_signed(Width::W64, size.bytes(), gpr(dst), mem),
            }
        } else {
            self.address(base, off);
            self.call_out(slot, Thunk::Load(load_code(size, signed)));
            self.asm.mov(Width::W64, gpr(dst), R11);
        }
    }

    pub(super) fn store(&mut self, slot: usize, size: Size, base: Reg, off: i16, src: Operand) {
        let mem = Mem::at(gpr(base), off.into());
        match (self.unit.fact(slot).through.is_proven(), src) {
            (true, Operand::Reg(src)) => self.asm.store(size.bytes(), mem, gpr(src)),
            (true, Operand::Imm(imm)) => self.asm.store_imm(size.bytes(), mem, imm),
            (false, src) => {
                self.address(base, off);
                self.mov(Width::W64, RDI, src);
                self.call_out(slot, Thunk::Store(size));
            }
        }
    }
}
