//! What kernel variables and functions are to a program, held against the kernel's log.

use std::sync::Arc;

use skep_btf::{Btf, Kind, TypeId};
use skep_isa::RawInsn;
use skep_kernel::{Kernel, Load, LoadError, LogLevel};
use skep_linux::{Arch, ProgType, Release, Target};
use skep_program::Program;
use skep_verifier::prep::{KernelVar, prepare};
use skep_verifier::{At, Fault, Options, Setting};

/// What the log says of `r1`, or what is refused.
fn kernel(insns: &[RawInsn]) -> String {
    let load = Load { log_level: LogLevel::States, ..Load::raw(ProgType::SocketFilter, insns) };
    let log = match load.load_with_log() {
        Ok((_, log)) | Err(LoadError::Refused { log, .. }) => log,
        Err(error) => panic!("{error}"),
    };
    let state =
        log.lines().find_map(|line| line.strip_prefix("0: (18) ")?.split_once("; R1=").map(|(_, state)| state.to_owned()));
    state.unwrap_or_else(|| log.lines().find(|line| line.contains("ldimm64")).unwrap_or(&log).to_owned())
}

fn ours(insns: &[RawInsn], target: &Target, btf: &Btf) -> String {
    let program = Program::bare("test", ProgType::SocketFilter, insns);
    let options = Options::default();
    let setting = Setting::new(&program, target, &options).unwrap();
    let named = |ty| btf.name(btf.resolve(ty)).to_owned();
    match prepare(&setting) {
        Ok(prep) => match prep.vars.get(0).unwrap() {
            KernelVar::Memory(size) => format!("rdonly_mem(sz={size})"),
            KernelVar::Struct(ty) => format!("ptr_{}()", named(ty)),
            KernelVar::PerCpu(ty) => format!("percpu_ptr_{}()", named(ty)),
        },
        Err(At { fault: Fault::Refused(why), .. }) => why.to_string(),
        Err(other) => panic!("{other:?}"),
    }
}

const NO_ADDRESS: &str = "failed to find the address";

fn wide(id: TypeId) -> [RawInsn; 4] {
    [RawInsn::new(0x18, 1, 3, 0, id.0 as i32), RawInsn::default(), RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x95, 0, 0, 0, 0)]
}

/// Kernels without `CONFIG_KALLSYMS_ALL` find no variable.
fn knows_variables(btf: &Btf) -> bool {
    let mut vars = btf.ids().filter(|id| btf.kind(*id) == Kind::Var);
    vars.any(|id| !kernel(&wide(id)).contains(NO_ADDRESS))
}

#[test]
fn kernel_variables_and_functions() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let Ok(types) = std::fs::read("/sys/kernel/btf/vmlinux") else { return println!("skipped: needs /sys/kernel/btf/vmlinux") };
    let btf = Arc::new(Btf::parse(&types).unwrap());
    let mut target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(btf.clone());
    if !knows_variables(&btf) {
        target = target.with_kconfig("CONFIG_KALLSYMS", "y");
    }
    let vars = btf.ids().filter(|id| btf.kind(*id) == Kind::Var);
    let others = btf.ids().filter(|id| btf.kind(*id) != Kind::Var).step_by(997);
    let (mut asked, mut wrong, mut gone) = (0, 0, 0);
    for id in vars.chain(others) {
        let insns = [
            RawInsn::new(0x18, 1, 3, 0, id.0 as i32),
            RawInsn::default(),
            RawInsn::new(0xb7, 0, 0, 0, 0),
            RawInsn::new(0x95, 0, 0, 0, 0),
        ];
        let (said, ours) = (kernel(&insns), ours(&insns, &target, &btf));
        if said.contains(NO_ADDRESS) && btf.kind(id) == Kind::Func {
            gone += 1; // thrown away after the kernel has started
            continue;
        }
        asked += 1;
        if said != ours {
            wrong += 1;
            println!("{id:?}: {ours}, the kernel {said}");
        }
    }
    println!("{asked} asked, {gone} gone");
    assert_eq!(wrong, 0);
    assert!(asked > 300, "{asked}");
}
