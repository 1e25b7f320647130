//! Functions and hooks of security modules, of the recorded kernel: no kernel that tests run on lets programs attach to them.

use std::collections::BTreeMap;

use skep_btf::Kind;
use skep_linux::contexts::Access;
use skep_linux::programs::Range;
use skep_linux::{Arch, AttachType, ProgType, Release, Target};
use skep_program::Program;
use skep_verifier::state::Flags;
use skep_verifier::types::attach::target;
use skep_verifier::types::context::{Arg, Returns, argument, returns};
use skep_verifier::{Options, Setting};

use crate::ask::said;

fn recorded() -> Target {
    Target::of(Release::new(6, 18), Arch::X86_64)
}

fn program(kernel: &Target, prog: ProgType, attach: AttachType, function: &str, sleepable: bool) -> Program {
    let btf = kernel.btf().expect("recorded types");
    let id = btf.find(function, Kind::Func).unwrap_or_else(|| panic!("the kernel has no {function}"));
    let flags = if sleepable { 1 << 4 } else { 0 };
    Program { attach_type: Some(attach), attach_btf_id: Some(id.0), flags, ..Program::bare("p", prog, Vec::new()) }
}

/// What is said of such a program: `ok`, or the kernel's words.
fn attached(prog: ProgType, attach: AttachType, function: &str, sleepable: bool) -> String {
    let (kernel, options) = (recorded(), Options::default());
    let program = program(&kernel, prog, attach, function, sleepable);
    let setting = Setting::new(&program, &kernel, &options).unwrap();
    said(target(&setting).map(|_| "ok".to_owned())).unwrap_or_else(|words| words)
}

#[test]
fn functions() {
    use AttachType::{ModifyReturn, TraceFentry, TraceFexit};
    let said = |attach, function, sleepable| attached(ProgType::Tracing, attach, function, sleepable);
    let cases = [
        (TraceFentry, "vfs_read", false, "ok"),
        (TraceFentry, "vfs_read", true, "vfs_read is not sleepable"),
        (TraceFentry, "bpf_fentry_test1", true, "ok"),
        // Debian's kernel injects no errors.
        (TraceFentry, "__x64_sys_openat", true, "__x64_sys_openat is not sleepable"),
        (TraceFentry, "migrate_disable", false, "Attaching tracing programs to function 'migrate_disable' is rejected."),
        (TraceFentry, "do_exit", false, "ok"),
        (TraceFexit, "do_exit", false, "Attaching fexit/fmod_ret to __noreturn function 'do_exit' is rejected."),
        (TraceFentry, "_printk", false, "The function _printk with variable args is unsupported."),
        (ModifyReturn, "vfs_read", false, "vfs_read() is not modifiable"),
        (ModifyReturn, "security_file_open", false, "ok"),
        (ModifyReturn, "__x64_sys_openat", false, "__x64_sys_openat() is not modifiable"),
    ];
    for (attach, function, sleepable, words) in cases {
        assert_eq!(said(attach, function, sleepable), words, "{attach:?} {function} {sleepable}");
    }
}

/// System calls of kernels that inject errors.
#[test]
fn injection() {
    let kernel = recorded().with_kconfig("CONFIG_FUNCTION_ERROR_INJECTION", "y");
    let options = Options::default();
    for (function, sleepable) in [("__x64_sys_openat", true), ("__x64_sys_openat", false), ("vfs_read", false)] {
        let program = program(&kernel, ProgType::Tracing, AttachType::ModifyReturn, function, sleepable);
        let setting = Setting::new(&program, &kernel, &options).unwrap();
        assert_eq!(target(&setting).is_ok(), function != "vfs_read", "{function} {sleepable}");
    }
}

#[test]
fn hooks() {
    let said = |function, sleepable| attached(ProgType::Lsm, AttachType::LsmMac, function, sleepable);
    let cases = [
        ("bpf_lsm_file_open", false, "ok"),
        ("bpf_lsm_file_open", true, "ok"),
        ("bpf_lsm_file_alloc_security", true, "bpf_lsm_file_alloc_security is not sleepable"),
    ];
    for (function, sleepable, words) in cases {
        assert_eq!(said(function, sleepable), words, "{function} {sleepable}");
    }
    for (function, words) in [("bpf_lsm_getprocattr", "points to disabled hook"), ("vfs_read", "points to wrong type name")] {
        let said = said(function, false);
        assert!(said.contains(words) && said.ends_with(function), "{said}");
    }
}

#[test]
fn arguments_and_results() {
    let (kernel, options) = (recorded(), Options::default());
    let btf = kernel.btf().unwrap();
    let look = |prog, attach, function: &str, offset| {
        let program = program(&kernel, prog, attach, function, false);
        let setting = Setting::new(&program, &kernel, &options).unwrap();
        let attach = target(&setting).unwrap().unwrap();
        said(argument(&setting, &attach, offset, 8, Access::Read).map(|loaded| match loaded.arg {
            Arg::Pointer { to, flags, .. } => {
                format!("{} {}", btf.name(to), if flags == Flags::TRUSTED { "trusted" } else { "" })
            }
            other => format!("{other:?}"),
        }))
    };
    let lsm = |function, offset| look(ProgType::Lsm, AttachType::LsmMac, function, offset);
    assert_eq!(lsm("bpf_lsm_file_open", 0).unwrap(), "file trusted");
    assert_eq!(lsm("bpf_lsm_file_free_security", 0).unwrap(), "file ");
    assert_eq!(lsm("bpf_lsm_file_open", 8).unwrap(), "ReturnValue");
    let refused = lsm("bpf_lsm_file_open", 16).unwrap_err();
    assert_eq!(refused, "func 'bpf_lsm_file_open' doesn't have 3-th argument\ninvalid bpf_context access off=16 size=8");
    let traced = |attach, offset| look(ProgType::Tracing, attach, "security_file_open", offset);
    assert_eq!(traced(AttachType::TraceFentry, 0).unwrap(), "file ");
    assert_eq!(traced(AttachType::TraceFexit, 8).unwrap(), "Scalar");
    assert_eq!(traced(AttachType::ModifyReturn, 8).unwrap(), "Scalar");
    assert!(traced(AttachType::TraceFentry, 8).unwrap_err().contains("doesn't have 2-th argument"));
}

#[test]
fn return_values() {
    let (kernel, options) = (recorded(), Options::default());
    let range = |min, max| Returns::In(Range { min, max });
    let cases = BTreeMap::from([
        (("bpf_lsm_file_open", false), range(-4095, 0)),
        (("bpf_lsm_file_free_security", false), Returns::Nothing),
        (("bpf_lsm_inode_xattr_skipcap", false), range(0, 1)),
        (("bpf_lsm_file_open", true), range(0, 1)),
        (("bpf_lsm_file_free_security", true), range(1, 1)),
    ]);
    for ((function, cgroup), expected) in cases {
        let attach = if cgroup { AttachType::LsmCgroup } else { AttachType::LsmMac };
        let program = program(&kernel, ProgType::Lsm, attach, function, false);
        let setting = Setting::new(&program, &kernel, &options).unwrap();
        let attach = target(&setting).unwrap().unwrap();
        assert_eq!(returns(&setting, Some(&attach)), expected, "{function} {cgroup}");
    }
}
