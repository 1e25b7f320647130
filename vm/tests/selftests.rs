//! The kernel's verifier selftests that it also runs: from the object, in skep, they must return what Linux 6.18 returned.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;
use skep::{Arch, Input, Instance, Object, Options, ProgType, Release, Target};

/// Programs that agree at least: those that are missing need helpers and map types that have no model.
const AGREE: usize = 452;

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
fn run(object: &Object, target: &Arc<Target>, name: &str) -> Result<Result<u32, String>, String> {
    let missing = |error: &dyn std::fmt::Display| error.to_string();
    let builder = Instance::builder(target.clone()).object_programs(object, &[name]).map_err(|e| missing(&e))?;
    let mut instance = builder.build().map_err(|e| missing(&e))?;
    let mut program = instance.program(name).map_err(|e| missing(&e))?;
    let prog_type = program.program().prog_type;
    Ok(program.run(&input(prog_type)).map(|outcome| outcome.retval()).map_err(|error| error.to_string()))
}

#[test]
fn recorded_return_values() {
    let (Some(truth), Some(objects)) = (shared("corpus/truth/selftests-6.12.jsonl"), shared("corpus/objects/selftests-6.12"))
    else {
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let Some(btf) = shared("corpus/btf/vmlinux-6.18.44.btf") else {
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let mut target = Target::new(Release::new(6, 18), Arch::X86_64);
    target.btf = Some(skep::btf(btf.to_str().unwrap()).unwrap());
    let target = Arc::new(target);
    let mut read = BTreeMap::new();
    let (mut agree, mut total, mut missing, mut wrong) = (0, 0, Vec::new(), Vec::new());
    for line in std::fs::read_to_string(truth).unwrap().lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        // A returned pointer is another one in every run.
        let (Some(retval), false) = (case["retval"].as_i64(), case["retval_expected"] == "POINTER_VALUE") else { continue };
        let (file, name) = (case["object"].as_str().unwrap(), case["prog"].as_str().unwrap());
        let object =
            read.entry(file.to_owned()).or_insert_with(|| Object::open(objects.join(file), &Options::default()).unwrap());
        total += 1;
        match run(object, &target, name) {
            Ok(Ok(value)) if value == retval as u32 => agree += 1,
            Ok(Ok(value)) => wrong.push(format!("{file} {name}: {value} and not {retval}")),
            Ok(Err(trap)) => wrong.push(format!("{file} {name}: {trap}")),
            Err(error) => missing.push(format!("{file} {name}: {error}")),
        }
    }
    println!("{agree} of {total} agree");
    for line in missing.iter().chain(&wrong) {
        println!("{line}");
    }
    assert!(wrong.is_empty(), "{} programs return something else", wrong.len());
    assert!(agree >= AGREE, "only {agree} agree");
}
