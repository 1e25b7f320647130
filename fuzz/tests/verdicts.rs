//! Random programs, and real ones with changes, have the verdict, the number of processed instructions and the words that the kernel of
//! this host has for them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use skep_fuzz::hunt::Source;
use skep_fuzz::mutants::Bases;
use skep_fuzz::programs::Ground;
use skep_fuzz::verdicts::{Said, User};
use skep_kernel::Kernel;

/// Random programs; the binary `verdicts` takes more.
const RANDOM: u64 = 20_000;
/// Changed programs.
const CHANGED: u64 = 10_000;
/// The kernel accepts at least so many of a hundred.
const ACCEPTED: u64 = 30;

fn can_ask() -> bool {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return false;
    }
    let same = Kernel::release().starts_with("6.18.");
    if !same {
        println!("skipped: needs Linux 6.18");
    }
    same
}

fn compare(source: &Source, count: u64) -> (u64, u64) {
    let (accepted, asked, differ) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Vec::new()));
    source.ask(&skep::host().unwrap(), User::Root, 0..count, 2, |case| {
        if case.difference.is_some() {
            differ.lock().unwrap().push(format!("seed {}: the kernel says {:?}, skep {:?}", case.seed, case.kernel, case.skep));
        }
        accepted.fetch_add(u64::from(matches!(case.kernel, Said::Accept(_))), Ordering::Relaxed);
        asked.fetch_add(u64::from(!matches!(case.kernel, Said::None(_))), Ordering::Relaxed);
    });
    let differ = differ.into_inner().unwrap();
    assert!(differ.is_empty(), "{} differ: {:#?}", differ.len(), &differ[..differ.len().min(5)]);
    (accepted.into_inner(), asked.into_inner())
}

#[test]
fn random_programs_have_the_kernels_verdict() {
    if !can_ask() {
        return;
    }
    let (accepted, asked) = compare(&Source::Generated(Box::new(Ground::new(skep::host().unwrap()))), RANDOM);
    println!("{asked} programs, {accepted} accepted");
    assert!(accepted * 100 >= asked * ACCEPTED, "{accepted} of {asked} are too few to say much");
}

#[test]
fn changed_programs_have_the_kernels_verdict() {
    if !can_ask() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let corpus = Some(shared.join("corpus")).filter(|corpus| corpus.is_dir());
    if corpus.is_none() {
        println!("without ../shared/corpus: the objects of this repository alone");
    }
    let folders = ["conformance/programs", "conformance/verdicts"].map(|folder| root.join(folder));
    let bases = Bases::open(corpus.as_deref(), &folders, &skep::host().unwrap(), 2).unwrap();
    let (accepted, asked) = compare(&Source::Mutants(bases), CHANGED);
    println!("{asked} programs, {accepted} accepted");
    assert!(accepted * 100 >= asked * ACCEPTED, "{accepted} of {asked} are too few to say much");
}
