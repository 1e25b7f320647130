//! Spills and fills around calls that compilers take to leave registers alone (`bpf_fastcall`).
//!
//! A compiler that knows of such calls keeps live values in registers that calls scratch, and surrounds the call with a spill and a fill
//! of each, in the lowest slots of the stack that the function uses. Where the kernel puts instructions in the place of the call that
//! leave the registers alone, it takes spills, fills and slots away.

use skep_isa::RawInsn;

use super::calls::{Kfuncs, summary};
use super::raw::{Step, code};
use super::{Marks, Subprog};
use crate::setting::Setting;

/// Bytes of a register on the stack.
const SLOT: i32 = 8;
const FRAME: u8 = 10;
/// `r0` to `r5`.
const CALLER_SAVED: u16 = 0x3f;

/// Marks pairs of spills and fills, and finds where on the stack those of each function lie.
pub(super) fn mark(setting: &Setting<'_>, kfuncs: &Kfuncs, subprogs: &mut [Subprog], marks: &mut [Marks]) {
    let raw = &setting.program.insns;
    for subprog in subprogs {
        let spills = raw[subprog.slots.clone()].iter().filter(|insn| insn.code == code::STORE_DW && insn.dst() == FRAME);
        let lowest = spills.map(|insn| i32::from(insn.off)).min().unwrap_or(0).min(0);
        if lowest == 0 {
            continue; // no spills
        }
        for slot in subprog.slots.clone() {
            if raw[slot].code != code::CALL {
                continue;
            }
            let Some(call) = summary(setting, kfuncs, Step::of(raw[slot], slot)) else { continue };
            // What the call reads or returns in cannot be kept over it.
            let taken = ((1u16 << (call.params + 1)) - 1) & !u16::from(call.void);
            let pairs = pairs(raw, slot, lowest, CALLER_SAVED & !taken);
            if pairs == 0 {
                continue;
            }
            for distance in 1..=pairs {
                marks[slot - distance].fastcall_pattern = true;
                marks[slot + distance].fastcall_pattern = true;
            }
            if call.fastcall {
                marks[slot].fastcall_pairs = pairs as u8;
            } else {
                subprog.keep_fastcall_stack = true;
            }
            subprog.fastcall_stack = subprog.fastcall_stack.min(lowest + pairs as i32 * SLOT);
        }
    }
}

/// How many pairs lie around a call: from the call outward, each in the slot of the stack above the one before, each with another of
/// the registers that may be kept.
fn pairs(raw: &[RawInsn], call: usize, lowest: i32, mut free: u16) -> usize {
    let mut found = 0;
    loop {
        let distance = found + 1;
        let Some(spill) = call.checked_sub(distance).map(|slot| raw[slot]) else { return found };
        let Some(fill) = raw.get(call + distance) else { return found };
        let register = 1u16 << spill.src();
        let at = lowest + found as i32 * SLOT;
        let fits = spill.code == code::STORE_DW
            && fill.code == code::LOAD_DW
            && (spill.dst(), fill.src()) == (FRAME, FRAME)
            && spill.src() == fill.dst()
            && free & register != 0
            && (i32::from(spill.off), i32::from(fill.off)) == (at, at);
        if !fits {
            return found;
        }
        free &= !register;
        found = distance;
    }
}
