//! What verification hands out for a judge: the tree of paths, and the states along them.

use skep_isa::Reg;
use skep_isa::asm::kernel::assemble;
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::Program;
use skep_verifier::kept::{Kept, Visit};
use skep_verifier::{Keep, Options, Report, Verdict, verify};

fn ask(text: &str, keep: Keep) -> Report {
    let program = Program::bare("kept", ProgType::SocketFilter, assemble(text).unwrap());
    let report = verify(&program, &Target::new(Release::new(6, 18), Arch::X86_64), &Options { keep, ..Options::default() });
    assert!(matches!(report.verdict, Verdict::Accept), "{:?}", report.verdict);
    report
}

fn kept(text: &str, keep: Keep) -> Kept {
    *ask(text, keep).kept.expect("the options ask for them")
}

/// Follows the slots of a run; gives the last visits.
fn follow(kept: &Kept, slots: &[usize]) -> Vec<Visit> {
    let mut at: Vec<Visit> = kept.entry(slots[0], false).map(|visit| kept.resolve(visit)).collect();
    for slot in &slots[1..] {
        let next: Vec<Visit> =
            at.iter().flat_map(|visit| kept.after(*visit)).filter(|visit| kept.slot(*visit) == *slot).collect();
        at = next.into_iter().map(|visit| kept.resolve(visit)).collect();
    }
    at
}

const LOOP: &str = "call 7\nr6 = r0\nr6 &= 7\nagain:\nr6 += -1\nif r6 s> 0 goto again\nr0 = 0\nexit";

#[test]
fn nothing_is_kept_unless_asked_for() {
    assert!(ask(LOOP, Keep::Nothing).kept.is_none());
}

#[test]
fn the_tree_changes_no_count() {
    let (plain, with) = (ask(LOOP, Keep::Nothing).stats, ask(LOOP, Keep::States));
    assert_eq!((plain.insns_processed, plain.total_states), (with.stats.insns_processed, with.stats.total_states));
    let kept = with.kept.unwrap();
    assert_eq!((kept.visits(), kept.states().len()), (plain.insns_processed as usize, plain.total_states as usize));
}

#[test]
fn every_way_of_a_loop_is_in_the_tree() {
    for keep in [Keep::States, Keep::Everywhere, Keep::Numbers] {
        let kept = kept(LOOP, keep);
        for rounds in 1..8 {
            let mut slots = vec![0, 1, 2];
            (0..rounds).for_each(|_| slots.extend([3, 4]));
            assert!(!follow(&kept, &slots).is_empty(), "{rounds} rounds, {keep:?}");
            slots.push(5);
            assert!(!follow(&kept, &slots).is_empty(), "{rounds} rounds, {keep:?}");
        }
        assert!(follow(&kept, &[0, 1, 2, 4]).is_empty());
    }
}

#[test]
fn a_state_stands_at_every_visit() {
    let kept = kept(LOOP, Keep::Everywhere);
    let mut visits: Vec<Visit> = kept.entries().iter().map(|entry| entry.visit).collect();
    while let Some(visit) = visits.pop() {
        let state = kept.state(visit).expect("a state is kept everywhere");
        assert_eq!(state.pc as usize, kept.slot(visit));
        visits.extend(kept.after(visit));
    }
}

#[test]
fn what_is_not_read_any_more_is_not_readable() {
    let kept = kept("r6 = 1\nr7 = 2\nr0 = r6\nr0 = 0\nexit", Keep::Everywhere);
    let state = kept.at(2).next().unwrap();
    assert!(state.frames[0].regs[Reg::R6.index()].is_scalar());
    assert!(!state.frames[0].regs[Reg::R7.index()].is_scalar());
}

#[test]
fn an_operation_that_forks_is_two_visits_side_by_side() {
    for keep in [Keep::States, Keep::Everywhere] {
        let kept = kept("call 7\nr0 s>>= 63\nr0 &= -3\nr0 += 1\nexit", keep);
        let last = follow(&kept, &[0, 1, 2, 3]);
        assert_eq!(last.len(), 2, "{keep:?}");
    }
}
