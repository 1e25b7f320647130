//! Code that no path came to: the kernel takes it away once all paths are at their end, and what is left must still name functions.

use skep_isa::{Insn, Wide};

use crate::fault::Fault;
use crate::prep::Prep;
use crate::setting::Setting;
use crate::why::Form;

/// Whether the address of a function that was taken, but to which no path came, still leads to one. The kernel moves such an address along
/// with what is behind the code that it takes away, unless it lies in it: then it stays, and is that of whatever comes to lie there.
///
/// # Errors
/// It leads to no function: the kernel cannot make native code then, and refuses the program after all.
pub(super) fn check_addresses(setting: &Setting<'_>, prep: &Prep, seen: &[bool]) -> Result<(), Fault> {
    let alive = |slots: std::ops::Range<usize>| seen.get(slots).is_some_and(|seen| seen.contains(&true));
    let mut starts: Vec<usize> = prep.subprogs.iter().filter(|one| alive(one.slots.clone())).map(|one| one.slots.start).collect();
    let mut taken = Vec::new();
    for (slot, insn) in prep.code.iter().filter(|(slot, _)| seen.get(*slot) == Some(&true)) {
        if let Insn::LoadWide { value: Wide::Func(_), .. } = insn
            && let Ok(Some(target)) = prep.code.target(slot)
        {
            taken.push(target);
        }
    }
    // Without functions nothing is looked for.
    if !setting.options.privileges.bpf || starts.len() < 2 || taken.is_empty() {
        return Ok(());
    }
    // In the order in which the kernel goes: an address that stays may come to lie in a later gap.
    let mut gone = 0;
    for gap in gaps(seen, prep) {
        let count = gap.len();
        let gap = gap.start - gone..gap.end - gone;
        let moved = |at: usize| if at >= gap.end { at - count } else { at };
        taken.iter_mut().for_each(|at| *at = moved(*at));
        // A function that begins in the gap and goes on behind it begins where that does.
        starts.iter_mut().for_each(|at| *at = if gap.contains(at) { gap.start } else { moved(*at) });
        gone += count;
    }
    match taken.into_iter().find(|at| !starts.contains(at)) {
        Some(at) => Err(Form::NoFunctionLeft(at).into()),
        None => Ok(()),
    }
}

/// The slots that no path came to, as ranges.
fn gaps(seen: &[bool], prep: &Prep) -> Vec<std::ops::Range<usize>> {
    let mut gaps: Vec<std::ops::Range<usize>> = Vec::new();
    for slot in 0..seen.len() {
        // The second half of an instruction goes where the first one goes.
        let first = match prep.code.get(slot) {
            Some(skep_isa::Slot::Second) => slot.saturating_sub(1),
            Some(skep_isa::Slot::Insn(_) | skep_isa::Slot::Refused(_)) | None => slot,
        };
        if seen[first] {
            continue;
        }
        match gaps.last_mut() {
            Some(gap) if gap.end == slot => gap.end += 1,
            _first => gaps.push(slot..slot + 1),
        }
    }
    gaps
}
