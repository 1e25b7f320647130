//! Which registers may still be read.

use skep_isa::RawInsn;

use super::Marks;
use super::calls::{Kfuncs, summary};
use super::raw::{ATOMIC, CMPXCHG, LOAD_ACQUIRE, STORE_RELEASE, Step, Successors, class, code, op};
use crate::setting::Setting;

/// `r0` to `r5`.
const CALLER_SAVED: u16 = 0x3f;
/// Every bit: packet loads count as reads of everything.
const ALL: u16 = u16::MAX;

/// Registers that an instruction reads and writes, bit n for `rn`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Touched {
    read: u16,
    written: u16,
}

impl Touched {
    /// Live registers before, from those after.
    fn before(self, after: u16) -> u16 {
        after & !self.written | self.read
    }
}

/// Finds [`Marks::live_regs`]; post-order and loops are known.
pub(super) fn find(setting: &Setting<'_>, kfuncs: &Kfuncs, next: &[Successors], postorder: &[u32], marks: &mut [Marks]) {
    let raw = &setting.program.insns;
    let mut in_loops = false;
    for &slot in postorder {
        let slot = slot as usize;
        let after = after(next, marks, slot);
        marks[slot].live_regs = touched(setting, kfuncs, raw[slot], slot).before(after);
        in_loops |= marks[slot].scc != 0;
    }
    if in_loops {
        settle(setting, kfuncs, next, postorder, marks);
    }
}

fn after(next: &[Successors], marks: &[Marks], slot: usize) -> u16 {
    next[slot].as_slice().iter().fold(0, |all, next| all | marks[*next as usize].live_regs)
}

/// Within loops what is live goes round: each slot that changes makes those before it worth another look. A slot changes at most once for
/// each register.
fn settle(setting: &Setting<'_>, kfuncs: &Kfuncs, next: &[Successors], postorder: &[u32], marks: &mut [Marks]) {
    let raw = &setting.program.insns;
    let before = Predecessors::of(next, postorder);
    let mut waiting: Vec<u32> = postorder.iter().rev().copied().filter(|slot| marks[*slot as usize].scc != 0).collect();
    while let Some(slot) = waiting.pop() {
        let index = slot as usize;
        let live = touched(setting, kfuncs, raw[index], index).before(after(next, marks, index));
        if live != marks[index].live_regs {
            marks[index].live_regs = live;
            waiting.extend_from_slice(before.of_slot(index));
        }
    }
}

/// Which slots a slot may follow.
struct Predecessors {
    /// Where in `slots` those of a slot begin; one more than there are slots.
    first: Vec<u32>,
    slots: Vec<u32>,
}

impl Predecessors {
    fn of(next: &[Successors], order: &[u32]) -> Predecessors {
        let mut first = vec![0; next.len() + 1];
        for &slot in order {
            for &to in next[slot as usize].as_slice() {
                first[to as usize] += 1;
            }
        }
        let mut sum = 0;
        for count in &mut first {
            sum += *count;
            *count = sum;
        }
        // Each now says where its own end; filling from the end makes it say where they begin.
        let mut slots = vec![0; sum as usize];
        for &slot in order {
            for &to in next[slot as usize].as_slice() {
                first[to as usize] -= 1;
                slots[first[to as usize] as usize] = slot;
            }
        }
        Predecessors { first, slots }
    }

    fn of_slot(&self, slot: usize) -> &[u32] {
        &self.slots[self.first[slot] as usize..self.first[slot + 1] as usize]
    }
}

/// What an instruction reads and writes.
fn touched(setting: &Setting<'_>, kfuncs: &Kfuncs, insn: RawInsn, slot: usize) -> Touched {
    let (dst, src) = (1u16 << insn.dst(), 1u16 << insn.src());
    let operand = if insn.code & 0x08 == 0 { 0 } else { src };
    let touch = |read, written| Touched { read, written };
    match (insn.code & 7, insn.code & 0xf0) {
        (class::LD, _) if insn.code == code::WIDE => touch(0, dst),
        (class::LD, _) => touch(ALL, 0),
        (class::LDX, _) => touch(src, dst),
        (class::ST, _) => touch(dst, 0),
        (class::STX, _) if insn.code & 0xe0 == ATOMIC => atomic(insn.imm, dst, src),
        (class::STX, _) => touch(dst | src, 0),
        (class::ALU | class::ALU64, op::END) => touch(dst, dst),
        (class::ALU | class::ALU64, op::MOV) => touch(operand, dst),
        (class::ALU | class::ALU64, _) => touch(dst | operand, dst),
        (_, op::JA | op::JCOND) => touch(0, 0),
        (_, op::EXIT) => touch(1, 0),
        (_, op::CALL) => {
            let params = summary(setting, kfuncs, Step::of(insn, slot)).map_or(5, |call| call.params);
            touch(((1 << (params + 1)) - 1) & !1, CALLER_SAVED)
        }
        (_, _) => touch(dst | operand, 0),
    }
}

fn atomic(imm: i32, dst: u16, src: u16) -> Touched {
    const FETCH: i32 = 1;
    match imm {
        CMPXCHG => Touched { read: 1 | dst | src, written: 1 },
        LOAD_ACQUIRE => Touched { read: src, written: dst },
        STORE_RELEASE => Touched { read: dst | src, written: 0 },
        _ => Touched { read: dst | src, written: if imm & FETCH != 0 { src } else { 0 } },
    }
}
