//! A case on an engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep::{
    BuildError, DEFAULT_BUDGET, Input, InputError, Instance, Mode, NameError, Outcome, RunError, Stopped, Target, Trap, World,
};
use skep_btf::Literal;
use skep_btf::value::LiteralError;
use skep_kernel::{LoadError, Loaded, LogLevel};
use skep_linux::{Errno, MapType, ProgType};
use skep_object::{Object, ObjectError};
use skep_program::{MapDef, Program};

use super::file::{Case, Expected, File, Stepped};
use super::input::{self, Addresses, InputProblem};
use super::render;
use crate::diff::{SimulatedTable, perf_padded};
use crate::oracle::{self, Bytes, Contents, Ended, Engine, Host, HostError, Keeper, Set, SetError, Shape, TableError, shape};

/// Why a case gave nothing.
#[derive(Debug, thiserror::Error)]
#[error("case {case:?}: {problem}")]
pub struct CaseError {
    /// Name of the case.
    pub case: String,
    /// What went wrong.
    pub problem: Box<CaseProblem>,
}

/// What went wrong with a case.
#[derive(Debug, thiserror::Error)]
pub enum CaseProblem {
    /// The case does not fit the object.
    #[error(transparent)]
    Input(#[from] InputProblem),
    /// A value of a global variable.
    #[error("global variable: {0}")]
    Literal(#[from] LiteralError),
    /// A name that the object does not have.
    #[error(transparent)]
    Object(#[from] Box<ObjectError>),
    /// A program that does not fit the target.
    #[error(transparent)]
    Set(#[from] SetError),
    /// skep does not make an instance of it.
    #[error(transparent)]
    Build(#[from] Box<BuildError>),
    /// A name that the instance does not have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An input that does not fit the program.
    #[error("step {step}: {error}")]
    Step {
        /// Which step, from 0.
        step: usize,
        /// Why.
        error: InputError,
    },
    /// A run that came to something that skep does not simulate.
    #[error("step {step}: {error}")]
    NotSimulated {
        /// Which step, from 0.
        step: usize,
        /// What, and where.
        error: Box<Stopped>,
    },
    /// The kernel ended a run with an error number.
    #[error("the kernel refuses the input: {0}")]
    Refused(String),
    /// A map did not take an entry.
    #[error("entry {entry} of the maps: {errno}")]
    Unfilled {
        /// Which, from 0.
        entry: usize,
        /// The answer.
        errno: String,
    },
    /// A map cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The kernel does not take the program.
    #[error(transparent)]
    Host(#[from] Box<HostError>),
    /// The kernel does not take a program that it would not run on request.
    #[error("program `{program}`: {error}")]
    Load {
        /// The program.
        program: String,
        /// Why.
        error: Box<LoadError>,
    },
}

/// What the kernel said of a case.
#[derive(Debug)]
pub enum Asked {
    /// It ran it.
    Ran(Expected),
    /// It took the programs. It does not run them on request, or the case is not one that it could run.
    Accepted,
    /// Its verifier refused a program.
    Refused,
    /// This host lets nobody load such programs: for tracing and LSM programs, some sandboxes answer `EPERM`.
    Forbidden,
}

/// The object with the globals of a case.
fn with_globals(object: &Object, case: &Case) -> Result<Object, CaseProblem> {
    let mut object = object.clone();
    for (path, text) in &case.globals {
        object.set_global(path, Literal::parse(text)?).map_err(Box::new)?;
    }
    Ok(object)
}

/// Runs a case in skep.
///
/// # Errors
/// [`CaseError`]: what does not fit the object, what skep does not simulate, a run that was ended.
pub fn simulate(file: &File, object: &Object, case: &Case, target: &Arc<Target>, mode: Mode) -> Result<Expected, CaseError> {
    simulated(file, object, case, target, mode)
        .map_err(|problem| CaseError { case: case.name.clone(), problem: Box::new(problem) })
}

fn simulated(file: &File, object: &Object, case: &Case, target: &Arc<Target>, mode: Mode) -> Result<Expected, CaseProblem> {
    let object = with_globals(object, case)?;
    let mut world = World::new(target.clone());
    let addresses = input::world(&mut world, &case.world.clone().unwrap_or_default())?;
    let builder = Instance::builder(target.clone()).world(world).budget(case.budget.unwrap_or(DEFAULT_BUDGET));
    let mut instance = builder.object(&object).and_then(|builder| builder.mode(mode).build()).map_err(Box::new)?;
    let defs: Vec<Arc<MapDef>> = instance.maps().map(|map| map.inner().def().clone()).collect();
    let mut tables: Vec<(SimulatedTable, Keeper)> = Vec::new();
    for map in instance.maps() {
        let table = SimulatedTable::new(map.inner().clone());
        let keeper = Keeper::new(&table)?;
        tables.push((table, keeper));
    }
    for (entry, fill) in input::fills(&case.maps, defs.iter().map(Arc::as_ref))?.iter().enumerate() {
        let table = tables.iter_mut().find(|(table, _)| oracle::Table::def(table).name == fill.map);
        if let Some((table, keeper)) = table {
            let unfilled = |errno: Errno| CaseProblem::Unfilled { entry, errno: errno.to_string() };
            keeper.fill(table, &fill.key, &fill.value).map_err(unfilled)?;
        }
    }
    let (steps, stopped) = run_steps(&mut instance, case, &addresses)?;
    let mut records = BTreeMap::new();
    for def in &defs {
        let perf = def.map_type == MapType::PerfEventArray;
        let record = |bytes| Bytes(if perf { perf_padded(bytes) } else { bytes });
        let taken: Vec<Bytes> = instance.records(&def.name)?.into_iter().map(record).collect();
        if !taken.is_empty() {
            records.insert(def.name.clone(), taken);
        }
    }
    let mut contents = BTreeMap::new();
    for (table, keeper) in &mut tables {
        contents.insert(oracle::Table::def(table).name.clone(), keeper.read(table)?.clone());
    }
    let shown = expected(file, &object, steps, defs.iter().map(Arc::as_ref), &contents, &records);
    Ok(Expected { stopped, ..shown })
}

/// What each step gave, and why the last was ended.
fn run_steps(instance: &mut Instance, case: &Case, addresses: &Addresses) -> Result<(Vec<Stepped>, Option<String>), CaseProblem> {
    let mut steps = Vec::new();
    for (at, step) in case.steps.iter().enumerate() {
        if let Some(ended) = end_of(at, instance.advance(step.after.unwrap_or(0)))? {
            return Ok((steps, Some(ended)));
        }
        let mut program = instance.program(&step.program)?;
        let loaded = program.program().clone();
        let input = input::case(&loaded, step, addresses)?;
        let result = program.run(&engine_input(&input));
        if let Ok(outcome) = &result {
            let shown = shown(&loaded, step, outcome);
            // As of the kernel, which gives no context back where none came in.
            steps.push(Stepped { context: shown.context.filter(|_| input.context.is_some()), ..shown });
        }
        if let Some(ended) = end_of(at, result)? {
            return Ok((steps, Some(ended)));
        }
    }
    let ended = end_of(case.steps.len(), instance.advance(case.then.unwrap_or(0)))?;
    Ok((steps, ended))
}

/// Why a run was ended, if it was. What is not simulated says nothing about the program.
fn end_of<T>(step: usize, result: Result<T, RunError>) -> Result<Option<String>, CaseProblem> {
    match result {
        Ok(_) => Ok(None),
        Err(RunError::Input(error)) => Err(CaseProblem::Step { step, error }),
        Err(RunError::Stopped(error)) => match error.trap {
            Trap::NotSimulated(_) => Err(CaseProblem::NotSimulated { step, error: Box::new(error) }),
            Trap::Fault(_) | Trap::Budget(_) | Trap::CallDepth | Trap::Argument { .. } | Trap::Context(_) | Trap::Illegal(_) => {
                Ok(Some(render::stopped(&error)))
            }
        },
    }
}

fn engine_input(case: &oracle::Case) -> Input {
    let input = case.packet.as_ref().map_or_else(Input::none, |packet| Input::packet(&packet.0));
    match &case.context {
        Some(context) => input.with_context(&context.0),
        None => input,
    }
}

fn shown(program: &Program, step: &super::Step, outcome: &Outcome) -> Stepped {
    let (packet, context) = match shape(program.prog_type) {
        Some(Shape::Skb | Shape::Xdp) => (outcome.packet.as_deref(), Some(outcome.context.as_slice())),
        Some(Shape::FlowDissector) => (outcome.packet.as_deref(), None),
        Some(Shape::Memory) => (None, Some(outcome.context.as_slice())),
        Some(Shape::SkLookup | Shape::Args | Shape::Netfilter) | None => (None, None),
    };
    render::step(program, step, outcome.retval(), packet, context)
}

fn expected<'a>(
    file: &File,
    object: &Object,
    steps: Vec<Stepped>,
    defs: impl Iterator<Item = &'a MapDef>,
    contents: &BTreeMap<String, Contents>,
    records: &BTreeMap<String, Vec<Bytes>>,
) -> Expected {
    let mut maps = BTreeMap::new();
    for def in defs {
        let shown = contents.get(&def.name).map(|contents| render::map(def, contents)).unwrap_or_default();
        if !shown.is_empty() {
            maps.insert(def.name.clone(), shown);
        }
    }
    let btf = object.btf().map(Arc::as_ref);
    let records = records.iter().map(|(map, records)| (map.clone(), render::records(file, btf, map, records)));
    Expected { steps, stopped: None, maps, records: records.collect() }
}

/// Puts a case to the kernel of this host. `target` is that kernel.
///
/// # Errors
/// [`CaseError`]: what does not fit the object, and what the kernel refuses.
pub fn ask(file: &File, object: &Object, case: &Case, target: &Target) -> Result<Asked, CaseError> {
    asked(file, object, case, target).map_err(|problem| CaseError { case: case.name.clone(), problem: Box::new(problem) })
}

fn asked(file: &File, object: &Object, case: &Case, target: &Target) -> Result<Asked, CaseProblem> {
    let object = with_globals(object, case)?;
    let [step] = case.steps.as_slice() else { return accepted(&object, case, target) };
    let program = object.program(&step.program).map_err(Box::new)?;
    let set = Set::new(&object, &program, target)?;
    let Some(first) = set.programs.first() else { return Ok(Asked::Accepted) };
    if case.world.is_some() || step.after.is_some() || case.then.is_some() || shape(first.prog_type).is_none() {
        return accepted(&object, case, target);
    }
    let own = set.programs.iter().flat_map(|program| &program.maps).chain(&set.others).map(Arc::as_ref);
    let defs: BTreeMap<&str, &MapDef> = own.map(|def| (def.name.as_str(), def)).collect();
    let mut input = input::case(first, step, &Addresses::new())?;
    input.fills = input::fills(&case.maps, defs.values().copied())?;
    let mut host = match Host::new(&set) {
        Ok(host) => host,
        Err(HostError::Load { error, .. }) if error.by_verifier() => return Ok(Asked::Refused),
        Err(error) => return Err(Box::new(error).into()),
    };
    let observed = host.run(&input)?;
    if let Some((entry, errno)) = observed.unfilled.iter().next() {
        return Err(CaseProblem::Unfilled { entry: *entry, errno: errno.clone() });
    }
    let stepped = match &observed.ended {
        Ended::Returned { value, packet, context } => {
            let bytes = |bytes: &'_ Option<Bytes>| bytes.as_ref().map(|bytes| bytes.0.clone());
            render::step(first, step, *value, bytes(packet).as_deref(), bytes(context).as_deref())
        }
        Ended::Refused(errno) | Ended::Stopped(errno) | Ended::NotSimulated(errno) => {
            return Err(CaseProblem::Refused(errno.clone()));
        }
    };
    let shown = expected(file, &object, vec![stepped], defs.values().copied(), &observed.maps, &observed.records);
    Ok(Asked::Ran(shown))
}

/// Loads the programs of a case, without running them.
fn accepted(object: &Object, case: &Case, target: &Target) -> Result<Asked, CaseProblem> {
    for step in &case.steps {
        let program = object.program(&step.program).map_err(Box::new)?;
        let set = Set::new(object, &program, target)?;
        for program in &set.programs {
            match Loaded::create(program, LogLevel::OnFailure) {
                Ok(_) => {}
                Err(LoadError::Refused { errno: Errno::EPERM, .. }) if is_guarded(program.prog_type) => {
                    return Ok(Asked::Forbidden);
                }
                Err(error) if error.by_verifier() => return Ok(Asked::Refused),
                Err(error) => return Err(CaseProblem::Load { program: program.name.clone(), error: Box::new(error) }),
            }
        }
    }
    Ok(Asked::Accepted)
}

/// Programs that a host may refuse to everybody.
fn is_guarded(prog_type: ProgType) -> bool {
    matches!(prog_type, ProgType::Tracing | ProgType::Lsm | ProgType::Kprobe | ProgType::Tracepoint)
}
