//! Programs with common mistakes (`programs/refused`): the verifier of skep and the kernel of this host refuse them in the same words, after
//! the same number of instructions.

use std::path::Path;

use skep_conformance::verdicts::ask;
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel};
use skep_object::{Linker, Object, Options};
use skep_verifier::Verdict;

/// The last line of a message.
fn last(text: &str) -> String {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// The lines of a log but those of its statistics.
fn lines(log: &str) -> impl Iterator<Item = &str> {
    log.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("processed "))
}

#[test]
fn the_kernel_says_the_same() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let target = match skep::host() {
        Ok(target) if Kernel::release().starts_with("6.18.") => target,
        Ok(_) | Err(_) => return println!("skipped: needs a kernel of release 6.18"),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/refused");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "o") {
            continue;
        }
        let object = Object::open(&path, &Options::default()).unwrap();
        let mut linker = Linker::new(&object, &target);
        for found in object.programs() {
            let program = found.relocate_in(&mut linker).unwrap();
            let theirs = match Loaded::create(&program, LogLevel::Stats) {
                Ok(_) => panic!("{}: the kernel takes it", program.name),
                Err(error @ LoadError::Refused { .. }) if error.by_verifier() => error,
                Err(error) => panic!("{}: {error}", program.name),
            };
            let LoadError::Refused { log, .. } = &theirs else { continue };
            let report = ask(&program, &target, &skep_verifier::Options::default());
            match &report.verdict {
                Verdict::Accept => wrong.push(format!("{}: skep takes it; linux: {log}", program.name)),
                Verdict::Undecided(undecided) => println!("{}: undecided: {}", program.name, undecided.what),
                Verdict::Reject(reject) => {
                    compared += 1;
                    let ours = last(&reject.why.to_string());
                    if !lines(log).any(|line| line == ours) {
                        wrong.push(format!("{}: skep: {ours}; linux: {log}", program.name));
                    }
                    let (ours, theirs) = (u64::from(report.stats.insns_processed), theirs.processed());
                    if theirs != Some(ours) {
                        wrong.push(format!("{}: {ours} instructions; linux {theirs:?}", program.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared >= 15, "{compared}");
}
