//! Random programs have the verdict, the number of processed instructions and the words that the kernel of this host has for those who
//! lack capabilities.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use skep_fuzz::hunt::Source;
use skep_fuzz::programs::Ground;
use skep_fuzz::verdicts::{Said, User};
use skep_kernel::Kernel;

/// Programs for each; the binary `verdicts` takes more.
const COUNT: u64 = 5_000;
/// The kernel accepts at least so many of a hundred.
const ACCEPTED: u64 = 20;

fn hold(user: User) {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return;
    }
    if !Kernel::release().starts_with("6.18.") {
        println!("skipped: needs Linux 6.18");
        return;
    }
    if let Some(lacks) = user.lacks() {
        println!("skipped: needs {lacks}");
        return;
    }
    let (accepted, asked, differ) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Vec::new()));
    let target = skep::host().unwrap();
    Source::Generated(Box::new(Ground::new(target.clone()))).ask(&target, user, 0..COUNT, 1, |case| {
        if case.difference.is_some() {
            differ.lock().unwrap().push(format!("seed {}: the kernel says {:?}, skep {:?}", case.seed, case.kernel, case.skep));
        }
        accepted.fetch_add(u64::from(matches!(case.kernel, Said::Accept(_))), Ordering::Relaxed);
        asked.fetch_add(u64::from(!matches!(case.kernel, Said::None(_))), Ordering::Relaxed);
    });
    let differ = differ.into_inner().unwrap();
    assert!(differ.is_empty(), "{} differ: {:#?}", differ.len(), &differ[..differ.len().min(12)]);
    let (accepted, asked) = (accepted.into_inner(), asked.into_inner());
    println!("{asked} programs, {accepted} accepted");
    assert!(accepted * 100 >= asked * ACCEPTED, "{accepted} of {asked} are too few to say much");
}

#[test]
fn without_any_capability() {
    hold(User::Nobody);
}

#[test]
fn with_bpf_alone() {
    hold(User::Bpf);
}

#[test]
fn with_bpf_and_net_admin() {
    hold(User::BpfNet);
}

#[test]
fn with_bpf_and_perfmon() {
    hold(User::BpfPerfmon);
}
