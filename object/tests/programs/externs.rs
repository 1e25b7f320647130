//! What the kernel is to supply.

use skep_btf::Kind;
use skep_isa::{Callee, Code, Insn, Wide};
use skep_linux::{Arch, Release, Target};
use skep_object::{ExternClass, KconfigProblem, Object, Options, RelocateError};
use skep_program::Program;

use super::{open, path, read, target, types};

const CONFIG: &[(&str, &str)] = &[
    ("CONFIG_HZ", "250"),
    ("CONFIG_BPF", "y"),
    ("CONFIG_EXT4_FS", "m"),
    ("CONFIG_PREEMPT_NONE", "n"),
    ("CONFIG_DEFAULT_HOSTNAME", "\"(none)\""),
];

fn configured() -> Target {
    let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(types("kernel"));
    CONFIG.iter().fold(target, |target, (name, value)| target.with_kconfig(name, value))
}

fn program(name: &str) -> Program {
    open("externs").program(name).unwrap().relocate(&configured()).unwrap()
}

#[test]
fn externs_are_listed() {
    let object = open("externs");
    let of = |class: ExternClass| {
        let mut names: Vec<_> = object.externs().filter(|e| e.kind == class).map(|e| (e.name, e.weak)).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        of(ExternClass::Kconfig),
        [
            ("CONFIG_BPF", false),
            ("CONFIG_DEFAULT_HOSTNAME", false),
            ("CONFIG_EXT4_FS", false),
            ("CONFIG_HZ", false),
            ("CONFIG_PREEMPT_NONE", true),
            ("CONFIG_SKEP_ABSENT", true),
            ("LINUX_HAS_BPF_COOKIE", true),
            ("LINUX_KERNEL_VERSION", false),
        ]
    );
    assert_eq!(of(ExternClass::Ksym), [("bpf_prog_active", false), ("runqueues", true), ("skep_absent_variable", true)]);
    assert_eq!(of(ExternClass::Address), [("init_task", false), ("skep_absent_symbol", true)]);
    assert_eq!(
        of(ExternClass::Kfunc),
        [
            ("bpf_rcu_read_lock", true),
            ("bpf_rcu_read_unlock", true),
            ("bpf_task_acquire", false),
            ("bpf_task_release", false),
            ("skep_absent_function", true),
        ]
    );
}

#[test]
fn configuration_is_a_frozen_map() {
    let program = program("configuration");
    let map = program.maps.iter().find(|map| map.is_called(".kconfig")).unwrap();
    assert!(map.frozen);
    let bytes = map.initial.as_deref().unwrap();
    let types = map.btf.as_deref().unwrap();
    let value = types.read(skep_btf::TypeId(map.value_type_id), bytes).unwrap();
    let field = |name: &str| value.field(name).unwrap().to_string();
    assert_eq!(field("LINUX_KERNEL_VERSION"), (6 << 16 | 18 << 8).to_string());
    assert_eq!(field("LINUX_HAS_BPF_COOKIE"), "true");
    assert_eq!(field("CONFIG_HZ"), "250");
    assert_eq!(field("CONFIG_BPF"), "true");
    assert_eq!(field("CONFIG_EXT4_FS"), "TRI_MODULE");
    assert_eq!(value.field("CONFIG_PREEMPT_NONE").unwrap().as_i128(), Some(i128::from(b'n')));
    assert_eq!(field("CONFIG_DEFAULT_HOSTNAME"), "\"(none)\"");
    assert_eq!(field("CONFIG_SKEP_ABSENT"), "0");
}

#[test]
fn an_absent_value_is_refused_only_where_it_is_used() {
    let object = open("externs");
    let target = target().with_btf(types("kernel"));
    let error = object.program("configuration").unwrap().relocate(&target).unwrap_err();
    assert!(matches!(&error, RelocateError::Kconfig { problem: KconfigProblem::Missing, .. }), "{error}");
    assert!(object.program("variables").unwrap().relocate(&target).is_ok());
    let wrong = configured().with_kconfig("CONFIG_HZ", "y");
    let error = object.program("configuration").unwrap().relocate(&wrong).unwrap_err();
    assert!(matches!(&error, RelocateError::Kconfig { name, problem: KconfigProblem::Type(_), .. } if name == "CONFIG_HZ"));
}

#[test]
fn functions_are_called_by_their_id() {
    let program = program("functions");
    let kernel = types("kernel");
    let present = |name: &str| {
        let kfunc = program.kfuncs.iter().find(|kfunc| kfunc.name == name).unwrap();
        assert_eq!((kfunc.present, kfunc.id as u32), (true, kernel.find(name, Kind::Func).unwrap().0), "{name}");
    };
    for name in ["bpf_task_acquire", "bpf_task_release", "bpf_rcu_read_lock", "bpf_rcu_read_unlock"] {
        present(name);
    }
    let absent = program.kfuncs.iter().find(|kfunc| kfunc.name == "skep_absent_function").unwrap();
    assert!(!absent.present && absent.id >= 2_002_000_000);
    let code = Code::decode(&program.insns).unwrap();
    let poisoned = code.iter().any(|(_, insn)| insn == Insn::Call(Callee::Helper(absent.id)));
    assert!(poisoned, "{}", code.listing(&skep_isa::NoNames));
    // Whether it is there is asked by its address, which is 0.
    assert!(code.iter().any(|(_, insn)| matches!(insn, Insn::LoadWide { value: Wide::Const(0), .. })));
}

#[test]
fn variables_are_named_by_their_id() {
    let program = program("variables");
    let kernel = types("kernel");
    let ids: Vec<_> = program.ksyms.iter().map(|ksym| (ksym.name.as_str(), ksym.id)).collect();
    let id = |name: &str| kernel.find(name, Kind::Var).unwrap().0;
    assert_eq!(ids, [("bpf_prog_active", id("bpf_prog_active")), ("runqueues", id("runqueues"))]);
}

#[test]
fn addresses_come_from_the_caller() {
    let mut options = Options::default();
    options.symbols.insert("init_task".into(), 0xffff_ffff_8123_4560);
    let object = Object::parse_with(&read("externs.bpf.o"), &options).unwrap();
    let program = object.program("variables").unwrap().relocate(&configured()).unwrap();
    let code = Code::decode(&program.insns).unwrap();
    let wide: Vec<u64> = code
        .iter()
        .filter_map(|(_, insn)| match insn {
            Insn::LoadWide { value: Wide::Const(value), .. } => Some(value),
            _ => None,
        })
        .collect();
    assert!(wide.contains(&0xffff_ffff_8123_4560) && wide.contains(&0), "{wide:x?}");
}

#[test]
fn without_types_nothing_is_guessed() {
    let object = open("externs");
    let error = object.program("functions").unwrap().relocate(&target()).unwrap_err();
    assert!(matches!(error, RelocateError::NoTargetBtf { .. }), "{error}");
    assert!(path("externs.bpf.o").is_file());
}

#[test]
fn another_type_is_no_such_function() {
    let object = open("externs");
    // This kernel has a function of the name that takes something else.
    let error = object.program("functions").unwrap().relocate(&configured_with("kernel_other")).unwrap_err();
    assert!(matches!(&error, RelocateError::ExternType { name, .. } if name == "bpf_task_acquire"), "{error}");
}

fn configured_with(name: &str) -> Target {
    configured().with_btf(types(name))
}
