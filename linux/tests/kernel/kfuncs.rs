//! The rows of kernel functions, held against the kernel of this host.

use skep_btf::{Btf, Kind as BtfKind};
use skep_kernel::LogLevel;
use skep_linux::kfuncs::{KFUNCS, is_offered, kfunc};
use skep_linux::programs::{Sleepable, program};

use crate::ask::{EXIT, Kind, can_ask, insn, kinds, set};

fn vmlinux() -> Btf {
    let bytes = std::fs::read("/sys/kernel/btf/vmlinux").expect("a kernel with BTF");
    Btf::parse(&bytes).expect("the kernel's BTF")
}

/// Functions of the kernel's own tests.
fn left_out(name: &str) -> bool {
    ["bpf_kfunc_call_", "bpf_fentry_test"].iter().any(|p| name.starts_with(p))
        || ["bpf_modify_return_test", "bpf_modify_return_test2"].contains(&name)
}

#[test]
fn every_kernel_function_in_btf_has_a_row() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let mut seen = 0;
    for id in btf.ids().filter(|&id| btf.kind(id) == BtfKind::Func) {
        let name = btf.name(id);
        if btf.decl_tags(id).any(|tag| tag.value == "bpf_kfunc") && !left_out(name) {
            seen += 1;
            assert!(kfunc(name).is_some(), "{name} has no row");
        }
    }
    assert!(seen >= 170, "only {seen} functions");
}

/// The program types, each once.
fn one_of_each() -> Vec<Kind> {
    let mut keep: Vec<Kind> = Vec::new();
    for kind in kinds() {
        if keep.iter().all(|k| k.prog != kind.prog) {
            keep.push(kind);
        }
    }
    keep
}

#[test]
fn programs_that_may_call_each_function_and_functions_that_sleep() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for row in KFUNCS {
        let Some(id) = btf.find(row.name, BtfKind::Func) else { continue };
        for kind in one_of_each() {
            asked += 1;
            let mut insns: Vec<_> = (1..=5).map(|reg| set(reg, 0)).collect();
            insns.extend([insn(0x85, 0, 2, 0, id.0 as i32), set(0, kind.returns), EXIT]);
            let log = kind.load(&insns, LogLevel::OnFailure).err().unwrap_or_default();
            let allowed = !log.contains("is not allowed");
            let offered = is_offered(&btf, id);
            if allowed != (offered && row.users.contains(kind.prog, kind.attach)) {
                wrong.push(format!("{} in {:?}: kernel {allowed}", row.name, kind.prog));
            }
            let awake = program(kind.prog).is_some_and(|p| p.sleepable != Sleepable::Always);
            if allowed && awake && row.sleepable != log.contains("must be sleepable to call sleepable kfunc") {
                wrong.push(format!("{} in {:?}: sleeps", row.name, kind.prog));
            }
        }
    }
    assert!(asked > 4000, "only {asked} calls");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
