//! Source lines: those of DWARF are those of BTF.ext.

use std::collections::BTreeMap;

use skep_object::{Object, Options, Repairs};

use super::{read, target};

/// The same object with a section of another name, so that nobody finds it.
fn without(mut bytes: Vec<u8>, section: &str) -> Vec<u8> {
    let name = [section.as_bytes(), b"\0"].concat();
    let at: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&name)).collect();
    assert!(!at.is_empty(), "no section {section}");
    for at in at {
        bytes[at] = b'_';
    }
    bytes
}

type Places = BTreeMap<usize, (String, u32)>;

/// Places by slot, and the slots that functions begin at.
fn lines(bytes: &[u8], program: &str) -> (Places, Vec<usize>) {
    let options = Options { repairs: Repairs::ALL, ..Options::default() };
    let object = Object::parse_with(bytes, &options).unwrap();
    assert_eq!(object.debug_problem(), None);
    let program = object.program(program).unwrap().relocate(&target()).unwrap();
    let places = program.lines.iter().map(|line| (line.start, (line.file.to_string(), line.line))).collect();
    (places, program.funcs.iter().map(|func| func.start).collect())
}

#[test]
fn dwarf_says_what_types_say() {
    for file in ["sections_dwarf.bpf.o", "sections_dwarf4.bpf.o"] {
        let whole = read(file);
        let object = Object::parse(&whole).unwrap();
        let stripped = without(whole.clone(), ".BTF.ext");
        for program in object.programs() {
            let ((theirs, starts), (ours, _)) = (lines(&whole, program.name()), lines(&stripped, program.name()));
            for (slot, (file, line)) in &theirs {
                // Each names slots that the other does not.
                let (_, (our_file, our_line)) = ours.range(..=*slot).next_back().unwrap();
                // Where code has no place of its own, BTF.ext has the line of the function's name, DWARF that of its brace.
                let brace = u32::from(starts.contains(slot));
                let near = (*line..=line + brace).contains(our_line);
                assert!(our_file == file && near, "{} slot {slot}: {our_file}:{our_line}, not {file}:{line}", program.name());
            }
        }
    }
}

#[test]
fn broken_debug_information_is_told_and_does_no_harm() {
    let bytes = without(without(read("sections_dwarf.bpf.o"), ".BTF.ext"), ".debug_line");
    let object = Object::parse(&bytes).unwrap();
    assert!(object.debug_problem().is_some());
    let program = object.program("first").unwrap().relocate(&target()).unwrap();
    assert!(program.lines.is_empty());
}
