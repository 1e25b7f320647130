//! Runs accepted programs, random ones or changed real ones, and holds every instruction against what the verifier claimed.
//!
//! `cargo run --profile fuzz -p skep-fuzz --bin contained -- --count 100000 --seed 1 [--from loads [--mutate]]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use skep::{Arch, Release, Target};
use skep_conformance::judge::Limits;
use skep_fuzz::contained::{Judge, Sum, case};
use skep_fuzz::hunt::Source;
use skep_fuzz::mutants::Bases;
use skep_fuzz::programs::Ground;
use skep_isa::Code;
use skep_verifier::Keep;

/// Where programs come from.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    /// They are random.
    Generated,
    /// The recorded loads in `$SKEP_SHARED/corpus` and the objects of this repository.
    Loads,
}

/// Which states are claimed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum States {
    /// Those that verification keeps anyway.
    Kept,
    /// One at every instruction.
    Everywhere,
    /// The same, and every number counts.
    Numbers,
}

/// Judges accepted programs. Exit code 1 if one escapes.
#[derive(Debug, Parser)]
struct Options {
    /// Programs.
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// The first seed: programs are those of this and the following ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Where programs come from.
    #[arg(long, value_enum, default_value_t = From::Generated)]
    from: From,
    /// Change the programs that are not random.
    #[arg(long)]
    mutate: bool,
    /// Which states are claimed.
    #[arg(long, value_enum, default_value_t = States::Numbers)]
    states: States,
    /// Inputs of each program.
    #[arg(long, default_value_t = 4)]
    inputs: usize,
    /// Escapes that are made small and shown.
    #[arg(long, default_value_t = 3)]
    show: usize,
}

fn bases(target: &Target, jobs: usize) -> Bases {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let corpus = Some(shared.join("corpus")).filter(|corpus| corpus.is_dir());
    let folders = ["conformance/programs", "conformance/verdicts"].map(|folder| root.join(folder));
    Bases::open(corpus.as_deref(), &folders, target, jobs).unwrap_or_else(|error| panic!("{error}"))
}

fn show(judge: &Judge, source: &Source, seed: u64, why: &str) {
    println!("seed {seed} {}: {why}", source.origin(seed));
    let Some(case) = case(source, seed) else { return };
    let lines = judge.minimise(&case);
    if let Some(program) = case.with(&lines) {
        let found = judge.ask(&case, &lines).ok().and_then(|judgement| judgement.found);
        let text = found.map_or_else(String::new, |(_, ending)| ending.to_string());
        println!("  {:?}: {text}\n{}", program.prog_type, Code::decode_each(&program.insns).listing(&program));
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let target = Arc::new(Target::of(Release::new(6, 18), Arch::X86_64));
    let source = match (options.from, options.mutate) {
        (From::Generated, _) => Source::Generated(Box::new(Ground::new((*target).clone()))),
        (From::Loads, false) => Source::Loads(bases(&target, options.jobs)),
        (From::Loads, true) => Source::Mutants(bases(&target, options.jobs)),
    };
    let keep = match options.states {
        States::Kept => Keep::States,
        States::Everywhere => Keep::Everywhere,
        States::Numbers => Keep::Numbers,
    };
    let judge = Judge {
        target,
        options: skep_verifier::Options { keep, ..skep_verifier::Options::default() },
        limits: Limits { cases: options.inputs, ..Limits::default() },
    };
    let sum = judge.all(&source, options.seed..options.seed + options.count, options.jobs);
    for (seed, why) in sum.escapes.iter().take(options.show) {
        show(&judge, &source, *seed, why);
    }
    let Sum { programs, judged, not, all, escapes } = &sum;
    println!("{programs} programs, {judged} judged in {} runs of {} instructions", all.runs, all.instructions);
    println!("{} of {} slots that the verifier came to", all.slots.1, all.slots.0);
    let open: u64 = all.tally.open.values().sum();
    println!("registers and slots that are read later: {} judged, {} free, {open} not judged", all.tally.judged, all.tally.free);
    for (what, count) in
        all.tally.open.iter().map(|(what, count)| (*what, count)).chain(not.iter().map(|(why, count)| (why.as_str(), count)))
    {
        println!("  {count}: {what}");
    }
    for (why, count) in &all.cut {
        println!("  {count} runs: {why}");
    }
    for (hole, count) in &all.holes {
        println!("  {count} runs into a hole of Linux: {hole}");
    }
    let seeds: Vec<String> = escapes.iter().take(20).map(|(seed, _)| seed.to_string()).collect();
    println!("{} escape {}", escapes.len(), seeds.join(" "));
    ExitCode::from(u8::from(!escapes.is_empty()))
}
