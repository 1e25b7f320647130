//! Random programs that are accepted, and real ones with changes, stay within what the verifier claimed when they run.

use std::path::Path;
use std::sync::Arc;

use skep::{Arch, Release, Target};
use skep_conformance::judge::Limits;
use skep_fuzz::contained::Judge;
use skep_fuzz::hunt::Source;
use skep_fuzz::mutants::Bases;
use skep_fuzz::programs::Ground;
use skep_verifier::{Keep, Options};

/// Programs of each kind; the binary `contained` takes more.
const COUNT: u64 = 1280;

fn judge(keep: Keep, source: &Source) {
    let target = Arc::new(Target::of(Release::new(6, 18), Arch::X86_64));
    let options = Options { keep, ..Options::default() };
    let judge = Judge { target, options, limits: Limits { cases: 2, ..Limits::default() } };
    let sum = judge.all(source, 0..COUNT, 2);
    println!("{} of {} programs judged, {} runs, not {:?}", sum.judged, sum.programs, sum.all.runs, sum.not);
    assert!(sum.escapes.is_empty(), "{} escape: {:#?}", sum.escapes.len(), &sum.escapes[..sum.escapes.len().min(5)]);
    assert!(sum.judged * 5 > sum.programs, "{} of {} are too few to say much", sum.judged, sum.programs);
}

#[test]
fn random_programs_stay_within_their_states() {
    let source = Source::Generated(Box::new(Ground::new(Target::of(Release::new(6, 18), Arch::X86_64))));
    for keep in [Keep::States, Keep::Everywhere, Keep::Numbers] {
        judge(keep, &source);
    }
}

#[test]
fn changed_programs_stay_within_their_states() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = ["conformance/programs", "conformance/verdicts"].map(|folder| root.join(folder));
    let target = Target::of(Release::new(6, 18), Arch::X86_64);
    judge(Keep::Everywhere, &Source::Mutants(Bases::open(None, &folders, &target, 2).unwrap()));
}
