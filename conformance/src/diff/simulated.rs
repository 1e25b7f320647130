//! The simulation as an engine: an instance over the same programs and maps as the kernel has.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep::{
    BuildError, DEFAULT_BUDGET, Hook, Input, InputError, Instance, Mode, NameError, Outcome, RunError, Target, Trap, World,
};
use skep_kernel::Entry;
use skep_linux::{Errno, MapType};
use skep_maps::Map;
use skep_program::MapDef;

use crate::oracle::{Bytes, Case, Ended, Engine, Keeper, Observed, Set, Shape, Table, TableError, shape};

/// Programs in skep, of which the first is run.
#[derive(Debug)]
pub struct Simulated {
    instance: Instance,
    program: String,
    shape: Option<Shape>,
    tables: Vec<(SimulatedTable, Keeper)>,
    /// The world as each run finds it.
    start: World,
    executed: u64,
}

/// Why programs do not run in skep.
#[derive(Debug, thiserror::Error)]
pub enum SimulatedError {
    /// Maps or programs cannot be made.
    #[error(transparent)]
    Build(#[from] Box<BuildError>),
    /// A map cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no program to run.
    #[error(transparent)]
    Name(#[from] Box<NameError>),
}

/// A map of the simulation.
#[derive(Debug)]
pub(crate) struct SimulatedTable {
    def: Arc<MapDef>,
    map: Arc<dyn Map>,
}

impl SimulatedTable {
    pub(crate) fn new(map: Arc<dyn Map>) -> SimulatedTable {
        SimulatedTable { def: map.def().clone(), map }
    }
}

impl Table for SimulatedTable {
    fn def(&self) -> &MapDef {
        &self.def
    }

    fn value_size(&self) -> usize {
        self.map.user_value_size()
    }

    fn array(&self) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::with_capacity(self.value_size() * self.def.max_entries as usize);
        for index in 0..self.def.max_entries {
            all.extend(self.map.user_lookup(&index.to_le_bytes(), 0)?);
        }
        Ok(all)
    }

    fn entries(&self) -> Result<Vec<Entry>, Errno> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let key = match self.map.next_key(entries.last().map(|(key, _)| key.as_slice())) {
                Ok(key) => key,
                Err(Errno::ENOENT) => return Ok(entries),
                Err(errno) => return Err(errno),
            };
            let value = self.map.user_lookup(&key, 0)?;
            entries.push((key, value));
        }
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<(), Errno> {
        self.map.user_update(key, value, 0)
    }

    fn delete(&self, key: &[u8]) -> Result<(), Errno> {
        self.map.user_delete(key)
    }

    fn pop(&self) -> Result<Vec<u8>, Errno> {
        self.map.user_lookup_and_delete(&[], 0)
    }
}

impl Simulated {
    /// Makes an instance of programs and maps, in a world that `set_world` has set. `stack_byte` is what stacks hold before the
    /// program writes to them.
    ///
    /// # Errors
    /// What skep cannot make, by name.
    pub fn new(
        set: &Set,
        target: &Arc<Target>,
        mode: Mode,
        stack_byte: u8,
        set_world: impl FnOnce(&mut World),
    ) -> Result<Simulated, SimulatedError> {
        Simulated::with_budget(set, target, mode, stack_byte, DEFAULT_BUDGET, set_world)
    }

    /// The same, where each run may execute `budget` instructions.
    ///
    /// # Errors
    /// As [`Simulated::new`].
    pub fn with_budget(
        set: &Set,
        target: &Arc<Target>,
        mode: Mode,
        stack_byte: u8,
        budget: u64,
        set_world: impl FnOnce(&mut World),
    ) -> Result<Simulated, SimulatedError> {
        let mut world = World::new(target.clone());
        set_world(&mut world);
        let mut builder = Instance::builder(target.clone()).world(world).stack_byte(stack_byte).budget(budget);
        for program in &set.programs {
            builder = builder.program(program.clone());
        }
        for def in &set.others {
            builder = builder.map(def.clone());
        }
        let instance = builder.mode(mode).build().map_err(Box::new)?;
        let mut tables = Vec::new();
        for map in instance.maps() {
            let table = SimulatedTable::new(map.inner().clone());
            let keeper = Keeper::new(&table)?;
            tables.push((table, keeper));
        }
        let (program, shape) =
            set.programs.first().map_or((String::new(), None), |program| (program.name.clone(), shape(program.prog_type)));
        let start = instance.world().clone();
        Ok(Simulated { instance, program, shape, tables, start, executed: 0 })
    }

    /// Instructions executed in all runs.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Changes the world that runs find.
    pub fn set_world(&mut self, set: impl FnOnce(&mut World)) {
        set(&mut self.start);
    }

    fn prepare(&mut self, case: &Case) -> Result<BTreeMap<usize, String>, TableError> {
        let mut unfilled = BTreeMap::new();
        for (table, keeper) in &mut self.tables {
            keeper.reset(table)?;
            for (at, fill) in case.fills.iter().enumerate().filter(|(_, fill)| fill.map == table.def.name) {
                if let Err(errno) = keeper.fill(table, &fill.key, &fill.value) {
                    unfilled.insert(at, errno.to_string());
                }
            }
        }
        Ok(unfilled)
    }

    /// Moves the clock on, with something that watches what runs on the way.
    ///
    /// # Errors
    /// As [`Instance::advance`].
    pub fn watch_later<H: Hook>(&mut self, nanoseconds: u64, hook: &mut H) -> Result<u64, RunError> {
        self.instance.advance_with(nanoseconds, hook)
    }

    /// Runs the program on a case with something that watches, from the same world and the same maps each time.
    ///
    /// # Errors
    /// A map that cannot be filled or read.
    pub fn watch<H: Hook>(&mut self, case: &Case, hook: &mut H) -> Result<Result<Outcome, RunError>, SimulatedError> {
        self.prepare(case)?;
        *self.instance.world_mut() = self.start.clone();
        let mut program = self.instance.program(&self.program).map_err(|error| SimulatedError::Name(Box::new(error)))?;
        Ok(program.run_with(&input(case), hook))
    }

    fn ended(&mut self, case: &Case) -> Ended {
        let input = input(case);
        let mut program = match self.instance.program(&self.program) {
            Ok(program) => program,
            Err(error) => return Ended::Stopped(error.to_string()),
        };
        match program.run(&input) {
            Ok(outcome) => {
                self.executed += outcome.executed;
                let (packet, context) = match self.shape {
                    Some(Shape::Skb | Shape::Xdp) => (outcome.packet.clone(), Some(outcome.context.clone())),
                    Some(Shape::FlowDissector) => (outcome.packet.clone(), None),
                    Some(Shape::Memory) => (None, Some(outcome.context.clone())),
                    Some(Shape::SkLookup | Shape::Args | Shape::Netfilter) | None => (None, None),
                };
                let context = context.filter(|_| case.context.is_some());
                Ended::Returned { value: outcome.retval(), packet: packet.map(Bytes), context: context.map(Bytes) }
            }
            Err(RunError::Input(InputError::Refused { errno, .. })) => Ended::Refused(errno.to_string()),
            Err(RunError::Input(error @ (InputError::NoField { .. } | InputError::NoPacket(_) | InputError::NoTypes(_)))) => {
                Ended::NotSimulated(error.to_string())
            }
            Err(RunError::Stopped(stopped)) => {
                self.executed += stopped.executed;
                match &stopped.trap {
                    Trap::NotSimulated(what) => Ended::NotSimulated(what.clone()),
                    Trap::Fault(_)
                    | Trap::Budget(_)
                    | Trap::CallDepth
                    | Trap::Argument { .. }
                    | Trap::Context(_)
                    | Trap::Illegal(_) => Ended::Stopped(stopped.to_string()),
                }
            }
        }
    }

    fn records(&mut self) -> BTreeMap<String, Vec<Bytes>> {
        let mut all = BTreeMap::new();
        for (table, _) in &self.tables {
            let perf = match table.def.map_type {
                MapType::Ringbuf => false,
                MapType::PerfEventArray => true,
                _without_records => continue,
            };
            let records = self.instance.records(&table.def.name).unwrap_or_default();
            let padded = records.into_iter().map(|record| Bytes(if perf { perf_padded(record) } else { record }));
            let padded: Vec<Bytes> = padded.collect();
            if !padded.is_empty() {
                all.insert(table.def.name.clone(), padded);
            }
        }
        all
    }
}

fn input(case: &Case) -> Input {
    let input = case.packet.as_ref().map_or_else(Input::none, |packet| Input::packet(&packet.0));
    match &case.context {
        Some(context) => input.with_context(&context.0),
        None => input,
    }
}

/// A perf record as its ring shows it: zeros follow, so that it and the four bytes of its length are a multiple of eight.
pub(crate) fn perf_padded(mut record: Vec<u8>) -> Vec<u8> {
    record.resize((record.len() + 4).next_multiple_of(8) - 4, 0);
    record
}

impl Engine for Simulated {
    fn run(&mut self, case: &Case) -> Result<Observed, TableError> {
        let unfilled = self.prepare(case)?;
        *self.instance.world_mut() = self.start.clone();
        let ended = self.ended(case);
        let records = self.records();
        let mut maps = BTreeMap::new();
        for (table, keeper) in &mut self.tables {
            maps.insert(table.def.name.clone(), keeper.read(table)?.clone());
        }
        Ok(Observed { ended, maps, records, unfilled })
    }
}
