//! Every program of the shared corpus that the kernel takes and runs on request, in skep and in the kernel of this host.
//!
//! `SKEP_DIFF_INPUTS` says how many generated inputs each gets (20 by default, 5 of verified and compiled programs), `SKEP_DIFF_SEED` the
//! seed, `SKEP_DIFF_ONLY` a part of the name (`set/object program`) that the programs must have, `SKEP_DIFF_REPORT` a file for one line of
//! JSON per program, in the order in which they end. `SKEP_DIFF_LIMITS=off` gives every program all of its inputs, however long it takes:
//! loops by `may_goto` then take the kernel minutes. `SKEP_DIFF_MODE` is the mode of the first test: `checked` (the default), `trusted` or
//! `jit`. All CPUs that the process may use take part.

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use skep::{Instance, Mode};
use skep_conformance::corpus::{Corpus, Set, Truth, Verdict as Recorded};
use skep_conformance::diff::{self, Inputs, Options, ProgramReport, Verdict};
use skep_conformance::oracle;
use skep_kernel::Kernel;
use skep_linux::{AttachType, ProgType};
use skep_object::{Object, Repairs};

/// Programs whose result is made of what the two sides cannot have in common, and why.
const EXPLAINED: &[(&str, &str)] = &[(
    "selftests-6.12/verifier_direct_packet_access.bpf.o test22_x_pkt_ptr_3",
    "goes on only if the upper bits of a packet's address are those of a process: kernel addresses have others",
)];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Objects of old compilers and other loaders are repaired as they were when the verdicts were recorded.
fn open(corpus: &Corpus, set: Set, name: &str) -> Object {
    let options = skep_object::Options { repairs: Repairs::ALL, ..Default::default() };
    Object::open(corpus.object(set, name), &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn compare(object: &Object, truth: &Truth, options: &Options) -> Option<ProgramReport> {
    let prog_type = truth.prog_type.and_then(ProgType::from_u32)?;
    oracle::shape(prog_type)?;
    let mut program = object.program(truth.program.as_deref()?).unwrap_or_else(|error| panic!("{}: {error}", truth.id));
    if program.prog_type() != Some(prog_type) {
        program = program.as_type(prog_type, truth.attach_type.and_then(AttachType::from_u32));
    }
    Some(diff::program(object, &program, options))
}

#[test]
fn programs_of_the_corpus_do_the_same_in_both() {
    let mode = std::env::var("SKEP_DIFF_MODE").unwrap_or_else(|_| "checked".into());
    in_mode(Mode::named(&mode).unwrap_or_else(|| panic!("SKEP_DIFF_MODE may not be {mode}")), 20);
}

#[test]
fn verified_programs_of_the_corpus_do_the_same_in_both() {
    in_mode(Mode::Trusted, 5);
}

#[test]
fn compiled_programs_of_the_corpus_do_the_same_in_both() {
    if Instance::can_compile() {
        in_mode(Mode::Jit, 5);
    }
}

/// On so many inputs, unless `SKEP_DIFF_INPUTS` says otherwise.
fn in_mode(mode: Mode, inputs: u64) {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return;
    }
    let Some(root) = common::shared("corpus") else { return };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    let mut options = Options::new(skep::host().unwrap());
    options.inputs = Inputs::Generated { count: number("SKEP_DIFF_INPUTS", inputs) as usize, seed: number("SKEP_DIFF_SEED", 0) };
    options.mode = mode;
    match std::env::var("SKEP_DIFF_LIMITS").as_deref() {
        Err(_) => {}
        Ok("off") => (options.instructions, options.kernel_time) = (u64::MAX, std::time::Duration::MAX),
        Ok(other) => panic!("SKEP_DIFF_LIMITS may be off, not {other}"),
    }
    let only = std::env::var("SKEP_DIFF_ONLY").unwrap_or_default();
    let file = std::env::var_os("SKEP_DIFF_REPORT").map(|path| Mutex::new(std::fs::File::create(path).unwrap()));
    let mut programs: Vec<(String, Arc<Object>, Truth)> = Vec::new();
    for set in Set::ALL {
        let mut objects: BTreeMap<String, Arc<Object>> = BTreeMap::new();
        for truth in corpus.truth(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}"))) {
            let name = format!("{}/{} {}", set.name(), truth.object, truth.program.as_deref().unwrap_or_default());
            if truth.verdict != Recorded::Accept || !name.contains(&only) {
                continue;
            }
            let object = objects.entry(truth.object.clone());
            let object = object.or_insert_with(|| Arc::new(open(&corpus, set, &truth.object))).clone();
            programs.push((name, object, truth));
        }
    }
    let reports = diff::apart(&programs, |(name, object, truth)| {
        let report = compare(object, truth, &options)?;
        if let Some(file) = &file {
            writeln!(file.lock().unwrap(), "{}", serde_json::json!({ "name": name, "report": report })).unwrap();
        }
        Some((name.clone(), report))
    });
    let reports: Vec<(String, ProgramReport)> = reports.into_iter().flatten().collect();
    let differ = summary(&reports);
    assert!(differ == 0, "{differ} programs differ without an explanation");
}

/// A bit of the clock, two bytes of an address: often the same in two runs, and never what an input decides.
#[test]
fn what_chance_decides_is_no_difference() {
    if let Err(why) = Kernel::available() {
        println!("skipped: needs {why}");
        return;
    }
    let Some(root) = common::shared("corpus") else { return };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    let mut options = Options::new(skep::host().unwrap());
    options.inputs = Inputs::Generated { count: 1000, seed: 1 };
    let programs = [
        ("verifier_bounds_mix_sign_unsign.bpf.o", "signed_and_unsigned_variant_4"),
        ("verifier_spill_fill.bpf.o", "check_corrupted_spill_fill_lsb"),
    ];
    for report in diff::apart(&programs, |(object, program)| {
        let object = open(&corpus, Set::Selftests, object);
        diff::program(&object, &object.program(program).unwrap(), &options)
    }) {
        assert!(report.verdict == Verdict::Agree && report.inputs == 1000 && !report.unstable.is_empty(), "{report}");
    }
}

/// Prints what was found; gives the number of programs that differ without an explanation.
fn summary(reports: &[(String, ProgramReport)]) -> usize {
    let (mut kinds, mut reasons) = (BTreeMap::new(), BTreeMap::new());
    let (mut differ, mut inputs) = (0, 0);
    for (name, report) in reports {
        inputs += report.inputs;
        *kinds.entry((report.prog_type.as_str(), report.verdict.kind())).or_insert(0) += 1;
        match &report.verdict {
            Verdict::Agree if report.cut.is_some() => println!("{name}: {}", report.extent()),
            Verdict::Agree => {}
            Verdict::Differ(_) => match EXPLAINED.iter().find(|(explained, _)| explained == name) {
                Some((_, why)) => println!("{name}: {why}"),
                None => {
                    differ += 1;
                    println!("{name}: {report}");
                }
            },
            Verdict::NotComparable(why) | Verdict::KernelRefuses(why) | Verdict::SkepRefuses(why) => {
                let why = why.lines().next().unwrap_or(why);
                let names = reasons.entry((report.verdict.kind(), why)).or_insert_with(Vec::new);
                names.push(name.as_str());
            }
        }
    }
    for ((kind, why), names) in &reasons {
        println!("{kind}: {} programs, such as {}: {why}", names.len(), names[0]);
    }
    let unstable: Vec<&str> = reports.iter().filter(|(_, r)| !r.unstable.is_empty()).map(|(name, _)| name.as_str()).collect();
    println!(
        "{} programs show something that is not the same in every run of the kernel: {}",
        unstable.len(),
        unstable.join(", ")
    );
    for ((prog_type, kind), count) in &kinds {
        println!("{prog_type}: {count} {kind}");
    }
    println!("{} programs, {inputs} inputs, {differ} differ", reports.len());
    differ
}
