//! The kernel's verifier selftests that it also runs: from the object, in skep, they must return what Linux 6.18 returned.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;
use skep::{Arch, Input, Instance, Mode, Object, Options, ProgType, Release, Target};

/// Programs that Linux ran.
const RUN: usize = 551;
/// Programs that agree at least.
const AGREE: usize = 545;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    Some(root.join(path)).filter(|path| path.exists())
}

/// What to run a program of this type on, as the kernel's own test loader does.
fn input(prog_type: ProgType) -> Input {
    match prog_type {
        ProgType::Syscall => Input::none(),
        _ => Input::packet(&[0; 64]),
    }
}

/// The value a program returned, or why there is none.
fn run(object: &Object, target: &Arc<Target>, name: &str, mode: Mode) -> Result<u32, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let builder = Instance::builder(target.clone()).object_programs(object, &[name]).map_err(|e| text(&e))?;
    let mut instance = builder.mode(mode).build().map_err(|e| text(&e))?;
    let mut program = instance.program(name).map_err(|e| text(&e))?;
    let prog_type = program.program().prog_type;
    program.run(&input(prog_type)).map(|outcome| outcome.retval()).map_err(|e| text(&e))
}

/// Why what a program returned is not what the kernel returned; `None` if it is.
fn miss(case: &Json, result: Result<u32, String>) -> Option<String> {
    let expected = case["retval"].as_i64().unwrap() as u32;
    match result {
        Ok(value) if value == expected => None,
        Ok(_) if case["retval_expected"] == "POINTER_VALUE" => {
            Some("returns an address, which is another one in every run".into())
        }
        Ok(value) => Some(format!("returns {value:#x}, and in the kernel {expected:#x}")),
        Err(why) => Some(why),
    }
}

#[test]
fn recorded_return_values() {
    recorded(Mode::Checked);
}

/// Verified, and without the tests that this makes needless.
#[test]
fn recorded_return_values_of_verified_programs() {
    recorded(Mode::Trusted);
}

#[test]
fn recorded_return_values_of_compiled_programs() {
    if Instance::can_compile() {
        recorded(Mode::Jit);
    }
}

fn recorded(mode: Mode) {
    let (Some(truth), Some(objects)) = (shared("corpus/truth/selftests-6.12.jsonl"), shared("corpus/objects/selftests-6.12"))
    else {
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let Some(btf) = shared("corpus/btf/vmlinux-6.18.44.btf") else {
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(skep::btf(btf.to_str().unwrap()).unwrap());
    let target = Arc::new(target);
    let mut read = BTreeMap::new();
    let (mut total, mut misses) = (0, Vec::new());
    for line in std::fs::read_to_string(truth).unwrap().lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        if case["retval"].is_null() {
            continue;
        }
        let (file, name) = (case["object"].as_str().unwrap(), case["prog"].as_str().unwrap());
        let object =
            read.entry(file.to_owned()).or_insert_with(|| Object::open(objects.join(file), &Options::default()).unwrap());
        total += 1;
        if let Some(why) = miss(&case, run(object, &target, name, mode)) {
            misses.push(format!("{file} {name}: {why}"));
        }
    }
    let agree = total - misses.len();
    println!("{agree} of {total} agree");
    misses.iter().for_each(|miss| println!("{miss}"));
    assert_eq!(total, RUN);
    assert!(agree >= AGREE, "only {agree} agree:\n{}", misses.join("\n"));
}
