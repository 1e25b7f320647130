//! Puts mutated inputs to everything that reads what it cannot trust.
//!
//! `cargo run --release -p skep-fuzz --bin mutations -- --count 1000000 --seed 1`

use std::io::{BufWriter, stdout};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use skep_fuzz::{Driver, NAMES, Plan, Report, Sources, Subject, Summary, subject, supervise, work};

/// Puts mutated objects, types, instructions and text to the crates that read them. Exit code 1 if anything was found.
#[derive(Debug, Parser)]
struct Options {
    /// Cases, shared evenly by the subjects.
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Seed number: the same one gives the same cases.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this subject.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(NAMES))]
    subject: Option<String>,
    /// Take seeds from this folder (objects, BTF, assembler text) and not from the project and the shared corpus.
    #[arg(long)]
    seeds: Option<PathBuf>,
    /// Run only this case, in this process.
    #[arg(long, requires = "subject")]
    only: Option<u64>,
    /// Write the input of the case that `--only` names, or of each case that was found, to this folder.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Address space of a worker in MiB; 0 for no limit.
    #[arg(long, default_value_t = 4096)]
    memory: u64,
    /// Subjects that run at the same time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Be a worker: run cases from this one on.
    #[arg(long, hide = true)]
    worker: Option<u64>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn load(name: &str, sources: &Sources) -> Result<Box<dyn Subject>, Failure> {
    subject(name, sources).ok_or_else(|| format!("no subject {name}").into())
}

fn save(options: &Options, name: &str, driver: &Driver<'_>, case: u64) -> Result<(), Failure> {
    if let Some(folder) = &options.save {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}-{}-{case}", options.seed));
        std::fs::write(&path, driver.input(case).1)?;
        println!("  {}", path.display());
    }
    Ok(())
}

fn only(options: &Options, name: &str, sources: &Sources, case: u64) -> Result<bool, Failure> {
    let subject = load(name, sources)?;
    let driver = Driver::new(name, subject.as_ref(), options.seed);
    save(options, name, &driver, case)?;
    let mut summary = Summary::default();
    driver.run(case, &mut summary);
    println!("case {case} of {name}, from {}: {} bytes of memory", driver.input(case).0, summary.memory);
    for kind in summary.refused.keys() {
        println!("refused: {kind}");
    }
    for finding in &summary.findings {
        println!("{}", finding.problem);
    }
    Ok(summary.findings.is_empty())
}

fn be_worker(options: &Options, name: &str, sources: &Sources, first: u64) -> Result<(), Failure> {
    let subject = load(name, sources)?;
    let plan = Plan { subject: name.to_owned(), first, end: options.count, seed: options.seed };
    // A thread of its own has the stack that threads have by default: a quarter of the main thread's.
    std::thread::scope(|scope| {
        let run = scope.spawn(|| work(&plan, subject.as_ref(), options.memory << 20, &mut BufWriter::new(stdout())));
        run.join().unwrap_or_else(|_| Err(std::io::Error::other("the worker panicked outside of a case")))
    })?;
    Ok(())
}

fn print(name: &str, seeds: usize, report: &Report) {
    let Summary { accepted, refused, memory, findings, .. } = &report.summary;
    let seconds = report.took.as_secs_f64();
    println!(
        "{name}: {} cases from {seeds} seeds in {seconds:.1} s, {accepted} accepted, {} found; at most {} KiB for a case, {} MiB resident",
        report.cases,
        findings.len(),
        memory >> 10,
        report.resident >> 10
    );
    let mut kinds: Vec<(&String, &u64)> = refused.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (kind, count) in kinds.iter().take(12) {
        println!("  {count:>8}  {kind}");
    }
    for finding in findings {
        println!("  case {} from {}: {}", finding.case, finding.seed, finding.problem);
    }
}

/// Runs one subject; whether nothing was found.
fn run(options: &Options, name: &str, sources: &Sources, count: u64) -> Result<bool, Failure> {
    let subject = load(name, sources)?;
    let program = std::env::current_exe()?;
    let command = |plan: &Plan| {
        let mut command = Command::new(&program);
        command.args(["--subject", &plan.subject]);
        for (flag, value) in
            [("--worker", plan.first), ("--count", plan.end), ("--seed", plan.seed), ("--memory", options.memory)]
        {
            command.args([flag, &value.to_string()]);
        }
        if let Some(folder) = &options.seeds {
            command.arg("--seeds").arg(folder);
        }
        command
    };
    let driver = Driver::new(name, subject.as_ref(), options.seed);
    let plan = Plan { subject: name.to_owned(), first: 0, end: count, seed: options.seed };
    let report = supervise(&plan, command, |case| driver.input(case).0)?;
    print(name, subject.seeds(), &report);
    for finding in &report.summary.findings {
        save(options, name, &driver, finding.case)?;
    }
    Ok(report.summary.findings.is_empty())
}

fn all(options: &Options, sources: &Sources) -> Result<bool, Failure> {
    let names: Vec<&str> =
        NAMES.iter().copied().filter(|name| options.subject.as_deref().is_none_or(|only| only == *name)).collect();
    let count = options.count.div_ceil(names.len() as u64);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = || {
        let mut clean = true;
        while let Some(name) = names.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            clean &= run(options, name, sources, count)?;
        }
        Ok::<bool, Failure>(clean)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        let mut clean = true;
        for worker in workers {
            clean &= worker.join().map_err(|_| "the run of a subject panicked")??;
        }
        Ok(clean)
    })
}

fn main() -> ExitCode {
    let options = Options::parse();
    let sources = match &options.seeds {
        Some(folder) => Sources::folder(folder),
        None => Sources::standard(),
    };
    let result = match (&options.subject, options.worker, options.only) {
        (Some(name), Some(first), _) => be_worker(&options, name, &sources, first).map(|()| true),
        (Some(name), None, Some(case)) => only(&options, name, &sources, case),
        (_, _, _) => all(&options, &sources),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutations: {error}");
            ExitCode::from(2)
        }
    }
}
