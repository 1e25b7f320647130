//! Puts random programs, and changed real ones, to skep's verifier and to the kernel's, and compares what they say.
//!
//! `cargo run --profile fuzz -p skep-fuzz --bin verdicts -- --count 100000 --seed 1 [--from loads [--mutate]]`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::{Parser, ValueEnum};
use skep::Target;
use skep_fuzz::hunt::{Asked, Source};
use skep_fuzz::kept::{Kept, needs_types, untyped};
use skep_fuzz::mutants::Bases;
use skep_fuzz::programs::{Family, Ground};
use skep_fuzz::runs::{Ran, Runs};
use skep_fuzz::verdicts::{Difference, Said, User};
use skep_isa::Code;

/// Where programs come from.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    /// They are random.
    Generated,
    /// The recorded loads in `$SKEP_SHARED/corpus` and the objects of this repository.
    Loads,
}

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
    /// Where programs come from.
    #[arg(long, value_enum, default_value_t = From::Generated)]
    from: From,
    /// Change the programs that are not random.
    #[arg(long)]
    mutate: bool,
    /// Differences of each kind that are made small and shown.
    #[arg(long, default_value_t = 3)]
    show: usize,
    /// Who loads the programs: somebody with these capabilities alone. For nobody, `kernel.unprivileged_bpf_disabled` must be 0.
    #[arg(long, default_value = "root", value_parser = user)]
    user: User,
    /// Run the programs that both accept on so many inputs, in skep and in the kernel, and compare.
    #[arg(long, default_value_t = 0)]
    run: usize,
    /// Write what differs, made small, to this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Show the program of the seed, both verdicts, and end.
    #[arg(long)]
    only: bool,
}

fn user(name: &str) -> Result<User, String> {
    User::named(name).ok_or_else(|| "root, nobody, bpf, bpf-net or bpf-perfmon".to_owned())
}

/// A difference, made small where it is among the first of its kind.
#[derive(Debug)]
struct Differs {
    seed: u64,
    text: String,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    accepted: u64,
    refused: u64,
    /// Programs in which a family is, and those that are accepted.
    families: BTreeMap<Family, (u64, u64)>,
    undecided: BTreeMap<String, u64>,
    /// Programs that both did the same with.
    same: u64,
    not_run: BTreeMap<String, u64>,
    runs: Vec<String>,
    differ: BTreeMap<Difference, Vec<Differs>>,
}

/// The program of a seed, with what both say; the fewest lines that differ alike. Those are kept in the folder, if there is one.
fn text(source: &Source, asked: &Asked<'_>, options: &Options, target: &Target) -> String {
    let lines = match asked.difference {
        Some(difference) => asked.judges.minimise(asked.case, difference),
        None => asked.case.lines.clone(),
    };
    let Some(program) = asked.case.with(&lines) else { return String::new() };
    let (kernel, skep, _) = asked.judges.ask(&program);
    if let (Some(folder), Some(difference)) = (&options.keep, asked.difference) {
        let plain = untyped(&program);
        let alike = !needs_types(&program) && asked.judges.ask(&plain).2 == Some(difference);
        let program = if alike { &plain } else { &program };
        let about = format!("{difference:?}");
        let kept = Kept::new(&about, program, target, options.user, &kernel);
        match kept.map(|kept| kept.write(folder, &format!("seed-{}", asked.seed))) {
            Some(Ok(path)) => println!("kept in {}", path.display()),
            Some(Err(error)) => println!("not kept: {error}"),
            None => println!("not kept: its maps have types of their own"),
        }
    }
    format!(
        "seed {} {}: {:?} {:?} flags {}\n  kernel: {kernel:?}\n  skep:   {skep:?}\n{}",
        asked.seed,
        source.origin(asked.seed),
        asked.difference,
        program.prog_type,
        program.flags,
        Code::decode_each(&program.insns).listing(&program)
    )
}

impl Found {
    fn add(&mut self, asked: &Asked<'_>) {
        match &asked.kernel {
            Said::Accept(_) => self.accepted += 1,
            Said::Reject(..) => self.refused += 1,
            Said::None(why) => *self.undecided.entry(format!("kernel: {why}")).or_default() += 1,
        }
        for family in Family::ALL.into_iter().filter(|family| asked.case.families.has(*family)) {
            let (all, accepted) = self.families.entry(family).or_default();
            *all += 1;
            *accepted += u64::from(matches!(asked.kernel, Said::Accept(_)));
        }
        if let Said::None(why) = &asked.skep {
            let kind = why.split(" after ").next().unwrap_or_default();
            *self.undecided.entry(kind.to_owned()).or_default() += 1;
        }
    }
}

fn run(options: &Options, source: &Source, target: &Target) -> (Found, u64) {
    let found = Mutex::new(Found::default());
    let runs = Runs::new(target.clone(), options.run);
    let count = if options.only { 1 } else { options.count };
    let none = source.ask(target, options.user, options.seed..options.seed + count, options.jobs, |asked| {
        if options.only {
            println!("{}", text(source, &asked, options, target));
        }
        let ran = match (&asked.kernel, &asked.skep) {
            (Said::Accept(_), Said::Accept(_)) if options.run > 0 => {
                asked.case.program().map(|program| runs.run(&program, asked.seed))
            }
            _refused => None,
        };
        let mut known = found.lock().unwrap();
        known.add(&asked);
        match ran {
            None => {}
            Some(Ran::Same) => known.same += 1,
            Some(Ran::Not(why)) => *known.not_run.entry(why).or_default() += 1,
            Some(Ran::Differ(what)) => known.runs.push(format!("seed {}: differs: {what}", asked.seed)),
            Some(Ran::Lost(what)) => known.runs.push(format!("seed {}: lost: {what}", asked.seed)),
        }
        let Some(difference) = asked.difference else { return };
        let shown = known.differ.get(&difference).map_or(0, Vec::len) < options.show;
        drop(known);
        let text = if shown { text(source, &asked, options, target) } else { String::new() };
        found.lock().unwrap().differ.entry(difference).or_default().push(Differs { seed: asked.seed, text });
    });
    (found.into_inner().unwrap(), none)
}

/// The recorded loads, and the objects beside this crate.
fn bases(target: &Target, jobs: usize) -> Bases {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let shared = std::env::var_os("SKEP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let corpus = Some(shared.join("corpus")).filter(|corpus| corpus.is_dir());
    let folders = ["conformance/programs", "conformance/verdicts"].map(|folder| root.join(folder));
    Bases::open(corpus.as_deref(), &folders, target, jobs).unwrap_or_else(|error| panic!("{error}"))
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(why) = skep_kernel::Kernel::available() {
        eprintln!("verdicts: needs {why}");
        return ExitCode::from(2);
    }
    if let Some(lacks) = options.user.lacks() {
        eprintln!("verdicts: needs {lacks}");
        return ExitCode::from(2);
    }
    let target = skep::host().unwrap_or_else(|error| panic!("{error}"));
    let source = match (options.from, options.mutate) {
        (From::Generated, _) => Source::Generated(Box::new(Ground::new(target.clone()))),
        (From::Loads, false) => Source::Loads(bases(&target, options.jobs)),
        (From::Loads, true) => Source::Mutants(bases(&target, options.jobs)),
    };
    if let Source::Loads(bases) | Source::Mutants(bases) = &source {
        println!("{} programs", bases.len());
    }
    let (found, none) = run(&options, &source, &target);
    for differs in found.differ.values().flatten().filter(|differs| !differs.text.is_empty()) {
        println!("{}", differs.text);
    }
    println!("{} accepted by the kernel, {} refused, {none} not made", found.accepted, found.refused);
    for (family, (all, accepted)) in &found.families {
        println!("{accepted:8} accepted of {all:8}: {}", family.what());
    }
    for (why, count) in &found.undecided {
        println!("{count} undecided: {why}");
    }
    for (difference, all) in &found.differ {
        let seeds: Vec<String> = all.iter().take(20).map(|differs| differs.seed.to_string()).collect();
        println!("{} {difference:?}: seeds {}", all.len(), seeds.join(" "));
    }
    if options.run > 0 {
        println!("{} run alike in both, {} not", found.same, found.runs.len());
        found.runs.iter().for_each(|what| println!("{what}"));
        for (why, count) in &found.not_run {
            println!("{count:8} not run: {why}");
        }
    }
    let wrong = [Difference::FalseAccept, Difference::FalseReject, Difference::Bug];
    let any = wrong.iter().any(|difference| found.differ.contains_key(difference)) || !found.runs.is_empty();
    ExitCode::from(u8::from(any))
}
