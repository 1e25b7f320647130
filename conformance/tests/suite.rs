//! The bpf_conformance suite: every case gives its result, and every malformed one is refused.

mod common;

use std::path::Path;

use skep::Release;
use skep_conformance::suite::{self, Answer, Assembled, Case, CaseProblem, Engine, HostKernel, Interpreter, Report, Verdict};

/// The cases of the folder, put to an engine.
fn folder(path: &Path, engine: &mut dyn Engine) -> Report {
    suite::run_folder(path, engine).unwrap()
}

fn assembled(folder: &Path) -> Vec<Assembled> {
    suite::read_assembled(&folder.join("cases.jsonl"))
        .unwrap()
        .map(|case| case.unwrap_or_else(|error| panic!("{error}")))
        .collect()
}

#[test]
fn every_case_gives_its_result() {
    let Some(root) = common::shared("bpf_conformance") else { return };
    for strict in [false, true] {
        let report = folder(&root.join("tests"), &mut Interpreter::new(strict));
        println!("{report}");
        assert_eq!((report.passed(), report.rows.len()), (313, 313), "{report}");
    }
}

#[test]
fn the_assembler_gives_the_bytes_of_the_suite() {
    let Some(root) = common::shared("bpf_conformance") else { return };
    let mut equal = 0;
    for theirs in assembled(&root) {
        let ours = Case::read(&root.join("tests").join(&theirs.name)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ours.program, theirs.program, "{}", theirs.name);
        assert_eq!(ours.memory, theirs.memory, "{}", theirs.name);
        assert_eq!(ours.expected, theirs.expected, "{}", theirs.name);
        // A file that gives the slots too must give the same.
        assert!(ours.assembled.is_none_or(|assembled| assembled == theirs.program), "{}", theirs.name);
        equal += 1;
    }
    println!("{equal} of 313 assemble to the bytes of the suite");
    assert_eq!(equal, 313);
}

/// What the well-formed files of the folder `negative` are refused for. A file whose `-- error` says nothing is one whose
/// instruction has bits in a field that it does not use.
fn reason(name: &str, verdict: &Verdict, answer: Option<&Answer>) -> Result<String, String> {
    match (verdict, answer) {
        (Verdict::Malformed(error), _) => Ok(error.problem.to_string()),
        (_, Some(Answer::Refused(why) | Answer::Stopped(why))) => Ok(why.to_string()),
        (Verdict::Failed(failure @ suite::Failure::Value { .. }), _) => Ok(failure.to_string()),
        (verdict, answer) => Err(format!("{name}: not refused: {verdict:?} {answer:?}")),
    }
}

/// What the files that are not about unused fields are refused for.
const REASONS: [(&str, &str); 15] = [
    ("empty", "no instructions"),
    ("empty_instructions", "no instructions"),
    ("error", "r0 is read and was never set"),
    ("incorrect_return_value_high_bits", "expected 0x8977665544332211 in r0, got 0x8877665544332211"),
    ("invalid_imm32_dec_range", "column 12: 2147483648 does not fit 32 bits"),
    ("invalid_imm32_hex_range", "column 12: 0x100000000 does not fit 32 bits"),
    ("invalid_label", "column 4: no label \"NOT_A_LABEL\""),
    ("invalid_lock", "column 1: lock: expected 2 operands, found 1"),
    ("invalid_lock2", "column 1: lock: expected 2 operands, found 0"),
    ("invalid_mnemonic", "column 1: unknown instruction \"ldxq\""),
    ("invalid_offset", "column 11: expected [, found \"%r1\""),
    ("invalid_offset_range", "column 16: 0x10000 does not fit 16 bits"),
    ("invalid_operand_count", "column 1: lddw: expected 2 operands, found 1"),
    ("invalid_register", "column 9: no register \"%r50\": there are r0 to r10"),
    ("invalid_unknown_directive", "unknown section \"Unknown directive\""),
];

#[test]
fn every_malformed_case_is_refused() {
    let Some(root) = common::shared("bpf_conformance/negative") else { return };
    let report = folder(&root, &mut Interpreter::new(true));
    let mut refused = 0;
    for row in &report.rows {
        let said = reason(&row.name, &row.verdict, row.answer.as_ref()).unwrap_or_else(|error| panic!("{error}"));
        let expected = match REASONS.iter().find(|(name, _)| *name == row.name) {
            Some((_, reason)) => (*reason).to_owned(),
            // An offset of 1 makes the move a cast between address spaces, whose immediate names them.
            None if row.name == "unused-mov64_reg-offset" => ": imm is ".to_owned(),
            None => format!(": {} is ", row.name.rsplit('-').next().unwrap_or_default().trim_end_matches("set")),
        };
        assert!(said.contains(&expected), "{}: expected {expected:?}, got {said:?}", row.name);
        assert!(!said.contains("instruction 1"), "{}: the second instruction is in order: {said}", row.name);
        refused += 1;
    }
    println!("{refused} of {} refused", report.rows.len());
    assert_eq!((refused, report.rows.len()), (60, 60));
}

/// The cases that the kernel of this host takes give their results there too. Two things are in the suite and not in a kernel: shifts
/// by an immediate of the width or more, and calls of a helper through a register.
#[test]
fn the_kernel_agrees_where_it_can_be_asked() {
    let Some(root) = common::shared("bpf_conformance") else { return };
    let mut kernel = match HostKernel::new() {
        Ok(kernel) => kernel,
        Err(why) => return println!("skipped: {why}"),
    };
    // The newest instructions of the suite came with it.
    if skep::host().is_ok_and(|host| host.release < Release::new(6, 6)) {
        return println!("skipped: needs Linux 6.6 or later");
    }
    let report = folder(&root.join("tests"), &mut kernel);
    let mut refused = 0;
    for row in &report.rows {
        match (&row.verdict, &row.answer) {
            (Verdict::Passed, _) => {}
            (_, Some(Answer::Refused(why))) => {
                let why = why.to_string();
                let known = ["invalid shift", "unknown opcode 8d"].iter().any(|reason| why.contains(reason));
                assert!(known, "{}: {why}", row.name);
                refused += 1;
            }
            (verdict, _) => panic!("{}: {verdict:?}", row.name),
        }
    }
    println!("{}: {} of {}, {refused} are none for a kernel", report.engine, report.passed(), report.rows.len());
    assert_eq!((report.passed(), refused), (300, 13));
}

/// A file of the suite with one thing wrong: the error names the line.
#[test]
fn errors_name_the_line() {
    let say = |text: &str| match Case::parse("x", text) {
        Ok(case) => panic!("{case:?}"),
        Err((line, problem)) => format!("{line}: {problem}"),
    };
    assert_eq!(say("# c\n-- asm\nexit\n-- asm\n-- result\n1"), "4: a second section asm");
    assert_eq!(
        say("-- asm\n# c\nmov %r0, 1\n\nmov %r11, 2\n-- result\n1"),
        "5: column 5: no register \"%r11\": there are r0 to r10"
    );
    assert_eq!(say("-- asm\nexit\n"), "2: neither a result nor an error is expected");
    assert_eq!(say("exit\n"), "1: \"exit\" is in no section");
    assert_eq!(say("-- asm\nexit\n-- mem\n00 1\n-- result\n1"), "4: column 4: a byte has two digits");
    assert_eq!(say("-- asm\nexit\n-- mem\n00\n0g\n-- result\n1"), "5: column 2: 'g' is no hexadecimal digit");
    assert_eq!(say("-- asm\nexit\n-- result\n0x1ffffffffffffffff"), "4: \"0x1ffffffffffffffff\" is no number of 64 bits");
    assert_eq!(say("-- raw\n95 00 00\n-- result\n1"), "2: 3 bytes are no whole number of slots of 8");
    assert_eq!(say("-- raw\n0x95 x\n-- result\n1"), "2: \"x\" is neither a slot (0x and 16 digits) nor bytes in hexadecimal");
    assert_eq!(say("-- raw\n-- result\n1"), "1: no instructions");
    assert!(matches!(Case::parse("x", "-- asm\n-- result\n1"), Err((_, CaseProblem::Asm(_)))));
}
