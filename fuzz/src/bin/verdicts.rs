//! Puts random programs to skep's verifier and to the kernel's, and compares what they say.
//!
//! `cargo run --profile fuzz -p skep-fuzz --bin verdicts -- --count 100000 --seed 1`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use skep_fuzz::programs::generate;
use skep_fuzz::verdicts::{Difference, Judges, Said};
use skep_isa::Code;

/// Puts random programs to both verifiers. Exit code 1 if a verdict differs.
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
    /// Differences of each kind that are made small and shown.
    #[arg(long, default_value_t = 3)]
    show: usize,
    /// Show the program of the seed, both verdicts, and end.
    #[arg(long)]
    only: bool,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    accepted: u64,
    refused: u64,
    undecided: BTreeMap<String, u64>,
    differ: BTreeMap<Difference, Vec<u64>>,
}

fn show(judges: &Judges, seed: u64, difference: Option<Difference>) {
    let generated = generate(seed);
    let lines = match difference {
        Some(difference) => judges.minimise(&generated, difference),
        None => generated.lines.clone(),
    };
    let Some(program) = generated.with(&lines) else { return };
    let (kernel, skep, _) = judges.ask(&program);
    println!(
        "seed {seed}: {:?} {:?} flags {}\n  kernel: {kernel:?}\n  skep:   {skep:?}",
        difference, program.prog_type, program.flags
    );
    println!("{}", Code::decode_each(&program.insns).listing(&program));
}

fn run(options: &Options, judges: &Judges) -> Found {
    let (next, found) = (AtomicU64::new(0), Mutex::new(Found::default()));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= options.count {
                        return;
                    }
                    let seed = options.seed + case;
                    let Some(program) = generate(seed).program() else { continue };
                    let (kernel, skep, difference) = judges.ask(&program);
                    let mut found = found.lock().unwrap();
                    match (&kernel, &skep) {
                        (Said::Accept(_), _) => found.accepted += 1,
                        (Said::Reject(..), _) => found.refused += 1,
                        (Said::None(why), _) => *found.undecided.entry(format!("kernel: {why}")).or_default() += 1,
                    }
                    if let Said::None(why) = &skep {
                        let kind = why.split(" after ").next().unwrap_or_default();
                        *found.undecided.entry(kind.to_owned()).or_default() += 1;
                    }
                    if let Some(difference) = difference {
                        found.differ.entry(difference).or_default().push(seed);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(why) = skep_kernel::Kernel::available() {
        eprintln!("verdicts: needs {why}");
        return ExitCode::from(2);
    }
    let target = skep::host().unwrap_or_else(|error| panic!("{error}"));
    let judges = Judges::new(target).unwrap_or_else(|error| panic!("{error}"));
    if options.only {
        show(&judges, options.seed, None);
        return ExitCode::SUCCESS;
    }
    let found = run(&options, &judges);
    for (difference, seeds) in &found.differ {
        for seed in seeds.iter().take(options.show) {
            show(&judges, *seed, Some(*difference));
        }
    }
    println!("{} accepted by the kernel, {} refused", found.accepted, found.refused);
    for (why, count) in &found.undecided {
        println!("{count} undecided: {why}");
    }
    for (difference, seeds) in &found.differ {
        println!("{} {difference:?}", seeds.len());
    }
    let wrong = [Difference::FalseAccept, Difference::FalseReject, Difference::Bug];
    let any = wrong.iter().any(|difference| found.differ.contains_key(difference));
    ExitCode::from(u8::from(any))
}
