//! What can be changed of an object before load: global variables, sizes of maps.

use skep_linux::{Arch, Release, Target};
use skep_object::{GlobalProblem, MapSize, Object, ObjectError};

const FIREWALL: &[u8] = include_bytes!("../../conformance/programs/firewall.bpf.o");

#[test]
fn globals_are_set_before_load() {
    let mut object = Object::parse(FIREWALL).unwrap();
    let found = object.globals().find(|var| var.name == "strict").unwrap();
    assert_eq!((found.section, found.size, found.read_only), (".rodata", 1, true));
    let offset = found.offset as usize;
    assert_eq!(object.global("strict").unwrap().to_string(), "0");
    object.set_global("strict", 1).unwrap();
    object.set_global("malformed", 7).unwrap();
    assert_eq!(object.global("strict").unwrap().to_string(), "1");

    // Programs made of it afterwards have maps with these bytes.
    let program = object.program("firewall").unwrap().relocate(&Target::new(Release::new(6, 18), Arch::X86_64)).unwrap();
    let bytes = |section: &str| program.maps.iter().find(|def| def.is_called(section)).unwrap().initial.clone().unwrap();
    assert_eq!(bytes(".rodata")[offset], 1);
    assert_eq!(bytes(".bss")[..8], 7u64.to_le_bytes());
}

#[test]
fn wrong_requests_say_what_is_wrong() {
    let mut object = Object::parse(FIREWALL).unwrap();
    let problem = |error: ObjectError| match error {
        ObjectError::Global { problem, .. } => problem,
        other => panic!("{other}"),
    };
    match problem(object.set_global("strickt", 1).unwrap_err()) {
        GlobalProblem::None(known) => assert!(known.contains(&"strict".to_owned()), "{known:?}"),
        other => panic!("{other}"),
    }
    assert!(matches!(problem(object.set_global("strict", 256).unwrap_err()), GlobalProblem::Set(_)));
    assert!(matches!(problem(object.set_global("strict.x", 1).unwrap_err()), GlobalProblem::Set(_)));
    assert!(matches!(problem(object.global("malformed[1]").unwrap_err()), GlobalProblem::Read(_)));
    assert_eq!(object.global("strict").unwrap().to_string(), "0");
}

#[test]
fn maps_are_resized_before_load() {
    let mut object = Object::parse(FIREWALL).unwrap();
    object.resize_map("blocked_ports", MapSize { max_entries: Some(7), ..MapSize::default() }).unwrap();
    object.resize_map("dropped", MapSize { value_size: Some(32), ..MapSize::default() }).unwrap();
    let program = object.program("firewall").unwrap().relocate(&Target::new(Release::new(6, 18), Arch::X86_64)).unwrap();
    let def = |name: &str| program.maps.iter().find(|def| def.is_called(name)).unwrap();
    assert_eq!((def("blocked_ports").max_entries, def("blocked_ports").value_size), (7, 1));
    assert_ne!(def("blocked_ports").key_type_id, 0);
    assert_eq!((def("dropped").value_size, def("dropped").key_type_id, def("dropped").value_type_id), (32, 0, 0));
    for wrong in ["blocked", ".rodata", ".bss"] {
        let error = object.resize_map(wrong, MapSize::default()).unwrap_err();
        assert!(matches!(&error, ObjectError::NoMap { known, .. } if known.len() == 3), "{error}");
    }
}
