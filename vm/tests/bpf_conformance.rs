//! The cases of the bpf_conformance suite, as that suite assembled them, through the raw entry.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use skep::{Closure, raw};
use skep_isa::RawInsn;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    Some(root.join(path)).filter(|path| path.exists())
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The helpers that the suite asks a runtime for.
fn helpers() -> BTreeMap<i32, Closure> {
    let pure = |body: fn([u64; 5]) -> u64| -> Closure { Arc::new(move |_, args| Ok(body(args))) };
    let memory: Closure = Arc::new(|machine, args| {
        let parts = machine.parts();
        for i in 0..args[1] {
            let byte = parts.memory.load(args[0] + i, 1)?;
            parts.memory.store(args[0] + i, 1, byte ^ 42)?;
        }
        Ok(0)
    });
    let fold: fn([u64; 5]) -> u64 =
        |a| (a[0] & 0xff) << 32 | (a[1] & 0xff) << 24 | (a[2] & 0xff) << 16 | (a[3] & 0xff) << 8 | a[4] & 0xff;
    BTreeMap::from([
        (0, pure(fold)),
        (1, pure(|a| a[0])),
        (2, memory),
        (3, pure(|a| (a[0] as f64).sqrt() as u64)),
        (4, pure(|_| 0)),
        (5, pure(|a| a[0])),
    ])
}

#[test]
fn every_case_gives_its_result() {
    let Some(path) = shared("bpf_conformance/cases.jsonl") else {
        println!("skipped: needs ../shared/bpf_conformance");
        return;
    };
    let (mut run, mut wrong) = (0, Vec::new());
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let bytes = hex(case["program"].as_str().unwrap());
        let insns: Vec<RawInsn> = bytes.chunks(8).map(|b| RawInsn::from_le_bytes(b.try_into().unwrap())).collect();
        let memory = hex(case["memory"].as_str().unwrap_or(""));
        let result = raw::Machine::new(&insns, &helpers()).and_then(|mut machine| machine.run(&memory, 1_000_000));
        run += 1;
        let expected = case["result"].as_str().map(|s| u64::from_str_radix(s.trim_start_matches("0x"), 16).unwrap());
        let expected = expected.or(case["result"].as_u64());
        if result.as_ref().ok().map(|outcome| outcome.value) != expected {
            wrong.push(format!("{}: expected {expected:x?}, got {result:x?}", case["name"]));
        }
    }
    assert!(run >= 300, "only {run} cases");
    assert!(wrong.is_empty(), "{} of {run}:\n{}", wrong.len(), wrong.join("\n"));
}
