//! Where code lies: sections, functions, callbacks.

use skep_isa::{Callee, Code, Insn, Wide};
use skep_linux::ProgType;
use skep_object::{FunctionProblem, Object, ObjectError, Options, Repairs};
use skep_program::Program;

use super::{open, open_repaired, path, relocate};

fn functions(program: &Program) -> Vec<(&str, bool)> {
    program.funcs.iter().map(|func| (func.name.as_str(), func.global)).collect()
}

/// The functions that the instructions of a function call or hold the address of.
fn named<'p>(program: &'p Program, function: &str) -> Vec<&'p str> {
    let index = program.funcs.iter().position(|func| func.name == function).unwrap();
    let start = program.funcs[index].start;
    let end = program.funcs.get(index + 1).map_or(program.insns.len(), |next| next.start);
    let at = |slot: i64| program.funcs.iter().find(|func| func.start as i64 == slot).unwrap().name.as_str();
    let code = Code::decode(&program.insns).unwrap();
    let inside = code.iter().filter(|(slot, _)| (start..end).contains(slot));
    inside
        .filter_map(|(slot, insn)| match insn {
            Insn::Call(Callee::Local(off)) | Insn::LoadWide { value: Wide::Func(off), .. } => {
                Some(at(slot as i64 + 1 + i64::from(off)))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn programs_are_the_global_functions_of_their_sections() {
    let object = open("sections");
    let programs: Vec<_> = object.programs().map(|p| (p.section(), p.name(), p.prog_type().unwrap(), p.autoload())).collect();
    assert_eq!(
        programs,
        [
            ("tc", "first", ProgType::SchedCls, true),
            ("tc", "second", ProgType::SchedCls, true),
            ("xdp", "callbacks", ProgType::Xdp, true),
            ("xdp", "last", ProgType::Xdp, true),
            ("socket", "on_request", ProgType::SocketFilter, false),
        ]
    );
    assert_eq!(object.license(), "Dual MIT/GPL");
    assert_eq!(object.kern_version(), None);
}

#[test]
fn functions_follow_their_callers() {
    let object = open("sections");
    let first = relocate(object.program("first").unwrap());
    assert_eq!(functions(&first), [("first", true), ("quadruple", true), ("twice", false)]);
    assert_eq!(named(&first, "first"), ["quadruple"]);
    assert_eq!(named(&first, "quadruple"), ["twice", "twice"]);
    let second = relocate(object.program("second").unwrap());
    // A hidden global function is verified with its callers, as if it were static.
    assert_eq!(functions(&second), [("second", true), ("twice", false), ("hidden_add", false), ("overridable", true)]);
    assert_eq!(named(&second, "second"), ["twice", "hidden_add", "overridable"]);
    let last = relocate(object.program("last").unwrap());
    assert_eq!(functions(&last), [("last", true), ("twice", false)]);
}

#[test]
fn callbacks_are_addresses_of_functions() {
    let object = open("sections");
    let program = relocate(object.program("callbacks").unwrap());
    assert_eq!(functions(&program)[0], ("callbacks", true));
    let mut names = named(&program, "callbacks");
    names.sort_unstable();
    assert_eq!(names, ["add_index", "add_index", "count_twice"]);
    assert_eq!(named(&program, "count_twice"), ["twice"]);
    assert_eq!(program.funcs.len(), 4);
}

#[test]
fn a_static_function_beside_programs_is_taken_only_if_that_is_asked_for() {
    let refused = open_repaired("beside", Repairs::NONE).unwrap_err();
    assert!(matches!(
        &refused,
        ObjectError::Function { function, problem: FunctionProblem::Static, .. } if function == "beside"
    ));
    let object = open_repaired("beside", Repairs { static_programs: true, ..Repairs::NONE }).unwrap();
    assert_eq!(object.programs().map(|p| p.name()).collect::<Vec<_>>(), ["program"]);
    let program = relocate(object.program("program").unwrap());
    assert_eq!(functions(&program), [("program", true), ("beside", false)]);
    assert_eq!(named(&program, "program"), ["beside", "beside"]);
}

#[test]
fn gcc_names_functions_and_lines_too() {
    let object = Object::open(path("gcc.o"), &Options::default()).unwrap();
    assert_eq!(object.debug_problem(), None);
    let program = relocate(object.program("count").unwrap());
    assert_eq!(program.funcs.iter().map(|func| func.name.as_str()).collect::<Vec<_>>(), ["count", "twice"]);
    assert_eq!(named(&program, "count"), ["twice"]);
    assert_eq!(program.maps.iter().map(|map| map.name.as_str()).collect::<Vec<_>>(), ["gcc.data", "counts", "gcc.bss"]);
    let line = |slot: usize| {
        let line = program.lines.iter().rev().find(|line| line.start <= slot).unwrap();
        (line.file.to_string(), line.line)
    };
    let source = std::fs::read_to_string(path("gcc.c")).unwrap();
    let at = |text: &str| 1 + source.lines().position(|line| line.contains(text)).unwrap() as u32;
    // The call of the helper, the call of the function, and the addition in the function.
    assert_eq!(line(14), ("./gcc.c".to_owned(), at("value = lookup")));
    assert_eq!(line(6).1, at("return twice"));
    assert_eq!(line(program.funcs[1].start + 4).1, at("return 2 * x"));
}
