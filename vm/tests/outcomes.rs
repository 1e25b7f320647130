//! Every program of the shared corpus, held against the record of the real loader and kernel: what they took becomes an instance, and what
//! they refused before the verifier is refused for the same reason, or taken where skep takes more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use skep::{
    Arch, BuildError, Builder, Instance, MapType, Object, ObjectError, Options, ProgType, Release, RelocateError, Repairs, Target,
};

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    Some(root.join(path)).filter(|path| path.exists())
}

/// A line of the record.
#[derive(Debug, Deserialize)]
struct Truth {
    id: String,
    object: String,
    prog: Option<String>,
    verdict: String,
    /// Why a `noload` was none.
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    prog_type: Option<u32>,
    /// The last line of the verifier's log.
    #[serde(default)]
    err: Option<String>,
}

/// What skep makes of a program.
#[derive(Debug)]
enum Outcome {
    Instance,
    Object(ObjectError),
    Build(BuildError),
}

/// A program whose section does not say what it is, with all maps of the object and the programs that they start with.
fn untyped(
    mut builder: Builder,
    object: &Object,
    name: &str,
    prog_type: ProgType,
    target: &Target,
) -> Result<Builder, BuildError> {
    let arrays = object.maps().filter(|def| def.map_type == MapType::ProgArray);
    let called = arrays.flat_map(|def| def.slots.iter().map(|(_, name)| name.as_str()));
    for name in called.chain([name]).collect::<BTreeSet<_>>() {
        builder = builder.program(object.program(name)?.as_type(prog_type, None).relocate(target)?);
    }
    Ok(object.maps().fold(builder, |builder, def| builder.map(def.clone())))
}

fn outcome(object: &Result<Object, ObjectError>, truth: &Truth, target: &Arc<Target>) -> Outcome {
    let object = match object {
        Ok(object) => object,
        Err(error) => return Outcome::Object(error.clone()),
    };
    let builder = Instance::builder(target.clone()).allow_absent();
    let built = match truth.prog.as_deref().map(|name| (name, object.program(name))) {
        // A record of the whole object: its maps.
        None => Ok(object.maps().fold(builder, |builder, def| builder.map(def.clone()))),
        Some((_, Err(error))) => return Outcome::Object(error),
        Some((name, Ok(program))) if program.prog_type().is_some() => builder.object_programs(object, &[name]),
        Some((name, Ok(_))) => {
            let number = truth.prog_type.expect("the record has a type");
            untyped(builder, object, name, ProgType::from_u32(number).expect("a type that is known"), target)
        }
    };
    match built.and_then(Builder::build) {
        Ok(_) => Outcome::Instance,
        Err(error) => Outcome::Build(error),
    }
}

/// What the outcome is in the words of the record: the record's verdict or reason, or what skep does beyond; `Err` for a difference.
fn judge(truth: &Truth, outcome: &Outcome) -> Result<&'static str, String> {
    let reason = truth.reason.as_deref().unwrap_or_default();
    let err = truth.err.as_deref().unwrap_or_default();
    match (truth.verdict.as_str(), reason, outcome) {
        ("accept", _, Outcome::Instance) => Ok("accepted there, an instance here"),
        ("reject", _, Outcome::Instance) => Ok("rejected by the verifier there, an instance here"),
        // What the kernel's verifier finds while it resolves names and jumps has no meaning that could be run.
        ("reject", _, Outcome::Build(BuildError::Jump { .. })) if err.contains("jump out of range") => {
            Ok("a jump out of the program, here and there")
        }
        ("reject", _, Outcome::Build(BuildError::Link { .. })) if err.contains("is not pointing to valid bpf_map") => {
            Ok("a map descriptor that is none, here and there")
        }
        ("noload", "prog_load_errno_1", Outcome::Instance) => {
            Ok("needs a trampoline, which the recorded kernel did not have; an instance here")
        }
        ("noload", "attach_target_missing", Outcome::Build(BuildError::Relocate(error)))
            if matches!(**error, RelocateError::NoAttachTarget { .. }) =>
        {
            Ok("its attach target is not in the kernel, here and there")
        }
        ("noload", "map_create", Outcome::Build(BuildError::Map(_))) => Ok("a map that is refused, here and there"),
        ("noload", "open:extern_missing" | "open:btf", Outcome::Object(ObjectError::Extern { .. })) => {
            Ok("a function that the object does not have and BTF puts nowhere, here and there")
        }
        ("noload", "open:other" | "open:legacy_maps_section", Outcome::Instance) => {
            Ok("an old `maps` section, which libbpf 1 refuses; an instance here")
        }
        // libbpf 1 refuses the `maps` section before it comes to what is refused here.
        ("noload", "open:legacy_maps_section", Outcome::Object(ObjectError::Extern { .. } | ObjectError::Elf(_))) => {
            Ok("an old `maps` section, which libbpf 1 refuses; refused here for what is wrong beside it")
        }
        (verdict, _, _) => Err(format!("{}: {verdict} {reason} {err}: {outcome:?}", truth.id)),
    }
}

#[test]
fn programs_load_or_are_refused_for_the_recorded_reason() {
    let (Some(corpus), Some(btf)) = (shared("corpus"), shared("corpus/btf/vmlinux-6.18.44.btf")) else {
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(skep::btf(btf.to_str().unwrap()).unwrap());
    let target = Arc::new(target.with_kconfig("CONFIG_HZ", "250").with_kconfig("CONFIG_KASAN", "n"));
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for set in ["ebpf-samples", "libbpf-tools", "selftests-6.12"] {
        let mut objects = HashMap::new();
        for line in std::fs::read_to_string(corpus.join(format!("truth/{set}.jsonl"))).unwrap().lines() {
            let truth: Truth = serde_json::from_str(line).unwrap();
            let object = objects.entry(truth.object.clone()).or_insert_with(|| {
                let repairs = Repairs { attach_targets: false, ..Repairs::ALL };
                let options = Options { repairs, ..Options::default() };
                Object::open(corpus.join("objects").join(set).join(&truth.object), &options)
            });
            match judge(&truth, &outcome(object, &truth, &target)) {
                Ok(what) => *counts.entry((set, what)).or_insert(0) += 1,
                Err(difference) => wrong.push(difference),
            }
        }
        let read = objects.values().filter(|object| object.is_ok()).count();
        println!("{set}: {read} of {} objects read", objects.len());
    }
    for ((set, what), count) in &counts {
        println!("{set}: {count} programs: {what}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(counts.values().sum::<i32>(), 298 + 365 + 1369);
}
