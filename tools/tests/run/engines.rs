//! `skep diff` and `skep plugin`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::{Scratch, own, shared, told};

fn plugin(args: &[&str], program: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
    let command = command.arg("plugin").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A plug-in that refuses its arguments does not read the program.
    let _ = child.stdin.take().unwrap().write_all(program.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_plugin_runs_bytes() {
    const LOAD: &str = "71 10 00 00 00 00 00 00  95 00 00 00 00 00 00 00"; // r0 = *(u8 *)(r1 + 0); exit
    assert_eq!(plugin(&["2a"], LOAD), (0, "2a\n".into(), String::new()));
    assert_eq!(plugin(&["2b", "--debug"], LOAD).1, "2b\n");
    let (code, out, err) = plugin(&[], LOAD);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(!err.is_empty());
    assert_eq!(plugin(&["zz"], LOAD).0, 2);
    assert_eq!(plugin(&["--nonsense"], LOAD).0, 2);
}

#[test]
fn the_plugin_runs_every_case_of_the_suite() {
    let Some(cases) = shared("bpf_conformance/cases.jsonl") else { return };
    let cases = std::fs::read_to_string(cases).unwrap();
    let mut wrong = Vec::new();
    for case in cases.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
        let text = |field: &str| case[field].as_str().unwrap_or_default().to_owned();
        let memory = text("memory");
        let args: Vec<&str> = if memory.is_empty() { Vec::new() } else { vec![&memory] };
        let (code, out, err) = plugin(&args, &text("program"));
        let answer = u64::from_str_radix(out.trim(), 16).ok();
        if code != 0 || answer.is_none() || answer != case["result"].as_u64() {
            wrong.push(format!("{}: {code} {out} {err}", text("name")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(cases.lines().count(), 313);
}

/// Whether this machine lets us ask its kernel: a program that needs nothing is compared.
fn kernel() -> bool {
    let (code, out, err) = told(&["diff", &own("firewall"), "--inputs", "1"]);
    if code == 3 {
        println!("skipped: needs root ({}{})", out.trim(), err.trim());
    }
    code != 3
}

#[test]
fn a_program_agrees_with_the_kernel() {
    if !kernel() {
        return;
    }
    let (code, out, _) = told(&["diff", &own("firewall"), "firewall", "--inputs", "25", "--seed", "7"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("firewall (BPF_PROG_TYPE_XDP): agree on 25 inputs") && out.ends_with("1 programs: 1 agree\n"), "{out}");

    let packet = "02".repeat(60);
    let cases = Scratch::new("cases.jsonl", format!("{{\"packet\":\"{packet}\"}}\n\n{{\"packet\":\"{packet}\"}}\n").as_bytes());
    let (code, out, _) = told(&["--format", "json", "diff", &own("firewall"), "--cases", cases.path()]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["programs"][0]["verdict"], &report["programs"][0]["inputs"]), (0, &"agree".into(), &2.into()));
    let (code, out, _) = told(&["diff", &own("firewall"), "--packet", &packet]);
    assert!(code == 0 && out.contains("agree on 1 inputs"), "{out}");
}

#[test]
fn what_cannot_be_compared_is_not_decided() {
    let (code, out, err) = told(&["diff", &own("exec")]);
    assert_eq!(code, 3, "{out}{err}");
    assert_eq!(told(&["diff", &own("firewall"), "nobody"]).0, 2);
    assert_eq!(told(&["diff", &own("firewall"), "--cases", "/nowhere"]).0, 2);
    let wrong = Scratch::new("wrong.jsonl", b"{\"packet\":\"00\"}\n{\"packet\":5}\n");
    let (code, _, err) = told(&["diff", &own("firewall"), "--cases", wrong.path()]);
    assert!(code == 2 && err.contains("line 2"), "{err}");
}
