//! Verification alone: the objects that are committed here, recorded loads where they are, and programs of ours that get longer.
//! `examples/speed.rs` prints the same beside the kernel's times.
#![allow(missing_docs)] // criterion's macros make public functions

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use skep_conformance::corpus::{Corpus, Set};
use skep_conformance::speed::{LONG, Recorded, Shape, best_of, recorded};
use skep_linux::{Arch, Release, Target};
use skep_object::Object;
use skep_program::Program;
use skep_verifier::{Options, verify};

/// The kernel that ships with skep, with its types read.
fn stock() -> Target {
    let target = Target::of(Release::new(6, 18), Arch::X86_64);
    assert!(target.btf().is_some());
    target
}

fn all<'a>(programs: impl IntoIterator<Item = &'a Program>, target: &Target) {
    let options = Options::default();
    for program in programs {
        black_box(verify(program, target, &options));
    }
}

/// The programs of every object in a folder of this crate.
fn programs(folder: &str, target: &Target) -> Vec<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "o"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let object = Object::open(&path, &Default::default()).unwrap();
        for program in object.programs() {
            match program.relocate(target) {
                Ok(program) => found.push(program),
                Err(error) => println!("skipped: {} of {}: {error}", program.name(), path.display()),
            }
        }
    }
    found
}

fn ours(c: &mut Criterion) {
    let target = stock();
    let mut group = c.benchmark_group("ours");
    for folder in ["programs", "verdicts", "verdicts/bugs"] {
        let programs = programs(folder, &target);
        group.throughput(Throughput::Elements(programs.len() as u64));
        group.bench_function(folder, |b| b.iter(|| all(&programs, &target)));
    }
    group.finish();
}

fn linear(c: &mut Criterion) {
    let target = stock();
    for shape in Shape::ALL {
        let mut group = c.benchmark_group(format!("linear {}", shape.name()));
        group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(3));
        for processed in Shape::SIZES {
            let program = shape.program(processed);
            let report = verify(&program, &target, &Options::default());
            group.throughput(Throughput::Elements(u64::from(report.stats.insns_processed)));
            group.bench_function(BenchmarkId::from_parameter(processed), |b| b.iter(|| all([&program], &target)));
        }
        group.finish();
    }
}

/// Recorded loads: those that take long one by one, the rest of a set as one, and the selftest in the middle.
fn corpus(c: &mut Criterion) {
    let root = std::env::var_os("SKEP_SHARED").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")).join("corpus");
    if !root.exists() {
        return println!("skipped: needs ../shared/corpus");
    }
    let corpus = Corpus::open(&root).unwrap();
    let target = corpus.types().target();
    let mut group = c.benchmark_group("recorded");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for set in [Set::Samples, Set::LibbpfTools] {
        let loads = recorded(&corpus, set, "").unwrap();
        let (long, short): (Vec<Recorded>, Vec<Recorded>) = loads.into_iter().partition(|recorded| recorded.processed > LONG);
        group.bench_function(set.name(), |b| b.iter(|| all(short.iter().map(|recorded| &recorded.load.program), &target)));
        if !long.is_empty() {
            let name = format!("{} long", set.name());
            group.bench_function(name, |b| b.iter(|| all(long.iter().map(|recorded| &recorded.load.program), &target)));
        }
    }
    let mut selftests = recorded(&corpus, Set::Selftests, "").unwrap();
    selftests.retain(|recorded| recorded.processed <= LONG);
    selftests.sort_by_cached_key(|recorded| best_of(3, &recorded.load.program, &target).1);
    let middle = &selftests[selftests.len() / 2].load.program;
    group.bench_function("the selftest in the middle", |b| b.iter(|| all([middle], &target)));
    group.finish();
}

criterion_group!(benches, ours, linear, corpus);
criterion_main!(benches);
