//! Paths that led to refusals are paths: each instruction may come after the one before.

mod common;

use skep_conformance::corpus::{Corpus, Set};
use skep_conformance::verdicts::ask;
use skep_isa::{AluOp, Callee, Code, Insn};
use skep_verifier::{Options, Verdict};

/// Whether an instruction may be followed by the one in slot `to`. A call may run any function of the program, a callback, and an exit (or a
/// tail call, or a load of packet bytes) goes back behind a call.
fn may_follow(code: &Code, starts: &[usize], from: usize, to: usize) -> bool {
    let Some(insn) = code.insn(from) else { return false };
    let next = from + insn.slots();
    let target = code.target(from).ok().flatten();
    // Behind a call: an exit, and what may end a function without one.
    let back = || (0..code.len()).any(|call| matches!(code.insn(call), Some(Insn::Call(_))) && (to == call + 1 || to == call));
    match insn {
        Insn::Jump { .. } => Some(to) == target,
        Insn::JumpIf { .. } | Insn::MayGoto { .. } => to == next || Some(to) == target,
        Insn::Call(Callee::Local(_)) => to == next || Some(to) == target,
        Insn::Call(_) => to == next || starts.contains(&to) || back(),
        Insn::Exit => back(),
        Insn::LoadPacket { .. } => to == next || back(),
        // A sign that is masked forks, and one way comes here again.
        Insn::Alu { op: AluOp::And | AluOp::Or, .. } => to == next || to == from,
        _ => to == next,
    }
}

#[test]
fn paths_to_refusals_are_paths() {
    let Some(root) = common::shared("corpus") else { return };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    let target = corpus.types().target();
    let (mut paths, mut long) = (0, 0);
    for set in Set::ALL {
        for load in corpus.loads(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}"))) {
            let Verdict::Reject(reject) = ask(&load.program, &target, &Options::default()).verdict else { continue };
            let path = &reject.trail.path;
            let (Some(first), Some(last)) = (path.first(), path.last()) else { continue };
            let code = Code::decode_each(&load.program.insns);
            let starts: Vec<usize> = load.program.funcs.iter().map(|func| func.start).collect();
            assert_eq!(Some(*last), reject.pc, "{}", load.id);
            if path.len() < 20_000 {
                assert!(*first == 0 || starts.contains(first), "{}: begins at {first}", load.id);
            }
            for pair in path.windows(2) {
                assert!(may_follow(&code, &starts, pair[0], pair[1]), "{}: from {} to {}", load.id, pair[0], pair[1]);
            }
            paths += 1;
            long += usize::from(path.len() > 50);
        }
    }
    println!("{paths} paths, {long} of them with more than 50 instructions");
    assert!(paths > 60, "{paths}");
}
