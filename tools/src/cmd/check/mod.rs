//! `skep check`.

mod answer;
mod args;
mod compare;
mod explain;
mod github;
mod human;
mod json;
mod kernel;
mod make;
mod place;
mod progress;
mod render;
mod sarif;
mod table;
mod top;
mod truth;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use skep::Target;
use skep_conformance::corpus::{Loads, Types};
use skep_conformance::{parallel, verdicts};
use skep_linux::Arch;
use skep_verifier::{Options, Policies, Privileges};

use crate::cli::AnyFormat;
use crate::exit::{self, Exit, Failure};
use crate::names;
use answer::{Answer, Outcome};
pub(crate) use args::Args;
use args::Policy;
use make::Made;
use progress::Progress;
use render::Render;

/// Checks, and writes the answers.
pub(crate) fn run(args: &Args, format: AnyFormat, out: &mut dyn Write) -> Result<Exit, Failure> {
    match &args.loads {
        Some(path) if args.truth.is_some() => truth::compare(args, path, out),
        Some(path) => loads(args, path, format, out),
        None => objects(args, format, out),
    }
}

impl Args {
    fn options(&self) -> Options {
        let mut policies = Policies::default();
        for (given, value) in self.allow.iter().map(|given| (given, true)).chain(self.deny.iter().map(|given| (given, false))) {
            *match given {
                Policy::ReadKernel => &mut policies.read_kernel,
                Policy::WriteUser => &mut policies.write_user,
                Policy::OverrideReturn => &mut policies.override_return,
            } = value;
        }
        Options {
            policies,
            privileges: if self.unprivileged { Privileges::NONE } else { Privileges::ALL },
            log_level: self.log,
            count_insns: self.top_lines.is_some(),
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

/// Recorded loads.
fn loads(args: &Args, path: &Path, format: AnyFormat, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (loads, types) = args.recorded(path)?;
    let (target, options) = (types.target(), args.options());
    let work = |index: usize| -> Result<Answer, Failure> {
        let id = loads.id(index);
        let (load, report) = verdicts::of_load(loads.get(index, &types), &target, &options).map_err(Failure::usage)?;
        let (object, name, number) = parts(&id);
        Ok(Answer {
            object,
            section: None,
            name,
            index: number,
            prog_type: load.as_ref().map(|load| names::prog_type(load.program.prog_type)),
            program: load.map(|load| load.program),
            outcome: Outcome::Report(report),
            id: Some(id),
            relocations: Vec::new(),
        })
    };
    let mut render = Render::new(out, args, &target, format)?;
    let mut progress = Progress::new(loads.len());
    parallel::ordered(loads.len(), args.jobs(), work, |_, answer| {
        let (answer, live) = (answer?, progress.live);
        progress.past(|| if live { render.answer_now(&answer) } else { render.answer(&answer) })
    })?;
    progress.finish();
    render.finish()
}

/// Object, program and index of `SET/OBJECT@PROGRAM@INDEX`.
fn parts(id: &str) -> (String, String, u32) {
    let (path, index) = id.rsplit_once('@').unwrap_or((id, ""));
    let (object, name) = path.rsplit_once('@').unwrap_or((path, ""));
    let object = object.split_once('/').map_or(object, |(_, object)| object);
    (object.to_owned(), name.to_owned(), index.parse().unwrap_or_default())
}

/// Objects.
fn objects(args: &Args, format: AnyFormat, out: &mut dyn Write) -> Result<Exit, Failure> {
    // The answer must not depend on the machine that asks.
    let (target, options) = (args.target.get_for(Arch::X86_64)?, args.options());
    let mut render = Render::new(out, args, &target, format)?;
    let open = open(args, &target, &mut render)?;
    let work = |index: usize| {
        let made = open[index].lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let Made { object, section, name, index, prog_type, program, relocations } = made;
        let (program, outcome) = match program {
            Ok(program) => {
                let report = verdicts::ask(&program, &target, &options);
                (Some(program), Outcome::Report(report))
            }
            Err(why) => (None, Outcome::NoLoad(why)),
        };
        Some(Answer { id: None, object, section: Some(section), name, index, prog_type, program, relocations, outcome })
    };
    let mut progress = Progress::new(open.len());
    parallel::ordered(open.len(), args.jobs(), work, |_, answer| -> Result<(), Failure> {
        let (Some(answer), live) = (answer, progress.live) else { return Ok(()) };
        progress.past(|| if live { render.answer_now(&answer) } else { render.answer(&answer) })
    })?;
    progress.finish();
    render.finish()
}

/// The programs of all objects, each to be taken once. Objects that cannot be read are told of, and counted.
fn open(args: &Args, target: &Target, render: &mut Render<'_>) -> Result<Vec<Mutex<Option<Made>>>, Failure> {
    let mut open = Vec::new();
    let mut set = vec![false; args.global.len()];
    let work = |index: usize| make::programs(&args.objects[index], args, target);
    parallel::ordered(args.objects.len(), args.jobs(), work, |_, made| {
        match made {
            Ok((made, has)) => {
                open.extend(made.into_iter().map(|made| Mutex::new(Some(made))));
                set.iter_mut().zip(has).for_each(|(set, has)| *set |= has);
            }
            Err(failure) => {
                render.sum.unreadable += 1;
                exit::report(&failure);
            }
        }
        Ok::<_, Failure>(())
    })?;
    match args.global.iter().zip(&set).find(|(_, set)| !**set) {
        Some((text, _)) if render.sum.unreadable == 0 => {
            Err(Failure::usage(format!("--global {text}: no object has this variable")))
        }
        Some(_) | None => Ok(open),
    }
}
