//! The verifier's log, held against that of the kernel of this host, line by line, on the programs of the corpus.
//!
//! `SKEP_LOGS_ONLY` is a part of the id that programs must have; `SKEP_LOGS_SHOW` how many differences are shown (5 by default).

mod common;

use skep::Target;
use skep_conformance::corpus::{Corpus, Set};
use skep_conformance::verdicts::ask;
use skep_conformance::{corpus::Load, parallel};
use skep_kernel::{Kernel, LoadError, Loaded, LogLevel};
use skep_program::Program;
use skep_verifier::{Options, Verdict};

/// Programs with more processed instructions are left out: their logs have hundreds of megabytes.
const LONG: u32 = 3_000;

/// The kernel's own bookkeeping of the liveness of stacks is not written by skep; statistics hold times.
fn is_kept(line: &str) -> bool {
    let bookkeeping = line.contains("live stack update done") || line.starts_with('(') && line.contains(") frame ");
    let statistics = ["verification time ", "stack depth ", "processed "].iter().any(|start| line.starts_with(start));
    !bookkeeping && !statistics && !line.trim().is_empty()
}

/// Without what only a running kernel has: addresses of maps, variables and functions.
fn comparable(line: &str) -> String {
    let line = line.trim_end();
    match line.split_once("(18) ").and_then(|(before, rest)| Some((before, rest.split_once(" = ")?))) {
        Some((before, (register, rest))) => {
            let state = rest.split_once(';').map_or("", |(_, state)| state);
            format!("{before}(18) {register} = ?;{state}")
        }
        None => line.to_owned(),
    }
}

fn lines(log: &str) -> Vec<String> {
    log.lines().filter(|line| is_kept(line)).map(comparable).collect()
}

/// The kernel's log of a program, where its verifier was asked.
fn theirs(program: &Program, level: LogLevel) -> Option<String> {
    match Loaded::create(program, level) {
        Ok(loaded) => Some(loaded.log),
        Err(error) if error.by_verifier() => match error {
            LoadError::Refused { log, .. } => Some(log),
            LoadError::License { .. } | LoadError::MapIndex { .. } | LoadError::Map(_) => None,
        },
        Err(_) => None,
    }
}

/// How a level is called here and there, and how many logs are equal: this number goes up.
const LEVELS: [(u8, LogLevel, usize); 2] = [(1, LogLevel::Path, 1833), (2, LogLevel::States, 1831)];

#[test]
fn logs_are_the_kernels() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let Some(root) = common::shared("corpus") else { return };
    let host = match skep::host() {
        Ok(target) if Kernel::release().starts_with("6.18.") => target,
        Ok(_) | Err(_) => return println!("skipped: needs a kernel of release 6.18"),
    };
    let Some(types) = host.btf().cloned() else { return println!("skipped: needs /sys/kernel/btf/vmlinux") };
    let corpus = Corpus::open(&root).unwrap_or_else(|error| panic!("{error}"));
    let only = std::env::var("SKEP_LOGS_ONLY").unwrap_or_default();
    let mut loads: Vec<Load> = Vec::new();
    for set in Set::ALL {
        loads.extend(corpus.loads(set).unwrap().map(|line| line.unwrap_or_else(|error| panic!("{error}"))));
    }
    loads.retain(|load| load.id.contains(&only));
    for (level, theirs, floor) in LEVELS {
        let work = |index: usize| {
            let program = loads[index].retarget(corpus.vmlinux(), &types).ok()?;
            both(&program, &host, level, theirs)
        };
        let (mut programs, mut same, mut all, mut equal) = (0, 0, 0, 0);
        parallel::ordered(loads.len(), parallel::cores(), work, |index, logs| {
            let Some((ours, theirs)) = logs else { return Ok::<_, ()>(()) };
            programs += 1;
            all += theirs.len();
            equal += ours.iter().zip(&theirs).filter(|(ours, theirs)| ours == theirs).count();
            same += usize::from(ours == theirs);
            if ours != theirs && programs - same <= shown() {
                show(&loads[index].id, &ours, &theirs);
            }
            Ok(())
        })
        .unwrap();
        println!("level {level}: {same} of {programs} logs are equal; {equal} of {all} lines");
        if only.is_empty() {
            assert!(same >= floor, "level {level}: {same} logs are equal, and {floor} were before");
        }
    }
}

fn shown() -> usize {
    std::env::var("SKEP_LOGS_SHOW").ok().map_or(5, |text| text.parse().unwrap())
}

/// Both logs of a program, where it is decided, and not after too long.
fn both(program: &Program, host: &Target, level: u8, theirs: LogLevel) -> Option<(Vec<String>, Vec<String>)> {
    let quick = ask(program, host, &Options::default());
    if quick.stats.insns_processed > LONG || matches!(quick.verdict, Verdict::Undecided(_)) {
        return None;
    }
    let theirs = lines(&self::theirs(program, theirs)?);
    let ours = lines(&ask(program, host, &Options { log_level: level, ..Options::default() }).log);
    Some((ours, theirs))
}

/// Where two logs part.
fn show(id: &str, ours: &[String], theirs: &[String]) {
    let at = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let from = |lines: &[String]| lines.iter().skip(at).take(2).cloned().collect::<Vec<_>>().join("\n         ");
    println!("{id}: line {at}\n  linux: {}\n  skep:  {}", from(theirs), from(ours));
}
