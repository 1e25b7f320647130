//! The programs that are changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skep_conformance::corpus::{Corpus, LoadProblem, Set, TypesError};
use skep_conformance::{LineError, parallel};
use skep_linux::{MapType, Target};
use skep_object::{Linker, Object};
use skep_program::{MapDef, Program};
use skep_verifier::{Options, Verdict, verify};

use crate::programs::{Families, Generated, Lines};
use crate::verdicts::LONG;

/// A program as it was.
#[derive(Debug)]
pub struct Base {
    /// Where it came from.
    pub id: String,
    /// The program; its maps are small.
    pub program: Program,
    /// It is accepted.
    pub accepted: bool,
}

/// Programs that a verifier is through with soon.
#[derive(Debug, Default)]
pub struct Bases {
    pub(super) all: Vec<Base>,
}

/// Why recorded loads cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BasesError {
    /// The types of the corpus.
    #[error(transparent)]
    Types(#[from] TypesError),
    /// A line of it.
    #[error(transparent)]
    Line(#[from] LineError<LoadProblem>),
}

/// Entries of the largest map: the kernel takes their memory at once.
const ENTRIES: u32 = 64;
/// Bytes of the largest ring buffer.
const RING: u32 = 1 << 16;

/// The same map, or a smaller one.
fn small(def: &Arc<MapDef>) -> Arc<MapDef> {
    let most = match def.map_type {
        MapType::Ringbuf | MapType::UserRingbuf => RING,
        MapType::Array if def.max_entries == 1 => return def.clone(),
        _counted => ENTRIES,
    };
    match def.max_entries > most {
        true => Arc::new(MapDef { max_entries: most, ..def.as_ref().clone() }),
        false => def.clone(),
    }
}

impl Bases {
    /// The recorded loads of a corpus, if there is one, and the programs of the objects in the folders, for this target.
    ///
    /// # Errors
    /// A corpus that cannot be read.
    pub fn open(corpus: Option<&Path>, folders: &[PathBuf], target: &Target, jobs: usize) -> Result<Bases, BasesError> {
        let mut programs = Vec::new();
        folders.iter().for_each(|folder| of_folder(folder, target, &mut programs));
        if let Some(corpus) = corpus {
            of_corpus(&Corpus::open(corpus)?, target, &mut programs)?;
        }
        let options = Options { work_limit: 4 * LONG, ..Options::default() };
        let soon = |index: usize| {
            let report = verify(&programs[index].program, target, &options);
            let soon = u64::from(report.stats.insns_processed) <= LONG / 2;
            (matches!(report.verdict, Verdict::Accept), soon && !matches!(report.verdict, Verdict::Undecided(_)))
        };
        let mut said = Vec::with_capacity(programs.len());
        parallel::ordered(programs.len(), jobs, soon, |_, one| {
            said.push(one);
            Ok::<(), BasesError>(())
        })?;
        let mut bases = Bases::default();
        for (base, (accepted, soon)) in programs.into_iter().zip(said) {
            if soon {
                bases.all.push(Base { accepted, ..base });
            }
        }
        Ok(bases)
    }

    /// A program as it was; `None` beyond the last.
    pub fn load(&self, number: u64) -> Option<Generated> {
        let base = self.all.get(usize::try_from(number).ok()?)?;
        Some(Generated { lines: Lines::of(&base.program), shell: base.program.clone(), families: Families::default() })
    }

    /// Where a program came from.
    pub fn id(&self, number: u64) -> Option<&str> {
        Some(&self.all.get(usize::try_from(number).ok()?)?.id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

fn base(id: String, mut program: Program) -> Base {
    program.maps.iter_mut().for_each(|def| *def = small(def));
    Base { id, program, accepted: false }
}

fn of_corpus(corpus: &Corpus, target: &Target, programs: &mut Vec<Base>) -> Result<(), BasesError> {
    let Some(btf) = target.btf() else { return Ok(()) };
    for set in Set::ALL {
        for load in corpus.loads(set)? {
            match load {
                // What the kernel of this host does not have is left out.
                Ok(load) => programs.extend(load.retarget(corpus.vmlinux(), btf).ok().map(|program| base(load.id, program))),
                Err(LineError { problem: LoadProblem::OverProgram, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// The programs of the objects in a folder that load by themselves.
fn of_folder(folder: &Path, target: &Target, programs: &mut Vec<Base>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.retain(|path| name(path).ends_with(".o"));
    paths.sort();
    for path in paths {
        let Some(object) = std::fs::read(&path).ok().and_then(|bytes| Object::parse(&bytes).ok()) else { continue };
        let mut linker = Linker::new(&object, target);
        for program in object.programs() {
            let id = format!("{}@{}", name(&path), program.name());
            programs.extend(program.relocate_in(&mut linker).ok().map(|program| base(id, program)));
        }
    }
}
