//! What skep has no body of is named when an instance is built, with the place of the call, and not when a run comes to it.

use std::sync::Arc;

use skep::{Arch, BuildError, Input, Instance, ProgType, Program, Release, Target};
use skep_isa::RawInsn;
use skep_program::Kfunc;

/// `r0 = 0; goto +1; call ...; exit`: the call is never reached.
fn program(call: RawInsn, kfuncs: Vec<Kfunc>) -> Program {
    let insns = vec![RawInsn::new(0xb7, 0, 0, 0, 0), RawInsn::new(0x05, 0, 0, 1, 0), call, RawInsn::new(0x95, 0, 0, 0, 0)];
    Program {
        name: "never".into(),
        section: String::new(),
        prog_type: ProgType::SocketFilter,
        attach_type: None,
        attach_to: None,
        attach_btf_id: None,
        flags: 0,
        license: "GPL".into(),
        kern_version: 0,
        insns,
        maps: Vec::new(),
        btf: None,
        funcs: Vec::new(),
        lines: Vec::new(),
        kfuncs,
        ksyms: Vec::new(),
    }
}

fn target() -> Arc<Target> {
    Arc::new(Target::new(Release::new(6, 18), Arch::X86_64))
}

/// Builds an instance that must not be, and gives what it says of the call.
#[track_caller]
fn refused(program: Program) -> String {
    let error = Instance::builder(target()).program(program).build().expect_err("built");
    let text = error.to_string();
    match error {
        BuildError::NoBody { program, slot, what } => {
            assert_eq!((program.as_str(), slot), ("never", 2));
            assert_eq!(text, format!("program `never`, instruction 2: {what} is not simulated"));
            what
        }
        other => panic!("{other}"),
    }
}

#[test]
fn helpers_without_a_body_are_named() {
    let call = |id: u32| RawInsn::new(0x85, 0, 0, 0, id as i32);
    for row in skep_linux::helpers::HELPERS {
        let built = Instance::builder(target()).program(program(call(row.id), Vec::new())).build();
        match skep_helpers::helper(row.id) {
            Some(_) => assert!(built.is_ok(), "{} has a body", row.name),
            None => assert_eq!(refused(program(call(row.id), Vec::new())), format!("helper {}", row.name)),
        }
    }
    assert_eq!(refused(program(call(4000), Vec::new())), "helper number 4000");
}

#[test]
fn kernel_functions_without_a_body_are_named() {
    let call = RawInsn::new(0x85, 0, 2, 0, 77);
    let named = |name: &str| vec![Kfunc { name: name.into(), id: 77, present: true }];
    assert_eq!(refused(program(call, named("crash_kexec"))), "kernel function crash_kexec");
    assert_eq!(refused(program(call, Vec::new())), "kernel function number 77");
    assert!(Instance::builder(target()).program(program(call, named("bpf_throw"))).build().is_ok());
}

#[test]
fn a_run_that_may_go_on_without_them_does() {
    let absent = program(RawInsn::new(0x85, 0, 0, 0, 4000), Vec::new());
    let mut instance = Instance::builder(target()).allow_absent().program(absent).build().unwrap();
    assert_eq!(instance.program("never").unwrap().run(&Input::packet(&[0; 14])).unwrap().retval(), 0);
}
