//! Objects: read, loaded, run.

use std::sync::Arc;

use fastrand::Rng;
use skep::{Arch, BuildError, Builder, Input, Instance, Object, Options, ProgType, Release, RunError, Target};
use skep_btf::Btf;
use skep_object::{Linker, Repairs};

use super::{Case, Pool, Subject, Verdict, elf_map};
use crate::areas::Kind;
use crate::seeds::{Seed, section};

/// Instructions that a run may execute.
const BUDGET: u64 = 5_000;
/// Bytes that one block of a map may have.
const MAP_MEMORY: u64 = 8 << 20;
/// Programs of an object that are run.
const PROGRAMS: usize = 6;
/// Memory beside the maps: a run has a stack, a packet and regions.
const RUN_MEMORY: usize = 8 << 20;

fn options(rng: &mut Rng) -> Options {
    let repairs = if rng.bool() { Repairs::ALL } else { Repairs::NONE };
    Options { repairs, ..Options::default() }
}

/// Asks what can be asked of an object.
fn explore(object: &Object) {
    for program in object.programs() {
        let _ = (program.section_match(), program.prog_type(), program.tags().count(), program.len());
    }
    for map in object.maps() {
        let _ = object.map(&map.name);
    }
    object.externs().count();
}

/// ELF to [`Object`].
pub(super) struct Parse(Pool);

impl Parse {
    pub(super) fn new(seeds: &[Seed]) -> Parse {
        Parse(Pool::new(seeds, elf_map(&[])))
    }
}

impl Subject for Parse {
    fn seeds(&self) -> usize {
        self.0.seeds.len()
    }

    fn case(&self, rng: &mut Rng) -> Case {
        self.0.case(rng)
    }

    fn run(&self, input: &[u8], rng: &mut Rng) -> Verdict {
        let object = Object::parse_with(input, &options(rng));
        if let Ok(object) = &object {
            explore(object);
        }
        Verdict::of(object)
    }
}

/// The target of a case: one that has the types of some seed, so that CO-RE relocations find fields, or none.
struct Targets(Vec<Arc<Target>>);

impl Targets {
    fn new(seeds: &[Seed]) -> Targets {
        let types = seeds.iter().filter_map(|seed| Btf::parse(&section(&seed.bytes, ".BTF")?).ok());
        let target = || Target::new(Release::new(6, 18), Arch::X86_64).with_kconfig("CONFIG_HZ", "250");
        let with = types.map(|btf| Arc::new(target().with_btf(Arc::new(btf))));
        Targets(with.chain([Arc::new(target())]).collect())
    }

    fn choose(&self, rng: &mut Rng) -> &Arc<Target> {
        &self.0[rng.usize(..self.0.len())]
    }
}

/// An instance, or the verdict on what is wrong.
fn build(object: &Object, names: &[&str], target: &Arc<Target>) -> Result<Instance, Verdict> {
    let builder = Instance::builder(target.clone()).allow_absent().budget(BUDGET).map_memory(MAP_MEMORY);
    let built = builder.object_programs(object, names).and_then(Builder::build);
    built.map_err(|error: BuildError| Verdict::of(Err::<(), _>(error)))
}

/// ELF to an instance.
pub(super) struct Load {
    pool: Pool,
    targets: Targets,
}

impl Load {
    pub(super) fn new(seeds: &[Seed]) -> Load {
        Load { pool: Pool::new(seeds, elf_map(&[Kind::Maps, Kind::Relocations, Kind::BtfExt])), targets: Targets::new(seeds) }
    }
}

impl Subject for Load {
    fn seeds(&self) -> usize {
        self.pool.seeds.len()
    }

    fn case(&self, rng: &mut Rng) -> Case {
        self.pool.case(rng)
    }

    fn run(&self, input: &[u8], rng: &mut Rng) -> Verdict {
        let object = match Object::parse_with(input, &options(rng)) {
            Ok(object) => object,
            Err(error) => return Verdict::of(Err::<(), _>(error)),
        };
        let target = self.targets.choose(rng);
        let mut linker = Linker::new(&object, target);
        let mut refused = None;
        let mut names = Vec::new();
        for program in object.programs() {
            match program.relocate_in(&mut linker) {
                Ok(_) => names.push(program.name()),
                Err(error) => refused = Some(Verdict::of(Err::<(), _>(error))),
            }
        }
        match build(&object, &names, target) {
            Ok(_) => refused.unwrap_or(Verdict::Accepted),
            Err(verdict) => verdict,
        }
    }

    fn allowance(&self, len: usize) -> usize {
        // Maps may reserve more than they ever use, each of them up to what the builder was told.
        RUN_MEMORY + 256 * len + 64 * MAP_MEMORY as usize
    }
}

/// ELF to the end of a run.
pub(super) struct Run {
    pool: Pool,
    targets: Targets,
}

impl Run {
    pub(super) fn new(seeds: &[Seed]) -> Run {
        Run { pool: Pool::new(seeds, elf_map(&[Kind::Code, Kind::Code, Kind::Maps])), targets: Targets::new(seeds) }
    }
}

/// Something to run a program on: what its type takes, with bytes by chance.
fn input(prog_type: ProgType, rng: &mut Rng) -> Input {
    let mut bytes = |len: usize| (0..len).map(|_| rng.u8(..)).collect::<Vec<u8>>();
    if Input::takes_packet(prog_type) {
        let mut packet = bytes(14 + 64);
        packet[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
        return Input::packet(&packet);
    }
    let row = skep_linux::contexts::context(prog_type, Arch::X86_64);
    Input::context(&bytes(row.map_or(0, |row| row.size as usize).clamp(8, 192)))
}

impl Subject for Run {
    fn seeds(&self) -> usize {
        self.pool.seeds.len()
    }

    fn case(&self, rng: &mut Rng) -> Case {
        self.pool.case(rng)
    }

    fn run(&self, bytes: &[u8], rng: &mut Rng) -> Verdict {
        let object = match Object::parse_with(bytes, &options(rng)) {
            Ok(object) => object,
            Err(error) => return Verdict::of(Err::<(), _>(error)),
        };
        let mut names: Vec<&str> = object.programs().map(|program| program.name()).collect();
        rng.shuffle(&mut names);
        names.truncate(PROGRAMS);
        let target = self.targets.choose(rng);
        let (mut verdict, mut ran) = (Verdict::Refused("no program".into()), false);
        for name in names {
            let mut instance = match build(&object, &[name], target) {
                Ok(instance) => instance,
                Err(why) => {
                    verdict = why;
                    continue;
                }
            };
            let Ok(mut program) = instance.program(name) else { return Verdict::Broken(format!("{name} is not there")) };
            let input = input(program.program().prog_type, rng);
            for _ in 0..2 {
                let result = program.run(&input);
                let executed = match &result {
                    Ok(outcome) => outcome.executed,
                    Err(RunError::Stopped(stopped)) => stopped.executed,
                    Err(RunError::Input(_)) => 0,
                };
                if executed > BUDGET {
                    return Verdict::Broken(format!("{executed} instructions of {BUDGET} executed"));
                }
                ran |= result.is_ok();
                if let Err(error) = result {
                    verdict = Verdict::of(Err::<(), _>(error));
                }
            }
        }
        if ran { Verdict::Accepted } else { verdict }
    }

    fn allowance(&self, len: usize) -> usize {
        RUN_MEMORY + 256 * len + 64 * MAP_MEMORY as usize
    }
}
