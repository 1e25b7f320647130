//! What an engine says of a program that goes wrong: where, in which instruction, at which line of source.

use skep::{Arch, Input, Instance, Object, Release, RunError, Stopped, Target, Trap};

fn stopped(program: &str, budget: u64) -> Stopped {
    let object = Object::parse(include_bytes!("../../conformance/programs/crash.bpf.o")).unwrap();
    let target = Target::new(Release::new(6, 18), Arch::X86_64);
    let mut instance = Instance::builder(target).object(&object).unwrap().budget(budget).build().unwrap();
    match instance.program(program).unwrap().run(&Input::packet(&[0; 64])) {
        Err(RunError::Stopped(stopped)) => stopped,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_names_function_instruction_and_line() {
    let stopped = stopped("unchecked", 1000);
    assert_eq!(
        stopped.to_string(),
        "unchecked: count_of, instruction 10, r0 = *(u64 *)(r0 +0) (./crash.bpf.c:17: return *count + 1; /* nobody asked whether \
         there is one */): read of 8 bytes at 0x0: null pointer"
    );
    assert_eq!(stopped.executed, 9);
    assert_eq!(stopped.place.function.as_deref(), Some("count_of"));
    assert_eq!(stopped.place.registers[0], 0);
    let source = stopped.place.source.unwrap();
    assert_eq!((&*source.file, source.line), ("./crash.bpf.c", 17));
}

#[test]
fn a_fault_says_what_the_address_is_near() {
    let text = stopped("beyond", 1000).to_string();
    let (place, why) = text.rsplit_once("): ").unwrap();
    assert_eq!(place, "beyond, instruction 1, r0 = *(u8 *)(r1 +100) (./crash.bpf.c:33: return data[100];");
    assert!(why.ends_with("offset 100 is outside of the 64 bytes of the packet"), "{why}");
}

#[test]
fn the_budget_ends_a_loop_to_the_instruction() {
    for budget in [1, 2, 7, 1000] {
        let stopped = stopped("forever", budget);
        assert_eq!((stopped.trap, stopped.executed), (Trap::Budget(budget), budget));
        assert_eq!(stopped.place.source.unwrap().line, 40);
    }
}
