//! A few thousand mutations of everything. The binary `mutations` runs as many as one likes.
//!
//! One test alone: memory is counted for the whole process, and another test would be counted too.

use skep_fuzz::{Driver, NAMES, Sources, Summary, subject};

const CASES: u64 = 400;

#[test]
fn nothing_breaks() {
    let sources = Sources::standard();
    let mut broken = Vec::new();
    for name in NAMES {
        let subject = subject(name, &sources).unwrap();
        let driver = Driver::new(name, subject.as_ref(), 7);
        let mut summary = Summary::default();
        for case in 0..CASES {
            driver.run(case, &mut summary);
        }
        println!("{name}: {} seeds, {} of {} accepted", subject.seeds(), summary.accepted, summary.cases);
        assert!(summary.accepted > CASES / 50, "{name}: too few mutations are taken to mean anything");
        assert!(summary.refused.values().sum::<u64>() > CASES / 50, "{name}: too few mutations are refused to mean anything");
        broken.extend(summary.findings.into_iter().map(|finding| format!("{name}: {finding:?}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
