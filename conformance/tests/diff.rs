//! Skep beside the kernel of this host on objects of the repository.

use std::path::Path;

use skep_conformance::diff::{self, Inputs, Options, Verdict};
use skep_kernel::Kernel;
use skep_object::Object;

/// Whether the kernel is there to be asked; says so if not.
fn kernel() -> bool {
    match Kernel::available() {
        Ok(()) => true,
        Err(why) => {
            println!("skipped: needs {why}");
            false
        }
    }
}

#[test]
fn the_firewall_does_the_same_in_both() {
    if !kernel() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/firewall.bpf.o");
    let object = Object::open(path, &Default::default()).unwrap();
    let mut options = Options::new(skep::host().unwrap());
    options.inputs = Inputs::Generated { count: 500, seed: 1 };
    let report = diff::object(&object, &options);
    assert_eq!(report.programs.len(), 1);
    assert!(report.programs[0].verdict == Verdict::Agree, "{report}");
    assert_eq!(report.programs[0].inputs, 500);
    assert!(report.programs[0].unstable.is_empty(), "{report}");
}
