//! Random programs have the verdict, the number of processed instructions and the words that the kernel of this host has for them.

use skep_fuzz::programs::generate;
use skep_fuzz::verdicts::{Judges, Said};
use skep_kernel::Kernel;

/// Programs; the binary `verdicts` takes more.
const COUNT: u64 = 20_000;
/// The kernel accepts at least so many of a hundred.
const ACCEPTED: u64 = 30;

#[test]
fn random_programs_have_the_kernels_verdict() {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return;
    }
    if !Kernel::release().starts_with("6.18.") {
        println!("skipped: needs Linux 6.18");
        return;
    }
    let judges = Judges::new(skep::host().unwrap()).unwrap();
    let (mut accepted, mut asked) = (0, 0);
    for seed in 0..COUNT {
        let Some(program) = generate(seed).program() else { continue };
        let (kernel, skep, difference) = judges.ask(&program);
        assert_eq!(difference, None, "seed {seed}: the kernel says {kernel:?}, skep {skep:?}");
        accepted += u64::from(matches!(kernel, Said::Accept(_)));
        asked += u64::from(!matches!(kernel, Said::None(_)));
    }
    println!("{asked} programs, {accepted} accepted");
    assert!(accepted * 100 >= asked * ACCEPTED, "{accepted} of {asked} are too few to say much");
}
