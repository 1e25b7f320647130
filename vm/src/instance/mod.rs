//! Programs with their maps and their world.

mod as_verified;
mod builder;
mod compile;
mod map;
mod mode;
mod run;
mod time;

use std::sync::Arc;

use skep_linux::Target;
use skep_maps::Map;
use skep_memory::Block;
use skep_program::{MapDef, Program};
use skep_world::{Context, Output, World};

pub use builder::{BuildError, Builder, DEFAULT_BUDGET};
pub use compile::CompileError;
pub use map::{MapEntry, MapError, MapRef};
pub use mode::Mode;
pub use run::{Outcome, ProgramMut, RunError};

use crate::engine::{Core, Environment};

/// A map of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) def: Arc<MapDef>,
    pub(crate) map: Arc<dyn Map>,
}

/// Programs, the maps that they share, and the simulated kernel around them. It can be sent to another thread; [`Instance::fork`] makes
/// one for each thread that runs the same programs.
#[derive(Debug)]
pub struct Instance {
    core: Box<Core>,
    environment: Environment,
    maps: Vec<Entry>,
    budget: u64,
}

/// A name that the instance does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No such program.
    #[error("no program `{name}`; there are: {}", known.join(", "))]
    Program {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// No such map.
    #[error("no map `{name}`; there are: {}", known.join(", "))]
    Map {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
}

impl Instance {
    /// Collects programs and maps for a target.
    pub fn builder(target: impl Into<Arc<Target>>) -> Builder {
        Builder::new(target.into())
    }

    /// The programs, in the order in which they were added.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        self.environment.programs.iter().map(|linked| linked.image.program.as_ref())
    }

    /// The program of this name, to be run.
    ///
    /// # Errors
    /// [`NameError::Program`].
    pub fn program(&mut self, name: &str) -> Result<ProgramMut<'_>, NameError> {
        let index = self.programs().position(|program| program.name == name);
        match index {
            Some(index) => Ok(ProgramMut::new(self, index)),
            None => Err(NameError::Program { name: name.into(), known: self.programs().map(|p| p.name.clone()).collect() }),
        }
    }

    /// The number that names a program in prog arrays.
    ///
    /// # Errors
    /// [`NameError::Program`].
    pub fn program_id(&mut self, name: &str) -> Result<u32, NameError> {
        Ok(self.program(name)?.index() as u32 + 1)
    }

    /// The maps, in the order in which they were made.
    pub fn maps(&self) -> impl Iterator<Item = MapRef> {
        self.maps.iter().map(|entry| MapRef::new(entry.def.clone(), entry.map.clone()))
    }

    /// The map of this name. Maps of variables may be named by their section (`.bss`) too.
    ///
    /// # Errors
    /// [`NameError::Map`].
    pub fn map(&self, name: &str) -> Result<MapRef, NameError> {
        let found = self.maps.iter().find(|entry| entry.def.is_called(name));
        match found {
            Some(entry) => Ok(MapRef::new(entry.def.clone(), entry.map.clone())),
            None => {
                let known = self.maps.iter().map(|entry| entry.def.name.clone()).collect();
                Err(NameError::Map { name: name.into(), known })
            }
        }
    }

    /// Another instance of the same programs over the same maps, for another thread. Its world is as this one's is now, without what
    /// programs sent out; kernel objects are the same, since they hold each other's addresses.
    #[must_use]
    pub fn fork(&self) -> Instance {
        let world = World { output: Output::default(), ..self.core.world.clone() };
        let mut core = Core::new(world, Context::memory(Block::zeroed(0)), self.core.linked.clone());
        let environment = self.environment.clone();
        environment.maps.iter().for_each(|map| core.add_map(map.as_ref()));
        // Objects that programs allocated may be in maps, which the two share.
        let objects: Vec<_> = core.world.heap.objects().map(|(_, object)| object.region()).collect();
        objects.into_iter().for_each(|region| core.memory.add(region));
        Instance { core: Box::new(core), environment, maps: self.maps.clone(), budget: self.budget }
    }

    /// The simulated kernel.
    pub fn world(&self) -> &World {
        &self.core.world
    }

    /// The simulated kernel, to be set.
    pub fn world_mut(&mut self) -> &mut World {
        self.core.objects = 0;
        &mut self.core.world
    }

    /// Takes the records that programs wrote to a ring buffer or a perf event array since the last time, oldest first.
    ///
    /// # Errors
    /// [`NameError::Map`].
    pub fn records(&mut self, map: &str) -> Result<Vec<Vec<u8>>, NameError> {
        let found = self.map(map)?;
        let mut records = found.drain();
        let name = &found.def().name;
        let (taken, kept) =
            std::mem::take(&mut self.core.world.output.records).into_iter().partition(|record| record.map == *name);
        self.core.world.output.records = kept;
        records.extend(Vec::into_iter(taken).map(|record: skep_world::Record| record.data));
        Ok(records)
    }
}
