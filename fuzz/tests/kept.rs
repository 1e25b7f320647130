//! What was once found to differ has the kernel's verdict, and the kernel's is still that.

use std::path::Path;

use skep_fuzz::kept::Kept;
use skep_fuzz::verdicts::{Judges, Said};
use skep_kernel::Kernel;
use skep_linux::{Arch, Release, Target};

fn all() -> Vec<(String, Kept)> {
    let kept = Kept::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("kept")).unwrap_or_else(|error| panic!("{error}"));
    assert!(!kept.is_empty());
    kept
}

#[test]
fn kept_programs_have_the_recorded_verdict() {
    let target = Target::of(Release::new(6, 18), Arch::X86_64);
    for (name, kept) in all() {
        let program = kept.program(&target).unwrap_or_else(|error| panic!("{name}: {error}"));
        let said = Judges::without_kernel(target.clone(), kept.user).skep(&program);
        assert!(said.agrees(&Said::from(&kept.linux)), "{name}: Linux says {:?}, skep {said:?}", kept.linux);
    }
}

#[test]
fn the_kernel_says_what_is_kept() {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return;
    }
    if !Kernel::release().starts_with("6.18.") {
        println!("skipped: needs Linux 6.18");
        return;
    }
    let target = skep::host().unwrap();
    for (name, kept) in all() {
        if let Some(lacks) = kept.user.lacks() {
            println!("{name}: skipped: needs {lacks}");
            continue;
        }
        let program = kept.program(&target).unwrap_or_else(|error| panic!("{name}: {error}"));
        let judges = Judges::new(target.clone(), kept.user, &program).unwrap_or_else(|error| panic!("{name}: {error}"));
        let said = judges.kernel(&program);
        assert!(said.agrees(&Said::from(&kept.linux)), "{name}: the kernel says {said:?}, kept is {:?}", kept.linux);
    }
}
