//! Programs and their maps, put into the kernel.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;

use skep_kernel::{Btf, Loaded, LogLevel, Map, MappedMap, Prog};
use skep_linux::{Errno, MapType};
use skep_program::{MapDef, Program};

use super::TableError;

/// Why programs are not in the kernel, or cannot be run there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The kernel cannot be asked.
    #[error("needs {0}")]
    Unavailable(#[from] skep_kernel::Why),
    /// The kernel does not run programs of this type on request.
    #[error("BPF_PROG_TEST_RUN does not run {0} programs")]
    NoTestRun(&'static str),
    /// No program.
    #[error("no program to run")]
    Empty,
    /// A map was refused.
    #[error(transparent)]
    Map(#[from] skep_kernel::MapError),
    /// A program was refused.
    #[error("program `{program}`: {error}")]
    Load {
        /// The program.
        program: String,
        /// What the kernel said, with the verifier's log.
        error: skep_kernel::LoadError,
    },
    /// What a prog array or a map of maps starts with could not be put into it.
    #[error("map `{map}`, key {key}: `{name}`: {errno}")]
    Slot {
        /// The map.
        map: String,
        /// The key.
        key: u32,
        /// The map or program that goes there.
        name: String,
        /// The answer; `ENOENT` if there is no such map or program.
        errno: Errno,
    },
    /// The memory of an arena could not be mapped.
    #[error("arena `{map}` cannot be mapped: {errno}")]
    Arena {
        /// The map.
        map: String,
        /// The answer.
        errno: Errno,
    },
    /// Records of a map cannot be read.
    #[error("reading the records of map `{map}`: {errno}")]
    Records {
        /// The map.
        map: String,
        /// The answer.
        errno: Errno,
    },
    /// A map cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What is in the kernel.
#[derive(Debug)]
pub(super) struct Made {
    /// Each map once, in the order in which programs name them; then those that only other maps name.
    pub(super) maps: Vec<(Arc<MapDef>, Arc<Map>)>,
    /// In the order given.
    pub(super) programs: Vec<Prog>,
    /// The memory of arenas: mapped as long as programs use it.
    _arenas: Vec<MappedMap>,
}

impl Made {
    pub(super) fn map(&self, name: &str) -> Option<&Arc<Map>> {
        self.maps.iter().find(|(def, _)| def.name == name).map(|(_, map)| map)
    }
}

/// BTF of objects that is in the kernel already, by the address of ours. `None` where the kernel refuses it: as libbpf does, maps and
/// programs then go without.
#[derive(Default)]
struct Types(HashMap<*const skep_btf::Btf, Option<Btf>>);

impl Types {
    fn get(&mut self, btf: Option<&Arc<skep_btf::Btf>>) -> Option<&Btf> {
        let btf = btf.filter(|btf| btf.len() > 1)?;
        self.0.entry(Arc::as_ptr(btf)).or_insert_with(|| Btf::of_object(btf).ok()).as_ref()
    }
}

/// Creates all maps, loads all programs and fills the slots that the object defines. Programs name the same map if they share its
/// definition, or if their maps have the same name.
pub(super) fn create(programs: &[Arc<Program>], others: &[Arc<MapDef>]) -> Result<Made, HostError> {
    let mut types = Types::default();
    let mut made = Made { maps: Vec::new(), programs: Vec::new(), _arenas: Vec::new() };
    for program in programs {
        let mut own = Vec::with_capacity(program.maps.len());
        for def in &program.maps {
            own.push(map(&mut made, &mut types, def)?);
        }
        let loaded = Loaded::with_maps(program, own, LogLevel::OnFailure)
            .map_err(|error| HostError::Load { program: program.name.clone(), error })?;
        made.programs.push(loaded.prog);
    }
    for def in others {
        map(&mut made, &mut types, def)?;
    }
    fill_slots(&made, programs)?;
    Ok(made)
}

fn map(made: &mut Made, types: &mut Types, def: &Arc<MapDef>) -> Result<Arc<Map>, HostError> {
    let known = made.maps.iter().find(|(other, _)| Arc::ptr_eq(other, def) || other.name == def.name);
    if let Some((_, map)) = known {
        return Ok(map.clone());
    }
    let map = Arc::new(Map::from_def(def, types.get(def.btf.as_ref()))?);
    if def.map_type == MapType::Arena {
        made._arenas.push(arena(def, &map)?);
    }
    made.maps.push((def.clone(), map.clone()));
    Ok(map)
}

/// Maps an arena, as loaders do before they load its programs, and writes its variables.
fn arena(def: &MapDef, map: &Map) -> Result<MappedMap, HostError> {
    let memory = map.mmap().map_err(|errno| HostError::Arena { map: def.name.clone(), errno })?;
    if let Some(data) = &def.arena_data
        && let Ok(offset) = usize::try_from(data.offset)
        && offset.checked_add(data.bytes.len()).is_some_and(|end| end <= memory.len())
    {
        memory.write(offset, &data.bytes);
    }
    Ok(memory)
}

fn fill_slots(made: &Made, programs: &[Arc<Program>]) -> Result<(), HostError> {
    for (def, map) in &made.maps {
        for (key, name) in &def.slots {
            let failed = |errno| HostError::Slot { map: def.name.clone(), key: *key, name: name.clone(), errno };
            let fd = match def.map_type {
                MapType::ProgArray => {
                    let at = programs.iter().position(|program| program.name == *name);
                    at.map(|at| made.programs[at].as_fd())
                }
                _of_maps => made.map(name).map(|map| map.as_fd()),
            };
            map.set_fd(&key.to_le_bytes(), fd.ok_or(failed(Errno::ENOENT))?, 0).map_err(failed)?;
        }
    }
    Ok(())
}
