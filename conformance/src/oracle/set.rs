//! A program with all that has to be there with it.

use std::sync::Arc;

use skep_linux::{MapType, Target};
use skep_object::{Linker, Object, ObjectError, ProgramRef, RelocateError};
use skep_program::{MapDef, Program};

/// Programs that share maps, of which the first is run.
#[derive(Debug, Clone)]
pub struct Set {
    /// The program that is run, and those that it can call.
    pub programs: Vec<Arc<Program>>,
    /// Maps that only other maps name.
    pub others: Vec<Arc<MapDef>>,
}

/// Why a program of an object does not fit a target.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SetError {
    /// A program that a prog array starts with is not there.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A program does not fit.
    #[error(transparent)]
    Relocate(#[from] Box<RelocateError>),
}

/// Hash maps with more entries than this get this many: the kernel takes all their memory when they are created, and walks all of it to
/// find out that nothing is there. Both sides have the same maps, so what is compared stays comparable.
const MOST_ENTRIES: u32 = 4096;

/// The same map, or a smaller one.
fn shrunk(def: &Arc<MapDef>) -> Arc<MapDef> {
    let hash = matches!(def.map_type, MapType::Hash | MapType::PercpuHash | MapType::LruHash | MapType::LruPercpuHash);
    match hash && def.max_entries > MOST_ENTRIES {
        true => Arc::new(MapDef { max_entries: MOST_ENTRIES, ..def.as_ref().clone() }),
        false => def.clone(),
    }
}

impl Set {
    /// A program of an object, those that its prog arrays start with, and the maps that its maps of maps start with.
    ///
    /// # Errors
    /// Why one of them does not fit the target.
    pub fn new(object: &Object, program: &ProgramRef<'_>, target: &Target) -> Result<Set, SetError> {
        let mut linker = Linker::new(object, target);
        let first = program.relocate_in(&mut linker).map_err(Box::new)?;
        let mut set = Set { programs: vec![Arc::new(first)], others: Vec::new() };
        let mut next = 0;
        while let Some(program) = set.programs.get(next).cloned() {
            next += 1;
            let slots = program.maps.iter().flat_map(|def| def.slots.iter().map(move |(_, name)| (def.map_type, name)));
            for (map_type, name) in slots {
                if map_type == MapType::ProgArray {
                    if !set.programs.iter().any(|program| program.name == *name) {
                        let called = object.program(name)?;
                        // Where no section says so, what is called by a program is of its type.
                        let called = match called.prog_type() {
                            Some(_) => called,
                            None => called.as_type(program.prog_type, program.attach_type),
                        };
                        let called = called.relocate_in(&mut linker).map_err(Box::new)?;
                        set.programs.push(Arc::new(called));
                    }
                } else if let Some(inner) = object.map(name)
                    && !set.others.iter().any(|other| other.name == inner.name)
                {
                    set.others.push(inner.clone());
                }
            }
        }
        set.shrink();
        Ok(set)
    }

    /// Makes large maps smaller, except those that have to have the shape of another: values of maps of maps.
    fn shrink(&mut self) {
        let mut known: Vec<(Arc<MapDef>, Arc<MapDef>)> = Vec::new();
        let inner: Vec<String> = self.others.iter().map(|def| def.name.clone()).collect();
        for program in &mut self.programs {
            let mut changed = program.as_ref().clone();
            for def in &mut changed.maps {
                if inner.contains(&def.name) {
                    continue;
                }
                // Programs share a map by sharing its definition.
                let same = known.iter().find(|(original, _)| Arc::ptr_eq(original, def)).map(|(_, small)| small.clone());
                let small = same.unwrap_or_else(|| shrunk(def));
                known.push((def.clone(), small.clone()));
                *def = small;
            }
            *program = Arc::new(changed);
        }
    }
}
