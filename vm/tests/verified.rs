//! Programs that the verifier accepted run without tests, and do the same.

use std::sync::Arc;

use skep::verifier::Options;
use skep::{Arch, BuildError, Builder, Input, Instance, MapDef, MapType, Object, ProgType, Program, Release, Target, asm};

fn target() -> Target {
    Target::new(Release::new(6, 18), Arch::X86_64)
}

fn object(name: &str) -> Object {
    Object::open(format!("../conformance/programs/{name}.bpf.o"), &skep::Options::default()).unwrap()
}

fn firewall(builder: impl Fn(Builder) -> Builder) -> Instance {
    builder(Instance::builder(target()).object(&object("firewall")).unwrap()).build().unwrap()
}

fn refusal(builder: Builder) -> String {
    match builder.verify(Options::default()).build() {
        Err(error) => error.to_string(),
        Ok(_) => panic!("built"),
    }
}

#[test]
fn a_verified_program_does_what_it_does_when_it_is_tested() {
    let mut checked = firewall(|builder| builder);
    let mut trusted = firewall(|builder| builder.verify(Options::default()));
    let mut compiled = firewall(|builder| builder.verify(Options::default()));
    if Instance::can_compile() {
        compiled.compile().unwrap();
    }
    for instance in [&checked, &trusted, &compiled] {
        instance.map("blocked_ports").unwrap().set_value(23, 1).unwrap();
    }
    for length in 14..80 {
        for port in [22, 23] {
            let mut frame = vec![0; length];
            for (at, byte) in [(12, 0x08), (14, 0x45), (23, 6), (37, port)] {
                if let Some(place) = frame.get_mut(at) {
                    *place = byte;
                }
            }
            let run = |instance: &mut Instance| instance.program("firewall").unwrap().run(&Input::packet(&frame));
            let outcome = run(&mut checked).unwrap();
            assert_eq!(format!("{outcome:?}"), format!("{:?}", run(&mut trusted).unwrap()), "{length} {port}");
            let native = run(&mut compiled).unwrap();
            assert_eq!((outcome.value, outcome.packet), (native.value, native.packet), "{length} {port}");
        }
    }
    let counted = |instance: &Instance| instance.map("dropped").unwrap().value(6).unwrap().map(|value| value.to_string());
    assert_eq!(counted(&checked), counted(&trusted));
    assert_eq!(counted(&checked), counted(&compiled));
    assert!(counted(&trusted).unwrap().starts_with("{.packets = "));
}

#[test]
fn what_the_verifier_refuses_does_not_build() {
    let error = refusal(Instance::builder(target()).object(&object("crash")).unwrap());
    assert_eq!(error, "program `unchecked` is refused, instruction 10: R0 invalid mem access 'map_value_or_null'");
}

fn counter(value_size: u32, initial: Option<Vec<u8>>) -> Arc<MapDef> {
    let frozen = initial.is_some();
    Arc::new(MapDef { key_size: 4, value_size, max_entries: 1, initial, frozen, ..MapDef::new("m", MapType::Array) })
}

/// Reads the last byte of the value of a map of this definition.
fn reader(def: &Arc<MapDef>) -> Program {
    let text = format!("r1 = map[idx:0]+{}\nr0 = *(u8 *)(r1 +0)\nexit", def.value_size - 1);
    let insns = asm::kernel::assemble(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    Program { maps: vec![def.clone()], ..Program::bare("reader", ProgType::SocketFilter, insns) }
}

#[test]
fn a_map_of_another_shape_is_not_put_in() {
    let (short, long) = (counter(8, None), counter(64, None));
    let other = Instance::builder(target()).map(short).build().unwrap().map("m").unwrap().inner().clone();
    let builder = || Instance::builder(target()).program(reader(&long));
    assert!(builder().verify(Options::default()).build().is_ok());
    assert!(builder().share_map("m", other.clone()).build().is_ok(), "tested, it may");
    let error = refusal(builder().share_map("m", other));
    assert_eq!(error, "program `reader` was not verified with this: map `m` has another shape");
    // Two programs may name a map of one name, with definitions of their own.
    let error = refusal(Instance::builder(target()).program(reader(&counter(8, None))).program(reader(&long)));
    assert_eq!(error, "program `reader` was not verified with this: map `m` has another shape");
}

#[test]
fn constants_are_those_that_were_verified() {
    let (one, two) = (counter(8, Some(vec![1; 8])), counter(8, Some(vec![1, 1, 1, 1, 1, 1, 1, 2])));
    let live =
        |def: &Arc<MapDef>| Instance::builder(target()).map(def.clone()).build().unwrap().map("m").unwrap().inner().clone();
    let builder = || Instance::builder(target()).program(reader(&one));
    assert!(builder().share_map("m", live(&one)).verify(Options::default()).build().is_ok());
    let error = refusal(builder().share_map("m", live(&two)));
    assert_eq!(error, "program `reader` was not verified with this: map `m` holds other constants");
}

#[test]
fn a_helper_of_the_application_is_not_trusted() {
    let insns = asm::kernel::assemble("call 5\nr0 = 0\nexit").unwrap();
    let program = Program::bare("timer", ProgType::SocketFilter, insns);
    let builder = || Instance::builder(target()).program(program.clone());
    assert!(builder().verify(Options::default()).build().is_ok());
    let error = refusal(builder().helper(5, Arc::new(|_, _| Ok(0))));
    assert_eq!(error, "program `timer` was not verified with this: it calls a helper that the application supplies");
}

#[test]
fn what_is_undecided_does_not_build() {
    let insns = asm::kernel::assemble("r0 = 0\nexit").unwrap();
    let options = Options { work_limit: 1, ..Options::default() };
    let built = Instance::builder(target()).program(Program::bare("p", ProgType::SocketFilter, insns)).verify(options).build();
    assert!(matches!(built, Err(BuildError::Undecided { .. })));
}

/// Linux takes the program, and what its verifier claims of it is not true.
#[test]
fn a_claim_that_is_not_true_is_not_trusted() {
    let object = Object::open("../conformance/verdicts/bugs/holes.bpf.o", &skep::Options::default()).unwrap();
    let builder =
        || Instance::builder(Target::of(Release::new(6, 18), Arch::X86_64)).object_programs(&object, &["high_half"]).unwrap();
    assert!(builder().build().is_ok(), "tested, it may");
    let error = refusal(builder());
    let what = "the upper half of what bpf_res_spin_lock() returns is 0, and Linux takes it for a negative number";
    assert_eq!(error, format!("program `high_half` was not verified with this: {what}"));
}
