//! The plug-in protocol, driven as the suite's own runner does it.

mod common;

use skep_conformance::plugin;
use skep_conformance::suite::{self, Case, Expectation};

/// The runner writes two digits and two spaces for every byte.
fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}  ")).collect()
}

/// Exit code, standard output and standard error.
fn run(args: &[&str], stdin: &str) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = plugin::run(args.iter().map(|arg| (*arg).to_string()), stdin.as_bytes(), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn every_case_through_the_protocol() {
    let Some(root) = common::shared("bpf_conformance") else { return };
    let cases = suite::read_assembled(&root.join("cases.jsonl")).unwrap();
    let (mut passed, mut all) = (0, 0);
    for case in cases.map(Result::unwrap) {
        let bytes: Vec<u8> = case.program.iter().flat_map(|insn| insn.to_le_bytes()).collect();
        let memory = spaced(&case.memory);
        // The argument is left out where there is no memory.
        let args: Vec<&str> = if memory.is_empty() { Vec::new() } else { vec![&memory] };
        let (code, out, err) = run(&args, &format!("{}\n", spaced(&bytes)));
        let value = u64::from_str_radix(out.trim_end(), 16);
        let Expectation::Value(expected) = case.expected else { panic!("{}: {:?}", case.name, case.expected) };
        assert_eq!((code, value, err.as_str()), (0, Ok(expected), ""), "{}", case.name);
        passed += 1;
        all += 1;
    }
    println!("{passed} of {all} through the plug-in");
    assert_eq!(passed, 313);
}

#[test]
fn unused_fields_are_refused_through_the_protocol() {
    let Some(root) = common::shared("bpf_conformance/negative") else { return };
    let mut refused = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_stem().unwrap().to_string_lossy().starts_with("unused-") {
            continue;
        }
        let case = Case::read(&path).unwrap();
        let bytes: Vec<u8> = case.program.iter().flat_map(|insn| insn.to_le_bytes()).collect();
        let (code, out, err) = run(&[], &spaced(&bytes));
        assert_eq!((code, out.as_str()), (1, ""), "{}", case.name);
        assert!(err.starts_with("instruction 0"), "{}: {err}", case.name);
        refused += 1;
    }
    assert_eq!(refused, 45);
}

#[test]
fn arguments_and_bad_input() {
    let exit = "95 00 00 00 00 00 00 00";
    let load = "7110000000000000 9500000000000000"; // r0 = *(u8 *)(r1 + 0)
    let set = "b700000007000000";
    assert_eq!(run(&["--program", &format!("{set}{exit}")], "").1, "7\n");
    assert_eq!(run(&["--program", load, "2a"], "").1, "2a\n");
    assert_eq!(run(&["2a", "--debug"], load), (0, "2a\n".into(), "strict interpreter: 2 slots, 1 bytes of memory\n".into()));
    assert_eq!(run(&["--help"], ""), (0, format!("{}\n", plugin::USAGE), String::new()));
    let fails = |args: &[&str], stdin: &str, code: u8, start: &str| {
        let (got, out, err) = run(args, stdin);
        assert_eq!((got, out.as_str()), (code, ""), "{err}");
        assert!(err.starts_with(start), "{err}");
    };
    fails(&["2a", "2b"], exit, 2, "unexpected argument \"2b\"\nusage: ");
    fails(&["--jit"], exit, 2, "unexpected argument \"--jit\"");
    fails(&["--program"], exit, 2, "--program needs a value");
    fails(&[], "", 2, "the program is empty");
    fails(&[], "95 0", 2, "the program: column 4: a byte has two digits");
    fails(&[], "95 00", 2, "the program: 2 bytes are no whole number of slots of 8");
    fails(&["zz"], exit, 2, "the memory: column 1: 'z' is no hexadecimal digit");
    fails(&[], exit, 1, "main, instruction 0, exit: r0 is read and was never set");
    fails(&["--elf"], exit, 2, "the object: ");
}

/// An object as the suite's runner writes it: a section of code, a symbol `main` in it if there is one, and nothing else.
fn elf(code: &[u8], main: Option<u64>) -> String {
    use object::write::{Object, Symbol, SymbolSection};
    use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let text = elf.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    elf.append_section_data(text, code, 8);
    if let Some(value) = main {
        elf.add_symbol(Symbol {
            name: b"main".to_vec(),
            value,
            size: 8,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    }
    spaced(&elf.write().unwrap())
}

#[test]
fn objects_hold_a_function_main() {
    let code = [0xb7, 0, 0, 0, 9, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(run(&["--elf"], &elf(&code, Some(0))), (0, "9\n".into(), String::new()));
    assert_eq!(run(&["--elf"], &elf(&code, None)).2, "the object has no function main in a section of code\n");
    assert_eq!(run(&["--elf"], &elf(&code, Some(16))).2, "the program is empty\n");
    assert_eq!(run(&["--elf"], &elf(&code, Some(64))).2, "the object has no function main in a section of code\n");
}
