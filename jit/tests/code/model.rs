//! What programs mean: an evaluator of the instructions that the generators make, on one stack.

use skep_isa::{AtomicOp, Callee, Code, Insn, Operand, RawInsn, Reg, Wide, eval};
use skep_jit::{Error, Options, STRIDE};
use skep_linux::ProgType;
use skep_program::Facts;

use crate::random::Random;
use crate::run::{World, build_for};

/// Registers and the stack at its address.
pub(crate) struct Model {
    pub(crate) regs: [u64; 11],
    pub(crate) base: u64,
    pub(crate) memory: Vec<u8>,
}

impl Model {
    /// As the first function of a program finds the world.
    pub(crate) fn of(world: &World, args: [u64; 5]) -> Model {
        let mut regs = [0; 11];
        regs[1..6].copy_from_slice(&args);
        regs[10] = world.frame();
        Model { regs, base: world.stack.as_ptr() as u64, memory: bytes(&world.stack) }
    }

    fn load(&self, address: u64, bytes: u8) -> u64 {
        let at = (address - self.base) as usize;
        let mut value = [0; 8];
        value[..bytes.into()].copy_from_slice(&self.memory[at..at + usize::from(bytes)]);
        u64::from_le_bytes(value)
    }

    fn store(&mut self, address: u64, bytes: u8, value: u64) {
        let at = (address - self.base) as usize;
        self.memory[at..at + usize::from(bytes)].copy_from_slice(&value.to_le_bytes()[..bytes.into()]);
    }

    fn get(&self, reg: Reg) -> u64 {
        self.regs[reg.index()]
    }

    fn set(&mut self, reg: Reg, value: u64) {
        self.regs[reg.index()] = value;
    }

    fn operand(&self, src: Operand) -> u64 {
        match src {
            Operand::Reg(reg) => self.get(reg),
            Operand::Imm(imm) => eval::imm(imm),
        }
    }

    /// Runs a program to its end, and gives `r0`.
    pub(crate) fn run(&mut self, code: &Code) -> u64 {
        let mut pc = 0;
        let mut frames: Vec<(usize, [u64; 5])> = Vec::new();
        loop {
            let insn = code.insn(pc).expect("an instruction");
            let next = pc + insn.slots();
            let target = code.target(pc).unwrap();
            pc = next;
            match insn {
                Insn::Exit => {
                    let Some((to, saved)) = frames.pop() else { return self.regs[0] };
                    self.regs[6..].copy_from_slice(&saved);
                    pc = to;
                }
                Insn::Call(Callee::Local(_)) => {
                    let saved: [u64; 5] = self.regs[6..].try_into().unwrap();
                    frames.push((pc, saved));
                    self.regs[10] += u64::from(STRIDE);
                    pc = target.unwrap();
                }
                Insn::Jump { .. } => pc = target.unwrap(),
                Insn::JumpIf { width, cond, dst, src, .. } => {
                    if eval::cond(cond, width, self.get(dst), self.operand(src)) {
                        pc = target.unwrap();
                    }
                }
                insn => self.step(insn),
            }
        }
    }

    fn step(&mut self, insn: Insn) {
        let at = |base: Reg, off: i16, regs: &[u64; 11]| regs[base.index()].wrapping_add(eval::imm(off.into()));
        match insn {
            Insn::Alu { width, op, dst, src } => self.set(dst, eval::alu(op, width, self.get(dst), self.operand(src))),
            Insn::Mov { width, dst, src } => self.set(dst, eval::mov(width, self.operand(src))),
            Insn::MovSx { width, from, dst, src } => self.set(dst, eval::mov_sx(width, from, self.get(src))),
            Insn::Neg { width, dst } => self.set(dst, eval::neg(width, self.get(dst))),
            Insn::Swap { order, size, dst } => self.set(dst, eval::swap(order, size, self.get(dst))),
            Insn::LoadWide { dst, value: Wide::Const(value) } => self.set(dst, value),
            Insn::Load { size, signed, dst, base, off } => {
                let value = self.load(at(base, off, &self.regs), size.bytes());
                self.set(dst, if signed { eval::sign_extend(size, value) } else { value });
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                let value = self.load(at(base, off, &self.regs), size.bytes());
                self.set(dst, value);
            }
            Insn::Store { size, base, off, src } => {
                self.store(at(base, off, &self.regs), size.bytes(), self.operand(src));
            }
            Insn::StoreRelease { size, base, off, src } => self.store(at(base, off, &self.regs), size.bytes(), self.get(src)),
            Insn::Atomic { size, op, base, off, src } => {
                let address = at(base, off, &self.regs);
                let old = self.load(address, size.bytes());
                self.store(address, size.bytes(), eval::atomic(op, size, old, self.get(src), self.regs[0]));
                if op == AtomicOp::Cmpxchg {
                    self.regs[0] = old;
                } else if op.fetches() {
                    self.set(src, old);
                }
            }
            other => panic!("generators do not make {other:?}"),
        }
    }
}

/// Compiles instructions for which a test vouches, as a program of a type that does not matter.
pub(crate) fn build(insns: &[RawInsn], facts: Facts, options: &Options) -> Result<skep_jit::Code, Error> {
    build_for(ProgType::SocketFilter, insns, facts, options)
}

/// Words as bytes.
pub(crate) fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl Random {
    /// Often a number at which something changes.
    pub(crate) fn value(&mut self) -> u64 {
        match self.below(3) {
            0 => self.one_of(&VALUES),
            1 => self.next() >> self.below(64),
            _ => (self.next() as i64 >> self.below(64)) as u64,
        }
    }
}

/// Numbers at which something changes.
pub(crate) const VALUES: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_ffff_ffff,
];
