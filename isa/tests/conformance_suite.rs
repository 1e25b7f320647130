//! The assembler against the bytes that the bpf_conformance suite assembled itself, and its malformed cases.

mod common;

use skep_isa::{Code, RawInsn, asm};

/// The text of a section of a case, without its `-- name` line.
fn section(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| line.trim() != format!("-- {name}"));
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with("-- ")).map(|line| format!("{line}\n")).collect())
}

fn hex(raw: &[RawInsn]) -> String {
    raw.iter().flat_map(|insn| insn.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_case_assembles_to_the_bytes_of_the_suite() {
    let Some(folder) = common::shared("bpf_conformance") else { return };
    let cases = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let mut count = 0;
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let text = std::fs::read_to_string(folder.join("tests").join(name)).unwrap();
        let raw = asm::conformance::assemble(&section(&text, "asm").unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(hex(&raw), case["program"].as_str().unwrap(), "{name}");
        let code = Code::decode(&raw).unwrap_or_else(|e| panic!("{name}: {e}"));
        code.check_targets().unwrap_or_else(|e| panic!("{name}: {e}"));
        count += 1;
    }
    assert_eq!(count, 313);
}

/// What each malformed text must be refused for. Those with nothing here are well formed, or have no text: what is wrong with
/// them is the result that they expect.
const MALFORMED: [(&str, &str); 15] = [
    ("error", ""),
    ("invalid_imm32_dec_range", "line 2, column 12: 2147483648 does not fit 32 bits"),
    ("invalid_imm32_hex_range", "line 2, column 12: 0x100000000 does not fit 32 bits"),
    ("invalid_label", "line 1, column 4: no label \"NOT_A_LABEL\""),
    ("invalid_lock", "line 1, column 1: lock: expected 2 operands, found 1"),
    ("invalid_lock2", "line 1, column 1: lock: expected 2 operands, found 0"),
    ("invalid_mnemonic", "line 2, column 1: unknown instruction \"ldxq\""),
    ("invalid_offset", "line 1, column 11: expected [, found \"%r1\""),
    ("invalid_offset_range", "line 2, column 16: 0x10000 does not fit 16 bits"),
    ("invalid_operand_count", "line 1, column 1: lddw: expected 2 operands, found 1"),
    ("invalid_register", "line 1, column 9: no register \"%r50\": there are r0 to r10"),
    ("invalid_unknown_directive", "line 1, column 1: no instructions"),
    ("empty", ""),
    ("empty_instructions", ""),
    ("incorrect_return_value_high_bits", ""),
];

#[test]
fn every_malformed_case_is_refused_with_its_place() {
    let Some(folder) = common::shared("bpf_conformance/negative") else { return };
    let (mut texts, mut streams) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        if let Some(raw) = section(&text, "raw") {
            let bytes: Vec<u8> = raw.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect();
            let raw: Vec<RawInsn> = bytes.chunks(8).map(|b| RawInsn::from_le_bytes(b.try_into().unwrap())).collect();
            let error = Code::decode(&raw).expect_err(&name);
            // An offset of 1 makes the move a cast between address spaces, whose immediate names them.
            let field = match name.as_str() {
                "unused-mov64_reg-offset" => "imm",
                other => other.rsplit('-').next().unwrap().trim_end_matches("set"),
            };
            let said = error.to_string();
            assert!(said.starts_with("instruction 0") && said.contains(&format!(": {field} is ")), "{name}: {said}");
            streams += 1;
            continue;
        }
        let expected = MALFORMED.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("{name} is new")).1;
        match section(&text, "asm").map(|asm| asm::conformance::assemble(&asm)) {
            Some(Err(error)) => assert!(error.to_string().starts_with(expected), "{name}: {error}"),
            Some(Ok(_)) | None => assert!(expected.is_empty(), "{name}"),
        }
        texts += 1;
    }
    assert_eq!((texts, streams), (15, 45));
}
