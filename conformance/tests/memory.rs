//! Memory that verification takes at most.

mod common;

use skep_conformance::corpus::{Corpus, Set};
use skep_conformance::speed::{LONG, Recorded, Shape, forget_peak, peak_memory, recorded};
use skep_linux::{Arch, Release, Target};
use skep_program::Program;
use skep_verifier::{Options, verify};

/// With the kernel's types and everything else that the process has.
const MOST: u64 = 200 << 20;

fn peak(program: &Program, target: &Target) -> u64 {
    forget_peak().unwrap();
    let report = verify(program, target, &Options::default());
    assert!(report.stats.insns_processed > 0);
    peak_memory().unwrap()
}

/// One test, since the peak is that of the process.
#[test]
fn long_programs_take_little_memory() {
    let mut peaks = Vec::new();
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    for shape in Shape::ALL {
        peaks.push((shape.name().to_owned(), peak(&shape.program(1_000_000), &target)));
    }
    if let Some(root) = common::shared("corpus") {
        let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
        let target = corpus.types().target();
        for set in Set::ALL {
            let mut loads = recorded(&corpus, set, "").unwrap_or_else(|error| panic!("{error}"));
            loads.retain(|recorded| recorded.processed > LONG);
            peaks.extend(loads.into_iter().map(|Recorded { load, .. }| (load.id, peak(&load.program, &target))));
        }
    }
    peaks.sort_by_key(|(_, peak)| std::cmp::Reverse(*peak));
    peaks.iter().take(5).for_each(|(id, peak)| println!("{:6} MB  {id}", peak >> 20));
    let above: Vec<_> = peaks.iter().filter(|(_, peak)| *peak >= MOST).collect();
    assert!(above.is_empty(), "{above:#?}");
}
