//! `skep info`, `skep disasm` and `skep asm`, as a user calls them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const FIREWALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/programs/firewall.bpf.o");

fn skep(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Standard output of a call that passes.
fn passes(args: &[&str], input: &str) -> String {
    let output = skep(args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and standard error of a call that does not pass.
fn fails(args: &[&str], input: &str) -> (i32, String) {
    let output = skep(args, input);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn json(args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&passes(args, "")).unwrap()
}

#[test]
fn info_says_what_an_object_holds() {
    let info = json(&["--format", "json", "info", FIREWALL]);
    let program = &info["programs"][0];
    assert_eq!((program["name"].as_str(), program["prog_type"].as_str()), (Some("firewall"), Some("xdp")));
    assert_eq!(program["helpers"], serde_json::json!(["bpf_map_lookup_elem"]));
    assert_eq!(program["runs"], true);
    let maps: Vec<&str> = info["maps"].as_array().unwrap().iter().map(|map| map["name"].as_str().unwrap()).collect();
    assert_eq!(maps, ["blocked_ports", "dropped", "passed", "firewall.rodata", "firewall.bss"]);
    assert_eq!(info["maps"][0]["key_type"], "__u16");
    let strict = &info["globals"][0];
    assert_eq!((&strict["name"], &strict["value"], &strict["read_only"]), (&"strict".into(), &"0".into(), &true.into()));

    let text = passes(&["info", "--relocations", FIREWALL], "");
    assert!(text.contains("variable .rodata+0"), "{text}");
    assert!(text.contains("runs here   yes"), "{text}");
}

#[test]
fn disasm_shows_the_source() {
    let text = passes(&["disasm", FIREWALL, "firewall"], "");
    assert!(text.contains("; blocked_ports\n"), "{text}");
    assert!(text.contains("; void *next = eth + 1; @ firewall.bpf.c:65\n   2: (bf) r2 = r3\n"), "{text}");
    assert!(!passes(&["disasm", "--no-source", FIREWALL], "").contains("firewall.bpf.c"));
    let listing = json(&["--format", "json", "disasm", FIREWALL]);
    assert_eq!(listing["insns"][2]["text"], "r2 = r3");
    assert_eq!(listing["insns"][2]["source"]["line"], 65);

    let (code, error) = fails(&["disasm", FIREWALL, "fire"], "");
    assert_eq!(code, 2);
    assert!(error.contains("firewall"), "{error}");
    assert_eq!(fails(&["disasm", "no-such-file.o"], "").0, 2);
    assert_eq!(fails(&["disasm", "--target", "6.x", FIREWALL], "").0, 2);
}

#[test]
fn what_disasm_writes_asm_reads() {
    let listing = json(&["--format", "json", "disasm", FIREWALL]);
    let insns = listing["insns"].as_array().unwrap();
    let lines: Vec<&str> = insns.iter().map(|insn| insn["text"].as_str().unwrap()).collect();
    let bytes: String = insns.iter().map(|insn| insn["bytes"].as_str().unwrap()).collect();
    let assembled = passes(&["asm", "-"], &lines.join("\n"));
    assert_eq!(assembled.replace('\n', ""), bytes);
}

#[test]
fn asm_says_where_a_mistake_is() {
    let hex = passes(&["asm", "-", "--dialect", "conformance"], "mov %r0, 7\nexit");
    assert_eq!(hex, "b700000007000000\n9500000000000000\n");
    let (code, error) = fails(&["asm", "-"], "r0 = 7\nexit 4\n");
    assert_eq!(code, 2);
    assert!(error.contains("line 2, column 6"), "{error}");

    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exit.bin");
    passes(&["asm", "-", "--emit", "binary", "--output", path.to_str().unwrap()], "exit");
    let from_file = format!("@{}", path.display());
    assert_eq!(passes(&["disasm", "--bytes", &from_file], ""), "   0: (95) exit\n");
    assert_eq!(fails(&["disasm", "--bytes", "95 00"], "").0, 2);
}
