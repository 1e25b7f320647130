//! `skep check`.

mod answer;
mod args;
mod human;
mod json;
mod make;
mod truth;

use std::path::{Path, PathBuf};

use skep_conformance::corpus::{Loads, Types};
use skep_conformance::{parallel, verdicts};
use skep_linux::Arch;
use skep_verifier::{Options, Privileges};

use super::Io;
use crate::cli::Format;
use crate::exit::{self, Exit, Failure};
use crate::names;
use answer::{Answer, Outcome, Word};
pub(crate) use args::Args;
use make::Made;

/// Checks, and writes the answers.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match &args.loads {
        Some(path) if args.truth.is_some() => truth::compare(args, path, io),
        Some(path) => loads(args, path, io),
        None => objects(args, io),
    }
}

impl Args {
    fn options(&self) -> Options {
        Options {
            privileges: if self.unprivileged { Privileges::NONE } else { Privileges::ALL },
            log_level: self.log,
            ..Options::default()
        }
    }

    fn jobs(&self) -> usize {
        self.jobs.map_or_else(parallel::cores, usize::from)
    }

    /// The folder of types that loads name: the one that was given, or `btf` beside the folder that the file is in.
    fn btf_dir(&self, loads: &Path) -> PathBuf {
        let beside = || loads.parent().and_then(Path::parent).unwrap_or(Path::new("..")).join("btf");
        self.btf_dir.clone().unwrap_or_else(beside)
    }

    /// The loads that were asked for, and their types.
    fn recorded(&self, path: &Path) -> Result<(Loads, Types), Failure> {
        let types = Types::open(&self.btf_dir(path)).map_err(|error| Failure::usage(error).within("--btf-dir"))?;
        let mut loads = Loads::open(path).map_err(Failure::usage)?;
        loads.retain(&self.id);
        Ok((loads, types))
    }
}

/// What all answers come to.
#[derive(Debug, Default)]
struct Sum {
    rejected: usize,
    undecided: usize,
    unreadable: usize,
    all: usize,
}

impl Sum {
    fn add(&mut self, answer: &Answer) {
        self.all += 1;
        match answer.word() {
            Word::Accept => {}
            Word::Reject | Word::NoLoad => self.rejected += 1,
            Word::Undecided => self.undecided += 1,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Sum { unreadable: 1.., .. } => Exit::Usage,
            Sum { rejected: 1.., .. } => Exit::Failed,
            Sum { undecided: 1.., .. } => Exit::Undecided,
            Sum { .. } => Exit::Passed,
        }
    }
}

/// Recorded loads.
fn loads(args: &Args, path: &Path, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let (loads, types) = args.recorded(path)?;
    let (target, options) = (types.target(), args.options());
    let work = |index: usize| -> Result<Answer, Failure> {
        let load = loads.get(index, &types);
        let id = loads.id(index);
        let (load, report) = verdicts::of_load(load, &target, &options).map_err(Failure::usage)?;
        let part = |text: &str, from: char| text.rsplit_once(from).map(|(before, after)| (before.to_owned(), after.to_owned()));
        let (path, number) = part(&id, '@').unwrap_or_else(|| (id.clone(), String::new()));
        let (object, name) = part(&path, '@').unwrap_or((path, String::new()));
        Ok(Answer {
            object: object.split_once('/').map_or(object.clone(), |(_, object)| object.to_owned()),
            section: None,
            name,
            index: number.parse().unwrap_or_default(),
            prog_type: load.as_ref().map(|load| names::prog_type(load.program.prog_type)),
            program: load.map(|load| load.program),
            outcome: Outcome::Report(report),
            id: Some(id),
        })
    };
    let mut sum = Sum::default();
    parallel::ordered(loads.len(), args.jobs(), work, |_, answer| write(args, &answer?, &mut sum, io))?;
    finish(&sum, args, io)
}

/// Objects.
fn objects(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    // The answer must not depend on the machine that asks.
    let (target, options) = (args.target.get_for(Arch::X86_64)?, args.options());
    let mut sum = Sum::default();
    let mut open = Vec::new();
    let mut set = vec![false; args.global.len()];
    let work = |index: usize| make::programs(&args.objects[index], args, &target);
    parallel::ordered(args.objects.len(), args.jobs(), work, |_, made| {
        match made {
            Ok((made, has)) => {
                open.extend(made.into_iter().map(|made| std::sync::Mutex::new(Some(made))));
                set.iter_mut().zip(has).for_each(|(set, has)| *set |= has);
            }
            Err(failure) => {
                sum.unreadable += 1;
                exit::report(&failure);
            }
        }
        Ok::<_, Failure>(())
    })?;
    if let Some((text, _)) = args.global.iter().zip(&set).find(|(_, set)| !**set) {
        return Err(Failure::usage(format!("--global {text}: no object has this variable")));
    }
    let work = |index: usize| {
        let made = open[index].lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        made.map(|Made { object, section, name, index, prog_type, program }| {
            let (program, outcome) = match program {
                Ok(program) => {
                    let report = verdicts::ask(&program, &target, &options);
                    (Some(program), Outcome::Report(report))
                }
                Err(why) => (None, Outcome::NoLoad(why)),
            };
            Answer { id: None, object, section: Some(section), name, index, prog_type, program, outcome }
        })
    };
    parallel::ordered(open.len(), args.jobs(), work, |_, answer| {
        answer.map_or(Ok(()), |answer| write(args, &answer, &mut sum, io))
    })?;
    finish(&sum, args, io)
}

fn write(args: &Args, answer: &Answer, sum: &mut Sum, io: &mut Io<'_>) -> Result<(), Failure> {
    sum.add(answer);
    match io.format {
        Format::Human => human::answer(io.out, answer)?,
        Format::Json => {
            serde_json::to_writer(&mut *io.out, &json::answer(answer, args.log > 0))?;
            writeln!(io.out)?;
        }
    }
    Ok(())
}

fn finish(sum: &Sum, args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if sum.all == 0 && sum.unreadable == 0 {
        let what = if args.id.is_empty() {
            "there are no programs".to_owned()
        } else {
            format!("--id {}: no program has this", args.id)
        };
        return Err(Failure::usage(what));
    }
    if io.format == Format::Human {
        human::summary(io.out, sum)?;
    }
    Ok(sum.exit())
}
