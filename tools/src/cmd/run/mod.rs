//! `skep run`.

mod args;
mod error;
mod human;
mod input;
mod json;
mod maps;
mod net;
mod pcap;
mod proto;
mod records;
mod report;
mod scene;
mod syntax;
mod types;

use std::sync::Arc;
use std::time::{Duration, Instant};

use skep::{BuildError, Input, Instance, Object, Options, Outcome, Program, RunError, Step, Target, Trace, Trap};
use skep_btf::TypeId;
use skep_object::{MapSize, ProgramRef};

use super::Io;
use crate::cli::Format;
use crate::exit::{Exit, Failure};
pub(crate) use args::Args;
use error::Wrong;
use input::{Fields, input};
use records::Decoder;
use report::Report;
use scene::Scene;
use syntax::Assignment;
use types::Types;

/// What runs of one job gave: the last outcome, its trace with the number of steps that were not kept, and the nanoseconds of each on
/// average.
struct Ran {
    result: Result<Outcome, RunError>,
    trace: Option<(Vec<Step>, u64)>,
    nanoseconds: Option<u64>,
}

/// One run: what it is on, and settings of the world before it.
struct Job {
    kind: &'static str,
    /// Entry function of the program.
    program: String,
    fields: Fields,
    settings: Vec<Assignment>,
    packet: Option<Vec<u8>>,
    /// When the packet was captured.
    time: Option<Duration>,
}

/// A program, and the type of its context where that is a record.
struct Loaded {
    program: Program,
    record: Option<(Arc<skep::Btf>, TypeId)>,
}

/// All that stays the same from run to run.
struct Session<'a> {
    args: &'a Args,
    instance: Instance,
    scene: Scene,
    decoder: Decoder,
    programs: Vec<Arc<Loaded>>,
    /// The clock at the beginning, and the time of the first packet of the capture.
    start: (u64, Option<Duration>),
    writer: Option<pcap::Writer>,
    number: usize,
    numbered: bool,
    /// How often each verdict came, in the order in which they came first.
    verdicts: Vec<(String, usize)>,
    failed: bool,
    undecided: bool,
}

/// Writes the answer.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let object = open(args)?;
    let jobs = jobs(args, &object)?;
    let target = args.target.get()?;
    let types = Types::new(&args.types, &object, target.btf().cloned())?;
    let mut session = Session::new(args, &object, target, types, &jobs)?;
    for job in &jobs {
        session.run(job, io)?;
    }
    if let Some(path) = &args.pcap {
        let program = choose(&object, args.program.as_deref())?;
        let cannot = || format!("cannot read packets from `{}`", path.display());
        let capture = pcap::Capture::open(path).map_err(|error| Failure::usage(error).within(cannot()))?;
        for frame in capture {
            let frame = frame.map_err(|error| Failure::usage(error).within(cannot()))?;
            let (fields, settings) = context_fields(args)?;
            let packet = Some(frame.bytes);
            let job = Job { kind: "packet", program: program.clone(), fields, settings, packet, time: frame.time };
            session.run(&job, io)?;
        }
    }
    session.finish(io)
}

/// Reads the object and sets its variables.
fn open(args: &Args) -> Result<Object, Failure> {
    let cannot = || format!("cannot read the object `{}`", args.object.display());
    let mut object = Object::open(&args.object, &Options::default()).map_err(|error| Failure::usage(error).within(cannot()))?;
    for text in &args.resize {
        resize(&mut object, text).map_err(|failure| failure.within(format!("--resize '{text}'")))?;
    }
    for text in &args.global {
        super::set_global(&mut object, text)?;
    }
    Ok(object)
}

/// `--resize NAME.max_entries=N,NAME.value_size=N`.
fn resize(object: &mut Object, text: &str) -> Result<(), Failure> {
    for Assignment { path, value } in Assignment::list(text).map_err(Wrong::from)? {
        let (name, field) = path.rsplit_once('.').unwrap_or((&path, "max_entries"));
        let number = value.parse().map(Some);
        let number = number.map_err(|_| Wrong::Field { what: "a map", field: field.to_owned(), value })?;
        let size = match field {
            "max_entries" => MapSize { max_entries: number, ..MapSize::default() },
            "key_size" => MapSize { key_size: number, ..MapSize::default() },
            "value_size" => MapSize { value_size: number, ..MapSize::default() },
            _ => {
                let known = ["max_entries", "key_size", "value_size"].map(str::to_owned).to_vec();
                return Err(Wrong::NoField { what: "a map".into(), field: field.to_owned(), known }.into());
            }
        };
        object.resize_map(name, size).map_err(Failure::usage)?;
    }
    Ok(())
}

/// The entry function of the program that a word means: its function, its section, or what it is attached to.
fn choose(object: &Object, word: Option<&str>) -> Result<String, Wrong> {
    let names: Vec<String> = object.programs().map(|program| program.name().to_owned()).collect();
    let Some(word) = word else {
        return match &names[..] {
            [only] => Ok(only.clone()),
            [] => Err(Wrong::NoPrograms),
            _ => Err(Wrong::NameOne(names)),
        };
    };
    if names.iter().any(|name| name == word) {
        return Ok(word.to_owned());
    }
    let of_section: Vec<String> =
        object.programs().filter(|program| program.section() == word).map(|program| program.name().to_owned()).collect();
    let attached = |section: &str| section.rsplit(['/', ':']).next() == Some(word);
    let found = match of_section.is_empty() {
        true => {
            object.programs().filter(|program| attached(program.section())).map(|program| program.name().to_owned()).collect()
        }
        false => of_section,
    };
    match &found[..] {
        [only] => Ok(only.clone()),
        [] => Err(Wrong::NoProgram { name: word.to_owned(), known: names }),
        _ => Err(Wrong::WhichProgram { name: word.to_owned(), known: found }),
    }
}

fn context_fields(args: &Args) -> Result<(Fields, Vec<Assignment>), Wrong> {
    Fields::parse(&args.ctx.join(","))
}

/// The runs that the command line asks for, those of a capture aside.
fn jobs(args: &Args, object: &Object) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    for event in &args.event {
        let (program, fields) = event.split_once(':').unwrap_or((event, ""));
        let within = |wrong: Wrong| Failure::from(wrong).within(format!("--event '{event}'"));
        let (fields, mut settings) = Fields::parse(fields).map_err(within)?;
        let program = choose(object, Some(program.trim())).map_err(within)?;
        let packet = settings.iter().position(|setting| setting.path == "packet").map(|at| settings.remove(at).value);
        let bytes = |text: String| crate::hex::bytes(text.strip_prefix("hex:").unwrap_or(&text));
        let packet = packet.map(bytes).transpose().map_err(|failure| failure.within(format!("--event '{event}'")))?;
        jobs.push(Job { kind: "event", program, fields, settings, packet, time: None });
    }
    for packet in &args.packet {
        let bytes = crate::hex::bytes(packet).map_err(|failure| failure.within("--packet"))?;
        let (fields, settings) = context_fields(args)?;
        let program = choose(object, args.program.as_deref())?;
        jobs.push(Job { kind: "packet", program, fields, settings, packet: Some(bytes), time: None });
    }
    if jobs.is_empty() && args.pcap.is_none() {
        let (fields, settings) = context_fields(args)?;
        let program = choose(object, args.program.as_deref())?;
        jobs.push(Job { kind: "run", program, fields, settings, packet: None, time: None });
    }
    Ok(jobs)
}

/// Failures to make an instance: what skep lacks is undecided, all else is the object's fault.
fn unbuildable(error: BuildError) -> Failure {
    match error {
        BuildError::NoBody { .. } | BuildError::Undecided { .. } | BuildError::Compile(_) => Failure::undecided(error),
        BuildError::Object(_) => Failure::usage(error),
        BuildError::Relocate(_)
        | BuildError::Map(_)
        | BuildError::Jump { .. }
        | BuildError::Link { .. }
        | BuildError::Refused { .. }
        | BuildError::NotAsVerified { .. }
        | BuildError::Variable { .. }
        | BuildError::Slot { .. } => Failure::failed(error),
    }
}

/// The programs with the type that a section of a name has.
fn typed<'o>(programs: Vec<ProgramRef<'o>>, section: &str) -> Result<Vec<ProgramRef<'o>>, Failure> {
    let found =
        skep_linux::section(section).ok_or_else(|| Failure::usage(format!("--type {section}: no section is called so")))?;
    Ok(programs.into_iter().map(|program| program.as_type(found.row.prog_type, found.row.attach_type)).collect())
}

/// Programs that `--map` puts into maps, for tail calls.
fn called(args: &Args, object: &Object) -> impl Iterator<Item = String> {
    // What is no assignment is told of when it is carried out.
    let values = args.map.iter().filter_map(|text| Some(Assignment::parse(text).ok()?.value.strip_prefix('@')?.to_owned()));
    values.filter(|name| object.programs().any(|program| program.name() == name))
}

impl<'a> Session<'a> {
    fn new(args: &'a Args, object: &Object, target: Target, types: Types, jobs: &[Job]) -> Result<Session<'a>, Failure> {
        let mut names: Vec<String> = jobs.iter().map(|job| job.program.clone()).collect();
        if args.pcap.is_some() {
            names.push(choose(object, args.program.as_deref())?);
        }
        names.extend(called(args, object));
        let decoder = Decoder::new(object, &types, &args.record)?;
        let target = Arc::new(target);
        let mut world = skep::World::new(target.clone());
        if let Some(cpus) = args.cpus {
            world.cpus = cpus;
        }
        let mut wanted: Vec<&str> = Vec::new();
        for name in &names {
            if !wanted.contains(&name.as_str()) {
                wanted.push(name);
            }
        }
        let refs = wanted.iter().map(|name| object.program(name)).collect::<Result<Vec<_>, _>>().map_err(Failure::usage)?;
        let refs = match &args.section {
            Some(section) => typed(refs, section)?,
            None => refs,
        };
        let mut builder = Instance::builder(target).world(world).programs_of(object, &refs).map_err(unbuildable)?;
        if let Some(budget) = args.budget {
            builder = builder.budget(budget);
        }
        let instance = builder.mode(args.engine.mode()).build().map_err(unbuildable)?;
        let load = |program: &Program| Arc::new(Loaded { program: program.clone(), record: proto::record(&types, program) });
        let programs = instance.programs().map(load).collect();
        let writer = args.pcap_out.as_ref().map(|path| {
            pcap::Writer::create(path).map_err(|error| Failure::usage(error).within(format!("cannot write `{}`", path.display())))
        });
        let mut session = Session {
            args,
            instance,
            scene: Scene::new(types),
            decoder,
            programs,
            start: (0, None),
            writer: writer.transpose()?,
            number: 0,
            numbered: jobs.len() > 1 || args.pcap.is_some(),
            verdicts: Vec::new(),
            failed: false,
            undecided: false,
        };
        session.prepare()?;
        Ok(session)
    }

    /// World and maps as the command line describes them.
    fn prepare(&mut self) -> Result<(), Failure> {
        let args = self.args;
        let world = self.instance.world_mut();
        if let Some(cpu) = args.cpu {
            world.cpu = cpu;
        }
        if world.cpu >= world.cpus {
            return Err(Failure::usage(format!("CPU {} of {}: --cpus says how many there are", world.cpu, world.cpus)));
        }
        if let Some(seed) = args.seed {
            world.random = skep::Random::new(seed);
        }
        if let Some(clock) = &args.clock {
            self.scene.set(world, &Assignment { path: "clock".into(), value: clock.clone() })?;
        }
        let mut task = Vec::new();
        for text in &args.task {
            task.extend(Assignment::list(text).map_err(Wrong::from)?);
        }
        // Of a process with one thread, both ids are the same.
        for (one, other) in [("pid", "tgid"), ("tgid", "pid")] {
            let given = task.iter().find(|assignment| assignment.path == one).cloned();
            if let (Some(given), false) = (given, task.iter().any(|assignment| assignment.path == other)) {
                task.push(Assignment { path: other.to_owned(), value: given.value });
            }
        }
        for assignment in task {
            self.scene.set(world, &Assignment { path: format!("task.{}", assignment.path), ..assignment })?;
        }
        type Make = fn(&mut skep::World, &str) -> Result<(), Wrong>;
        let made: [(&str, &[String], Make); 4] = [
            ("device", &args.devices, net::device),
            ("route", &args.routes, net::route),
            ("neighbour", &args.neighbours, net::neighbour),
            ("cgroup", &args.cgroups, net::cgroup),
        ];
        for (option, texts, make) in made {
            for text in texts {
                make(world, text).map_err(|wrong| Failure::from(wrong).within(format!("--{option} '{text}'")))?;
            }
        }
        for text in &args.objects {
            self.scene.make(world, text).map_err(|wrong| Failure::from(wrong).within(format!("--object '{text}'")))?;
        }
        for text in &args.set {
            let within = |wrong: Wrong| Failure::from(wrong).within(format!("--set '{text}'"));
            let assignment = Assignment::parse(text).map_err(|error| within(error.into()))?;
            self.scene.set(world, &assignment).map_err(within)?;
        }
        self.start.0 = world.clock.monotonic;
        for path in &args.maps {
            maps::put_file(&mut self.instance, path)?;
        }
        for text in &args.map {
            maps::put(&mut self.instance, text).map_err(|wrong| Failure::from(wrong).within(format!("--map '{text}'")))?;
        }
        Ok(())
    }

    fn run(&mut self, job: &Job, io: &mut Io<'_>) -> Result<(), Failure> {
        self.number += 1;
        let loaded = self.programs.iter().find(|loaded| loaded.program.name == job.program).cloned();
        let loaded = loaded.ok_or_else(|| Failure::usage(format!("no program `{}`", job.program)))?;
        let Loaded { program, record } = &*loaded;
        let world = self.instance.world_mut();
        if let Some(time) = job.time {
            let first = *self.start.1.get_or_insert(time);
            world.clock.monotonic = self.start.0.wrapping_add(time.saturating_sub(first).as_nanos() as u64);
        }
        let within =
            |wrong: Wrong| Failure::from(wrong).within(format!("{} {}, program `{}`", job.kind, self.number, program.name));
        for setting in &job.settings {
            self.scene.set(world, setting).map_err(within)?;
        }
        let event = world.event.clone();
        let input = input(&self.scene, world, program, record.as_ref(), &job.fields, job.packet.as_deref()).map_err(within)?;
        let context = self.instance.program(&program.name).map_err(Wrong::from)?.context(&input);
        let Ran { result, trace, nanoseconds } = match &context {
            Ok(_) => self.repeat(&program.name, &input)?,
            Err(error) => Ran { result: Err(RunError::Input(error.clone())), trace: None, nanoseconds: None },
        };
        let records = self.decoder.take(&mut self.instance)?;
        let world = self.instance.world_mut();
        let output = std::mem::take(&mut world.output);
        let after = std::mem::replace(&mut world.event, event);
        let report = Report {
            number: self.number,
            kind: job.kind,
            program,
            packet: job.packet.as_deref(),
            context: context.unwrap_or_default(),
            result,
            counted: !self.args.engine.is_compiled() || self.args.trace.is_some(),
            nanoseconds,
            printk: output.printk,
            seq: output.seq,
            records,
            effects: output.effects,
            redirect: after.redirect,
            trace,
            record: record.as_ref(),
            row: report::row(program, world.target.arch),
        };
        match &report.result {
            Ok(_) => {}
            Err(RunError::Stopped(stopped)) if matches!(stopped.trap, Trap::NotSimulated(_)) => self.undecided = true,
            Err(RunError::Stopped(_)) => self.failed = true,
            Err(RunError::Input(error)) if !self.numbered => return Err(Failure::usage(error.clone())),
            Err(RunError::Input(_)) => self.failed = true,
        }
        if let (Some(writer), true, Some(packet)) = (&mut self.writer, report.passes(), report.packet_out()) {
            writer.write(job.time.unwrap_or_default(), &packet)?;
        }
        self.count(&report);
        if self.args.quiet {
            return Ok(());
        }
        match io.format {
            Format::Human => human::report(io.out, &report, self.numbered, &|name| self.program(name))?,
            Format::Json => {
                serde_json::to_writer(&mut *io.out, &json::report(&report))?;
                writeln!(io.out)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, report: &Report<'_>) {
        let verdict = report.verdict();
        match self.verdicts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, count)) => *count += 1,
            None => self.verdicts.push((verdict, 1)),
        }
    }

    /// The program of this name, after a tail call too.
    fn program(&self, name: &str) -> Option<&Program> {
        self.programs.iter().map(|loaded| &loaded.program).find(|program| program.name == name)
    }

    /// The run, as often as it was asked for.
    fn repeat(&mut self, name: &str, input: &Input) -> Result<Ran, Failure> {
        let repeat = self.args.repeat;
        let event = self.instance.world().event.clone();
        let mut spent = Duration::ZERO;
        for _ in 1..repeat {
            let started = Instant::now();
            let result = self.instance.program(name).map_err(Wrong::from)?.run(input);
            spent += started.elapsed();
            if result.is_err() {
                return Ok(Ran { result, trace: None, nanoseconds: None });
            }
            // What came before the last run is not shown, and must not fill memory.
            self.decoder.take(&mut self.instance)?;
            let world = self.instance.world_mut();
            world.output = Default::default();
            world.event.clone_from(&event);
        }
        let mut program = self.instance.program(name).map_err(Wrong::from)?;
        let started = Instant::now();
        let (result, trace) = match self.args.trace {
            Some(limit) => {
                let (result, Trace { steps, dropped, .. }) = program.trace(input, limit);
                (result, Some((steps, dropped)))
            }
            None => (program.run(input), None),
        };
        spent += started.elapsed();
        let nanoseconds = (repeat > 1).then(|| (spent.as_nanos() / u128::from(repeat)) as u64);
        Ok(Ran { result, trace, nanoseconds })
    }

    fn finish(self, io: &mut Io<'_>) -> Result<Exit, Failure> {
        if let Some(writer) = self.writer {
            writer.finish()?;
        }
        match io.format {
            Format::Human if self.args.quiet || self.args.pcap.is_some() => human::summary(io.out, self.number, &self.verdicts)?,
            Format::Json if self.args.quiet => {
                serde_json::to_writer(&mut *io.out, &json::summary(self.number, &self.verdicts))?;
                writeln!(io.out)?;
            }
            Format::Human | Format::Json => {}
        }
        if !self.args.dump.is_empty() {
            let dumps = maps::dump(&self.instance, &self.args.dump)?;
            match io.format {
                Format::Human => human::dumps(io.out, &dumps)?,
                Format::Json => {
                    serde_json::to_writer(&mut *io.out, &json::dumps(&dumps))?;
                    writeln!(io.out)?;
                }
            }
        }
        Ok(match (self.failed, self.undecided) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Undecided,
            (false, false) => Exit::Passed,
        })
    }
}
